"""emotion2vec hands sound to funasr and takes its frames; funasr is played by a module of the same interface."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_audio
import torch

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, Settings, build
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import read_audio


@pytest.fixture
def funasr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "funasr", tiny_audio.funasr())


def loaded(source: str, recipe: str = "mer2024", trust: bool = False) -> Encoder:
    settings = Settings(recipe=recipe, sources={"emotion2vec": source}, trust_remote_code=trust)
    encoder = build(CATALOG["emotion2vec"], settings)
    encoder.load("cpu")
    return encoder


@pytest.mark.usefixtures("funasr")
@pytest.mark.parametrize("recipe", ["mer2024", "masked"])
def test_frames_are_the_model_s(recipe: str, tmp_path: Path) -> None:
    encoder = loaded(tiny_audio.emotion2vec(tmp_path), recipe)
    paths = tiny_audio.clips(tmp_path)
    encodings = encoder.encode([encoder.prepare(Clip(path.stem, audio=path)) for path in paths])
    network = tiny_audio.Emotion2vecNetwork().eval()
    state = torch.load(tmp_path / "model.pt", weights_only=True)["model"]
    network.load_state_dict({name.removeprefix("d2v_model."): tensor for name, tensor in state.items()})
    for path, encoding, count in zip(paths, encodings, (99, 499, 500, 799), strict=True):
        expected = network(torch.from_numpy(read_audio(path).samples)).detach().numpy()
        assert encoding.frames.shape == (count, 16) and encoding.utterance is None
        np.testing.assert_allclose(encoding.frames, expected, atol=1e-5)
        np.testing.assert_allclose(encoding.times, np.arange(count) * 0.02)


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "funasr", None)
    with pytest.raises(InputError, match=r"'funasr', which is not installed.*pip install mertools\[funasr\]"):
        loaded(tiny_audio.emotion2vec(tmp_path))


@pytest.mark.usefixtures("funasr")
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lacks 1 weights that emotion2vec needs \(first: layers\.2\.bias\)"):
        loaded(tiny_audio.emotion2vec(tmp_path, without="layers.2.bias"))
    (tmp_path / "model.pt").unlink()
    (tmp_path / "other.pt").write_text("not it")
    with pytest.raises(InputError, match=r"has no model\.pt"):
        loaded(f"path:{tmp_path}")


class Options:
    """Something that only running code from the file brings back."""


@pytest.mark.usefixtures("funasr")
def test_code_in_the_weights_is_refused(tmp_path: Path) -> None:
    source = tiny_audio.emotion2vec(tmp_path)
    weights = torch.load(tmp_path / "model.pt", weights_only=True)
    torch.save({**weights, "cfg": Options()}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="is not just weights"):
        loaded(source)
