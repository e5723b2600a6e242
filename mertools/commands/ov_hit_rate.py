"""`mertools ov hit-rate`: open-vocabulary labels on a corpus with one label a clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import Several, add_corpus_options, count, make_parser
from mertools.commands.ov_options import of_splits
from mertools.commands.ov_score_options import add_predicted_option, add_wheel_option, read_systems, tell
from mertools.corpus import read_manifest
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.ov.groupings import Grouping

RULES = {
    "lexicon": "one family of mertools' table of emotion words",
    "wheel": "one sector of an emotion wheel's first level, five wheels averaged",
}

EXAMPLES = """\
  mertools ov hit-rate --data meld/manifest.csv --split test --predicted labels.csv
  mertools ov hit-rate --data manifest.csv --predicted a=run-1/labels.csv,run-2/labels.csv --wheel wheel_mapping.npz"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools ov hit-rate",
        "Score open-vocabulary labels on a corpus whose clips have one label each (MER2023, MELD, IEMOCAP), as\n"
        "MER-UniBench does: is the clip's label among the predicted ones, in whatever words? Words are compared by\n"
        "the families of mertools' lexicon or, with --wheel, by the organisers' emotion wheels.",
        EXAMPLES,
    )
    add_corpus_options(parser)
    parser.add_argument("--split", action=Several, metavar="SPLIT", help="only these splits of --data")
    add_predicted_option(parser)
    add_wheel_option(parser)
    parser.add_argument("--seed", type=count, default=0, help="of the intervals and the random labels")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, scores as fractions")
    options = parser.parse_args(arguments)

    from mertools.ov.hit_rate import score_hits
    from mertools.ov.scoring import SystemScores, baselines, coverage
    from mertools.report.open_label_scores import ScoreSheet
    from mertools.set_metrics import HIT_LEVEL

    corpus = of_splits(read_manifest(options.data, options.media_root), options.split)
    clips = corpus.clips
    truth = {clip.name: clip.label for clip in clips if clip.label}
    if not truth:
        raise InputError(f"{options.data}: no clip has a label (column 'label'); there is nothing to hit.")
    rule, grouping = ("wheel" if options.wheel else "lexicon"), _grouping(options.wheel)
    systems = baselines(truth, sorted(set(truth.values())), options.seed)
    systems += read_systems(options.predicted, truth, [clip.name for clip in clips], options.allow_missing, systems)
    scores = [
        SystemScores(system, tuple(score_hits(truth, run, grouping, options.seed) for run in system.runs))
        for system in systems
    ]
    sheet = ScoreSheet(
        rule,
        RULES[rule],
        HIT_LEVEL,
        scores,
        clips=len(truth),
        unlabelled=len(clips) - len(truth),
        known=coverage(grouping, [[label] for label in truth.values()]),
        notice=corpus.notice,
    )
    tell(sheet, options.json)
    return 0


def _grouping(wheel: Path | None) -> Grouping:
    if wheel is None:
        from mertools.lexicon import lexicon
        from mertools.ov.groupings import ByFamily

        return ByFamily(lexicon())
    from mertools.ov.wheel import LEVELS, read_wheels

    return read_wheels(wheel, LEVELS[:1])
