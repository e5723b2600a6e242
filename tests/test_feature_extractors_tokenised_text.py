"""Every lexical encoder runs through the runner, and refuses a checkpoint that is broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_text import SENTENCES, WIDTH, make_checkpoint, run_code_from

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from feature_extractors.runner import extract
from mertools.clip import Clip
from mertools.errors import InputError
from mertools.feature_store import read_features

NAMES = [name for name, card in CATALOG.items() if card.family in ("masked-language", "large-language")]


def test_the_catalog_holds_the_papers_lexical_encoders() -> None:
    pairs = [
        f"{name}-{size}" for name in ("pert", "lert", "macbert", "roberta", "electra") for size in ("base", "large")
    ]
    assert set(NAMES) == {*pairs, "xlnet-base", "bloom-7b", "moss-7b", "chatglm2-6b", "baichuan-13b"}
    for name in NAMES:
        card = CATALOG[name]
        assert card.source.startswith("hf:") and card.language == "chinese"
        assert card.training_data and card.parameters > 1e8


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Sources of tiny checkpoints for all lexical encoders."""
    pytest.importorskip("sentencepiece")
    return {name: f"path:{make_checkpoint(name, tmp_path_factory.mktemp(name))}" for name in NAMES}


def test_all_of_them_in_one_run(sources: dict[str, str], tmp_path: Path) -> None:
    clips = [Clip(f"clip{number}", subtitle=text) for number, text in enumerate(SENTENCES)]
    clips[2:2] = [Clip("silent"), Clip("blank", subtitle=" \n\u200b\ufeff"), Clip("foreign", subtitle_english="Hello")]
    settings = Settings(sources=sources, trust_remote_code=True)
    with run_code_from(tmp_path / "modules"):
        outcomes = extract(
            clips, [build(CATALOG[name], settings) for name in NAMES], tmp_path / "a", level="frame", workers=0
        )
        alone = extract(
            clips,
            [build(CATALOG[name], settings) for name in NAMES],
            tmp_path / "b",
            level="utterance",
            workers=0,
            batch_size=1,
        )
    for outcome, single in zip(outcomes, alone, strict=True):
        assert [row.reason for row in outcome.rows] == ["", "", *["no subtitle"] * 3, *[""] * 4], outcome.feature
        assert (outcome.count("ok"), outcome.count("missing")) == (len(SENTENCES), 3)
        features, others = read_features(outcome.path), read_features(single.path)
        assert features.utterance.shape == (len(clips), WIDTH) and np.isfinite(features.utterance).all()
        assert features.mask.tolist() == [True, True, False, False, False, True, True, True, True]
        np.testing.assert_allclose(features.utterance, others.utterance, atol=1e-5)
        spread = features.utterance[features.mask].std(axis=0).max()
        assert spread > 1e-2, f"{outcome.feature} tells sentences apart"


def damage_configuration(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "be', encoding="utf-8")


def name_a_nonsense_width(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": "wide"}), encoding="utf-8")


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def leave_a_pointer(folder: Path) -> None:
    lose_weights(folder)
    (folder / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1")


class Attack:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (exec, ("raise SystemExit('code of a checkpoint ran')",))


def hide_code_in_weights(folder: Path) -> None:
    lose_weights(folder)
    torch.save({"embeddings.word_embeddings.weight": Attack()}, folder / "pytorch_model.bin")


@pytest.mark.parametrize("name", ["roberta-base", "bloom-7b"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damage_configuration, r"has no readable config\.json"),
        (name_a_nonsense_width, "hidden_size"),
        (cut_weights, "SafetensorError: "),
        (lose_weights, "OSError: Error no file named model.safetensors"),
        (leave_a_pointer, "its weights are damaged, or in a file that is more than weights and would run code"),
        (hide_code_in_weights, "more than weights and would run code"),
    ],
)
def test_a_broken_checkpoint_is_one_clear_error(
    name: str, spoil: Callable[[Path], None], said: str, sources: dict[str, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(sources[name].removeprefix("path:"), tmp_path / name))
    spoil(folder)
    encoder = build(CATALOG[name], Settings(sources={name: f"path:{folder}"}))
    with pytest.raises(InputError, match=said) as error:
        encoder.load("cpu")
    assert str(folder) in str(error.value) and CATALOG[name].source in str(error.value)
