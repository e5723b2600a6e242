"""`extract.py`: clips -> feature files."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extractors.cards.card import MER2024, RECIPES
from feature_extractors.catalog import CATALOG, card
from mertools.commands.command_line import Several, add_corpus_options, count, make_parser, positive
from mertools.commands.display import clip_progress, print_table
from mertools.corpus import read_manifest

if TYPE_CHECKING:
    from feature_extractors.runner import Outcome

STATUSES = ("ok", "missing", "failed")
REASONS_SHOWN = 20
FAILED_STRICTLY = 3

EXAMPLES = """\
  python extract.py --feature egemaps face-expression minilm
  python extract.py --data corpus/manifest.csv --feature egemaps --level frame"""


def make_extract_parser() -> argparse.ArgumentParser:
    """The options of `extract.py`."""
    parser = make_parser(
        "extract.py",
        "Extract features of every clip of a corpus, one file a feature. Clips that are stored already are left\n"
        "alone; a clip that cannot be used is stored as missing or failed, with the reason.",
        f"{EXAMPLES}\n\nfeatures:\n{_feature_list()}",
    )
    add_corpus_options(parser)
    parser.add_argument("--feature", action=Several, required=True, metavar="NAME", help="features to extract")
    parser.add_argument("--out", type=Path, default=Path("features"), metavar="DIR", help="feature files' folder")
    parser.add_argument(
        "--level",
        choices=("utterance", "frame"),
        default="utterance",
        help="store a vector a clip, or also the frames it was made of",
    )
    parser.add_argument(
        "--recipe",
        choices=RECIPES,
        default=MER2024,
        help="mer2024: what the challenge's released code computes; masked: the same without its quirks",
    )
    parser.add_argument(
        "--weights",
        type=_weights,
        action="append",
        default=[],
        metavar="NAME=SOURCE",
        help="weights of your own for a feature, such as hubert-large=path:/models/hubert; may be repeated",
    )
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run the code that comes with checkpoints that need it"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N clips of the manifest")
    parser.add_argument(
        "--workers", type=count, metavar="N", help="processes that read clips, 0 for none (default: one a CPU core)"
    )
    parser.add_argument("--device", default="auto", help="where models run: auto, cpu or cuda")
    parser.add_argument("--batch-size", type=positive, default=32, metavar="N", help="clips a model encodes at once")
    parser.add_argument(
        "--face-detector",
        choices=("auto", "dlib", "yunet"),
        default="auto",
        help="how faces are found in clips without ready crops",
    )
    parser.add_argument("--face-model", type=Path, metavar="ONNX", help="YuNet's model file")
    parser.add_argument("--strict", action="store_true", help=f"exit with status {FAILED_STRICTLY} if any clip failed")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    options = make_extract_parser().parse_args(arguments)
    cards = [card(name) for name in options.feature]
    corpus = read_manifest(options.data, options.media_root)

    from feature_extractors.encoder import Settings, build
    from feature_extractors.runner import extract

    settings = Settings(
        face_detector=options.face_detector,
        face_model=options.face_model,
        recipe=options.recipe,
        sources=dict(options.weights),
        trust_remote_code=options.trust_remote_code,
    )
    begin = time.monotonic()
    with clip_progress("extracting") as progress:
        outcomes = extract(
            corpus.clips,
            [build(card, settings) for card in cards],
            options.out,
            level=options.level,
            workers=options.workers,
            device=options.device,
            batch_size=options.batch_size,
            limit=options.limit,
            progress=progress,
        )
    show(outcomes, time.monotonic() - begin)
    next_command = ["python", "run_fusion.py", "--data", str(options.data), "--features", str(options.out)]
    sys.stdout.write(f"\nNext: {shlex.join([*next_command, '--feature', *options.feature])}\n")
    failed = any(outcome.count("failed") for outcome in outcomes)
    return FAILED_STRICTLY if options.strict and failed else 0


def show(outcomes: Sequence[Outcome], seconds: float) -> None:
    """Print how many clips of each feature ended how, and why those did that are not whole."""
    counts = [[outcome.feature, *(str(outcome.count(status)) for status in STATUSES)] for outcome in outcomes]
    print_table(["feature", *STATUSES], counts)
    troubled = [(outcome, row) for outcome in outcomes for row in outcome.rows if row.reason]
    troubled.sort(key=lambda pair: -STATUSES.index(pair[1].status))
    if troubled:
        sys.stdout.write("\n")
        shown = [[outcome.feature, row.name, row.status, row.reason] for outcome, row in troubled[:REASONS_SHOWN]]
        print_table(["feature", "clip", "status", "reason"], shown)
    if len(troubled) > REASONS_SHOWN:
        files = ", ".join(dict.fromkeys(str(outcome.path) for outcome, _ in troubled[REASONS_SHOWN:]))
        sys.stdout.write(
            f"and {len(troubled) - REASONS_SHOWN} more: all of them stand in the dataset 'reason' of {files}\n"
        )
    sys.stdout.write(f"\n{len(outcomes[0].rows)} clips in {seconds:.1f} s\n")


def _feature_list() -> str:
    width = max(map(len, CATALOG))
    return "\n".join(
        f"  {name:<{width}}  {card.modality:<5}  {card.dim:>4}-d  {card.label} ({card.licence})"
        for name, card in CATALOG.items()
    )


def _weights(text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not equals or not source:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted NAME=SOURCE, such as hubert-large=path:/models/hubert")
    return card(name).name, source
