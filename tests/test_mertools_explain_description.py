"""The shipped configurations at the papers' sizes, built without memory."""

from __future__ import annotations

import pytest
import torch
from tiny_explainer import affectgpt, microemo

from feature_extractors.catalog import CATALOG
from mertools.__main__ import dispatch
from mertools.explain.configuration import as_yaml, read_configuration, shipped
from mertools.explain.description import describe
from mertools.libraries import transformers

MILLIONS = {
    # As the released networks have them, in millions.
    "encoder eva-clip-g": (986.0, "frozen"),
    "encoder blip2-qformer": (105.2, "frozen"),  # 105.1 and the queries
    "video.positions": (0.02, "trainable"),
    "video.connector": (18.9, "trainable"),
    "video.projection": (3.15, "trainable"),
    "audio.connector": (19.7, "trainable"),
    "audio.projection": (3.15, "trainable"),
    "language_model": (6738, "frozen"),
}


@pytest.mark.parametrize("name", ["affectgpt-v1", "affectgpt-two-stage"])
def test_affectgpt_at_its_true_size(name: str) -> None:
    parts = {part.name: part for part in describe(read_configuration(name))}
    for part, (millions, kind) in MILLIONS.items():
        count = getattr(parts[part], kind)
        assert count / 1e6 == pytest.approx(millions, rel=3e-3, abs=5e-3), part
        assert parts[part].trainable + parts[part].frozen == count
    assert sum(part.trainable for part in parts.values()) == 44_959_744


def test_the_encoders_of_stored_frames_are_counted_as_they_are() -> None:
    library = transformers()
    with torch.device("meta"):
        vision = library.Blip2VisionModel(library.Blip2VisionConfig())
        qformer = library.Blip2QFormerModel(library.Blip2QFormerConfig())
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (vision, qformer)]
    assert counts == [985_952_256, 105_137_664]
    assert CATALOG["eva-clip-g"].parameters == counts[0]
    assert CATALOG["blip2-qformer"].parameters == sum(counts) + 32 * 768


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_configuration_builds(name: str) -> None:
    parts = describe(read_configuration(name))
    media = {part.name.partition(".")[0] for part in parts}
    assert {"audio", "video", "language_model"} <= media
    assert sum(part.trainable for part in parts) < sum(part.frozen for part in parts)


def test_microemo_trains_its_image_qformer_and_adapters() -> None:
    parts = {part.name: part for part in describe(read_configuration("microemo"))}
    # InstructBLIP's Q-Former has 185,660,160 with words, positions and the layers that feed the text forward.
    assert parts["video.image_qformer"].trainable == 185_660_160 + 32 * 768
    assert parts["lora"].trainable == 33_554_432 and parts["language_model"].trainable == 0
    assert parts["video.local_attention"].trainable > 0


def test_what_a_branch_freezes_counts_as_frozen() -> None:
    parts = {part.name: part for part in describe(microemo(frozen=("image_qformer",)))}
    assert parts["video.image_qformer"].trainable == 0 < parts["video.image_qformer"].frozen


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(as_yaml(affectgpt()))
    assert dispatch(["explain", "describe", str(path)]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["part", "shape", "trainable", "frozen"]
    assert ["audio.positions", "6 × 12", "72", "0"] in rows
    assert dispatch(["explain", "describe", str(path), "--yaml"]) == 0
    assert capsys.readouterr().out == path.read_text()
