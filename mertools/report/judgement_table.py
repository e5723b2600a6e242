"""Judgements as tables, and as notes below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mertools.ov.judge_answers import HIGHEST
from mertools.ov.judgements import JudgedScore, JudgedSystem, Judgement, score, told, truth_of
from mertools.ov.judging import CLUES, COMPLETENESS, COUNT, LABELS, TRUTH
from mertools.report.reference import parse_score, read_table

OVERLAPS = {CLUES.metric: "Clue overlap", LABELS.metric: "Label overlap"}
HEADINGS = {**OVERLAPS, **{metric: metric for metric in COMPLETENESS}}
PAPERS_TABLE = "emer-table1"
PAPERS_CLIPS = "100"

ROUNDING = 1e-9


def overlap_table(judgements: Sequence[Judgement], *, paper: bool = False) -> tuple[list[str], list[list[str]]]:
    """Clue and label overlap, a row a system; with `paper` EMER's Table 1 below.

    Where there are several judges each row says whose it is.
    """
    return _table(judgements, tuple(OVERLAPS), _papers_rows() if paper else [])


def completeness_table(judgements: Sequence[Judgement]) -> tuple[list[str], list[list[str]]]:
    """How many descriptions draw on each modality, in per cent, and on how many of them on average."""
    return _table(judgements, COMPLETENESS, [])


def notes(judgements: Sequence[Judgement], *, paper: bool = False) -> Iterator[str]:
    """What the reader of the tables must know, a sentence a line."""
    yield from dict.fromkeys(filter(None, (one.truth["notice"] for one in judgements)))
    for one in judgements:
        yield f"Judged by {told(one.judge)}, {one.date}, against {one.truth['file']} ({_clips(len(one.clips))})."
        if one.truth["without"]:
            yield f"Not judged, since nothing is true of them there: {_clips(one.truth['without'])}."
    yield (
        "Overlaps from 0 to 10; audio, visual, content: per cent of clips whose description draws on it; modalities: "
        "on how many of the three, on average. In brackets 95 % bootstrap intervals over clips."
    )
    systems = [system for one in judgements for system in one.systems]
    if any(len(system.runs) > 1 for system in systems):
        yield "±: the standard deviation over runs of the judge; value and interval are their means."
    if any(system.failed for system in systems):
        yield "failed: not described; counts as 0 in everything."
    if any(system.unjudged(run) for system in systems for run in range(len(system.runs))):
        yield "unjudged: the judge gave no answer that could be used for some number; left out of that number's mean."
    if any(system.chosen_by for system in systems):
        yield (
            "Rows that see the truth are oracles: of each clip the description that agrees best with the truth, by "
            "this judge. They bound what a choice could reach; no system could make it."
        )
    yield from _on_truth(judgements)
    if paper:
        yield from _on_paper()


def _table(
    judgements: Sequence[Judgement], metrics: Sequence[str], further: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    mixed = any(one.judge != judgements[0].judge for one in judgements)
    numbers = [heading for metric in metrics for heading in (HEADINGS[metric], f"{HEADINGS[metric]} 95 %")]
    header = ["system", *(["judge"] if mixed else []), "clips", *numbers, "failed", "unjudged"]
    rows = []
    for judgement in judgements:
        for system in judgement.systems:
            whose = [told(judgement.judge)] if mixed else []
            cells = [cell for metric in metrics for cell in _cells(metric, score(system, metric, judgement.seed))]
            row = [_name(system), *whose, str(len(judgement.clips)), *cells, str(system.failed), _unjudged(system)]
            # The truth stands in every file; of one judge's it is shown once, where nothing differs.
            if system.name != TRUTH or row not in rows:
                rows.append(row)
    for name, clips, *printed in further:
        row = [name, *([""] if mixed else []), clips, *printed]
        rows.append(row + [""] * (len(header) - len(row)))
    return header, rows


def _name(system: JudgedSystem) -> str:
    return f"{TRUTH} (against itself)" if system.name == TRUTH else system.name


def _cells(metric: str, found: JudgedScore | None) -> tuple[str, str]:
    if found is None:
        return "–", ""
    unit = 1 if metric in OVERLAPS or metric == COUNT else 100
    deviation = "" if found.std is None else f"±{unit * found.std:.2f}"
    digits = 2 if unit == 1 else 1
    interval = f"[{unit * found.low:.{digits}f}, {unit * found.high:.{digits}f}]"
    return f"{unit * found.value:.2f}{deviation}", interval


def _unjudged(system: JudgedSystem) -> str:
    counts = [system.unjudged(run) for run in range(len(system.runs))]
    return str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))


def _on_truth(judgements: Sequence[Judgement]) -> Iterator[str]:
    """What each judge gives the truth against itself, where that is not what it ought to be."""
    for judgement in judgements:
        truth = truth_of(judgement)
        for metric, heading in OVERLAPS.items():
            given = truth.means(metric)
            below = [value for value in given.values() if value < HIGHEST - ROUNDING]
            if below:
                yield (
                    f"{judgement.judge['model']} gives the truth against itself {sum(given.values()) / len(given):.2f} "
                    f"in {heading.lower()} ({len(below)} of {_clips(len(given))} below {HIGHEST}), and ought to give "
                    f"{HIGHEST}: read its other numbers by that."
                )
            elif not given and metric in {name for run in truth.runs for name in run.unjudged}:
                yield f"{judgement.judge['model']} could not judge the truth against itself in {heading.lower()}."


def _papers_rows() -> list[list[str]]:
    return [
        [
            f"paper: {row['model']}",
            PAPERS_CLIPS,
            str(parse_score(row["clue_overlap"])),
            "",
            str(parse_score(row["label_overlap"])),
        ]
        for row in read_table(PAPERS_TABLE)
    ]


def _on_paper() -> Iterator[str]:
    if not read_table(PAPERS_TABLE):
        yield "The paper's tables are not installed: they stand in results/reference/ of a checkout."
        return
    yield (
        "paper: EMER, Table 1, other clips, judged by ChatGPT as it was in 2023: another judge than any of today, so "
        "not to be compared to the digit."
    )


def _clips(count: int) -> str:
    return "1 clip" if count == 1 else f"{count:,} clips"
