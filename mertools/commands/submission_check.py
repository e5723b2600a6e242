"""`mertools submission check`: would the challenge's scorer read this file as it is meant?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.corpora.challenges import RELEASES
from mertools.submissions import RULES, Rules, find_faults, read_candidates

FAULTY = 1
"""The exit status where something is wrong."""

FAULTS_SHOWN = 20
"""A file with one class misspelled has a fault in every sixth of 20,000 rows."""

EXAMPLES = """\
  mertools submission check submission-semi.csv --year 2024 --candidates candidate_20000.csv
  mertools submission check submission.csv --year 2025 --candidates track_all_candidates.csv"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools submission check",
        "Check a submission before it is handed in: encoding, columns, spelling of labels, each clip once and, with\n"
        f"--candidates, every clip of the list and no other. Exit status {FAULTY} where something is wrong.",
        EXAMPLES,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="classes (.csv) or open-vocabulary labels (.csv, .npz)")
    parser.add_argument("--year", choices=tuple(RULES), required=True, help="the challenge's year")
    parser.add_argument(
        "--candidates", type=Path, metavar="CSV", help="the list of clips to predict, with a column 'name'"
    )
    options = parser.parse_args(arguments)
    rules = RULES[options.year]
    candidates = read_candidates(options.candidates) if options.candidates else None
    faults = find_faults(options.file, rules, candidates)
    for note in _notes(options.file, options.year, rules, candidates):
        sys.stderr.write(f"note: {note}\n")
    if not faults:
        sys.stdout.write(f"{options.file}: nothing wrong\n")
        return 0
    rows = [["" if fault.row is None else str(fault.row), fault.got, fault.wanted, fault.remedy] for fault in faults]
    print_table(["row", "got", "wanted", "next step"], rows[:FAULTS_SHOWN])
    if len(rows) > FAULTS_SHOWN:
        sys.stdout.write(f"and {len(rows) - FAULTS_SHOWN} more\n")
    return FAULTY


def _notes(path: Path, year: str, rules: Rules, candidates: Sequence[str] | None) -> list[str]:
    """What is no fault of the file, but should be known before it is handed in."""
    notes = []
    if candidates is None:
        lists = " or ".join(RELEASES[f"mer{year}"].candidates)
        notes.append(f"whether every clip is there was not checked: name the list with --candidates ({lists})")
    usual = rules.open_file if path.suffix == ".npz" else rules.class_file
    if not path.match(usual):
        notes.append(f"the tools of MER{year}'s organisers call such a file {usual}, this one is {path.name}")
    return notes
