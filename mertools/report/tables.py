"""The paper's table from a result, and its three renderings: terminal, TSV and Markdown.

The layout is that of MER2024, Tables 4 and 5: a line a system, a pair of columns (WAF, ACC) a labelled part of the
corpus, and their average.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

SPLIT_HEADINGS = {"train": "Train&Val", "semi": "MER-SEMI", "noise": "MER-NOISE"}
MODALITY_HEADINGS = {"V": "Visual Modality", "A": "Acoustic Modality", "T": "Lexical Modality"}
METRICS = ("waf", "acc")
ESTIMATES = {
    "cv-paper": "best epoch and configuration chosen on the folds that are reported; optimistic",
    "cv-nested": "epoch, configuration and ranking chosen inside the training folds only",
    "test": "neither trained on nor used to choose anything",
}
"""What each estimate of a result is, in words."""

BEST_IN_BOLD = "Best of each column in bold."
SHOWN_FEATURES = 4


@dataclass(frozen=True)
class Number:
    """A score in per cent, as it is shown: rounded by `str`, with ± where it has a standard deviation."""

    value: float
    std: float | None = None
    low: float | None = None
    high: float | None = None
    best: bool = False

    def __str__(self) -> str:
        return f"{self.value:.2f}" + ("" if self.std is None else f"±{self.std:.2f}")

    @property
    def interval(self) -> str:
        """The 95 % interval as `[68.2, 83.0]`, "" where there is none."""
        return "" if self.low is None or self.high is None else f"[{self.low:.1f}, {self.high:.1f}]"


@dataclass(frozen=True)
class Part:
    """A pair of columns: a labelled split under one estimate, or the average of several (estimate "")."""

    heading: str
    split: str = ""
    estimate: str = ""
    clips: int | None = None


@dataclass(frozen=True)
class Line:
    """One system's numbers: for each part of the table its (WAF, ACC), None where the system has none."""

    group: str
    system: str
    numbers: tuple[tuple[Number | None, Number | None], ...]


@dataclass(frozen=True)
class Table:
    """The table before it is rendered. `notice` is the corpus' own sentence about itself, "" for most."""

    parts: tuple[Part, ...]
    lines: tuple[Line, ...]
    footnotes: tuple[str, ...]
    notice: str

    @property
    def groups(self) -> Iterator[tuple[str, list[Line]]]:
        """The lines under each heading, in order."""
        for heading, lines in groupby(self.lines, key=lambda line: line.group):
            yield heading, list(lines)

    @property
    def marks_best(self) -> bool:
        """Whether some number is marked as the best of its column."""
        return any(number.best for line in self.lines for pair in line.numbers for number in pair if number)


def results_table(result: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> Table:
    """The table of a fusion's result (result.json). `labels` maps feature names to the paper's spelling of them."""
    labels = labels or {}
    scores = [_scores(row) for row in result["rows"]]
    parts = _parts(scores)
    averaged = _averaged(parts)
    lines = []
    for row, found in zip(result["rows"], scores, strict=True):
        numbers = [
            tuple(_number(found.get((p.split, p.estimate, metric)), metric) for metric in METRICS) for p in parts
        ]
        if averaged:
            numbers.append(tuple(_mean([numbers[i][m] for i in averaged]) for m in range(len(METRICS))))
        lines.append(Line(_group(row), _system(row, labels), tuple(numbers)))
    kinds = [row["kind"] for row in result["rows"]]
    lines = _mark_best(_in_paper_order(lines, kinds))
    if averaged:
        parts.append(Part("Average"))
    notice = _plain(result["corpus"].get("notice") or "")
    return Table(tuple(parts), tuple(lines), tuple(_footnotes(parts, lines)), notice)


def to_rich(table: Table) -> RenderableType:
    """The table for a terminal: a part's two numbers stand side by side, the interval of WAF under them.

    On a narrow terminal cells wrap between numbers; nothing is cut.
    """
    rendered = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    rendered.add_column("System", vertical="top", overflow="fold")
    widths = []
    for index, part in enumerate(table.parts):
        width = max([3, *(len(str(line.numbers[index][0])) for line in table.lines if line.numbers[index][0])])
        rendered.add_column(Text(f"{part.heading}\n{'WAF':<{width}} ACC"), vertical="top", overflow="fold")
        widths.append(width)
    for heading, lines in table.groups:
        rendered.add_row(Text(heading, style="italic"))
        for line in lines:
            cells = [_rich_cell(pair, width) for pair, width in zip(line.numbers, widths, strict=True)]
            rendered.add_row(Text(line.system), *cells)
    notice = [Text(table.notice, style="bold yellow")] if table.notice else []
    footnotes = [*([BEST_IN_BOLD] if table.marks_best else []), *table.footnotes]
    return Group(*notice, rendered, *(Text(footnote, style="dim") for footnote in footnotes))


def to_tsv(table: Table) -> str:
    """The table as tab-separated values, a number a column (per cent), ends of intervals included.

    Notice and footnotes are lines that begin with `# `.
    """
    names, cells = ["group", "system"], [[line.group, line.system] for line in table.lines]
    for index, part in enumerate(table.parts):
        for m, metric in enumerate(METRICS):
            column = [line.numbers[index][m] for line in table.lines]
            for suffix, values in (
                ("", [number and number.value for number in column]),
                (" std", [number and number.std for number in column]),
                (" low", [number and number.low for number in column]),
                (" high", [number and number.high for number in column]),
            ):
                if suffix and all(value is None for value in values):
                    continue
                names.append(f"{part.heading} {metric.upper()}{suffix}")
                for row, value in zip(cells, values, strict=True):
                    row.append("" if value is None else f"{value:.2f}")
    notice = [f"# {table.notice}"] if table.notice else []
    footnotes = [f"# {footnote}" for footnote in table.footnotes]
    return "\n".join([*notice, *("\t".join(row) for row in (names, *cells)), *footnotes]) + "\n"


def to_markdown(table: Table) -> str:
    """The table as Markdown, the best of each column in bold; notice above, footnotes below."""
    columns = [f"{_escaped(part.heading)} {metric.upper()}" for part in table.parts for metric in METRICS]
    rows = [["System", *columns], ["---", *("---:" for _ in columns)]]
    for heading, lines in table.groups:
        rows.append([f"*{_escaped(heading)}*", *("" for _ in columns)])
        for line in lines:
            rows.append([_escaped(line.system), *(_markdown_cell(number) for pair in line.numbers for number in pair)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notice = [f"> **{_escaped(table.notice)}**", ""] if table.notice else []
    footnotes = [*([BEST_IN_BOLD] if table.marks_best else []), *table.footnotes]
    return "\n".join([*notice, *lines, "", *(f"- {_escaped(footnote)}" for footnote in footnotes)]) + "\n"


def print_table(table: Table, console: Console) -> None:
    """Print the table on `console`: laid out on a terminal, TSV and uncut elsewhere."""
    if console.is_terminal:
        console.print(to_rich(table))
    else:
        console.file.write(to_tsv(table))


def split_heading(split: str) -> str:
    """The paper's heading of a split, or its name."""
    return SPLIT_HEADINGS.get(split, _plain(split))


def system_name(row: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> str:
    """A row of a result in few words: `eGeMAPS`, `A+V+T Top1`."""
    name = _system(row, labels or {})
    return name if len(row["features"]) == 1 else f"{'+'.join(row['modalities'])} {name}"


def _scores(row: Mapping[str, Any]) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    return {
        (score["split"], score["estimate"], score["metric"]): score
        for score in row["scores"]
        if score["metric"] in METRICS
    }


def _parts(scores: Sequence[Mapping[tuple[str, str, str], Mapping[str, Any]]]) -> list[Part]:
    clips: dict[tuple[str, str], int] = {}
    for found in scores:
        for (split, estimate, _), score in found.items():
            clips.setdefault((split, estimate), score["n"])
    keys = sorted(clips, key=lambda key: key[0] != "train")
    splits = [split for split, _ in keys]
    return [
        Part(
            split_heading(split) if splits.count(split) == 1 else f"{split_heading(split)} {estimate}",
            split,
            estimate,
            clips[split, estimate],
        )
        for split, estimate in keys
    ]


def _averaged(parts: Sequence[Part]) -> list[int]:
    """The parts the average is over: of each split the first estimate, where there are two splits or more."""
    first: dict[str, int] = {}
    for index, part in enumerate(parts):
        first.setdefault(part.split, index)
    return list(first.values()) if len(first) > 1 else []


def _number(score: Mapping[str, Any] | None, metric: str) -> Number | None:
    if score is None:
        return None
    std, low, high = (None if score[key] is None else 100 * score[key] for key in ("std", "low", "high"))
    # The challenge ranks by WAF; a second interval a part would make the table unreadable.
    return Number(100 * score["value"], std, low, high) if metric == "waf" else Number(100 * score["value"], std)


def _mean(numbers: Sequence[Number | None]) -> Number | None:
    values = [number.value for number in numbers if number is not None]
    return Number(sum(values) / len(values)) if len(values) == len(numbers) else None


def _group(row: Mapping[str, Any]) -> str:
    modalities = row["modalities"]
    return MODALITY_HEADINGS.get(modalities) or "+".join(modalities)


def _system(row: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    features = row["features"]
    if "name" in row:  # an ensemble and its members, whose features alone do not tell them apart
        return _plain(row["name"])
    if len(features) > 1 and row["top"]:
        return f"Top{row['top']}"
    if len(features) > SHOWN_FEATURES:
        return f"{len(features)} features"
    return " + ".join(_plain(labels.get(feature, feature)) for feature in features)


def _in_paper_order(lines: Sequence[Line], kinds: Sequence[str]) -> list[Line]:
    """Modalities as in Table 4, worst feature first; then what is fused, in the result's order."""
    headings = list(dict.fromkeys([*MODALITY_HEADINGS.values(), *(line.group for line in lines)]))

    def position(entry: tuple[Line, str]) -> tuple[int, bool, float]:
        line, kind = entry
        last = line.numbers[-1][0] if line.numbers else None
        single = kind == "single"
        return headings.index(line.group), not single, last.value if single and last else 0.0

    return [line for line, _ in sorted(zip(lines, kinds, strict=True), key=position)]


def _mark_best(lines: Sequence[Line]) -> list[Line]:
    """The lines with the best number of each column marked: all that look the same, none where there is one line."""
    if len(lines) < 2:
        return list(lines)
    best = [
        [
            max((round(line.numbers[i][m].value, 2) for line in lines if line.numbers[i][m]), default=None)
            for m in (0, 1)
        ]
        for i in range(len(lines[0].numbers))
    ]
    return [
        replace(
            line,
            numbers=tuple(
                tuple(
                    number and replace(number, best=round(number.value, 2) == top)
                    for number, top in zip(pair, tops, strict=True)
                )
                for pair, tops in zip(line.numbers, best, strict=True)
            ),
        )
        for line in lines
    ]


def _footnotes(parts: Sequence[Part], lines: Sequence[Line]) -> Iterator[str]:
    numbers = [number for line in lines for pair in line.numbers for number in pair if number]
    yield "Scores in per cent."
    for part in parts:
        if part.estimate:
            clips = "1 clip" if part.clips == 1 else f"{part.clips:,} clips"
            meaning = f": {ESTIMATES[part.estimate]}" if part.estimate in ESTIMATES else ""
            yield f"{part.heading}: {part.estimate}, {clips}{meaning}."
        else:
            averaged = ", ".join(parts[index].heading for index in _averaged(parts[:-1]))
            yield f"{part.heading}: unweighted mean of {averaged}, as in the paper."
    if any(number.interval for number in numbers):
        yield "[low, high]: 95 % bootstrap interval of WAF over clips."
    if any(number.std is not None for number in numbers):
        yield "±: standard deviation over re-runs of the chosen configuration with new seeds and folds."


def _rich_cell(pair: tuple[Number | None, Number | None], width: int) -> Text:
    waf, acc = pair
    cell = Text()
    cell.append(f"{waf or '–'!s:<{width}}", "bold" if waf and waf.best else "")
    cell.append(" ")
    cell.append(f"{acc or '–'!s}", "bold" if acc and acc.best else "")
    if waf and waf.interval:
        cell.append(f"\n{waf.interval}", "dim")
    return cell


def _markdown_cell(number: Number | None) -> str:
    if number is None:
        return "–"
    value, *std = str(number).partition("±")
    value = f"**{value}**" if number.best else value
    return " ".join(filter(None, [value + "".join(std), number.interval]))


def _escaped(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]~])", r"\\\1", text)


def _plain(text: str) -> str:
    """`text` on one line and without control characters, which would drive a terminal or break a TSV."""
    return "".join(character if character.isprintable() else " " for character in text).strip()
