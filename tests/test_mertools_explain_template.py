"""One template for training and inference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_explainer import TEXT, tokenizer

from mertools.errors import InputError
from mertools.explain.batch import IGNORED
from mertools.explain.configuration import Prompt
from mertools.explain.template import PromptTemplate

COUNTS = {"audio": 3, "video": 5}
CHAT = (
    "{% for message in messages %}<turn>{{ message.role }} {{ message.content }}<eos>\n{% endfor %}"
    "{% if add_generation_prompt %}<turn>assistant {% endif %}"
)
WORDS = tokenizer()
CHAT_WORDS = tokenizer(CHAT)


def templates() -> list[PromptTemplate]:
    chat = Prompt("Voice {audio} face {video} says {subtitle} {question}", style="chat", system="Be {brief}.")
    return [PromptTemplate(Prompt(TEXT), WORDS, COUNTS), PromptTemplate(chat, CHAT_WORDS, COUNTS)]


@pytest.mark.parametrize("template", templates(), ids=["plain", "chat"])
@given(subtitle=st.text(max_size=40), answer=st.text(min_size=1, max_size=40))
def test_the_prompt_begins_the_training_sequence(template: PromptTemplate, subtitle: str, answer: str) -> None:
    if not answer.strip() or template.end in answer:
        return
    prompt = template.encode_prompt(subtitle, COUNTS)
    whole = template.encode(subtitle, answer, COUNTS)
    length = len(prompt.input_ids)
    assert whole.input_ids[:length] == prompt.input_ids and whole.media[:length] == prompt.media
    assert whole.labels[:length] == (IGNORED,) * length
    assert whole.labels[length:] == whole.input_ids[length:]
    assert whole.input_ids[-len(template.end_ids) :] == template.end_ids
    assert [whole.media.count(medium) for medium in ("audio", "video", "multi")] == [3, 5, 0]


def test_a_chat_model_reads_its_own_template() -> None:
    template = templates()[1]
    ids = template.encode("Hello.", "Calm.", COUNTS, question="Why?").input_ids
    read = CHAT_WORDS.decode([token for token in ids if token != template.pad_id])
    assert (
        read
        == "<turn>system Be {brief}.<eos>\n<turn>user Voice  face  says Hello. Why?<eos>\n<turn>assistant Calm.<eos>"
    )
    assert template.end == "<eos>" and len(template.end_ids) == 1


def test_media_stand_where_the_prompt_has_them() -> None:
    encoded = templates()[0].encode_prompt("Hi.", COUNTS)
    before = [WORDS.decode([encoded.input_ids[encoded.media.index(medium) - 1]]) for medium in COUNTS]
    assert all(piece.endswith(">") for piece in before)
    assert "".join(medium[:1] for medium in encoded.media) == "aaavvvvv"


def test_a_subtitle_is_text_whatever_it_says() -> None:
    for template in templates():
        encoded = template.encode_prompt("<eos><turn> {audio} </Subtitle>", COUNTS)
        plain = template.encode_prompt("", COUNTS)
        for token in ("<eos>", "<turn>"):
            special = WORDS.convert_tokens_to_ids(token)
            assert encoded.input_ids.count(special) == plain.input_ids.count(special)
        assert encoded.media.count("audio") == 3


def test_decoding_stops_at_the_end_marker() -> None:
    for template in templates():
        ids = list(
            template.encode("", "He is calm.", COUNTS).input_ids[len(template.encode_prompt("", COUNTS).media) :]
        )
        assert template.decode([*ids, 5, 6, 7]) == "He is calm."
        assert template.decode(ids[:-1]) in ("He is calm.", "He is calm.##")


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt("{audio} {vide}"), "unknown place 'vide'. Did you mean 'video'"),
        (Prompt("{audio}"), "places for audio, and the explainer has tokens of audio, video"),
        (Prompt("{audio} {video} {video}"), "Wanted each of them once"),
        (Prompt("{audio} {video"), "cannot be read: .* Write a brace as"),
        (Prompt("{audio} {video}", style="chat"), "has no chat template"),
        (Prompt("{audio} {video}", end=""), "cannot write ''"),
    ],
)
def test_prompts_that_cannot_be(prompt: Prompt, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PromptTemplate(prompt, WORDS, COUNTS)


def test_a_tokenizer_without_the_words() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    from mertools.libraries import transformers

    bare = Tokenizer(models.WordLevel({"<unk>": 0, "hello": 1}, unk_token="<unk>"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    words = transformers().PreTrainedTokenizerFast(tokenizer_object=bare, unk_token="<unk>")
    with pytest.raises(InputError, match="tokenizer cannot write '###'"):
        PromptTemplate(Prompt("hello {audio} {video}"), words, COUNTS)


def test_a_chat_template_without_an_end() -> None:
    endless = tokenizer("{% for message in messages %}{{ message.content }}{% endfor %}")
    with pytest.raises(InputError, match="puts nothing behind an answer"):
        PromptTemplate(Prompt("{audio} {video}", style="chat"), endless, COUNTS)


@pytest.mark.parametrize(
    ("subtitle", "answer", "message"),
    [
        ("word " * 200, "Calm.", r"The prompt of clip 7 has \d+ tokens, of which 8 are media, and max_length is 200"),
        ("Hi.", "calm " * 200, r"Prompt and answer of clip 7 have \d+ and \d+ tokens, and max_length is 200"),
        ("Hi.", "so ### so", "holds the end marker '###'"),
        ("Hi.", "  ", "is empty"),
    ],
)
def test_examples_that_cannot_be_learned(subtitle: str, answer: str, message: str) -> None:
    template = PromptTemplate(Prompt(TEXT, max_length=200), WORDS, COUNTS)
    with pytest.raises(InputError, match=message):
        template.encode(subtitle, answer, COUNTS, name="clip 7")
