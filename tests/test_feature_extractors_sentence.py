"""The sentence encoder gives what its folder's own description says, whatever shares the batch."""

from __future__ import annotations

import numpy as np
import pytest

from feature_extractors.catalog import CATALOG
from feature_extractors.encoder import Encoder, build
from feature_extractors.sentence import Subtitle
from mertools.clip import Clip
from mertools.media import MissingMedium

SENTENCES = ["I am so happy to see you!", "What a joy that you are here, after all these long years.", "Get out."]


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    encoder = build(CATALOG["minilm"])
    encoder.load("cpu")
    return encoder


def vectors(encoder: Encoder, *texts: str) -> np.ndarray:
    return np.array([encoding.utterance for encoding in encoder.encode([Subtitle(text) for text in texts])])


def test_the_first_numbers_are_those_of_sentence_transformers(minilm: Encoder) -> None:
    # SentenceTransformer(folder).encode("Are we okay now?")[:4], sentence-transformers 6.2.0
    np.testing.assert_allclose(
        vectors(minilm, "Are we okay now?")[0, :4], [0.00554179, -0.03594733, 0.03211892, 0.05382472], atol=2e-6
    )


def test_the_vector_is_the_normalised_mean_of_the_frames(minilm: Encoder) -> None:
    (encoding,) = minilm.encode([Subtitle(SENTENCES[0])])
    assert encoding.frames.shape == (10, 384), "[CLS], eight tokens, [SEP]"
    assert encoding.times is None and not encoding.problem
    mean = encoding.frames.mean(axis=0)
    np.testing.assert_allclose(encoding.utterance, mean / np.linalg.norm(mean), atol=1e-6)


def test_a_batch_changes_nothing(minilm: Encoder) -> None:
    alone = np.concatenate([vectors(minilm, sentence) for sentence in SENTENCES])
    np.testing.assert_allclose(vectors(minilm, *SENTENCES), alone, atol=1e-5)


def test_meaning_is_near_meaning(minilm: Encoder) -> None:
    glad, joyful, angry = vectors(minilm, *SENTENCES)
    assert glad @ joyful > glad @ angry + 0.2


def test_the_english_subtitle_comes_first(minilm: Encoder) -> None:
    assert minilm.prepare(Clip("a", subtitle="你好", subtitle_english="Hello")) == Subtitle("Hello")
    assert minilm.prepare(Clip("a", subtitle="Hello")) == Subtitle("Hello")
    foreign = minilm.prepare(Clip("a", subtitle="你好"))
    assert foreign.problem == "the subtitle has no Latin letters, and minilm reads English"
    assert minilm.encode([foreign])[0].problem == foreign.problem
    with pytest.raises(MissingMedium, match=r"^no subtitle$"):
        minilm.prepare(Clip("a", subtitle=" \n"))


def test_a_long_subtitle_is_cut_and_says_so(minilm: Encoder) -> None:
    long, short = minilm.encode([Subtitle("so " * 300), Subtitle("so")])
    assert len(long.frames) == 256 and len(short.frames) == 3
    assert long.problem == "the subtitle has 302 tokens, of which the first 256 were read" and not short.problem
