"""What a corpus holds, told by a card."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mertools.__main__ import dispatch
from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.media import write_clip, write_sound


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two labelled splits and a pool; a video of 3 s, a sound of 1 s, a broken file."""
    write_clip(tmp_path / "a.mp4", [np.zeros((32, 48, 3), np.uint8)] * 75, 25, np.zeros(48000, np.float32))
    write_sound(tmp_path / "b.flac", np.zeros(16000, np.float32))
    (tmp_path / "c.mp4").write_bytes(b"nothing")
    clips = [
        Clip("a", video=tmp_path / "a.mp4", split="train", label="happy", subtitle="你好。", speaker="anna"),
        Clip("b", audio=tmp_path / "b.flac", split="semi", label="surprised", subtitle="Hola.", speaker="anna"),
        Clip("c", video=tmp_path / "c.mp4", split="pool", subtitle_english="Hi.", subtitle_source="asr"),
        Clip("d", split="pool", label="happy", subtitle="…", speaker="bert", open_labels=("glad",)),
    ]
    write_manifest(tmp_path / "manifest.csv", clips)
    return tmp_path


def rows(card: str, title: str) -> list[list[str]]:
    """The table under a heading, its header first."""
    lines = re.search(rf"## {title}\n\n(.*?)\n(?:\n|\Z)", card, re.DOTALL)[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_the_card_tells_what_there_is(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "card", "--data", str(corpus / "manifest.csv"), "--workers", "0"]
    assert dispatch(words) == 0
    card = capsys.readouterr().out
    assert card.startswith("# manifest.csv\n\n4 clips; fingerprint ")
    assert rows(card, "Samples") == [
        ["split", "samples (labelled/whole)", "happy", "surprise"],
        ["train", "1", "1", "0"],
        ["semi", "1", "0", "1"],
        ["pool", "1/2", "1", "0"],
        ["all", "3/4", "2", "1"],
    ]
    _, train, semi, pool, whole = rows(card, "Lengths")
    assert train[1:7] == ["3.00", "3.00", "3.00", "0", "0", "0"] and semi[4] == "1"
    assert pool[1:7] == ["–", "–", "–", "0", "0", "2"] and whole[1:4] == ["1.00", "2.00", "3.00"]
    assert "- c: c.mp4 cannot be opened" in card and "- d: neither video nor audio" in card
    assert rows(card, "What the clips have")[-1] == ["all", "2", "3", "0", "3", "1", "3", "3", "1"]
    assert rows(card, "Speakers")[-1] == ["all", "2", "2", "1"]
    assert "1 of 2 speakers are heard in more than one split." in card
    assert rows(card, "Subtitles")[1:] == [
        *(["subtitle", writing, "1"] for writing in ("Chinese", "Latin", "no letters", "none")),
        ["subtitle_english", "Latin", "1"],
        ["subtitle_english", "none", "3"],
        ["subtitle_source", "not said", "3"],
        ["subtitle_source", "asr", "1"],
    ]
    assert dispatch([*words, "--out", str(corpus / "CARD.md")]) == 0
    assert (corpus / "CARD.md").read_text(encoding="utf-8") == card


def test_other_classes_stand_as_they_are(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus / "other.csv").write_text("name,subtitle,label,notice\na,x,disgust,Made up.\nb,x,surprised,Made up.\n")
    assert dispatch(["data", "card", "--data", str(corpus / "other.csv"), "--workers", "0"]) == 0
    card = capsys.readouterr().out
    assert rows(card, "Samples") == [
        ["split", "samples (labelled/whole)", "disgust", "surprised"],
        ["train", "2", "1", "1"],
    ]
    assert "**Made up.**" in card
