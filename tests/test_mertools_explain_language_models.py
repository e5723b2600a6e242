"""Language models out of folders and GGUF files, whole or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_explainer import ADAPTERS, SHAPE, affectgpt, batch, language_model

from mertools.errors import InputError
from mertools.explain.configuration import LanguageModelChoice, Lora, read_configuration
from mertools.explain.explainer import Explainer
from mertools.explain.language_models import add_lora, load_language_model, unloaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("language model")
    made = language_model()
    made.network.save_pretrained(path)
    made.tokenizer.save_pretrained(path)
    return path


def test_a_folder_gives_the_same_model_frozen(folder: Path) -> None:
    loaded = load_language_model(LanguageModelChoice(f"path:{folder}", SHAPE, dtype="float32"))
    assert loaded.width == 64 and not any(one.requires_grad for one in loaded.network.parameters())
    ids = torch.arange(5)[None]
    assert torch.equal(loaded.network(ids).logits, language_model().network(ids).logits)
    assert loaded.tokenizer("###Human: hello").input_ids == language_model().tokenizer("###Human: hello").input_ids
    half = load_language_model(LanguageModelChoice(f"path:{folder}", SHAPE))
    assert half.network.dtype == torch.bfloat16


def test_a_model_in_half_precision_trains_and_generates(folder: Path) -> None:
    choice = LanguageModelChoice(f"path:{folder}", SHAPE, lora=ADAPTERS)
    explainer = Explainer(affectgpt(language_model=choice), load_language_model(choice)).train()
    loss = explainer(batch(explainer, ["a", "b"], ["He is calm.", "She laughs."])).mean
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(one.grad.isfinite().all() for one in explainer.trainable_parameters().values())
    assert len(explainer.generate(batch(explainer, ["a", "b"]), max_new_tokens=3)) == 2


def test_another_model_than_the_configuration_says(folder: Path) -> None:
    other = LanguageModelChoice(f"path:{folder}", {**SHAPE, "hidden_size": 128})
    with pytest.raises(InputError, match=r"has hidden_size 64, and the configuration says 128\. Correct"):
        load_language_model(other)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "none of ours"}')
    with pytest.raises(InputError, match=r"cannot be read as a language model: .* Wanted a folder of"):
        load_language_model(LanguageModelChoice(f"path:{tmp_path}", SHAPE))


def test_shapes_without_weights() -> None:
    network = unloaded(affectgpt().language_model)
    assert network.device.type == "meta" and network.config.hidden_size == 64
    with pytest.raises(InputError, match="names no network that transformers knows"):
        unloaded(LanguageModelChoice("path:none", {"model_type": "lama"}))
    with pytest.raises(InputError, match="names no network that transformers knows"):
        unloaded(LanguageModelChoice("path:none", {"hidden_size": 64}))


def test_adapters_without_a_place() -> None:
    with pytest.raises(InputError, match=r"LoRA cannot be applied: .*See language_model\.lora\.targets"):
        add_lora(language_model().network, Lora(targets=("query_proj",)))


@pytest.mark.slow
def test_smollm2_out_of_its_gguf_file_reads_and_answers(capfd: pytest.CaptureFixture[str]) -> None:
    configuration = read_configuration("demo-affectgpt")
    try:
        loaded = load_language_model(configuration.language_model)
    except InputError as error:
        pytest.skip(f"the language model cannot be had here: {str(error).splitlines()[0]}")
    assert "it/s" not in capfd.readouterr().err, "bars are ours"
    explainer = Explainer(replace(configuration, stages=()), loaded)
    assert explainer.template.end == "<|im_end|>"
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    text = loaded.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    ids = loaded.tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
    answer = loaded.network.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
    assert "Paris" in loaded.tokenizer.decode(answer)
