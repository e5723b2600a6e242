"""Training: what it learns, what it leaves behind, and that a killed run ends as an uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from tiny_explainer import PARTS, SENTENCES, language_model, micro_video
from tiny_lessons import CLIPS, configuration, stage, write_corpus, write_frames

from mertools.errors import InputError
from mertools.explain.checkpoint import read_about, read_weights
from mertools.explain.configuration import CANONICAL, Configuration, DataSet, LocalAttention, Validation
from mertools.explain.explainer import Explainer
from mertools.explain.instructions import Example
from mertools.explain.teaching import Library
from mertools.explain.training import Training
from mertools.explain.training_log import read_epochs, read_steps
from mertools.explain.validation import generated


def train(chosen: Configuration, folder: Path, out: str = "run", stop_at: int | None = None, **options: int) -> Path:
    """A whole run, or one that is stopped after so many steps."""

    def tell(done: int, total: int, loss: float) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    explainer = Explainer(chosen, language_model())
    with Library(chosen, folder / "features") as library:
        training = Training(explainer, library, folder / out, Accelerator(cpu=True), **options)
        return training.run(tell)


def losses(folder: Path, out: str = "run") -> list[float]:
    return [row["loss"] for row in read_steps(folder / out / "steps.csv")]


LOCAL = LocalAttention(regions=PARTS, heads=4, landmarks=CANONICAL)
EXPLAINERS = {"affectgpt": {}, "microemo": {"video": micro_video(patches=9, local_attention=LOCAL)}}
UTTERANCES = {name: ((0.0, 0.8), (1.0, 2.0))[: number % 3] for number, name in enumerate(CLIPS)}
"""Two, one or none."""


@pytest.mark.parametrize("name", list(EXPLAINERS))
def test_eight_clips_are_learned_word_for_word(name: str, tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration(**EXPLAINERS[name]), test=0)
    chosen = configuration(stage(data, epochs=1, steps_an_epoch=150, batch_size=8), **EXPLAINERS[name])
    explainer = Explainer(chosen, language_model())
    with Library(chosen, tmp_path / "features", UTTERANCES) as library:
        checkpoint = Training(explainer, library, tmp_path / "run", Accelerator(cpu=True), 1000).run()
        fresh = Explainer(chosen, language_model())
        fresh.load_trainable_state(read_weights(checkpoint))
        examples = [Example(clip, "", "Hello there.") for clip in CLIPS]
        told = [text for _, text in generated(fresh, library.frames(), examples, 4, 40)]
    assert told == list(SENTENCES)


def two_stages(folder: Path) -> Configuration:
    """Two stages, the second with accumulation, a validation that selects, and dropout."""
    data = write_corpus(folder, configuration())
    branch = configuration().audio
    assert branch is not None
    dropped = replace(branch, qformer=replace(branch.qformer, dropout=0.2))
    validation = Validation(replace(data, split="test"), select="loss", max_new_tokens=8)
    fine = stage(data, accumulation=2, validation=validation, epochs=3)
    return configuration(stage(data, name="coarse", frozen=("video",)), fine, audio=dropped)


@pytest.mark.parametrize("stop_at", [1, 4, 6, 7, 9, 14])
def test_a_run_that_was_stopped_ends_as_an_uninterrupted_one(
    stop_at: int, tmp_path: Path, whole_run: Callable[[], tuple[Path, Configuration]]
) -> None:
    reference, chosen = whole_run()
    out = reference / f"stopped-{stop_at}"
    with pytest.raises(KeyboardInterrupt):
        train(chosen, reference, out.name, stop_at, save_every=2)
    checkpoint = train(chosen, reference, out.name, save_every=2)
    assert losses(reference, out.name) == pytest.approx(losses(reference), abs=1e-6)
    assert read_epochs(out / "epochs.jsonl") == read_epochs(reference / "run" / "epochs.jsonl")
    expected = read_weights(reference / "run" / "checkpoint")
    found = read_weights(checkpoint)
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], tuple[Path, Configuration]]:
    folder = tmp_path_factory.mktemp("whole")
    chosen = two_stages(folder)
    train(chosen, folder, save_every=2)
    return lambda: (folder, chosen)


def test_the_folder_tells_what_was_trained_on_what(whole_run: Callable[[], tuple[Path, Configuration]]) -> None:
    folder, chosen = whole_run()
    about = read_about(folder / "run" / "checkpoint")
    assert about.configuration == chosen
    assert about.encoders["audio"]["encoder"] == "tiny"
    assert [record["examples"] for record in about.data["fine"]] == [6]
    rows = read_epochs(folder / "run" / "epochs.jsonl")
    assert [(row["stage"], row["epoch"]) for row in rows] == [("fine", epoch) for epoch in range(4)]
    assert set(rows[0]["avg"]) == {"value", "low", "high", "n"}
    # The stage ends with the weights of the epoch that was chosen.
    assert about.scores == min(rows, key=lambda row: row["loss"])
    assert len(list((folder / "run" / "states").iterdir())) == 1
    sampler = json.loads(next((folder / "run" / "states").iterdir()).joinpath("checkpoint.json").read_text())["sampler"]
    assert sampler == [18]


def test_checkpoints_hold_what_is_trained_and_nothing_of_the_language_model(
    whole_run: Callable[[], tuple[Path, Configuration]],
) -> None:
    folder, chosen = whole_run()
    own = Explainer(chosen, language_model()).trainable_state()
    assert set(read_weights(folder / "run" / "checkpoint")) == set(own)
    assert not any("lora" not in name and name.startswith("language_model") for name in own)


def test_a_frozen_part_stays_as_it_was_and_another_does_not(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration())
    chosen = configuration(stage(data, frozen=("video", "audio.connector")))
    before = Explainer(chosen, language_model()).trainable_state()
    after = read_weights(train(chosen, tmp_path))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith(("branches.video", "branches.audio.connector")) for name in changed)
    assert any(name.startswith("branches.audio.projection") for name in changed)


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration(), test=0)
    for accumulation in (1, 4):
        chosen = configuration(stage(data, batch_size=8 // accumulation, accumulation=accumulation, epochs=1))
        train(chosen, tmp_path, f"run-{accumulation}")
    assert losses(tmp_path, "run-4") == pytest.approx(losses(tmp_path, "run-1"), abs=1e-4)


def test_weights_to_start_from_are_taken(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration())
    first = train(configuration(stage(data)), tmp_path, "first")
    chosen = replace(configuration(), initial_weights=(str(first),))
    second = train(chosen, tmp_path, "second")
    expected, found = read_weights(first), read_weights(second)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_another_configuration_does_not_go_on_with_a_run(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration())
    with pytest.raises(KeyboardInterrupt):
        train(configuration(stage(data)), tmp_path, stop_at=2)
    with pytest.raises(InputError, match="another configuration"):
        train(configuration(stage(data, batch_size=4)), tmp_path)
    with pytest.raises(InputError, match="Two stages are called 'fine'"):
        configuration(stage(data), stage(data))


def test_clips_without_features_are_refused_before_training(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration())
    audio = configuration().audio
    assert audio is not None
    (tmp_path / "features" / "tiny-audio.h5").unlink()
    write_frames(tmp_path / "features", audio, "audio", CLIPS[:3])
    with pytest.raises(InputError, match=r"lacks 3 of 6 clips \(first: clip 3, which is not in it\)"):
        train(configuration(stage(data)), tmp_path)


def test_frames_of_another_encoder_are_refused_before_training(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration())
    audio = configuration().audio
    assert audio is not None
    chosen = configuration(stage(data), audio=replace(audio, width=13))
    with pytest.raises(InputError, match="made for 'tiny-audio' of shape"):
        train(chosen, tmp_path)


def test_an_over_long_prompt_is_refused_before_training(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration())
    base = configuration(stage(data))
    chosen = replace(base, prompt=replace(base.prompt, max_length=60))
    with pytest.raises(InputError, match="max_length is 60"):
        train(chosen, tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_ends_training(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration())
    chosen = configuration(stage(data, learning_rate=1e30, max_gradient_norm=1e30, epochs=4))
    with pytest.raises(InputError, match="Lower learning_rate"):
        train(chosen, tmp_path)


def test_sets_that_are_absent_or_empty_are_refused(tmp_path: Path) -> None:
    data = write_corpus(tmp_path, configuration())
    with pytest.raises(InputError, match="no set of instructions"):
        train(configuration(stage(DataSet(str(tmp_path / "none.jsonl")))), tmp_path)
    with pytest.raises(InputError, match="no example of split semi"):
        train(configuration(stage(replace(data, split="semi"))), tmp_path)
    with pytest.raises(InputError, match=r"lasts 2\.5 s"):
        train(configuration(stage(replace(data, min_seconds=2.5))), tmp_path)
