"""Features scaled within groups of clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_corpus import DIMS, make_toy_corpus

from fusion.group_scaling import FEWEST, scaled_by
from fusion.inputs import Inputs
from mertools.clip import Clip
from mertools.commands.fuse import main
from mertools.commands.noise_sweep import main as sweep
from mertools.commands.predict import main as predict
from mertools.emotions import label_set
from mertools.errors import InputError
from mertools.feature_store import Provenance
from mertools.predictions import read_predictions
from mertools.run_record import read_result


def make_inputs(values: np.ndarray, mask: np.ndarray | None = None) -> dict[str, Inputs]:
    mask = np.ones(len(values), dtype=bool) if mask is None else mask
    provenance = Provenance("toy", "audio", "Toy", "path:/toy", "1", "mean")
    return {"toy": Inputs(provenance, np.where(mask[:, None], values, 0).astype(np.float32), mask, 0)}


def clips_of(speakers: list[str]) -> list[Clip]:
    return [Clip(f"clip_{number}", subtitle="x", speaker=speaker) for number, speaker in enumerate(speakers)]


def test_every_speaker_has_mean_0_and_deviation_1() -> None:
    rng = np.random.default_rng(0)
    speakers = ["one"] * 20 + ["two"] * 30
    moved = np.array([[100.0 if speaker == "one" else -3.0] for speaker in speakers])
    mask = rng.random(50) > 0.2
    found = scaled_by(make_inputs(rng.normal(size=(50, 4)) * 7 + moved, mask), clips_of(speakers), "speaker")["toy"]
    assert not found.values[~mask].any() and found.values.dtype == np.float32
    for speaker in ("one", "two"):
        own = found.values[mask & np.array([one == speaker for one in speakers])]
        assert np.allclose(own.mean(axis=0), 0, atol=1e-5) and np.allclose(own.std(axis=0), 1, atol=1e-5)


def test_few_clips_are_scaled_as_all_are() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40 + FEWEST - 1, 3)) + 5
    speakers = ["many"] * 40 + ["few"] * (FEWEST - 1)
    found = scaled_by(make_inputs(values), clips_of(speakers), "speaker")["toy"].values
    assert np.allclose(found[40:], ((values - values.mean(axis=0)) / values.std(axis=0))[40:], atol=1e-5)


def test_what_never_varies_becomes_0() -> None:
    found = scaled_by(make_inputs(np.full((10, 2), 0.1)), clips_of(["one"] * 10), "speaker")["toy"].values
    assert np.allclose(found, 0, atol=1e-6)


def test_a_clip_without_a_speaker_is_refused() -> None:
    with pytest.raises(InputError, match="--scale-by speaker: clip 'clip_1' has no value in column 'speaker'"):
        scaled_by(make_inputs(np.zeros((2, 2))), clips_of(["one", ""]), "speaker")


def test_a_run_says_so_and_its_networks_are_asked_the_same_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_toy_corpus(tmp_path, 120)
    common = ["--data", str(manifest), "--features", str(tmp_path / "features")]
    quick = ["--trials", "2", "--epochs", "4", "--folds", "3", "--repeats", "0", "--runs", str(tmp_path / "runs")]
    assert main([*common, "--feature", *DIMS, *quick, "--scale-by", "speaker"]) == 0
    (made,) = (tmp_path / "runs").iterdir()
    assert "Features are scaled by speaker: transductive" in (made / "table.md").read_text()
    assert predict([*common, "--run", str(made), "--out", str(tmp_path / "again")]) == 0
    labels = label_set(read_result(made)["labels"], ())
    told, again = (read_predictions(path / "predictions.csv", labels) for path in (made, tmp_path / "again"))
    rows = [again.names.index(name) for name in told.names]
    assert np.allclose(told.probabilities, again.probabilities[rows], atol=1e-5)
    with pytest.raises(InputError, match="scales features by speaker"):
        sweep(["--run", str(made), "--speech", str(tmp_path)])
