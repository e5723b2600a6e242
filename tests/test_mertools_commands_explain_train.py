"""`mertools explain train`, `generate` and `evaluate`: from stored frames to scores, by the commands themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_explainer import SENTENCES, SHAPE
from tiny_lessons import CLIPS, LABELS, configuration, stage, write_corpus, write_language_model, write_yaml

from mertools.clip import Clip
from mertools.commands import explain_evaluate, explain_generate, explain_train
from mertools.corpus import write_manifest
from mertools.errors import InputError
from mertools.explain.checkpoint import read_weights
from mertools.explain.configuration import Configuration, Validation
from mertools.explain.training_log import read_epochs, read_steps
from mertools.ov.clues import read_clues
from mertools.ov.descriptions import read_descriptions
from mertools.ov.labels import read_labels
from mertools.randomness import generator
from mertools.run_record import read_result


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Configuration]:
    """A folder with frames, explanations, a manifest, a language model and a configuration that has learned nothing."""
    folder = tmp_path_factory.mktemp("corpus")
    model = write_language_model(folder / "language-model")
    data = write_corpus(folder, configuration())
    validation = Validation(replace(data, split="test"), select="avg", max_new_tokens=8)
    chosen = configuration(stage(data, name="coarse"), stage(data, validation=validation))
    chosen = replace(chosen, language_model=model)
    write_yaml(folder / "tiny.yaml", chosen)
    clips = [
        Clip(
            name,
            subtitle_english="Hello there.",
            split="train" if number < 6 else "test",
            open_labels=(LABELS[number],),
            columns={"description": SENTENCES[number]},
        )
        for number, name in enumerate(CLIPS)
    ]
    write_manifest(folder / "manifest.csv", clips)
    return folder, chosen


def train(folder: Path, out: str, *more: str, config: str = "tiny.yaml") -> None:
    features = str(folder / "features")
    where = ["--features", features, "--device", "cpu", "--out", str(folder / out)]
    explain_train.main([str(folder / config), *where, *more])


@pytest.fixture(scope="module")
def run(corpus: tuple[Path, Configuration]) -> Path:
    folder, _ = corpus
    train(folder, "run", "--save-every", "2")
    return folder / "run"


def asking(folder: Path, *more: str) -> list[str]:
    return [
        *("--data", str(folder / "manifest.csv"), "--features", str(folder / "features"), "--device", "cpu"),
        *("--max-new-tokens", "40", *more),
    ]


def test_a_run_describes_itself_and_shows_its_curves(run: Path) -> None:
    result = read_result(run)
    assert result["kind"] == "explain-train"
    assert {(row["stage"], row["epoch"], row["metric"]) for row in result["scores"]} >= {
        ("fine", 0, "avg"),
        ("fine", 2, "recall"),
    }
    page = (run / "training.html").read_text(encoding="utf-8")
    assert "How tiny learned" in page
    assert "loss a token" in page


def test_choosing_on_the_test_split_is_warned_of(
    corpus: tuple[Path, Configuration], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The run is there already: the same command goes on from its end.
    weights = read_weights(run / "checkpoint")
    train(corpus[0], "run", "--save-every", "2")
    told = capsys.readouterr()
    assert "chooses its epoch on the test split" in told.err
    assert "going on from step 6 of stage 2" in told.err
    assert "fine" in told.out
    again = read_weights(run / "checkpoint")
    assert all(weights[name].equal(again[name]) for name in weights)


def test_a_run_killed_at_a_random_moment_ends_as_an_uninterrupted_one(
    corpus: tuple[Path, Configuration], run: Path
) -> None:
    folder, _ = corpus
    out, stop_at = folder / "killed", int(generator(os.getpid(), "killed at").integers(1, 11))
    command = [sys.executable, "-m", "mertools", "explain", "train", str(folder / "tiny.yaml"), "--device", "cpu"]
    command += ["--features", str(folder / "features"), "--out", str(out), "--save-every", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while len(read_steps(out / "steps.csv")) < stop_at and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    _, said = process.communicate()
    assert process.returncode == -9, said.decode()
    train(folder, "killed", "--save-every", "2")
    found, expected = ([row["loss"] for row in read_steps(one / "steps.csv")] for one in (out, run))
    assert found == pytest.approx(expected, abs=1e-6), f"killed at step {stop_at}"
    assert [row["loss"] for row in read_epochs(out / "epochs.jsonl")] == pytest.approx(
        [row["loss"] for row in read_epochs(run / "epochs.jsonl")], abs=1e-6
    )


def test_two_processes_take_the_steps_of_one_that_accumulates(corpus: tuple[Path, Configuration]) -> None:
    folder, chosen = corpus
    data = chosen.stages[0].data[0]
    for name, accumulation in (("alone", 2), ("pair", 1)):
        taught = stage(data, accumulation=accumulation, validation=chosen.stages[1].validation)
        write_yaml(folder / f"{name}.yaml", replace(chosen, stages=(taught,)))
    train(folder, "alone", config="alone.yaml")
    # What accelerate launch starts for GPUs; on CPUs it would want MPI.
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    command += ["-m", "mertools", "explain", "train", str(folder / "pair.yaml"), "--device", "cpu"]
    command += ["--features", str(folder / "features"), "--out", str(folder / "pair")]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=100)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    pair, alone = ([row["loss"] for row in read_steps(folder / one / "steps.csv")] for one in ("pair", "alone"))
    assert pair == pytest.approx(alone, abs=1e-4)
    assert done.stdout.decode().count("variant") == 1


def test_presets_are_a_folder_a_variant(corpus: tuple[Path, Configuration], capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = corpus
    train(folder, "square", "--preset", "two-by-two")
    checkpoints = sorted(path.parent.parent.name for path in (folder / "square").glob("*/checkpoint/checkpoint.json"))
    assert checkpoints == ["coarse", "coarse-fine", "fine", "none"]
    assert "coarse-fine" in capsys.readouterr().out
    with pytest.raises(InputError, match="Did you mean 'two-by-two'"):
        train(folder, "square", "--preset", "two-by-too")


def test_descriptions_can_be_repeated_and_enter_the_pipeline_as_clues(
    corpus: tuple[Path, Configuration], run: Path
) -> None:
    folder, _ = corpus
    for name in ("first", "second"):
        explain_generate.main(
            asking(folder, "--checkpoint", str(run / "checkpoint"), "--out", str(folder / f"{name}.jsonl"))
        )
    first, second = (list(read_descriptions(folder / f"{name}.jsonl")) for name in ("first", "second"))
    assert first == second
    assert [one.name for one in first] == CLIPS
    assert first[0].subtitle == "Hello there."
    assert first[0].source["model"] == "explainer run"
    clues = folder / "clues.jsonl"
    explain_generate.main(asking(folder, "--checkpoint", str(run / "checkpoint"), "--as", "clues", "--out", str(clues)))
    assert [(one.text, one.modality) for one in read_clues(clues)] == [
        (one.description, "audio-video") for one in first
    ]


def test_shuffled_media_are_another_clips(corpus: tuple[Path, Configuration], run: Path) -> None:
    folder, _ = corpus
    out = folder / "shuffled.jsonl"
    checkpoint = str(run / "checkpoint")
    explain_generate.main(asking(folder, "--checkpoint", checkpoint, "--shuffle-media", "0", "--out", str(out)))
    shown = {one.name: one.source["media_of"] for one in read_descriptions(out)}
    assert sorted(shown.values()) == sorted(CLIPS)
    assert all(own != other for own, other in shown.items())


def test_an_explainer_that_has_learned_its_clips_is_right_about_them_and_not_about_others(
    corpus: tuple[Path, Configuration], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, chosen = corpus
    data = replace(chosen.stages[0].data[0], split="train+test")
    learned = replace(chosen, stages=(stage(data, epochs=1, steps_an_epoch=150, batch_size=8),))
    write_yaml(folder / "learned.yaml", learned)
    train(folder, "learned", config="learned.yaml")
    capsys.readouterr()
    checkpoint = str(folder / "learned" / "checkpoint")
    out = folder / "evaluation"
    explain_evaluate.main(asking(folder, "--checkpoint", checkpoint, "--shuffled", "--out", str(out), "--json"))
    told = json.loads(capsys.readouterr().out)
    recall = {
        system["name"]: next(row["value"] for row in system["scores"] if row["metric"] == "recall")
        for system in told["systems"]
    }
    assert recall["learned"] == 1
    assert recall["learned, shuffled media"] < 0.5
    loss = told["description_loss"]
    assert loss["learned"] < 0.1 and loss["learned, shuffled media"] > 1, "surprised by what others look and sound like"
    described = {one.name: one.description for one in read_descriptions(out / "learned" / "descriptions.jsonl")}
    assert described == dict(zip(CLIPS, SENTENCES, strict=True))
    labels = {row.name: row.labels for row in read_labels(out / "learned" / "labels.csv")}
    assert all(label in labels[name] for name, label in zip(CLIPS, LABELS, strict=True))
    others = {
        one.name: one.description for one in read_descriptions(out / "learned-shuffled-media" / "descriptions.jsonl")
    }
    assert not any(others[name] == described[name] for name in CLIPS)


def test_features_of_another_encoder_than_the_checkpoints_are_refused(
    corpus: tuple[Path, Configuration], run: Path, tmp_path: Path
) -> None:
    folder, chosen = corpus
    write_corpus(tmp_path, chosen)
    from tiny_lessons import write_frames

    audio = chosen.audio
    assert audio is not None
    (tmp_path / "features" / "tiny-audio.h5").unlink()
    write_frames(tmp_path / "features", audio, "audio", revision="2")
    options = asking(folder, "--checkpoint", str(run / "checkpoint"), "--out", str(tmp_path / "out.jsonl"))
    options[options.index("--features") + 1] = str(tmp_path / "features")
    with pytest.raises(InputError, match="has revision '2', and the explainer is trained on '1'"):
        explain_generate.main(options)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_language_model_of_another_shape_is_refused(corpus: tuple[Path, Configuration]) -> None:
    folder, chosen = corpus
    model = replace(chosen.language_model, shape={**SHAPE, "hidden_size": 65})
    write_yaml(folder / "shape.yaml", replace(chosen, language_model=model))
    with pytest.raises(InputError, match="hidden_size"):
        train(folder, "shape", config="shape.yaml")


def test_a_folder_that_is_no_checkpoint_is_refused(corpus: tuple[Path, Configuration]) -> None:
    folder, _ = corpus
    with pytest.raises(InputError, match="is no checkpoint"):
        explain_generate.main(asking(folder, "--checkpoint", str(folder), "--out", str(folder / "none.jsonl")))
