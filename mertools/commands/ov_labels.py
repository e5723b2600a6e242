"""`mertools ov labels`: descriptions -> any number of labels a clip."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import add_corpus_options, make_parser
from mertools.commands.display import clip_progress
from mertools.commands.language_model_options import CACHE_NAME, add_language_model_options, open_chat
from mertools.commands.ov_options import (
    add_join_options,
    add_language_option,
    add_strict_option,
    check_join,
    evidence_of,
    first_three,
)
from mertools.commands.ov_outcome import Outcome, show, status
from mertools.corpus import read_manifest
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.ov.asking import Done
    from mertools.ov.chat import Chat
    from mertools.ov.join import Evidence
    from mertools.ov.labels import OpenLabels

DESCRIPTION = """\
Extract the emotions that each description names, into labels.csv. A clip whose description failed, or about which the
language model gave no list of labels, stands there as failed, with the reason and no label."""

EXAMPLES = """\
  mertools ov labels --descriptions descriptions.jsonl
  mertools ov labels --descriptions descriptions.jsonl --offline
  mertools ov labels --join union --predictions run/predictions.csv --out-of-fold run/out_of_fold.csv"""

JOINS = ("none", "union", "filter", "both")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, ask, write, tell; returns the exit status."""
    parser = make_parser("mertools ov labels", DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "--descriptions", type=Path, default=Path("descriptions.jsonl"), metavar="FILE", help="the descriptions"
    )
    add_corpus_options(parser)
    add_language_option(parser, "the descriptions")
    parser.add_argument("--shots", action="store_true", help="show the model the organisers' two examples first")
    parser.add_argument(
        "--offline", action="store_true", help="no language model: the words of the lexicon that stand in the text"
    )
    parser.add_argument("--out", type=Path, default=Path("labels.csv"), metavar="CSV", help="where labels go")
    add_join_options(
        parser,
        JOINS,
        "union: a classifier's label is added; filter: labels are dropped that contradict it; "
        "both: filter, then union.\n"
        "--data is read for these alone.",
    )
    add_language_model_options(parser)
    add_strict_option(parser)
    options = parser.parse_args(arguments)
    check_join(parser, options)
    names = names_of(options.descriptions)
    evidence = _evidence(options, names) if options.join != "none" else {}
    if options.offline:
        outcome = write_offline_labels(options.descriptions, len(names), options, options.out, evidence)
    else:
        with open_chat(options, options.out.parent / CACHE_NAME) as chat:
            outcome = write_labels_of(options.descriptions, len(names), options, chat, options.out, evidence)
    show([outcome])
    sys.stdout.write(f"\n{options.out}\n")
    return status([outcome], options.strict)


def names_of(descriptions: Path) -> list[str]:
    """The clips of a file of descriptions; raises InputError for what is none, before anything is asked."""
    from mertools.ov.descriptions import read_descriptions

    return [one.name for one in read_descriptions(descriptions)]


def write_offline_labels(
    descriptions: Path, total: int, options: argparse.Namespace, out: Path, evidence: Mapping[str, Evidence]
) -> Outcome:
    """Find the labels in a file of `total` descriptions by the lexicon and write them, joined."""
    from mertools.ov.descriptions import read_descriptions
    from mertools.ov.labelling import labels_offline

    rows = labels_offline(read_descriptions(descriptions), language=options.language)
    return _write(rows, total, options, out, evidence)


def write_labels_of(
    descriptions: Path,
    total: int,
    options: argparse.Namespace,
    chat: Chat,
    out: Path,
    evidence: Mapping[str, Evidence],
    run: int = 0,
) -> Outcome:
    """Ask for the labels of a file of `total` descriptions and write them, joined."""
    from mertools.ov.descriptions import read_descriptions
    from mertools.ov.labelling import extract_labels

    rows = extract_labels(
        read_descriptions(descriptions), chat, language=options.language, shots=options.shots, run=run
    )
    return _write(rows, total, options, out, evidence)


def _write(
    rows: Iterator[Done[OpenLabels]],
    total: int,
    options: argparse.Namespace,
    out: Path,
    evidence: Mapping[str, Evidence],
) -> Outcome:
    from mertools.ov.labels import write_labels

    outcome = Outcome("labels")
    out.parent.mkdir(parents=True, exist_ok=True)
    with clip_progress("extracting labels") as progress:
        labelled = outcome.counted(rows, total, progress)
        write_labels(out, _joined(labelled, options, evidence) if options.join in JOINS[1:] else labelled)
    return outcome


def _joined(
    rows: Iterator[OpenLabels], options: argparse.Namespace, evidence: Mapping[str, Evidence]
) -> Iterator[OpenLabels]:
    """The labels with the classifier's added, without those that contradict it, or both; failed clips stay failed."""
    from mertools.lexicon import lexicon
    from mertools.ov.join import joined

    words = lexicon()
    for row in rows:
        if not row.failed:
            labels = joined(row.labels, options.join, evidence[row.name], words, options.language)
            row = replace(row, labels=labels)
        yield row


def _evidence(options: argparse.Namespace, names: Sequence[str]) -> Mapping[str, Evidence]:
    """The evidence about the clips `names`; raises InputError for one that the corpus does not hold."""
    corpus = read_manifest(options.data, options.media_root)
    clips = {clip.name: clip for clip in corpus.clips}
    unknown = [name for name in names if name not in clips]
    if unknown:
        raise InputError(
            f"{options.data} lacks {len(unknown)} clips of {options.descriptions} ({first_three(unknown)}); it holds "
            f"{first_three(clips)}. Name the manifest of these clips with --data."
        )
    return evidence_of(options, [clips[name] for name in names])
