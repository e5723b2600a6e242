"""The demo corpus' open-vocabulary truth: derivable from what a clip shows, and the same in labels and description."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mertools.prepare.demo_corpus import MODALITIES, DemoClip, draw_clips
from mertools.prepare.demo_sentences import AMBIGUOUS, OPENINGS, Sentence
from mertools.prepare.demo_truth import FACE, SIGNS, VOICE, Cue, describe, open_labels

CLASSES = {"neutral", "calm", "angry", "happy", "sad", "worried", "surprised"}


def cues(**shown: Cue) -> dict[str, Cue]:
    return {modality: shown.get(modality, Cue("neutral")) for modality in MODALITIES}


def labels_of(clip: DemoClip) -> tuple[str, ...]:
    return open_labels(clip.label, clip.cues, clip.sentence)


def test_a_clip_has_one_to_three_labels_and_the_corpus_about_two_a_clip() -> None:
    drawn = [labels_of(clip) for clip in draw_clips(240, seed=0)]
    counts = [len(labels) for labels in drawn]
    assert min(counts) >= 1 and max(counts) <= 3 and 2 < np.mean(counts) < 2.5
    assert all(len(set(labels)) == len(labels) for labels in drawn)


def test_each_clear_cue_adds_its_shade() -> None:
    said = Sentence("我好孤单，我的小狗死了。", "I feel so lonely, my little dog died.", "lonely")
    assert open_labels("sad", cues(text=Cue("sad")), said) == ("sad", "lonely")
    assert open_labels("sad", cues(video=Cue("sad"), text=Cue("sad")), said) == ("sad", "dejected", "lonely")
    assert open_labels("surprise", cues(audio=Cue("surprise")), Sentence("。", ".")) == ("surprised", "astonished")
    assert open_labels("neutral", cues(), Sentence("。", ".")) == ("neutral", "calm")


@pytest.mark.parametrize("pair", [sorted(pair) for pair in AMBIGUOUS], ids=" ".join)
def test_a_cue_between_two_emotions_adds_the_other_one(pair: list[str]) -> None:
    label, other = pair
    for modality in MODALITIES:
        shown = cues(**{modality: Cue(label, other)})
        named = open_labels(label, shown, Sentence("。", "."))
        assert named == tuple({"surprise": "surprised"}.get(word, word) for word in (label, other))
        assert f"between {named[0]} and {named[1]}" in describe(label, shown, Sentence("。", ".")) or modality == "text"


def test_the_description_holds_every_label_and_what_was_said() -> None:
    for clip in draw_clips(240, seed=1):
        description = describe(clip.label, clip.cues, clip.sentence)
        words = re.findall(r"[a-z]+", description.lower())
        assert set(labels_of(clip)) <= set(words)
        assert clip.sentence.english in description


def test_a_description_says_nothing_of_emotions_that_are_not_labels() -> None:
    shades = {sign.shade for signs in SIGNS.values() for sign in signs.values()}
    shades |= {opening.feeling for openings in OPENINGS.values() for opening in openings if opening.feeling}
    for clip in draw_clips(240, seed=2):
        told = describe(clip.label, clip.cues, Sentence("。", ".", clip.sentence.feeling))
        words = set(re.findall(r"[a-z]+", told.lower()))
        assert words & (shades | CLASSES) <= set(labels_of(clip))


def test_every_emotion_has_a_sign_in_face_and_voice() -> None:
    assert set(FACE) == set(VOICE) == set(OPENINGS)
