from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.lexicon import lexicon
from mertools.ov.clues import Clue
from mertools.ov.descriptions import Description
from mertools.ov.labels import OpenLabels, write_labels
from mertools.report.explanations import (
    ExplainingSystem,
    Explanation,
    clip_disagreement,
    disagreement,
    meanings,
    read_system,
)

CLIPS = [Clip("a", label="angry"), Clip("b")]
OPINIONS = st.lists(st.frozensets(st.sampled_from(["happy", "sad", "calm", "tense"])), max_size=5)


def labelled(name: str, **labels: str) -> ExplainingSystem:
    """A system that gave each clip the words of `labels`."""
    return ExplainingSystem(
        name, {clip: Explanation(labels=OpenLabels(clip, tuple(said.split()))) for clip, said in labels.items()}
    )


def test_what_a_system_says_of_a_clip_is_gathered_from_its_files(tmp_path: Path) -> None:
    clues = [{"name": "a", "modality": kind, "text": f"by {kind}", "source": {}} for kind in ("audio", "video")]
    (tmp_path / "clues.jsonl").write_text("\n".join(map(json.dumps, clues)), encoding="utf-8")
    write_labels(tmp_path / "labels.csv", [OpenLabels("a", ("angry",)), OpenLabels("b", (), "timed out")])
    system = read_system("one", tmp_path, CLIPS)
    said = system.of(CLIPS[0])
    assert [clue.text for clue in said.clues] == ["by audio", "by video"]
    assert (said.description, said.opinion, said.failures) == (None, ("angry",), ())
    assert (system.of(CLIPS[1]).opinion, system.of(CLIPS[1]).failures) == (None, ("timed out",))
    assert system.of(Clip("c")) == Explanation()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of clues.jsonl, descriptions.jsonl and labels.csv"):
        read_system("one", tmp_path, CLIPS)
    write_labels(tmp_path / "labels.csv", [OpenLabels("x", ("angry",))])
    with pytest.raises(InputError, match=r"other clips \(x\) than the manifest \(a, b\)"):
        read_system("one", tmp_path, CLIPS)


def test_each_reason_of_a_failure_is_told_once() -> None:
    said = Explanation(
        (Clue("a", "audio", "", failed="no sound"), Clue("a", "video", "a smile")),
        Description("a", "", "", failed="refused"),
        OpenLabels("a", (), "refused"),
    )
    assert said.failures == ("no sound", "refused")


def test_labels_are_compared_by_what_they_mean() -> None:
    assert meanings(["angrily", "Angry"], lexicon()) == meanings(["angry"], lexicon())
    assert meanings([" Zorgloob"], lexicon()) == {"zorgloob"}


def test_the_share_of_pairs_without_a_common_label() -> None:
    happy, sad, both = frozenset({"happy"}), frozenset({"sad"}), frozenset({"happy", "sad"})
    assert disagreement([happy, sad]) == 1
    assert disagreement([happy, sad, both]) == pytest.approx(1 / 3)
    assert disagreement([happy, sad, frozenset()]) == 1
    assert disagreement([happy, frozenset()]) == disagreement([happy]) == disagreement([]) == 0


@given(OPINIONS)
def test_disagreement_is_a_share_whatever_the_order(opinions: list[frozenset[str]]) -> None:
    assert 0 <= disagreement(opinions) <= 1
    assert disagreement(opinions) == disagreement(opinions[::-1])


def test_a_failure_is_no_opinion() -> None:
    failed = ExplainingSystem("failed", {"a": Explanation(labels=OpenLabels("a", (), "timed out"))})
    assert clip_disagreement(CLIPS[0], [labelled("one", a="angry"), failed], lexicon()) == 0
    assert clip_disagreement(CLIPS[0], [labelled("one", a="angry"), labelled("two", a="happy")], lexicon()) == 1


def test_a_system_alone_is_compared_with_the_truth() -> None:
    assert clip_disagreement(CLIPS[0], [labelled("one", a="happy")], lexicon()) == 1
    assert clip_disagreement(CLIPS[0], [labelled("one", a="anger")], lexicon()) == 0
    assert clip_disagreement(CLIPS[1], [labelled("one", b="anger")], lexicon()) == 0
