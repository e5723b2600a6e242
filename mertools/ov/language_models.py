"""The language models of the papers and of today: what each perceives, whether its weights are open, what serves it.

The table is `language_models.csv`, one line a model, the papers' first (MER2024, Table 6; AffectGPT, Tables 2 and 5;
EMER, Table 2). It says what a model's authors say of it. What a server really passes on to the model is another
question, which `mertools.ov.probe` asks.
"""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_suffix(".csv")

IMPORT_ONLY = "import only"
"""Served by nothing that speaks the chat API: its authors' code writes files of predictions, which are imported."""


@dataclass(frozen=True)
class LanguageModel:
    """A row of the table.

    `perceives` holds `text`, `image`, `video`, `audio`; `served_by` the programs that serve it, `hosted` for a service
    of its makers, or IMPORT_ONLY; `languages` those of English and Chinese that it was tuned for.
    """

    name: str
    perceives: tuple[str, ...]
    is_closed: bool
    served_by: str
    languages: tuple[str, ...]
    link: str


@functools.cache
def language_models() -> tuple[LanguageModel, ...]:
    """All models of the table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            LanguageModel(
                row["name"],
                tuple(row["perceives"].split()),
                row["weights"] == "closed",
                row["served_by"],
                tuple(row["languages"].split()),
                row["link"],
            )
            for row in csv.DictReader(file)
        )


CLOSED = (
    # GPT-3 and later; gpt2, gpt-j, gpt-neox, gpt-oss and gpt4all are open.
    r"gpt-?[3-9](?!-?all)|gpt-(audio|realtime)|chatgpt|(text-)?davinci|o[1-9](-|$)",
    r"claude",
    r"gemini|palm-?2|(text|chat)-bison",
    r"nova-(micro|lite|pro|premier|sonic|omni)",
    # Its first two have been released.
    r"grok-([3-9]|beta|vision|code)",
    r"qwen[\d.]*(-(vl|audio|omni))?-(max|plus|turbo|flash|long)|qwq-plus|qvq-(max|plus)",
    r"glm-\dv?-(plus|air|flash|long)",
    r"mistral-medium",
    r"moonshot-v|kimi-latest",
    r"doubao|hunyuan-(turbo|vision|standard|lite)|ernie-(bot|[34]\.0|speed|lite)|step-[12]|abab\d",
    r"yi-(large|vision|lightning|medium|spark)",
)
"""How models without open weights are called by those who offer them, maker by maker; matched at a name's start."""

CATALOGUE = r"(ft:|(\w+\.)?(anthropic|amazon|google|openai)\.)?"
"""What may stand before: a fine-tuned model's mark, or region and maker as cloud catalogues write them."""


def is_closed(model_name: str) -> bool:
    """Whether the weights of a model are closed, by the table or by how its makers' models are called.

    Names may carry an owner (`openai/gpt-4o`). Only what a model is called can be judged: one that is served under
    another name is not recognised.
    """
    name = model_name.strip().casefold().rsplit("/", 1)[-1]
    listed = {model.name.casefold(): model.is_closed for model in language_models()}
    return listed[name] if name in listed else re.match(f"{CATALOGUE}({'|'.join(CLOSED)})", name) is not None
