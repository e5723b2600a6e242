"""`mertools ov rate import`: what people think of each system, and how far they agree."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.ov.rating import CHOICES, RATING, VALUES, Key, read_key
from mertools.ov.rating_sheets import collect, read_answers
from mertools.whole_files import whole_file

if TYPE_CHECKING:
    from mertools.ov.rating_scores import SystemScore
    from mertools.report.ratings import Correlation

DESCRIPTION = """\
Read what raters saved and tell the mean rating of each system (1 to 4) with its 95 % interval over clips, how each
rater used the choices, how far they agree (Krippendorff's alpha) and how far automatic metrics go with them. Nothing
is averaged over files that lack items, have one twice or hold answers that there are not: they are refused, with
counts."""

EXAMPLES = """\
  mertools ov rate import rating/key.json answers-*.json
  mertools ov rate import rating/key.json rater-1.csv answers-*-rater-2.json --allow-incomplete
  mertools ov rate import rating/key.json answers-*.json --metrics judged.csv --paper --out ratings.json"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    options = make_import_parser().parse_args(arguments)
    key = read_key(options.key)
    files = [read_answers(path, RATING) for path in options.answers]
    items = [item.id for item in key.items]
    collected = collect(files, key.study, list(key.orders), items, VALUES, options.allow_incomplete)

    from mertools.ov.automatic_scores import read_automatic_scores
    from mertools.ov.rating_scores import agreement, as_numbers, item_means, rater_counts, system_scores
    from mertools.report.ratings import correlations

    ratings = as_numbers(collected.answers)
    scores = system_scores(key, ratings)
    raters = rater_counts(ratings)
    alphas = agreement(key, ratings)
    metrics = read_automatic_scores(options.metrics) if options.metrics else []
    found = correlations(metrics, key, item_means(ratings))

    _show_systems(key, scores, options.paper)
    sys.stdout.write("\n")
    print_table(
        ["rater", "ratings", "mean", *VALUES],
        [[one.rater, str(sum(one.counts)), f"{one.mean:.2f}", *map(str, one.counts)] for one in raters],
    )
    sys.stdout.write("\n")
    print_table(["level", "Krippendorff's alpha"], [[level, _number(alpha, 3)] for level, alpha in alphas.items()])
    if found:
        sys.stdout.write("\n")
        print_table(
            ["metric", "rho over items", "n", "rho over systems", "n"],
            [
                [one.metric, _number(one.items, 3), str(one.n_items), _number(one.systems, 3), str(one.n_systems)]
                for one in found
            ],
        )
    sys.stdout.write("\n")
    notes = list(_notes(key, collected.gaps, found, options.paper))
    sys.stdout.writelines(f"{note}\n" for note in notes)
    if options.out:
        _write(options.out, key, scores, alphas, found, collected.gaps, [asdict(one) for one in raters])
    return 0


def make_import_parser() -> argparse.ArgumentParser:
    """The options of `mertools ov rate import`."""
    parser = make_parser("mertools ov rate import", DESCRIPTION, EXAMPLES)
    parser.add_argument("key", type=Path, help="the study's key.json")
    parser.add_argument("answers", type=Path, nargs="+", metavar="ANSWERS", help="the raters' files, JSON or CSV")
    parser.add_argument(
        "--allow-incomplete", action="store_true", help="use what there is where raters have left items open"
    )
    parser.add_argument(
        "--metrics", type=Path, metavar="FILE", help="automatic scores, JSON or CSV: name, system, metric, value"
    )
    parser.add_argument("--paper", action="store_true", help="show EMER's Table 2 beside")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write all that is told here to a file too")
    return parser


def _show_systems(key: Key, scores: Sequence[SystemScore], paper: bool) -> None:
    """The table of systems, best first, the truth last; with `paper` its numbers and its further rows."""
    from mertools.report.ratings import name_in_paper, printed_ratings

    printed = printed_ratings() if paper else {}
    names = {score.system: name_in_paper(score.system, key, printed) for score in scores}
    ranked = sorted(scores, key=lambda score: (score.system == key.truth, -score.mean))
    header = ["system", "mean", "95 %", "clips", *VALUES, *(["EMER Table 2"] if paper else [])]
    rows = [
        [
            score.system + (" (truth)" if score.system == key.truth else ""),
            f"{score.mean:.2f}",
            f"[{score.low:.2f}, {score.high:.2f}]",
            str(score.clips),
            *map(str, score.counts),
            *([printed.get(names[score.system], "–")] if paper else []),
        ]
        for score in ranked
    ]
    rows += [
        [f"paper: {model}", *["–"] * (len(header) - 2), mean]
        for model, mean in printed.items()
        if model not in names.values()
    ]
    print_table(header, rows)


def _notes(key: Key, gaps: Sequence[str], found: Sequence[Correlation], paper: bool) -> Iterator[str]:
    """What the reader of the tables must know."""
    scale = ", ".join(f"{value} {choice}" for value, choice in zip(VALUES, CHOICES, strict=True))
    yield f"Mean ratings, with 95 % bootstrap intervals over clips, and how often each choice was made: {scale}."
    if gaps:
        yield "Incomplete: " + "; ".join(gaps) + "."
    if found:
        without = f"; without {key.truth}, the truth" if key.truth else ""
        yield f"rho: Spearman's, with people's mean rating{without}."
    if paper:
        yield "EMER Table 2 is of 20 clips and five raters of its own: other people on other clips."


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _write(
    path: Path,
    key: Key,
    scores: Sequence[SystemScore],
    alphas: Mapping[str, float | None],
    found: Sequence[Correlation],
    gaps: Sequence[str],
    raters: Sequence[Mapping[str, object]],
) -> None:
    contents = {
        "study": key.study,
        "truth": key.truth,
        "systems": [asdict(score) for score in scores],
        "raters": raters,
        "alpha": alphas,
        "correlations": [asdict(one) for one in found],
        "incomplete": gaps,
    }
    with whole_file(path) as file:
        file.write(json.dumps(contents, ensure_ascii=False, indent=1) + "\n")
