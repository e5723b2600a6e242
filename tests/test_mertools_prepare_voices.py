"""The speaker encoders: the front end of GE2E, whose weights are a download, and tiny models of the other kinds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tiny_audio

from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.media import SAMPLE_RATE, Sound
from mertools.prepare.pieces import Stretch
from mertools.prepare.speaker_network import SpeakerNetwork
from mertools.prepare.voices import mel_power, partial_starts, voices


def test_partial_utterances_are_those_of_resemblyzer() -> None:
    # By its compute_partial_slices(samples, 1.3, 0.75): 77 spectrogram frames apart.
    assert partial_starts(8_000) == [0]
    assert partial_starts(32_000) == [0, 77]
    assert partial_starts(40_000) == [0, 77]
    assert partial_starts(80_000) == [0, 77, 154, 231, 308]


def test_a_tone_lies_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    mels = mel_power(tone).numpy()
    assert mels.shape == (101, 40)
    # Slaney's scale is linear up to 1000 Hz, which is 15 of the 45.25 mels up to 8000 Hz.
    assert mels[50].argmax() in (12, 13)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A tiny random WavLM with an x-vector head."""
    library = transformers()
    config = library.WavLMConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        tdnn_dim=(16, 16, 16, 16, 32),
        xvector_output_dim=8,
    )
    library.WavLMForXVector(config).save_pretrained(tmp_path / "model")
    library.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "model")
    return f"path:{tmp_path / 'model'}"


def test_a_speaker_model_of_transformers_embeds_what_is_long_enough(source: str) -> None:
    sound = Sound(tiny_audio.voice(6).astype(np.float32), SAMPLE_RATE)
    found = voices(source).embed(sound, {3: Stretch(0, 2), 5: Stretch(2, 2.2), 7: Stretch(3, 6)})
    assert set(found) == {3, 7}
    assert all(vector.shape == (8,) and np.linalg.norm(vector) == pytest.approx(1) for vector in found.values())


SOUND = ("batch", "samples")


def save_network(
    path: Path, shape: Sequence[str | int] = SOUND, kind: str = "FLOAT", axes: Sequence[int] = (1,)
) -> str:
    """A speaker network of one product: loudness, minus loudness and zero, by the mean of what is put in squared."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import helper, numpy_helper

    number = getattr(onnx.TensorProto, kind)
    weights = np.array([[1, -1, 0]], helper.tensor_dtype_to_np_dtype(number))
    nodes = [
        helper.make_node("Mul", ["sound", "sound"], ["power"]),
        helper.make_node("ReduceMean", ["power"], ["loudness"], axes=axes, keepdims=1),
        helper.make_node("Mul", ["loudness", "weights"], ["voice"]),
    ]
    given = helper.make_tensor_value_info("sound", number, shape)
    voice = helper.make_tensor_value_info("voice", number, None)
    graph = helper.make_graph(nodes, "stand-in", [given], [voice], [numpy_helper.from_array(weights, "weights")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return f"path:{path}"


def test_a_speaker_network_from_an_onnx_file(tmp_path: Path) -> None:
    source = save_network(tmp_path / "speaker.onnx")
    samples = tiny_audio.voice(6).astype(np.float32)
    samples[4 * SAMPLE_RATE :] = 0
    network = voices(source)
    found = network.embed(Sound(samples, SAMPLE_RATE), {3: Stretch(0, 2), 5: Stretch(2, 2.2), 7: Stretch(4, 6)})
    assert set(found) == {3}, "one is too short, and silence gives no direction"
    np.testing.assert_allclose(found[3], np.array([1, -1, 0]) / np.sqrt(2), atol=1e-6)
    before = network.name
    save_network(tmp_path / "speaker.onnx", ("n", "t"))
    assert before.startswith(f"{source} ") and voices(source).name != before


@pytest.mark.parametrize(
    ("network", "got"),
    [
        ({"shape": ("batch", "frames", 64), "axes": (1, 2)}, r"input 'sound', tensor\(float\) \(batch, frames, 64\)"),
        ({"shape": ("batch", 16_000)}, r"input 'sound', tensor\(float\) \(batch, 16000\)"),
        ({"kind": "DOUBLE"}, r"input 'sound', tensor\(double\) \(batch, samples\)"),
        ({"axes": (0, 1), "shape": (2, "samples")}, "fails at 6400 samples: "),
    ],
)
def test_another_form_of_network_is_refused(network: dict, got: str, tmp_path: Path) -> None:
    source = save_network(tmp_path / "speaker.onnx", **network)
    with pytest.raises(InputError, match=rf"speaker\.onnx (has the )?{got}.*Wanted one input, sound \(B, samples\)"):
        voices(source).embed(Sound(np.zeros(32_000, np.float32), SAMPLE_RATE), {0: Stretch(0, 2)})


def test_another_output_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "speaker.onnx"
    save_network(path)
    model = onnx.load(path)
    # What every sample says, not the sound as a whole.
    model.graph.node[1].CopyFrom(onnx.helper.make_node("Unsqueeze", ["power", "last"], ["loudness"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2]), "last"))
    onnx.save(model, path)
    with pytest.raises(InputError, match=r"gives \(1, 6400, 3\) and \(1, 16000, 3\) for one sound of 0\.4 s"):
        SpeakerNetwork(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info("power", onnx.TensorProto.FLOAT, None))
    onnx.save(model, path)
    with pytest.raises(InputError, match="has 1 inputs and 2 outputs"):
        SpeakerNetwork(path)
    path.write_bytes(b"not a network")
    with pytest.raises(InputError, match="cannot be loaded as an ONNX network"):
        SpeakerNetwork(path)


def test_onnx_files_say_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "speaker.onnx").write_bytes(b"a network")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"--voice-model needs .* pip install 'mertools\[onnx\]'"):
        SpeakerNetwork(tmp_path / "speaker.onnx")


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(InputError, match="is no speaker model"):
        voices(f"path:{tmp_path}").embed(Sound(np.zeros(32_000, np.float32), SAMPLE_RATE), {0: Stretch(0, 2)})
