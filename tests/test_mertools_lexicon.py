"""The table of emotion words: what means the same, what excludes each other, and where a text names an emotion."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mertools.emotions import MER2024
from mertools.errors import InputError
from mertools.lexicon import CONTRADICTIONS, lexicon

TABLE = lexicon()
LABELS = st.sampled_from([word.word for word in TABLE.words])


def test_the_table_is_sound() -> None:
    forms = Counter(form for word in TABLE.words for form in (word.word, *word.forms))
    assert [form for form, count in forms.items() if count > 1] == []
    families = defaultdict(set)
    for word in TABLE.words:
        assert word.language in ("en", "zh") and word.word and word.group
        families[word.group].add(word.family)
    assert all(len(of_group) == 1 for of_group in families.values())
    wheel = {"joy", "trust", "fear", "surprise", "sadness", "disgust", "anger", "anticipation"}
    assert set().union(*families.values()) == wheel | {"power", "peace", "neutral"}
    assert frozenset().union(*CONTRADICTIONS) <= set().union(*families.values())


def test_every_group_is_named_by_a_word_of_its_own() -> None:
    assert [word.group for word in TABLE.words if TABLE.group(word.group) != word.group] == []


@pytest.mark.parametrize("label", [*MER2024.names, *MER2024.aliases])
def test_the_challenges_classes_are_known(label: str) -> None:
    assert TABLE.group(label) and TABLE.family(label)


@pytest.mark.parametrize(
    ("label", "group"),
    [
        ("Happiness", "happy"),
        ("  joyfully ", "happy"),
        ("very angry", "angry"),
        ("a bit on-edge", "nervous"),
        ("surprise", "surprised"),
        ("高兴", "happy"),
        ("非常生气", "angry"),
        ("失落感", "sad"),
        ("开心的", "happy"),
        ("angry.", "angry"),
        ("not angry", None),
        ("lamp", None),
        ("", None),
    ],
)
def test_labels_are_looked_up_in_any_inflection(label: str, group: str | None) -> None:
    assert TABLE.group(label) == group


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("His sadness grew; he was sad, and ANGRY.", ("sad", "angry")),
        ("He is not happy, but sad.", ("sad",)),
        ("She is no longer afraid, neither sad nor angry.", ()),
        ("She isn’t angry.", ()),
        ("There are no clear signs of anger.", ()),
        ("He does not seem to be happy or relieved.", ()),
        ("He is not sad. Happy he is.", ("happy",)),
        ("Not only happy but thrilled", ("happy", "thrilled")),
        ("He cannot hide his joy.", ("joyful",)),
        ("No doubt she is worried.", ("worried",)),
        ("The content moved like a lamp.", ()),
        ("", ()),
    ],
)
def test_english_texts_name_emotions(text: str, words: tuple[str, ...]) -> None:
    assert TABLE.words_in(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("他并不生气，而是难过", ("难过",)),
        ("她不安而难过", ("不安", "难过")),
        ("没有表现出明显的愤怒", ()),
        ("没有愤怒、悲伤，很平静", ("平静",)),
        ("他不仅高兴，而且激动", ("高兴", "激动")),
        ("非常开心，忍不住激动", ("开心", "激动")),
        ("他不高兴", ()),
    ],
)
def test_chinese_texts_name_emotions(text: str, words: tuple[str, ...]) -> None:
    assert TABLE.words_in(text, "zh") == words


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InputError, match="Unknown language 'fr'"):
        TABLE.words_in("heureux", "fr")


def test_every_form_is_found_in_a_text() -> None:
    sentences = {"en": "The speaker seems {}.", "zh": "说话人{}。"}
    for word in TABLE.words:
        for form in (word.word, *word.forms):
            found = TABLE.words_in(sentences[word.language].format(form), word.language)
            assert found == ((word.word,) if word.in_text else ()), form


def test_pleasant_and_unpleasant_exclude_each_other() -> None:
    assert TABLE.contradicts("happy", "sadness") and TABLE.contradicts("难过", "joyful")
    assert not TABLE.contradicts("angry", "afraid")
    assert not TABLE.contradicts("neutral", "furious")
    assert not TABLE.contradicts("lamp", "sad") and not TABLE.contradicts("lamp", "chair")


@given(LABELS, LABELS)
def test_contradiction_is_symmetric_and_spares_synonyms(label: str, other: str) -> None:
    assert TABLE.contradicts(label, other) == TABLE.contradicts(other, label)
    if TABLE.group(label) == TABLE.group(other):
        assert not TABLE.contradicts(label, other)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for language in ("en", "zh"):
        assert len(set(TABLE.words_in(text, language))) == len(TABLE.words_in(text, language))
    TABLE.group(text)
