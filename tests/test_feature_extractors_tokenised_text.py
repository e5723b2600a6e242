"""Every lexical encoder runs through the runner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_text import SENTENCES, WIDTH, make_checkpoint, run_code_from

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Settings, build
from feature_extractors.runner import extract
from mertools.clip import Clip
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
