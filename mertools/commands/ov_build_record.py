"""What the commands that build a corpus of explanations write beside it, and tell: result.json and the data card."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mertools import run_record
from mertools.commands.display import print_table
from mertools.corpus import Corpus
from mertools.errors import InputError

EXPLANATIONS = "explanations.jsonl"
KIND = "explanations"
OWN = ("schema", "kind", "started", "versions", "corpus", "card", "quality")
"""What `write_record` writes of itself."""


@dataclass(frozen=True)
class Card:
    """What a data card says beside numbers.

    `steps` names by step the models that did it, or in a sentence what did; `prompts` has by step what they were asked;
    `checked` is whether people have looked at every text.
    """

    title: str
    procedure: str
    steps: Mapping[str, Sequence[str]]
    prompts: Mapping[str, str]
    checked: bool
    commands: Sequence[str]
    notes: Sequence[str] = field(default_factory=list)


def described(corpus: Corpus) -> dict[str, Any]:
    """The corpus that is explained, as result.json names it."""
    return {
        "manifest": str(corpus.manifest),
        "fingerprint": corpus.fingerprint,
        "notice": corpus.notice,
        "clips": len(corpus.clips),
    }


def write_record(out: Path, card: Card, corpus: Mapping[str, Any], quality: Mapping[str, Any], **further: Any) -> None:
    """Write result.json and DATA_CARD.md into `out`; `further` stands in result.json too."""
    from mertools.report.data_card import CARD, write_data_card

    result = {
        "kind": KIND,
        "started": run_record.now(),
        "versions": run_record.versions("openai"),
        "corpus": corpus,
        "card": vars(card),
        "quality": quality,
        **further,
    }
    run_record.write_result(out, result)
    write_data_card(out / CARD, result)


def read_record(explanations: Path) -> dict[str, Any]:
    """The result.json beside a file of explanations; raises InputError where there is none of its kind."""
    result = run_record.read_result(explanations.resolve().parent)
    if result.get("kind") != KIND:
        raise InputError(
            f"{explanations.parent / run_record.RESULT} is of kind {result.get('kind')!r}, wanted {KIND!r}, which "
            "`mertools ov build` writes beside its explanations. Name the file in its folder."
        )
    return result


def further_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a result.json has beside what `write_record` writes anew, to be handed on."""
    return {name: value for name, value in result.items() if name not in OWN}


def card_of(result: Mapping[str, Any], command: str, note: str) -> Card:
    """The card of a corpus that `command` made of the one of `result`; `note` says what was done to it."""
    card = Card(**result["card"])
    return Card(**vars(card) | {"commands": [*card.commands, command], "notes": [*card.notes, note]})


def show_quality(quality: Mapping[str, Any]) -> None:
    """Print what can be told of a corpus in a few lines."""
    print_table(("clips", "number"), [(name, str(number)) for name, number in _numbers(quality)])


def show_files(out: Path) -> None:
    """Print where things lie."""
    from mertools.report.data_card import CARD

    sys.stdout.write(f"\n{out / EXPLANATIONS}\n{out / CARD}\n")


def _numbers(quality: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    yield "explained", quality["explained"]
    yield "failed", quality["failed"]
    yield "of which nothing is known", quality["nothing_known"]
    for language, told in quality["languages"].items():
        yield f"described in {language}", told["described"]
        yield f"in {language}, but in another language", told["in_another_language"]
        yield f"without a label in {language}", told["without_label"]
    yield "of which sound and picture tell", quality["modalities"]["clips"]
    yield "where these disagree", quality["modalities"]["disagree"]
