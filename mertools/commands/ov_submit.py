"""`mertools ov submit`: open-vocabulary labels as the file that a challenge takes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mertools.commands.command_line import Several, make_parser
from mertools.errors import InputError
from mertools.submissions import RULES, read_candidates, write_open_submission

OPEN_MODELS_ALONE = ("2024",)
"""The years whose rules forbid closed models."""
NAMES_SHOWN = 3

EXAMPLES = """\
  mertools ov submit --labels ov/labels.csv --year 2024 --out submission-ov.csv
  mertools ov submit --labels ov/labels.csv --year 2026 --candidates candidates.csv --out mine-openset.npz"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, check, write, tell; returns the exit status."""
    parser = make_parser(
        "mertools ov submit",
        "Write open-vocabulary labels as a submission: a CSV name,openset (2024) or an archive (2025 and 2026).\n"
        "Labels that are not English, and for 2024 labels that a closed model had a part in, are refused.",
        EXAMPLES,
    )
    parser.add_argument("--labels", type=Path, default=Path("labels.csv"), metavar="CSV", help="the labels")
    parser.add_argument("--year", choices=tuple(RULES), required=True, help="the challenge's year")
    parser.add_argument(
        "--candidates",
        type=Path,
        metavar="CSV",
        help="the clips to predict, a column 'name': these alone, in this order",
    )
    parser.add_argument(
        "--models",
        action=Several,
        metavar="NAME",
        help="the models that made the labels, or none (default: those that the files beside the labels name)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the submission goes")
    options = parser.parse_args(arguments)

    from mertools.ov.labels import read_labels

    rules = RULES[options.year]
    if (options.out.suffix == ".npz") != rules.takes_archive:
        wanted = ".npz" if rules.takes_archive else ".csv"
        raise InputError(f"--out {options.out}: the challenge of {options.year} takes a file {wanted}.")
    rows = {row.name: row for row in read_labels(options.labels)}
    if options.year in OPEN_MODELS_ALONE:
        _check_models(options.labels, options.models)
    names = _chosen(rows, options.candidates, options.labels)
    write_open_submission(options.out, {name: rows[name].labels for name in names}, rules)
    failed = sum(bool(rows[name].failed) for name in names)
    told = [f"{options.out}: {len(names)} clips"]
    if failed:
        told.append(f"{failed} of them failed and have no labels")
    if beyond := len(rows) - len(names):
        told.append(f"{beyond} more are no candidates and are left out")
    sys.stdout.write("; ".join(told) + "\n")
    return 0


def _check_models(labels: Path, given: Sequence[str] | None) -> None:
    """Refuse closed models; those given on the command line count instead of those that files name."""
    from mertools.ov.provenance import NO_MODEL, RULE, check_open, models_of

    models = models_of(labels) if given is None else dict.fromkeys(name for name in given if name != NO_MODEL)
    if models is None:
        raise InputError(
            f"Nothing beside {labels} tells which models made it (no clues, descriptions or exchanges), and the rules "
            f"forbid closed ones. {RULE}. Name the models with --models, or write --models none."
        )
    check_open(models)


def _chosen(rows: Mapping[str, object], candidates: Path | None, labels: Path) -> Sequence[str]:
    """The names to write; raises InputError for candidates without a row."""
    if candidates is None:
        return tuple(rows)
    names = read_candidates(candidates)
    if lacking := [name for name in names if name not in rows]:
        raise InputError(
            f"{labels} lacks {len(lacking)} of {len(names)} clips to predict (first: "
            f"{', '.join(map(repr, lacking[:NAMES_SHOWN]))}). Label them too: a clip without a row is a fault."
        )
    return names
