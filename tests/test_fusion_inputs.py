"""Feature files become aligned arrays; what cannot be used is refused with clip, feature and next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_corpus import DIMS, make_toy_corpus
from toy_problem import make_inputs

from fusion.inputs import Data, Inputs, Scaling, load_copy, load_inputs, load_variant
from mertools.clip import Clip
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.feature_store import FeatureWriter, Provenance, Row

EXTRACT = "python extract.py --feature {feature}"


def test_inputs_follow_the_manifests_order(tmp_path: Path) -> None:
    clips = read_manifest(make_toy_corpus(tmp_path)).clips
    forward = load_inputs(tmp_path / "features", ["toy-video"], clips, EXTRACT)["toy-video"]
    backward = load_inputs(tmp_path / "features", ["toy-video"], clips[::-1], EXTRACT)["toy-video"]
    np.testing.assert_array_equal(forward.values[::-1], backward.values)
    assert forward.letter == "V" and (~forward.mask).sum() == 9 and not forward.values[~forward.mask].any()


def test_inputs_refuse_with_clip_feature_and_next_step(tmp_path: Path) -> None:
    clips = read_manifest(make_toy_corpus(tmp_path)).clips
    features = tmp_path / "features"
    with pytest.raises(InputError, match=r"Did you mean 'toy-audio'\?.*extract\.py --feature toy-audi"):
        load_inputs(features, ["toy-audi"], clips, EXTRACT)
    more = [*clips, replace(clips[0], name="new_1"), replace(clips[0], name="new_2")]
    with pytest.raises(InputError) as error:
        load_inputs(features, ["toy-text"], more, EXTRACT)
    assert str(error.value) == (
        "Feature 'toy-text' lacks 2 of 92 clips (first: new_1). Run: python extract.py --feature toy-text"
    )
    missing = [clip for clip in clips if clip.name.endswith("9")]
    with pytest.raises(InputError, match=r"'toy-video': none of the 9 clips is ok \(first: no face\)"):
        load_inputs(features, ["toy-video"], missing, EXTRACT)


def write_feature(path: Path, rows: Sequence[Row], **changes: str) -> None:
    provenance = replace(Provenance(path.stem, DIMS[path.stem][0], "Toy", "path:/toy", "1", "mean"), **changes)
    with FeatureWriter(path, provenance) as writer:
        writer.append(rows)
        writer.pack([row.name for row in rows])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_never_gets_here(tmp_path: Path, bad: float) -> None:
    """The store refuses it at the door."""
    row = Row("clip_000", "ok", utterance=np.array([0, bad, 1], dtype=np.float32))
    with pytest.raises(InputError, match="clip_000"):
        write_feature(tmp_path / "toy-text.h5", [row])
    assert not (tmp_path / "toy-text.h5").exists()


def test_data_stands_side_by_side_with_zeros_where_lacking() -> None:
    inputs = make_inputs(40)
    data = Data.of(inputs, "cpu")
    assert data.values.dtype == torch.float32 and data.dims == [5, 3, 7, 4]
    for place, (one, values) in enumerate(zip(inputs.values(), data.values.split(data.dims, dim=1), strict=True)):
        np.testing.assert_array_equal(data.present[:, place], one.mask)
        np.testing.assert_array_equal(values, np.where(one.mask[:, None], one.values, 0))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), exponent=st.integers(-20, 15), lacking=st.floats(0, 0.9))
def test_scaling_is_numpys(seed: int, exponent: int, lacking: float) -> None:
    """Whatever the components' unit, and by the clips that have the feature alone."""
    rng = np.random.default_rng(seed)
    inputs = make_inputs(60, seed, lacking=lacking)
    inputs = {name: replace(one, values=one.values * np.float32(10.0**exponent)) for name, one in inputs.items()}
    data, rows = Data.of(inputs, "cpu"), rng.permutation(60)[:40]
    scaling = Scaling.fit(data, rows)
    parts = zip(scaling.mean.split(data.dims), scaling.factor.split(data.dims), strict=True)
    for one, (mean, factor) in zip(inputs.values(), parts, strict=True):
        known = one.values[rows][one.mask[rows]].astype(np.float64)
        if len(known) < 2:
            continue
        np.testing.assert_allclose(mean, known.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(factor, 1 / known.std(axis=0), rtol=1e-5)


def test_what_never_varies_keeps_its_scale() -> None:
    inputs = make_inputs(60)
    values = inputs["t1"].values.copy()
    values[:, 0], values[:, 1], values[:, 2] = 1234.5678, 0, 1e-39
    values[30:, 2] = 2e-39
    data = Data.of({"t1": replace(inputs["t1"], values=values)}, "cpu")
    scaling = Scaling.fit(data, np.arange(60))
    assert scaling.factor[:3].tolist() == [1, 1, 1], "constant, zero, and too small for one over it to be a number"
    present = data.present[:, 0]
    scaled = (data.values[present] - scaling.mean) * scaling.factor
    assert scaled.isfinite().all() and scaled[:, :3].abs().max() < 1e-3


def test_a_feature_that_no_training_clip_has_is_not_scaled() -> None:
    inputs = make_inputs(60)
    mask = inputs["v1"].mask.copy()
    mask[:40] = False
    data = Data.of({"v1": replace(inputs["v1"], mask=mask)}, "cpu")
    scaling = Scaling.fit(data, np.arange(40))
    assert not scaling.mean.any() and (scaling.factor == 1).all()


def toy(folder: Path) -> tuple[tuple[Clip, ...], dict[str, Inputs]]:
    clips = read_manifest(make_toy_corpus(folder)).clips
    return clips, load_inputs(folder / "features", list(DIMS), clips, EXTRACT)


def test_a_variant_counts_the_corpus_clips(tmp_path: Path) -> None:
    clips, inputs = toy(tmp_path)
    noisy = tmp_path / "noisy"
    for feature, (_, dim) in DIMS.items():
        rows = [Row(clip.name, "ok", utterance=np.full(dim, 7, dtype=np.float32)) for clip in reversed(clips[80:])]
        write_feature(noisy / f"{feature}.h5", rows, noise="recipe")
    variant = load_variant("noise", noisy, inputs, clips, EXTRACT)
    assert variant.clips == {clip.name for clip in clips[80:]}
    for name, one in variant.inputs.items():
        assert one.values.shape == inputs[name].values.shape
        assert not one.mask[:80].any() and one.mask[80:].all()
        assert (one.values[80:] == 7).all() and not one.values[:80].any()


@pytest.mark.parametrize(
    ("changes", "dim", "message"),
    [
        ({"encoder": "Other"}, 3, "--also noise: feature 'toy-text' in .* is of encoder Other, the one in use of Toy"),
        ({"revision": "2"}, 3, "is of revision 2, the one in use of 1"),
        ({"source": "path:/other"}, 3, "is of source path:/other, the one in use of path:/toy"),
        ({}, 4, "has 4 dimensions, the one in use 3"),
    ],
)
def test_a_variant_of_other_features_is_refused(tmp_path: Path, changes: dict, dim: int, message: str) -> None:
    clips, inputs = toy(tmp_path)
    inputs = {"toy-text": inputs["toy-text"]}
    row = Row(clips[0].name, "ok", utterance=np.ones(dim, dtype=np.float32))
    write_feature(tmp_path / "noisy" / "toy-text.h5", [row], **changes)
    with pytest.raises(InputError, match=message):
        load_variant("noise", tmp_path / "noisy", inputs, clips, EXTRACT)


def test_a_copy_holds_every_training_clip(tmp_path: Path) -> None:
    clips, inputs = toy(tmp_path)
    inputs, noisy = {"toy-text": inputs["toy-text"]}, tmp_path / "noisy"
    rows = [Row(clip.name, "ok", utterance=np.full(3, 7, dtype=np.float32)) for clip in reversed(clips[:60])]
    rows[-1] = Row(clips[0].name, "missing", "no speech")
    write_feature(noisy / "toy-text.h5", rows, noise="recipe")
    (copy,) = load_copy(noisy, inputs, clips[:60], EXTRACT).values()
    assert copy.provenance.noise == "recipe" and copy.values.shape == (60, 3)
    assert not copy.mask[0] and copy.mask[1:].all() and not copy.values[0].any()
    with pytest.raises(InputError) as error:
        load_copy(noisy, inputs, clips[:62], EXTRACT)
    assert str(error.value) == (
        f"--train-also {noisy}: Feature 'toy-text' lacks 2 of 62 clips (first: clip_060). "
        "Run: python extract.py --feature toy-text"
    )
    with pytest.raises(InputError, match=r"has no feature 'toy-text'.*extract\.py --feature toy-text"):
        load_copy(tmp_path / "nothing", inputs, clips[:60], EXTRACT)
    write_feature(tmp_path / "other" / "toy-text.h5", rows, revision="2")
    with pytest.raises(InputError, match=r"--train-also .*: feature 'toy-text' in .* is of revision 2, the one in"):
        load_copy(tmp_path / "other", inputs, clips[:60], EXTRACT)


def test_a_variant_without_a_feature_or_a_clip_is_refused(tmp_path: Path) -> None:
    clips, inputs = toy(tmp_path)
    inputs = {"toy-text": inputs["toy-text"]}
    with pytest.raises(InputError, match="has no feature 'toy-text'"):
        load_variant("noise", tmp_path / "nothing", inputs, clips, EXTRACT)
    row = Row("somebody", "ok", utterance=np.ones(3, dtype=np.float32))
    write_feature(tmp_path / "noisy" / "toy-text.h5", [row])
    with pytest.raises(InputError, match="--also noise: no clip of the corpus is in all features"):
        load_variant("noise", tmp_path / "noisy", inputs, clips, EXTRACT)
