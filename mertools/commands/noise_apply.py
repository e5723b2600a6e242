"""`mertools noise apply`: write noisy clips, and a manifest beside them."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import add_corpus_options, add_reading_options, add_time_limit, make_parser
from mertools.commands.data_transcribe import add_recogniser_options, show
from mertools.commands.display import clip_progress, print_table
from mertools.corpus import read_manifest, write_manifest
from mertools.errors import InputError
from mertools.prepare.recogniser import DEFAULTS
from noise.corruption import load_noise
from noise.recipe import write_recipe

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.prepare.noisy_clips import Written

REMARKS_SHOWN = 20
CLEAN, ASR = "clean", "asr"

DESCRIPTION = """\
Write the clips of a corpus with the noise of a recipe, and a manifest of them: H.264 and AAC, FLAC for sound alone. A
run that is killed goes on with the same command. For features alone `extract.py --noise` does without these files."""

EXAMPLES = """\
  mertools noise apply --data manifest.csv --noise recipe.jsonl --speech musan/speech --out noisy
  mertools noise apply --noise recipe.jsonl --out noisy --text asr --language english   # write down what is heard"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    options = make_apply_parser().parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)
    noise = load_noise(options.noise, options.speech, options.media_root or options.data.parent)
    manifest = options.out / "manifest.csv"
    if manifest.exists() and manifest.samefile(options.data):
        raise InputError(f"--out {options.out} holds the clean corpus itself. Name another folder.")

    from mertools.machine import cores
    from mertools.prepare.noisy_clips import noisy_row, write_noisy

    workers = cores() if options.workers is None else options.workers
    begin = time.monotonic()
    with clip_progress("adding noise") as progress:
        written = write_noisy(
            corpus.clips, noise, options.out, workers=workers, time_limit=options.time_limit, progress=progress
        )
    rows = [noisy_row(clip, written[clip.name], options.out) for clip in corpus.clips]
    clips = [clip for clip in rows if clip.video or clip.audio or clip.text]
    if options.text == ASR:
        clips = _transcribed(clips, options, workers)
    write_manifest(manifest, clips)
    write_recipe(options.out / "recipe.jsonl", noise.recipe)
    _show(written, len(rows) - len(clips), time.monotonic() - begin)
    sys.stdout.write(f"{manifest}: {len(clips)} clips, noise recipe {noise.fingerprint}\n")
    command = ["python", "extract.py", "--data", str(manifest), "--out", "features-noisy", "--feature", "egemaps"]
    sys.stdout.write(f"\nNext: {shlex.join(command)}\n")
    return 0


def make_apply_parser() -> argparse.ArgumentParser:
    """The options of `mertools noise apply`."""
    parser = make_parser("mertools noise apply", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument(
        "--noise", type=Path, default=Path("recipe.jsonl"), metavar="FILE", help="a recipe of `mertools noise draw`"
    )
    parser.add_argument(
        "--speech", type=Path, metavar="DIR", help="where the recipe's recordings lie; not for babble of this corpus"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of noisy clips and manifest")
    parser.add_argument(
        "--text",
        choices=(CLEAN, ASR),
        default=CLEAN,
        help="clean: subtitles as they are; asr: what a recogniser hears in the noise, in place of all of them",
    )
    add_recogniser_options(parser)
    add_reading_options(parser)
    add_time_limit(parser, "one clip")
    return parser


def _transcribed(clips: Sequence[Clip], options: argparse.Namespace, workers: int) -> list[Clip]:
    """`clips` with what is heard in them as their only subtitle."""
    from mertools.prepare.recogniser import recogniser
    from mertools.prepare.transcription import filled, transcribe, without_texts

    bare = without_texts(clips)
    name = options.recogniser or DEFAULTS[options.language]
    begin = time.monotonic()
    with clip_progress("transcribing", "without text") as progress:
        heard = transcribe(
            bare,
            recogniser(name, options.language, options.model),
            options.out / "heard.jsonl",
            device=options.device,
            workers=workers,
            batch_size=options.batch_size,
            progress=progress,
        )
    show(heard, 0, time.monotonic() - begin)
    return [clip for clip in filled(bare, heard, options.language) if clip.video or clip.audio or clip.text]


def _show(written: Mapping[str, Written], dropped: int, seconds: float) -> None:
    """Print what there is to say about single clips, and how many there are."""
    remarks = [(name, "written" if one.path else "failed", one.remark) for name, one in written.items() if one.remark]
    remarks.sort(key=lambda row: row[1] != "failed")
    if remarks:
        print_table(["clip", "status", "remark"], remarks[:REMARKS_SHOWN])
        more = f"and {len(remarks) - REMARKS_SHOWN} more\n" if len(remarks) > REMARKS_SHOWN else ""
        sys.stdout.write(f"{more}\n")
    failed = sum(one.path is None for one in written.values())
    sys.stdout.write(f"{len(written) - failed} noisy clips in {seconds:.1f} s, {failed} not written\n")
    if dropped:
        sys.stdout.write(f"{dropped} clips with nothing but ready face crops, of clean video, were left out\n")
