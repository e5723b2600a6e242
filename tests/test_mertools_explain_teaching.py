"""From examples to batches, and the frames' mean and deviation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_explainer import SENTENCES, language_model
from tiny_lessons import CLIPS, configuration, stage, write_corpus, write_frames

from mertools.errors import InputError
from mertools.explain.batch import IGNORED
from mertools.explain.explainer import Explainer
from mertools.explain.teaching import Library, asking_batch, learning_batch, standardise


def test_a_learning_batch_is_an_asking_batch_and_its_answers(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration(), test=0)
    chosen = configuration(stage(data))
    explainer = Explainer(chosen, language_model())
    with Library(chosen, tmp_path / "features") as library:
        lessons = library.open(data)
        learning = learning_batch(explainer, lessons.frames, lessons.examples[:2])
        asking = asking_batch(explainer, lessons.frames, lessons.examples[:2])
        other = asking_batch(explainer, lessons.frames, lessons.examples[:1], {CLIPS[0]: CLIPS[1]})
    for row in range(2):
        ids = learning.input_ids[row][learning.attention_mask[row].bool()]
        prompt = asking.input_ids[row][asking.attention_mask[row].bool()]
        assert ids[: len(prompt)].equal(prompt)
        answer = learning.labels[row][learning.labels[row] != IGNORED]
        assert explainer.template.decode(answer.tolist()) == SENTENCES[row]
    # Shuffled media: the other clip's frames, and everything else as it was.
    assert other.media["audio"].frames.equal(asking.media["audio"].frames[1:])
    assert other.input_ids[0].equal(asking.input_ids[0])


def test_frames_are_standardised_to_the_training_clips(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration(), test=2)
    audio = configuration().audio
    assert audio is not None
    chosen = configuration(stage(data), audio=replace(audio, scale="standardise"))
    explainer = Explainer(chosen, language_model())
    with Library(chosen, tmp_path / "features") as library:
        lessons = library.open(data)
        standardise(explainer, [lessons, lessons])
        frames = torch.cat([lessons.frames.clip(name)["audio"].frames[0] for name in CLIPS[:6]])
    branch = explainer.branches["audio"]
    torch.testing.assert_close(branch.mean, frames.mean(dim=0))
    torch.testing.assert_close(branch.deviation, frames.std(dim=0, correction=0))
    assert explainer.branches["video"].deviation.eq(1).all()


def test_sets_have_folders_of_their_own_with_the_same_encoder(tmp_path: Path) -> None:
    chosen = configuration()
    data = write_corpus(tmp_path, chosen)
    for medium, branch in chosen.branches.items():
        write_frames(tmp_path / "others", branch, medium, revision="2")
    with (
        Library(chosen, tmp_path / "features") as library,
        pytest.raises(InputError, match="has revision '2'"),
    ):
        library.open(replace(data, features=str(tmp_path / "others")))
