"""The table of language models, and which of them may not be used where open weights are the rule."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from mertools.__main__ import dispatch
from mertools.ov.language_models import IMPORT_ONLY, is_closed, language_models

REFERENCE = Path(__file__).parent.parent / "results" / "reference"
HEURISTICS = {"Empty", "Random", "EMER(Multi)"}


def models_of(table: str) -> dict[str, set[str]]:
    """By model of a paper's table what its rows used: l, v, a."""
    used: dict[str, set[str]] = {}
    with (REFERENCE / table).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for name in re.sub(r" \[\d+\]", "", row["model"]).split(" + "):
                if name not in HEURISTICS:
                    alone = " + " not in row["model"]
                    used.setdefault(name, set()).update(key for key in "va" if alone and row[key] in "√✓")
    return used


@pytest.mark.parametrize("table", ["mer2024-table6.csv", "affectgpt-table1.csv"])
def test_every_model_of_the_papers_is_there_and_perceives_what_it_was_given(table: str) -> None:
    models = {model.name: model for model in language_models()}
    rows = models_of(table)
    assert len(rows) >= 14 and rows.keys() <= models.keys()
    for name, used in rows.items():
        perceives = models[name].perceives
        assert "a" not in used or "audio" in perceives, name
        assert "v" not in used or {"image", "video"} & set(perceives), name


def test_the_table_is_sound() -> None:
    models = language_models()
    assert len({model.name for model in models}) == len(models)
    for model in models:
        assert model.perceives[0] == "text" and set(model.perceives) <= {"text", "image", "video", "audio"}
        assert set(model.languages) <= {"en", "zh"} and model.languages
        assert model.link.startswith("https://")
        assert model.is_closed == (model.served_by == "hosted"), model.name
    assert sum(model.served_by == IMPORT_ONLY for model in models) >= 12


@pytest.mark.parametrize(
    "name",
    [
        *(
            "gpt-4o",
            "gpt-4o-audio-preview",
            "GPT-4V",
            "gpt-3.5-turbo-0125",
            "gpt-5-mini",
            "gpt-audio",
            "chatgpt-4o-latest",
        ),
        *("openai/gpt-4.1", "ft:gpt-4o-mini-2024-07-18:lab::abc", "o1", "o3-mini", "o4-mini-2025-04-16"),
        *("claude-3-5-sonnet-20241022", "anthropic/claude-opus-4", "us.anthropic.claude-3-haiku", "text-davinci-003"),
        *("gemini-2.5-pro", "models/gemini-1.5-flash", "google/gemini-2.0-flash", "grok-4", "amazon.nova-pro-v1:0"),
        *(
            "qwen-max",
            "qwen-vl-max-latest",
            "qwen-plus",
            "qwen-omni-turbo",
            "qwen3-max",
            "qwen-audio-turbo",
            "Gemini 2.5",
        ),
        *("qwen3-omni-flash", "glm-4-plus", "glm-4v-plus", "moonshot-v1-8k", "doubao-1.5-pro", "mistral-medium-latest"),
    ],
)
def test_closed(name: str) -> None:
    assert is_closed(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "openai/gpt-oss-120b",
            "gpt2",
            "EleutherAI/gpt-j-6b",
            "gpt-neox-20b",
            "nomic-ai/gpt4all-13b",
            "SmolLM2-135M-Instruct",
        ),
        *(
            "Qwen/Qwen2.5-Omni-7B",
            "Qwen3-Omni-30B-A3B-Instruct",
            "Qwen-Audio",
            "qwen2-audio-7b-instruct",
            "Qwen/Qwen3-VL-8B",
        ),
        *(
            "google/gemma-3n-E4B-it",
            "OneLLM",
            "o1.gguf",
            "olmo-2",
            "deepseek-chat",
            "Video-ChatGPT",
            "PandaGPT",
            "grok-1",
        ),
        *(
            "Qwen3-14B-Claude-Distill",
            "kimi-audio-7b-instruct",
            "mistral-large-2411",
            "chatglm3-6b",
            "glm-4-9b-chat",
            "adapter",
        ),
        *("/models/llama-3-8b", "ov-model", "", "yi-34b-chat", "hunyuan-a13b-instruct", "bardlm", "step3-vl"),
    ],
)
def test_open(name: str) -> None:
    assert not is_closed(name)


def test_models_are_printed_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["ov", "models"]) == 0
    header, *rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header[0] == "model" and len(rows) == len(language_models())
    table = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert table["SALMONN"]["served by"] == "import only" and table["GPT-4V"]["weights"] == "closed"
    assert "vLLM" in table["Qwen2.5-Omni"]["served by"]
