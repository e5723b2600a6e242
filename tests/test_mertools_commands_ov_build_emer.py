"""`mertools ov build emer`: from a sample to checked explanations, step by step, with people's files as they come."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from browser import open_browser
from scripted_server import ScriptedServer, prompt_of

from mertools.clip import Clip
from mertools.commands import ov_build_emer, ov_build_split
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.media import write_clip
from mertools.ov.emer_study import ASPECTS, Study, read_study
from mertools.ov.explanations import read_explanations
from mertools.ov.prompts import CLOSING

SAMPLE = 4
CLOSED_SENTENCE = CLOSING["en"].split("{")[0]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Nine clips, three of them neutral, one of them of text alone."""
    write_clip(tmp_path / "a.mp4", [np.full((32, 48, 3), 90, np.uint8)] * 4, 4, np.sin(np.arange(16_000) / 9) / 2)
    clips = [
        Clip(
            f"c{n}",
            video=tmp_path / "a.mp4",
            subtitle="我没事。",
            subtitle_english="I am fine.",
            split="train",
            label=label,
        )
        for n, label in enumerate(["neutral", "sad", "angry"] * 3)
    ]
    clips[1] = Clip("c1", subtitle_english="Only words.", split="train", label="sad")
    write_manifest(tmp_path / "manifest.csv", clips)
    return tmp_path / "manifest.csv"


def start(corpus: Path, *words: str) -> Path:
    out = corpus.parent / "emer"
    drawn = ["--sample", str(SAMPLE), "--exclude", "neutral", "--seed", "0"]
    assert ov_build_emer.main(["--data", str(corpus), *drawn, *words, "--out", str(out)]) == 0
    return out


def saved(folder: Path, study: str, person: str, rows: list[dict]) -> Path:
    """A person's file as the page saves it."""
    path = folder / f"answers-{study}-{person}.json"
    contents = {"format": "mertools answers 1", "study": study, "rater": person, "answers": rows}
    path.write_text(json.dumps(contents), encoding="utf-8")
    return path


def annotated(out: Path, study: Study, clue: str = "{} of {} by {}.") -> list[Path]:
    """What annotators hand in: of each clip a clue for its face and its tone, the others empty."""
    return [
        saved(
            out.parent,
            f"{study.id}-clues",
            person,
            [
                {"item": item, "ready": "yes"}
                | {
                    aspect: clue.format(aspect, item, person) if aspect in ("face", "tone") else None
                    for aspect in ASPECTS
                }
                for item in items
            ],
        )
        for person, items in study.assigned.items()
    ]


def drafted(sheet: Path) -> list[dict[str, str]]:
    """The rows of a sheet that the checker gets."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def go_on(out: Path, *words: str) -> None:
    assert ov_build_emer.main(["--out", str(out), *words]) == 0


def script(request: Mapping) -> str:
    prompt = prompt_of(request)
    if prompt.startswith("Multi-paragraph"):
        assert prompt.count('"Clue Description') == 6 + 2
        return f"He frowns in {re.search('clip-[0-9]+', prompt)[0]}."
    if prompt.startswith("Please summarize the person"):
        return "sad, worried"
    return "['悲伤', '担心']" if "词翻译" in prompt else "他皱着眉头。根据这些线索，可以推断他很悲伤。"


def test_from_a_sample_to_explanations(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = start(corpus)
    study = read_study(out / "study.json")
    assert len(study.clips) == SAMPLE and not {"c0", "c3", "c6"} & set(study.names.values())
    people = out / "people"
    assert {path.name for path in people.glob("*.html")} == {f"annotator-{n}.html" for n in range(1, 7)}
    assert f"answers-{study.id}-clues-*.json" in capsys.readouterr().out
    go_on(out)
    assert "Awaited: the annotators' files" in capsys.readouterr().out

    with ScriptedServer(script) as server:
        served = ["--server", server.url]
        go_on(out, "--answers", *map(str, annotated(out, study)), *served)
        assert len(server.requests) == SAMPLE and "checker-summaries.html" in capsys.readouterr().out
        rows = drafted(people / "checker-summaries.csv")
        assert [row["summary"] for row in rows] == [f"He frowns in {clip.item}." for clip in study.clips]
        assert rows[0]["text"].count("– ") == 6

        # A sheet does as well as the page: the second clip is unusable, the first is corrected.
        answers = [{"item": row["item"], "summary": row["summary"], "verdict": "good"} for row in rows]
        answers[0]["summary"] = "He frowns and says 没事."
        answers[1]["verdict"] = "bad"
        go_on(out, "--answers", str(saved(out.parent, f"{study.id}-summaries", "checker", answers)), *served)
        rows = drafted(people / "checker-descriptions.csv")
        assert [row["item"] for row in rows] == ["clip-01", "clip-03", "clip-04"]
        assert rows[0]["description"] == f"He frowns and says 没事. {CLOSED_SENTENCE}sad, worried."
        assert rows[0]["labels"] == "sad, worried"

        answers = [
            {"item": row["item"], "description": row["description"], "labels": row["labels"], "verdict": "good"}
            for row in rows
        ]
        answers[0]["labels"] = "Sad；lonely"
        answers[2]["verdict"] = "bad"
        go_on(out, "--answers", str(saved(out.parent, f"{study.id}-descriptions", "checker", answers)), *served)
    found = {one.name: one for one in read_explanations(out / "explanations.jsonl")}
    first, second, third, fourth = (found[clip.name] for clip in study.clips)
    assert list(found) == [clip.name for clip in study.clips]
    assert first.labels_en == ("sad", "lonely") and third.labels_en == ("sad", "worried")
    assert first.description_en.endswith("sad, worried.") and first.description_zh.startswith("他皱着眉头")
    assert third.labels_zh == ("悲伤", "担心") and third.source["labels"]["checked"] == "checker"
    assert (
        second.failed == "check: nothing can be said of it" and fourth.failed == "check: the reasoning is not plausible"
    )
    assert second.labels_en == fourth.labels_en == ()
    card = (out / "DATA_CARD.md").read_text(encoding="utf-8")
    assert "2 of 4 clips explained" in card and "People wrote the clues and checked the texts" in card
    assert "| clues | 6 people, 3 for every clip | – |" in card and "| summaries | scripted |" in card
    assert "Please unify the subject of multiple paragraphs" in card and card.count("mertools ov build emer") == 4
    assert ov_build_split.main([str(out / "explanations.jsonl"), "--test", "1"]) == 0

    go_on(out)
    with pytest.raises(InputError, match="is complete"):
        go_on(out, "--answers", str(out / "x.json"))
    with pytest.raises(InputError, match="holds a study already"):
        go_on(out, "--sample", "3")


def test_without_any_model(corpus: Path) -> None:
    out = start(corpus, "--language", "zh", "--annotators", "2", "--per-clip", "2")
    study = read_study(out / "study.json")
    # A clue that both wrote is there once, and English words do not make it English.
    go_on(out, "--answers", *map(str, annotated(out, study, "他很悲伤，做OK手势")))
    rows = drafted(out / "people" / "checker-summaries.csv")
    assert {row["summary"] for row in rows} == {"他很悲伤，做OK手势。"}
    answers = [{"item": row["item"], "summary": row["summary"], "verdict": "good"} for row in rows]
    go_on(out, "--answers", str(saved(out.parent, f"{study.id}-summaries", "checker", answers)))
    rows = drafted(out / "people" / "checker-descriptions.csv")
    assert rows[0]["description"] == "他很悲伤，做OK手势。根据这些线索，可以推断出人物的情感状态是悲伤。"
    answers = [{"verdict": "good"} | {key: row[key] for key in ("item", "description", "labels")} for row in rows]
    go_on(out, "--answers", str(saved(out.parent, f"{study.id}-descriptions", "checker", answers)))
    for one in read_explanations(out / "explanations.jsonl"):
        assert (one.labels_zh, one.labels_en, one.description_en, one.failed) == (("悲伤",), (), "", "")


def test_what_annotators_may_not_hand_in(corpus: Path) -> None:
    out = start(corpus)
    study = read_study(out / "study.json")
    files = annotated(out, study)

    def refused(match: str, *paths: Path) -> None:
        with pytest.raises(InputError, match=match):
            go_on(out, "--answers", *map(str, paths))
        assert not (out / "annotations.jsonl").exists()

    def changed(number: int, **fields: object) -> Path:
        contents = json.loads(files[number].read_text())
        contents["answers"][0] |= fields
        path = out.parent / f"changed-{number}.json"
        path.write_text(json.dumps(contents))
        return path

    refused("2 of 6 annotators gave no file: annotator-5, annotator-6", *files[:4])
    refused("second file of annotator-1", *files, files[0])
    refused(
        r"annotator-1 .*: 1 item not answered(.|\n)*annotator-2 .*: 1 item unknown",
        changed(0, ready=None),
        changed(1, item="x"),
    )
    refused("1 items of annotator-3 have no clue at all", *files[:2], changed(2, face=" ", tone=None), *files[3:])
    refused(
        r"annotator-1: 1 of \d texts are not in the study's language 'en' \(first: '他皱着眉头",
        changed(0, face="他皱着眉头，声音颤抖。"),
        *files[1:],
    )
    refused(f"is of the study '{study.id}-summaries'", saved(out.parent, f"{study.id}-summaries", "annotator-1", []))
    go_on(out, "--answers", *map(str, files))
    rows = [{"item": clip.item, "summary": "", "verdict": "good"} for clip in study.clips]
    empty = saved(out.parent, f"{study.id}-summaries", "checker", rows)
    with pytest.raises(InputError, match="4 clips are good and have no summary"):
        go_on(out, "--answers", str(empty))
    with pytest.raises(InputError, match="is one person: got 2 files"):
        go_on(out, "--answers", str(empty), str(empty))
    rows = [row | {"summary": "他皱着眉头。"} for row in rows]
    with pytest.raises(InputError, match="checker: 4 of 4 texts are not in the study's language"):
        go_on(out, "--answers", str(saved(out.parent, f"{study.id}-summaries", "checker", rows)))


def test_clips_of_a_challenge_are_not_annotated(tmp_path: Path) -> None:
    clips = [Clip(f"sample_{n:08d}", subtitle_english="x", split="unlabelled") for n in range(5)]
    write_manifest(tmp_path / "manifest.csv", clips)
    words = ["--data", str(tmp_path / "manifest.csv"), "--sample", "2", "--out", str(tmp_path / "emer")]
    with pytest.raises(
        InputError, match=r"5 of 5 clips are of a challenge.*cannot manually annotate samples in MER2024"
    ):
        ov_build_emer.main(words)
    assert not (tmp_path / "emer").exists()
    assert ov_build_emer.main([*words, "--as-organiser"]) == 0
    with pytest.raises(InputError, match=r"0 of 5 clips to draw from .*--sample 2 asks for more"):
        ov_build_emer.main([*words[:4], "--exclude", "neutral", "--as-organiser", "--out", str(tmp_path / "other")])


@pytest.mark.page
def test_a_form_is_filled_by_key(corpus: Path, tmp_path: Path) -> None:
    out = start(corpus, "--annotators", "1", "--per-clip", "1")
    study = read_study(out / "study.json")
    with open_browser() as page:
        page.save_downloads(tmp_path)
        page.open(out / "people" / "annotator-1.html")
        for number in range(SAMPLE):
            page.press("Enter")
            page.type(f"He frowns {number}.")
            page.press("Tab")
            page.type("His voice trembles.")
            page.press("Escape")
            page.press("1")
        page.click("#save-done")
        path = tmp_path / f"answers-{study.id}-clues-annotator-1.json"
        while not path.exists():
            page.evaluate("1")
        assert page.problems == []
    go_on(out, "--answers", str(path))
    rows = drafted(out / "people" / "checker-summaries.csv")
    assert sorted(row["summary"] for row in rows) == [f"He frowns {n}. His voice trembles." for n in range(SAMPLE)]
