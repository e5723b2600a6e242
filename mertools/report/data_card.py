"""The data card of a corpus of explanations: what it is, who made it, and how good it is, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mertools.ov.language import NAMES
from mertools.ov.language_models import is_closed
from mertools.whole_files import whole_file

CARD = "DATA_CARD.md"

LICENCE = (
    "These texts are about clips of another corpus: whoever may have that corpus may have them, under its terms. "
    "MER2024's agreement allows academic research alone, and no uploading to the Internet (§2.4). The makers of the "
    "language models above may have terms of their own for what their models write; a closed model's answers are not "
    "allowed in MER-OV (§2.4)."
)
NO_CHECK = (
    "Nobody has checked these texts: there may be some inaccuracies (AffectGPT §3.2). They are for training, and no "
    "truth to score by."
)
CHECKED = "People wrote the clues and checked the texts that language models made of them."


def write_data_card(path: Path, result: Mapping[str, Any]) -> None:
    """Write the card that `result` (the contents of result.json) tells, atomically."""
    with whole_file(path) as file:
        file.write("\n".join(_lines(result)) + "\n")


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    card, quality, corpus = result["card"], result["quality"], result["corpus"]
    yield f"# {card['title']}"
    yield ""
    yield f"{quality['explained']} of {quality['clips']} clips explained, made {result['started']} by mertools "
    yield f"{result['versions']['mertools']}, procedure {card['procedure']}. {CHECKED if card['checked'] else NO_CHECK}"
    if corpus["notice"]:
        yield ""
        yield f"**{corpus['notice']}**"
    yield ""
    yield "## How it was made"
    yield ""
    yield f"From {corpus['manifest']} ({corpus['clips']} clips, fingerprint {corpus['fingerprint']}) by:"
    yield ""
    yield "```"
    yield from card["commands"]
    yield "```"
    yield ""
    yield from _table(("step", "by", "weights"), _steps(card["steps"]))
    for note in card["notes"]:
        yield ""
        yield note
    yield ""
    yield "## Quality"
    yield ""
    yield from _quality(quality)
    yield ""
    yield "## Prompts"
    for name, text in card["prompts"].items():
        yield ""
        yield f"**{name}**"
        yield ""
        yield from (f"> {line}" if line else ">" for line in text.splitlines())
    if not card["prompts"]:
        yield ""
        yield "None: no language model was asked."
    yield ""
    yield "## Licence"
    yield ""
    yield LICENCE


def _steps(steps: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    for step, models in steps.items():
        for model in models:
            yield step, model, _weights(model)


def _weights(model: str) -> str:
    """Whether a model's weights are open; what no model does stands in words with a space in them."""
    if " " in model:
        return "–"
    return "closed" if is_closed(model) else "open, as far as its name tells"


def _quality(quality: Mapping[str, Any]) -> Iterator[str]:
    clips = quality["clips"]
    rows = [("explained", quality["explained"]), ("failed", quality["failed"])]
    rows += [("of which nothing is known", quality["nothing_known"]), *quality["with"].items()]
    yield from _table(("clips", "number", "share"), [(name, str(count), _share(count, clips)) for name, count in rows])
    if quality["reasons"]:
        yield ""
        yield from _table(("why clips failed", "clips"), [(name, str(n)) for name, n in quality["reasons"].items()])
    for language, told in quality["languages"].items():
        yield ""
        yield from _language(language, told)
    yield ""
    yield _modalities(quality["modalities"])
    if classifier := quality["classifier"]:
        yield ""
        yield (
            f"Of {classifier['clips']} clips a classifier said something too. Its class or a synonym is among the "
            f"labels of {100 * classifier['same_group']:.1f} %, its family of emotions of "
            f"{100 * classifier['same_family']:.1f} %."
        )


def _language(language: str, told: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {NAMES[language]}"
    yield ""
    yield (
        f"{told['described']} descriptions, {told['in_another_language']} of them in another language than asked; "
        f"{told['different_labels']} different labels, {told['without_label']} clips without any."
    )
    yield ""
    quantiles = ("least", "p5", "median", "mean", "p95", "most")
    rows = [
        (what, *(f"{numbers[name]:g}" for name in quantiles))
        for what, numbers in ((f"length in {told['length_in']}", told["length"]), ("labels", told["labels_a_clip"]))
    ]
    yield from _table(("a clip", *quantiles), rows)
    if told["most_frequent"]:
        yield ""
        yield "Labels: " + ", ".join(f"{label} {count}" for label, count in told["most_frequent"].items()) + "."
        yield ""
        yield "Families: " + ", ".join(f"{family} {count}" for family, count in told["families"].items()) + "."


def _modalities(told: Mapping[str, Any]) -> str:
    if not told["clips"]:
        return "In no clip do clues of sound and of picture both name an emotion: whether they agree is not to be told."
    return (
        f"In {told['clips']} clips the clues of sound and of picture both name emotions; in {told['disagree']} of them "
        f"({100 * told['share']:.1f} %) no family of emotions is in both."
    )


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %" if of else "–"


def _table(header: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
