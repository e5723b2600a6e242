"""The checkpoint that an adaptation starts from: a whole VideoMAE, or a refusal that says what to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from tiny_videomae import tiny_videomae

from feature_extractors.catalog import CATALOG
from mertools.errors import InputError
from mertools.libraries import transformers
from mertools.prepare.adaptation.start import patches_of, read_start

RECIPE = CATALOG["videomae-base-voxceleb2"].recipe("mer2024")


def test_a_checkpoint_learns_in_the_cards_size_with_normalised_targets(tmp_path: Path) -> None:
    start = read_start(tiny_videomae(tmp_path, norm_pix_loss=False), RECIPE)
    assert start.network.config.image_size == 160 and start.network.config.norm_pix_loss
    assert patches_of(start.network) == (25, 8) and start.revision


def bert(folder: Path) -> str:
    transformers().BertConfig().save_pretrained(folder)
    return f"path:{folder}"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (bert, "holds a network of type 'bert'"),
        (lambda folder: tiny_videomae(folder, "VideoMAEModel"), "lacks .* it was fine-tuned, or stored without"),
        (lambda folder: tiny_videomae(folder, "VideoMAEForVideoClassification"), "lacks .* it was fine-tuned"),
        (lambda folder: tiny_videomae(folder, num_frames=8), "sees 8 frames .* Take another checkpoint or --card"),
        (lambda folder: f"path:{folder / 'nowhere'}", "does not exist"),
    ],
)
def test_what_is_no_whole_videomae_is_refused(make: Callable[[Path], str], told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        read_start(make(tmp_path), RECIPE)


def test_the_authors_file_and_damaged_weights_are_refused(tmp_path: Path, tiny_sources: Mapping[str, str]) -> None:
    with pytest.raises(InputError, match=r"no readable config\.json\. Wanted a VideoMAE with the decoder"):
        read_start(tiny_sources["videomae-base-voxceleb2"], RECIPE)
    source = tiny_videomae(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(InputError, match=r"cannot be loaded: .*hf:MCG-NJU/videomae-base"):
        read_start(source, RECIPE)


def test_the_true_size_builds_on_the_meta_device() -> None:
    """VideoMAE-base: the encoder that the card counts, and a decoder of four blocks of 384 (VideoMAE, appendix)."""
    library = transformers()
    config = library.VideoMAEConfig(use_mean_pooling=False)
    with torch.device("meta"):
        network = library.VideoMAEForPreTraining(config)
    attention, expansion, norms = 4 * 384**2 + 3 * 384, 2 * 384 * 1536 + 1536 + 384, 4 * 384
    decoder = 4 * (attention + expansion + norms) + 2 * 384 + (384 + 1) * 2 * 16 * 16 * 3
    counted = sum(one.numel() for one in network.parameters())
    encoder = sum(one.numel() for one in network.videomae.parameters())
    assert {one.device.type for one in network.parameters()} == {"meta"}
    assert encoder == CATALOG["videomae-base-mer2023"].parameters
    assert counted == encoder + 768 * 384 + 384 + decoder == 94_210_944
    assert patches_of(network) == (196, 8)
