"""`mertools adapt videomae`: continue VideoMAE's masked pre-training on the faces of a corpus."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extractors.cards.card import MER2024, RECIPES
from feature_extractors.catalog import CATALOG
from mertools.commands.command_line import (
    Several,
    add_corpus_options,
    add_face_options,
    add_model_options,
    add_reading_options,
    make_parser,
    positive,
)
from mertools.commands.display import clip_progress, print_table
from mertools.corpus import read_manifest
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.prepare.adaptation.training import Adaptation

CARDS = tuple(name for name, card in CATALOG.items() if card.family == "adapted-videomae")

DESCRIPTION = """\
Adapt a VideoMAE to the faces of a corpus: its masked pre-training goes on, on 16 frames of each clip, without labels.
The result is a checkpoint that the features videomae-base-voxceleb2 and videomae-base-mer2023 read. A run that was
killed goes on with the same command, and ends as if it had not been. For several GPUs: accelerate launch -m mertools
adapt videomae …"""

EXAMPLES = """\
  mertools data faces --data manifest.csv
  mertools adapt videomae --checkpoint hf:MCG-NJU/videomae-base --faces faces.h5 --out adapted
  python extract.py --feature videomae-base-mer2023 --weights videomae-base-mer2023=path:adapted/checkpoint
  mertools adapt videomae --checkpoint path:videomae-base --exclude-split semi noise --out inductive"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, train, tell; returns the exit status."""
    options = make_adaptation_parser().parse_args(arguments)
    if options.faces and (options.face_detector != "auto" or options.face_model):
        raise InputError("--faces names faces that are found already. Leave out --face-detector and --face-model.")
    corpus = read_manifest(options.data, options.media_root)

    from feature_extractors.encoder import Settings
    from feature_extractors.face_source import FaceSource
    from mertools.machine import cores
    from mertools.prepare.adaptation.clips import of_splits, with_faces
    from mertools.prepare.adaptation.start import read_start
    from mertools.prepare.adaptation.training import Adaptation, Plan, Reading, seen

    clips = of_splits(corpus, options.split or (), options.exclude_split or ())
    accelerator = make_accelerator(options.device)
    recipe = CATALOG[options.card].recipe(options.recipe)
    # Before faces are looked for, which takes hours on a large corpus.
    start = read_start(options.checkpoint, recipe)
    faces = options.faces or _cut(clips, options, recipe["crop"], accelerator)
    source = FaceSource(Settings(options.face_detector, options.face_model, faces=faces))
    source.check(clips, recipe["margin"], recipe["crop"])
    found = with_faces(clips, faces)
    plan = Plan(
        options.card,
        options.recipe,
        options.epochs,
        options.batch_size * options.accumulate * accelerator.num_processes,
        options.learning_rate,
        options.seed,
    )
    workers = cores() if options.workers is None else options.workers
    reading = Reading(options.batch_size, workers, options.save_every)
    with locked(options.out, accelerator):
        adaptation = Adaptation(start, found, source, recipe, plan, options.out, accelerator, reading)
        if accelerator.is_main_process:
            _tell_before(adaptation, len(clips), seen(found))
        begun = adaptation.resumed.step if adaptation.resumed else 0
        with clip_progress("adapting", "loss", "steps", begun) as progress:
            # Other processes of accelerate are silent.
            checkpoint = adaptation.run(progress if accelerator.is_main_process else lambda *_: None)
    if accelerator.is_main_process:
        _tell_after(checkpoint, options, corpus.notice)
    return 0


def make_adaptation_parser() -> argparse.ArgumentParser:
    """The options of `mertools adapt videomae`."""
    parser = make_parser("mertools adapt videomae", DESCRIPTION, EXAMPLES)
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="SOURCE",
        help="the VideoMAE to start from, with its decoder: hf:MCG-NJU/videomae-base, or path:FOLDER",
    )
    add_corpus_options(parser)
    parser.add_argument("--split", action=Several, metavar="NAME", help="only clips of these splits (default: all)")
    parser.add_argument("--exclude-split", action=Several, metavar="NAME", help="no clips of these splits")
    parser.add_argument(
        "--faces",
        type=Path,
        metavar="FILE",
        help="the crops of `mertools data faces` (default: faces are found first, and kept in DIR/faces.h5)",
    )
    add_face_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run; the result is DIR/checkpoint")
    parser.add_argument(
        "--card",
        choices=CARDS,
        default="videomae-base-mer2023",
        help="the feature whose pictures are learned from: their size, and how far frames lie apart",
    )
    parser.add_argument(
        "--recipe", choices=RECIPES, default=MER2024, help="its recipe, the same as extract.py is to be told"
    )
    parser.add_argument("--epochs", type=positive, default=100, metavar="N", help="how often each clip is seen")
    parser.add_argument(
        "--learning-rate",
        type=_rate,
        default=1.5e-4,
        metavar="RATE",
        help="the highest one for 256 clips a step; it grows with the clips",
    )
    parser.add_argument(
        "--accumulate", type=positive, default=1, metavar="N", help="batches a step: clips a step without their memory"
    )
    parser.add_argument("--seed", type=int, default=0, help="for the order of clips, frames and masks")
    parser.add_argument(
        "--save-every", type=positive, default=200, metavar="STEPS", help="how often the run can be gone on from"
    )
    add_reading_options(parser)
    add_model_options(parser, batch_size=32, batch_help="clips on a device at once")
    return parser


def make_accelerator(device: str) -> Any:
    """accelerate's Accelerator: bfloat16 on a GPU, one process unless `accelerate launch` started several.

    Raises InputError where it is not installed, and for a device that is not there.
    """
    from feature_extractors.encoder import torch_device

    try:
        from accelerate import Accelerator
    except ModuleNotFoundError as error:
        raise InputError("Adapting needs the package accelerate: pip install 'mertools[adapt]'") from error
    on_cpu = torch_device(device).type == "cpu"
    return Accelerator(cpu=on_cpu, mixed_precision="no" if on_cpu else "bf16")


@contextmanager
def locked(out: Path, accelerator: Any) -> Iterator[None]:
    """Keep `out`, which is made, for this run; raises InputError where another run writes there."""
    import filelock

    if not accelerator.is_main_process:
        yield
        return
    out.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(out / "lock", timeout=0):
            yield
    except filelock.Timeout:
        raise InputError(f"Another process is adapting in {out}. Wait for it, or give another --out.") from None


def _cut(clips: Sequence[Clip], options: argparse.Namespace, side: int, accelerator: Any) -> Path | None:
    """Find the faces of clips that have no ready crops, once for all epochs; None where all have some."""
    from mertools.faces import face_detector
    from mertools.machine import cores
    from mertools.prepare.face_cutting import cut_faces, without_crops

    todo = [clip for clip in without_crops(clips) if clip.video is not None]
    if not todo:
        return None
    if accelerator.num_processes > 1:
        raise InputError(
            "Several processes would all find the faces. Run `mertools data faces` first, and use --faces."
        )
    path = options.out / "faces.h5"
    with clip_progress("cutting faces") as progress:
        cut_faces(
            todo,
            path,
            face_detector(options.face_detector, options.face_model),
            side=side,
            workers=cores() if options.workers is None else options.workers,
            progress=progress,
        )
    return path


def _tell_before(adaptation: Adaptation, asked: int, note: str) -> None:
    clips = adaptation.clips
    if clips.left_out:
        print_table(["left out", "clips"], [[reason, str(count)] for reason, count in clips.left_out.items()])
    sys.stdout.write(
        f"{len(clips.clips)} of {asked} clips have a face; {adaptation.steps} steps of "
        f"{adaptation.plan.clips_a_step} clips.\n{note}\n"
    )
    if adaptation.finished:
        sys.stdout.write("This adaptation has finished already; nothing is done again.\n")
    elif adaptation.resumed:
        sys.stdout.write(f"Going on after step {adaptation.resumed.step}.\n")


def _tell_after(checkpoint: Path, options: argparse.Namespace, notice: str) -> None:
    from feature_extractors.videomae import ADAPTATION
    from mertools.prepare.adaptation.training import LOSSES
    from mertools.report.adaptation_page import write_adaptation_page

    provenance = json.loads((checkpoint / ADAPTATION).read_text(encoding="utf-8"))
    page = write_adaptation_page(options.out / "loss.html", provenance, LOSSES, notice)
    losses = provenance["loss"]
    sys.stdout.write(
        f"\nLoss: {losses[0]:.4f} in the first epoch, {losses[-1]:.4f} in the last\n"
        f"Curve: {page}, each step in {options.out / LOSSES}\nCheckpoint: {checkpoint}\n"
    )
    faces = ["--faces", str(options.faces)] if options.faces else []
    weights = ["--weights", f"{options.card}=path:{checkpoint}", "--recipe", options.recipe]
    command = ["python", "extract.py", "--data", str(options.data), "--feature", options.card, *weights, *faces]
    sys.stdout.write(f"\nNext: {shlex.join(command)}\n")


def _rate(text: str) -> float:
    """An option's value that is a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 0 and 1")
    return value
