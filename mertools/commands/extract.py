"""`extract.py`: clips -> feature files."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from feature_extractors.catalog import CATALOG, card
from mertools.commands.command_line import (
    Several,
    add_corpus_options,
    add_model_options,
    add_part_options,
    add_reading_options,
    add_time_limit,
    make_parser,
)
from mertools.commands.display import clip_progress, print_table
from mertools.commands.encoder_options import add_encoder_options, encoder_settings
from mertools.corpus import read_manifest
from mertools.errors import InputError
from noise.corruption import load_noise

if TYPE_CHECKING:
    from feature_extractors.forecast import Forecast
    from feature_extractors.runner import Engine, Outcome

STATUSES = ("ok", "missing", "failed")
REASONS_SHOWN = 20
FAILED_STRICTLY = 3

EXAMPLES = """\
  python extract.py --feature egemaps face-expression minilm
  python extract.py --data corpus/manifest.csv --feature egemaps --level frame
  python extract.py --feature hubert-large clip-large --plan
  python extract.py --feature hubert-large --shard 1/4      # on the first of four machines; then:
  mertools features merge --help
  python extract.py --feature egemaps --noise recipe.jsonl --speech musan/speech --out features-noisy
  python extract.py --feature hubert-large --ray auto       # on the Ray cluster of this machine"""


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
    add_encoder_options(parser)
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="type on disk; float16 halves the files and keeps three digits",
    )
    parser.add_argument(
        "--plan", action="store_true", help="try a few clips, print hours and gigabytes for all, and store nothing"
    )
    add_part_options(parser, "of --out")
    add_reading_options(parser)
    add_time_limit(parser, "reading one clip for one feature")
    add_model_options(
        parser, batch_size=32, batch_help="clips a model encodes at once; halved where the memory is short"
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="work on a Ray cluster, one model a GPU: HOST:PORT, auto for the one that this machine belongs to, or no "
        "address for a Ray of its own here; nodes share the clips' folder; --workers counts for each reading actor; "
        "needs the extra ray",
    )
    parser.add_argument(
        "--faces", type=Path, metavar="FILE", help="read faces from a file of `mertools data faces`, not from video"
    )
    parser.add_argument(
        "--noise",
        type=Path,
        metavar="FILE",
        help="make clips noisy while reading, by a recipe of `mertools noise draw`",
    )
    parser.add_argument(
        "--speech", type=Path, metavar="DIR", help="where the recipe's recordings lie; not for babble of this corpus"
    )
    parser.add_argument("--strict", action="store_true", help=f"exit with status {FAILED_STRICTLY} if any clip failed")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_extract_parser()
    options = parser.parse_args(arguments)
    if options.plan and options.ray:
        parser.error("--plan tries clips on this machine: leave out --ray")
    cards = [card(name) for name in options.feature]
    if options.faces and options.noise:
        raise InputError("--faces names faces that were cut from clean video. Leave it out: --noise blurs the video.")
    if options.faces and (options.face_detector != "auto" or options.face_model):
        raise InputError("--faces names faces that are found already. Leave out --face-detector and --face-model.")
    if options.speech and not options.noise:
        raise InputError("--speech names the recordings of a noise recipe. Name the recipe too, with --noise.")
    corpus = read_manifest(options.data, options.media_root)
    media_root = options.media_root or options.data.parent
    noise = load_noise(options.noise, options.speech, media_root) if options.noise else None

    from feature_extractors.encoder import build
    from feature_extractors.forecast import forecast
    from feature_extractors.runner import Part, extract

    settings = encoder_settings(options, options.faces)
    encoders = [build(card, settings) for card in cards]
    part = Part(*options.shard or (1, 1))
    how = {name: getattr(options, name) for name in ("level", "dtype", "workers", "device", "batch_size")}
    if options.plan:
        with clip_progress("probing") as progress:
            plan = forecast(part.of(corpus.clips[: options.limit]), encoders, **how, noise=noise, progress=progress)
        show_plan(plan)
        return 0
    out = options.out / f"{part.number}-of-{part.count}" if options.shard else options.out
    begin = time.monotonic()
    with clip_progress("extracting") as progress:
        outcomes = extract(
            corpus.clips,
            encoders,
            out,
            **how,
            limit=options.limit,
            part=part,
            noise=noise,
            time_limit=options.time_limit,
            engine=_cluster(options.ray) if options.ray else None,
            progress=progress,
        )
    show(outcomes, time.monotonic() - begin)
    if noise:
        sys.stdout.write(f"Noise recipe: {noise.fingerprint}\n")
        if any(clip.faces for clip in corpus.clips):
            sys.stdout.write("Ready face crops are of clean pictures and were left aside: faces come from the video.\n")
    if options.shard:
        sys.stdout.write("\nWhen all shards are there:\n")
        folders = [options.out / f"{number}-of-{part.count}" for number in range(1, part.count + 1)]
        for name in options.feature:
            shards = [str(folder / f"{name}.h5") for folder in folders]
            target = ["--out", str(options.out / f"{name}.h5"), "--data", str(options.data)]
            sys.stdout.write(f"  {shlex.join(['mertools', 'features', 'merge', *shards, *target])}\n")
    else:
        next_command = ["python", "run_fusion.py", "--data", str(options.data), "--features", str(options.out)]
        sys.stdout.write(f"\nNext: {shlex.join([*next_command, '--feature', *options.feature])}\n")
    failed = any(outcome.count("failed") for outcome in outcomes)
    return FAILED_STRICTLY if options.strict and failed else 0


def _cluster(address: str) -> Engine:
    from feature_extractors.ray_cluster import RayCluster

    return RayCluster(address)


def show_plan(plan: Forecast) -> None:
    """Print what the whole extraction would take."""
    rows = [[name, f"{size / 1e9:.3g}", str(plan.failed[name])] for name, size in plan.bytes.items()]
    print_table(["feature", "GB", f"failed of {plan.probed}"], rows)
    sys.stdout.write(
        f"\n{plan.clips} clips would take about {plan.seconds / 3600:.2g} hours and "
        f"{sum(plan.bytes.values()) / 1e9:.2g} GB, going by {plan.probed} of them. Nothing was stored.\n"
    )


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
