"""`mertools explain evaluate`: how well trained explainers' labels cover the true ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.commands.explain_generate import Asked, add_generation_options
from mertools.commands.explain_options import add_frame_options
from mertools.commands.language_model_options import CACHE_NAME, add_language_model_options, open_chat
from mertools.commands.ov_options import add_clip_options, chosen_corpus
from mertools.commands.ov_score import GROUPINGS
from mertools.commands.ov_score_options import tell
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.ov.labels import OpenLabels
    from mertools.ov.scoring import System

LEXICON = "lexicon"
SHUFFLED = "shuffled media"

DESCRIPTION = """\
Describe the clips with each checkpoint, take the labels out of the descriptions as they stand, and score them against
the manifest's open labels: set-level accuracy, recall and their mean with 95 % intervals. Where the manifest describes
clips, a second table has the loss a token of these descriptions. With --shuffled every explainer is asked again with
other clips' sound and picture: where that changes nothing, it does not look or listen."""

EXAMPLES = """\
  mertools explain evaluate --checkpoint runs/two-stage/checkpoint --split test --out evaluation
  mertools explain evaluate --checkpoint none=a/checkpoint both=b/checkpoint --split semi --shuffled --out evaluation
  mertools explain evaluate --checkpoint runs/two-stage/checkpoint --extract llm --out evaluation"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, generate, score, tell; returns the exit status."""
    parser = make_parser("mertools explain evaluate", DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "--checkpoint",
        nargs="+",
        action="extend",
        required=True,
        metavar="[NAME=]DIR",
        help="checkpoints of mertools explain train",
    )
    add_clip_options(parser)
    add_frame_options(parser)
    add_generation_options(parser)
    parser.add_argument("--shuffled", action="store_true", help="once more with media shuffled between clips")
    parser.add_argument(
        "--extract",
        choices=(LEXICON, "llm"),
        default=LEXICON,
        help="what takes labels out of descriptions: the lexicon's words, or a language model by the paper's prompt",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="descriptions and labels, a folder each")
    parser.add_argument("--paper", action="store_true", help="the rows of MER2024's Table 6 below yours")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, scores as fractions")
    add_language_model_options(parser)
    options = parser.parse_args(arguments)

    from mertools.lexicon import lexicon
    from mertools.ov.groupings import BySynonyms
    from mertools.ov.scoring import CANDIDATES, baselines, coverage, score_systems
    from mertools.report.open_label_scores import ScoreSheet
    from mertools.set_metrics import SET_LEVEL

    corpus = chosen_corpus(options)
    truth = {clip.name: clip.open_labels for clip in corpus.clips if clip.open_labels}
    if not truth:
        raise InputError(f"{corpus.manifest}: none of these clips has open labels; there is nothing to score against.")
    checkpoints = dict(_named(argument) for argument in options.checkpoint)
    if len(checkpoints) < len(options.checkpoint):
        raise InputError("Two checkpoints have one name. Name them: --checkpoint NAME=DIR NAME=DIR.")
    evaluated = [one for name, folder in checkpoints.items() for one in _evaluated(name, folder, corpus.clips, options)]
    systems = [system for system, _ in evaluated]
    grouping = BySynonyms(lexicon())
    systems = [*baselines(truth, CANDIDATES["en"], options.seed), *systems]
    scores = score_systems(truth, systems, lambda *_: grouping, SET_LEVEL, options.seed)
    sheet = ScoreSheet(
        LEXICON,
        GROUPINGS[LEXICON],
        SET_LEVEL,
        scores,
        clips=len(truth),
        unlabelled=len(corpus.clips) - len(truth),
        known=coverage(grouping, truth.values()),
        notice=corpus.notice,
        paper=options.paper,
    )
    losses = {system.name: loss for system, loss in evaluated if loss is not None}
    tell(sheet, options.json, {"description_loss": losses} if losses else {})
    if losses and not options.json:
        print_table(
            ["checkpoint", "loss of the descriptions"], [[name, f"{loss:.4f}"] for name, loss in losses.items()]
        )
    return 0


def _evaluated(
    name: str, checkpoint: Path, clips: Sequence[Clip], options: argparse.Namespace
) -> Iterator[tuple[System, float | None]]:
    """What a checkpoint says of the clips, as labels, and its loss on their descriptions; once more with shuffled media
    where that is wanted."""
    from mertools.explain.answering import shuffled
    from mertools.ov.descriptions import write_descriptions
    from mertools.ov.scoring import System

    asked = Asked(checkpoint, options)
    shown = {name: None}
    if options.shuffled:
        shown |= {f"{name}, {SHUFFLED}": shuffled([clip.name for clip in clips], options.seed)}
    for title, others in shown.items():
        folder = options.out / title.replace(", ", "-").replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        write_descriptions(folder / "descriptions.jsonl", asked.descriptions(clips, others))
        labels = _labels(folder, asked.language, options)
        yield System(title, (labels,), (str(folder / "labels.csv"),)), asked.loss_on_descriptions(clips, others)


def _labels(folder: Path, language: str, options: argparse.Namespace) -> Mapping[str, OpenLabels]:
    """The labels in the descriptions of `folder`, which are written beside them."""
    from mertools.ov.descriptions import read_descriptions
    from mertools.ov.labelling import extract_labels, labels_offline
    from mertools.ov.labels import write_labels

    descriptions = read_descriptions(folder / "descriptions.jsonl")
    if options.extract == LEXICON:
        rows = [done.row for done in labels_offline(descriptions, language=language)]
    else:
        with open_chat(options, options.out / CACHE_NAME) as chat:
            rows = [done.row for done in extract_labels(descriptions, chat, language=language)]
    write_labels(folder / "labels.csv", rows)
    if failed := [row.name for row in rows if row.failed]:
        sys.stderr.write(f"{folder}: {len(failed)} clips have no labels (first: {failed[0]})\n")
    return {row.name: row for row in rows}


def _named(argument: str) -> tuple[str, Path]:
    """`NAME=DIR` taken apart; a folder without a name is called as its run is."""
    name, equals, folder = argument.partition("=")
    if equals and name and not Path(argument).is_dir():
        return name, Path(folder)
    path = Path(argument)
    return (path.resolve().parent.name if path.name == "checkpoint" else path.name), path
