"""The paper's table from a result, and its three renderings: terminal, TSV and Markdown.

The layout is that of MER2024, Tables 4 and 5: a line a system, a pair of columns (WAF, ACC) a labelled part of the
corpus, and their average. Under a number that the paper prints too stands the paper's.
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

from mertools.report.comparison import Comparison, compare
from mertools.report.footnotes import BEST_IN_BOLD, footnotes
from mertools.report.printed import AVERAGE, COLUMNS, PrintedRows, has_papers_clips, has_papers_splits, printed_score
from mertools.report.reference import PrintedScore

SPLIT_HEADINGS = {"train": "Train&Val", "semi": "MER-SEMI", "noise": "MER-NOISE"}
MODALITY_HEADINGS = {"V": "Visual Modality", "A": "Acoustic Modality", "T": "Lexical Modality"}
METRICS = ("waf", "acc")
SHOWN_FEATURES = 4
BEYOND = "!"
SEEN = "†"
"""Marks a system whose features were chosen by scores of test sets."""


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
class Printed:
    """What the paper prints for a number. `comparison` is None where the clips are others: nothing compares then."""

    score: PrintedScore
    comparison: Comparison | None = None

    @property
    def beyond(self) -> bool:
        """Whether ours differs by more than chance allows."""
        return self.comparison is not None and not self.comparison.within

    def __str__(self) -> str:
        return f"{self.score}{BEYOND if self.beyond else ''}"


@dataclass(frozen=True)
class Part:
    """A pair of columns: a labelled split under one estimate, or the average of the parts `of` (estimate "").

    A `variant` is a split scored on other features; `printed` is the paper's column of the same, None where there is
    none.
    """

    heading: str
    split: str = ""
    estimate: str = ""
    clips: int | None = None
    variant: bool = False
    of: tuple[int, ...] = ()
    printed: str | None = None


@dataclass(frozen=True)
class Line:
    """One system's numbers: for each part of the table its (WAF, ACC), None where the system has none.

    `printed` are the paper's, part by part; `seen` says that test sets chose its features, `written` that the run's
    predictions are its; `parameters` is the size of one network, None for what is no network.
    """

    group: str
    system: str
    numbers: tuple[tuple[Number | None, Number | None], ...]
    printed: tuple[tuple[Printed | None, Printed | None], ...]
    seen: bool
    written: bool
    parameters: int | None

    @property
    def in_paper(self) -> bool:
        """Whether the paper prints some of it."""
        return any(cell for pair in self.printed for cell in pair)


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
    rows = result["rows"]
    parts = _parts(result)
    beside = has_papers_clips(result) or has_papers_splits(result)
    paper = PrintedRows.read() if beside else PrintedRows({}, {})
    lines = [_line(row, result, parts, paper, labels) for row in rows]
    notes = footnotes(result, parts, lines, paper, [system_name(row, labels) for row in rows])
    lines = _mark_best(_in_paper_order(parts, lines, [row["kind"] for row in rows]))
    return Table(tuple(parts), tuple(lines), tuple(notes), _plain(result["corpus"].get("notice") or ""))


def to_rich(table: Table) -> RenderableType:
    """The table for a terminal: a part's two numbers stand side by side, the interval of WAF under them.

    On a narrow terminal cells wrap between numbers; nothing is cut.
    """
    rendered = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    rendered.add_column("System", vertical="top", overflow="fold")
    widths = []
    for index, part in enumerate(table.parts):
        shown = [cell for line in table.lines for cell in (line.numbers[index][0], line.printed[index][0]) if cell]
        width = max([3, *(len(str(cell)) for cell in shown)])
        rendered.add_column(Text(f"{part.heading}\n{'WAF':<{width}} ACC"), vertical="top", overflow="fold")
        widths.append(width)
    for heading, lines in table.groups:
        rendered.add_row(Text(heading, style="italic"))
        for line in lines:
            cells = [_rich_cell(pair, width) for pair, width in zip(line.numbers, widths, strict=True)]
            rendered.add_row(Text(line.system), *cells)
            if line.in_paper:
                printed = [_rich_printed(pair, width) for pair, width in zip(line.printed, widths, strict=True)]
                rendered.add_row(Text("  paper", style="dim"), *printed)
    notice = [Text(table.notice, style="bold yellow")] if table.notice else []
    notes = [*([BEST_IN_BOLD] if table.marks_best else []), *table.footnotes]
    return Group(*notice, rendered, *(Text(note, style="dim") for note in notes))


def to_tsv(table: Table) -> str:
    """The table as tab-separated values, a number a column (per cent), ends of intervals and the paper's included.

    Notice and footnotes are lines that begin with `# `.
    """
    names, cells = ["group", "system"], [[line.group, line.system] for line in table.lines]

    def add(name: str, values: list[str]) -> None:
        names.append(name)
        for row, value in zip(cells, values, strict=True):
            row.append(value)

    for index, part in enumerate(table.parts):
        for m, metric in enumerate(METRICS):
            name = f"{part.heading} {metric.upper()}"
            column = [line.numbers[index][m] for line in table.lines]
            printed = [line.printed[index][m] for line in table.lines]
            for suffix, values in (
                ("", [number and number.value for number in column]),
                (" std", [number and number.std for number in column]),
                (" low", [number and number.low for number in column]),
                (" high", [number and number.high for number in column]),
                (" paper", [cell and cell.score.value for cell in printed]),
                (" paper std", [cell and cell.score.std for cell in printed]),
            ):
                if not suffix or any(value is not None for value in values):
                    add(f"{name}{suffix}", ["" if value is None else f"{value:.2f}" for value in values])
            if any(cell and cell.comparison for cell in printed):
                add(f"{name} beyond", [BEYOND if cell and cell.beyond else "" for cell in printed])
    notice = [f"# {table.notice}"] if table.notice else []
    notes = [f"# {note}" for note in table.footnotes]
    return "\n".join([*notice, *("\t".join(row) for row in (names, *cells)), *notes]) + "\n"


def to_markdown(table: Table) -> str:
    """The table as Markdown, the best of each column in bold, the paper's in columns of their own; notice above,
    footnotes below."""
    names, columns = [], []
    for index, part in enumerate(table.parts):
        for m, metric in enumerate(METRICS):
            names.append(f"{_escaped(part.heading)} {metric.upper()}")
            columns.append([_markdown_cell(line.numbers[index][m]) for line in table.lines])
            printed = [line.printed[index][m] for line in table.lines]
            if any(printed):
                names.append(f"{names[-1]} paper")
                columns.append([str(cell or "") for cell in printed])
    rows = [["System", *names], ["---", *("---:" for _ in names)]]
    cells = zip(*columns, strict=True)
    for heading, lines in table.groups:
        rows.append([f"*{_escaped(heading)}*", *("" for _ in names)])
        rows += [[_escaped(line.system), *next(cells)] for line in lines]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notice = [f"> **{_escaped(table.notice)}**", ""] if table.notice else []
    notes = [*([BEST_IN_BOLD] if table.marks_best else []), *table.footnotes]
    return "\n".join([*notice, *lines, "", *(f"- {_escaped(note)}" for note in notes)]) + "\n"


def print_table(table: Table, console: Console) -> None:
    """Print the table on `console`: laid out on a terminal, TSV and uncut elsewhere."""
    if console.is_terminal:
        console.print(to_rich(table))
    else:
        console.file.write(to_tsv(table))


def split_heading(split: str) -> str:
    """The paper's heading of a split, or its name; `semi (noise)`, the split on other features, is MER-SEMI (noise)."""
    own, parenthesis, variant = split.partition(" (")
    return _plain(SPLIT_HEADINGS.get(own, own) + parenthesis + variant)


def system_name(row: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> str:
    """A row of a result in few words: `eGeMAPS`, `A+V+T Top1`."""
    name = _system(row, labels or {})
    return name if len(row["features"]) == 1 else f"{'+'.join(row['modalities'])} {name}"


def is_seen(row: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Whether a row's features were chosen by the paper's Table 4, whose average holds both test sets."""
    return row["top"] is not None and result["configuration"].get("rank_by") == "paper"


def as_number(score: Mapping[str, Any]) -> Number:
    """A score of a result, or a difference of scores, in per cent, with deviation and interval where it has them."""
    std, low, high = (None if score.get(key) is None else 100 * score[key] for key in ("std", "low", "high"))
    return Number(100 * score["value"], std, low, high)


def _parts(result: Mapping[str, Any]) -> list[Part]:
    """The columns: train by each estimate, the other splits, their average, then splits on other features."""
    clips: dict[tuple[str, str], int] = {}
    for row in result["rows"]:
        for score in row["scores"]:
            clips.setdefault((score["split"], score["estimate"]), score["n"])
    own = result["corpus"]["splits"]
    keys = sorted(clips, key=lambda key: (key[0] not in own, key[0] != "train"))
    splits = [split for split, _ in keys]
    parts = [
        Part(
            split_heading(split) if splits.count(split) == 1 else f"{split_heading(split)} {estimate}",
            split,
            estimate,
            clips[split, estimate],
            variant=split not in own,
            printed=COLUMNS.get((split, estimate)),
        )
        for split, estimate in keys
    ]
    first: dict[str, int] = {}
    for index, part in enumerate(parts):
        if not part.variant:
            first.setdefault(part.split, index)
    if len(first) > 1:
        averaged = tuple(first.values())
        like_paper = {parts[index].printed for index in averaged} == set(COLUMNS.values())
        average = Part("Average", of=averaged, printed=AVERAGE if like_paper else None)
        parts.insert(sum(not part.variant for part in parts), average)
    return parts


def _line(
    row: Mapping[str, Any],
    result: Mapping[str, Any],
    parts: Sequence[Part],
    paper: PrintedRows,
    labels: Mapping[str, str],
) -> Line:
    """The line of one row of a result; on the paper's own clips its numbers are held against the paper's."""
    same_clips = has_papers_clips(result)
    scores = {(score["split"], score["estimate"], score["metric"]): score for score in row["scores"]}
    numbers = []
    for part in parts:
        if part.of:
            numbers.append(tuple(_mean([numbers[index][m] for index in part.of]) for m in range(len(METRICS))))
        else:
            numbers.append(tuple(_number(scores.get((part.split, part.estimate, m)), m) for m in METRICS))
    in_paper = paper.of(row)
    printed = [
        tuple(
            _printed(printed_score(in_paper, part.printed, metric), number if same_clips else None)
            for metric, number in zip(METRICS, pair, strict=True)
        )
        for part, pair in zip(parts, numbers, strict=True)
    ]
    seen = is_seen(row, result)
    system = _system(row, labels) + (SEEN if seen else "")
    return Line(_group(row), system, tuple(numbers), tuple(printed), seen, row["written"], row.get("parameters"))


def _printed(score: PrintedScore | None, ours: Number | None) -> Printed | None:
    if score is None:
        return None
    std = None if ours is None or ours.std is None else ours.std / 100
    return Printed(score, ours and compare(ours.value / 100, std, score))


def _number(score: Mapping[str, Any] | None, metric: str) -> Number | None:
    if score is None:
        return None
    number = as_number(score)
    # The challenge ranks by WAF; a second interval a part would make the table unreadable.
    return number if metric == "waf" else replace(number, low=None, high=None)


def _mean(numbers: Sequence[Number | None]) -> Number | None:
    values = [number.value for number in numbers if number is not None]
    return Number(sum(values) / len(values)) if len(values) == len(numbers) else None


def _group(row: Mapping[str, Any]) -> str:
    modalities = row["modalities"]
    return MODALITY_HEADINGS.get(modalities) or "+".join(modalities)


def _system(row: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    if not row.get("self_training"):
        return _fused(row, labels)
    pool_used = row["self_training"].get("pool_used", True)
    return _fused(row, labels) + (", self-trained" if pool_used else ", pool not used")


def _fused(row: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    features = row["features"]
    if "name" in row:  # an ensemble and its members, whose features alone do not tell them apart
        return _plain(row["name"])
    if len(features) > 1 and row["top"]:
        return f"Top{row['top']}"
    if len(features) > SHOWN_FEATURES:
        return f"{len(features)} features"
    return " + ".join(_plain(labels.get(feature, feature)) for feature in features)


def _in_paper_order(parts: Sequence[Part], lines: Sequence[Line], kinds: Sequence[str]) -> list[Line]:
    """Modalities as in Table 4, worst feature first, by the average where there is one; then what is fused, in the
    result's order."""
    headings = list(dict.fromkeys([*MODALITY_HEADINGS.values(), *(line.group for line in lines)]))
    decisive = next((index for index, part in enumerate(parts) if part.of), 0)

    def position(entry: tuple[Line, str]) -> tuple[int, bool, float]:
        line, kind = entry
        waf = line.numbers[decisive][0] if parts else None
        single = kind == "single"
        return headings.index(line.group), not single, waf.value if single and waf else 0.0

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


def _rich_cell(pair: tuple[Number | None, Number | None], width: int) -> Text:
    waf, acc = pair
    cell = Text()
    cell.append(f"{waf or '–'!s:<{width}}", "bold" if waf and waf.best else "")
    cell.append(" ")
    cell.append(f"{acc or '–'!s}", "bold" if acc and acc.best else "")
    if waf and waf.interval:
        cell.append(f"\n{waf.interval}", "dim")
    return cell


def _rich_printed(pair: tuple[Printed | None, Printed | None], width: int) -> Text:
    cell = Text(style="dim")
    for printed, end in zip(pair, (width, 0), strict=True):
        cell.append(f"{printed or ''!s:<{end}}", "bold" if printed and printed.beyond else "")
        cell.append(" " if end else "")
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
