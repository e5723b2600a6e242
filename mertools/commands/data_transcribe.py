"""`mertools data transcribe`: fill in the subtitles that a corpus lacks."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import add_corpus_options, add_model_options, add_reading_options, make_parser
from mertools.commands.display import clip_progress, print_table
from mertools.commands.manifest_output import refuse_existing, write_manifest_for
from mertools.corpus import read_manifest
from mertools.prepare.recogniser import CHINESE, DEFAULTS, LANGUAGES, RECOGNISERS

if TYPE_CHECKING:
    from mertools.prepare.transcription import Heard

REASONS_SHOWN = 20

DESCRIPTION = """\
Write down what is said in the clips that have no subtitle, into a new manifest: Chinese into the column subtitle,
English into subtitle_english, with subtitle_source asr and, in subtitle_confidence, how sure the recogniser is (0 to 1,
empty where it does not say). Subtitles that are there are kept as they are. A run that is killed goes on with the same
command."""

EXAMPLES = """\
  mertools data transcribe --data manifest.csv --out transcribed.csv
  mertools data transcribe --data manifest.csv --out transcribed.csv --language english
  mertools data transcribe --data manifest.csv --out transcribed.csv --recogniser whisper --model path:/whisper"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    parser = make_parser("mertools data transcribe", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="the manifest with subtitles")
    parser.add_argument("--overwrite", action="store_true", help="replace a manifest that is there already")
    add_recogniser_options(parser)
    add_reading_options(parser)
    options = parser.parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)
    refuse_existing(options.out, options.overwrite)

    from mertools.machine import cores
    from mertools.prepare.recogniser import recogniser
    from mertools.prepare.transcription import filled, lacking, transcribe

    name = options.recogniser or DEFAULTS[options.language]
    todo = lacking(corpus.clips)
    journal = options.out.with_name(f"{options.out.name}.heard.jsonl")
    begin = time.monotonic()
    heard: dict[str, Heard] = {}
    if todo:
        with clip_progress("transcribing", "without text") as progress:
            heard = transcribe(
                todo,
                recogniser(name, options.language, options.model),
                journal,
                device=options.device,
                workers=cores() if options.workers is None else options.workers,
                batch_size=options.batch_size,
                progress=progress,
            )
    clips = filled(corpus.clips, heard, options.language)
    root = write_manifest_for(options.out, clips, options.media_root or options.data.parent)
    # What it holds stands in the manifest now.
    journal.unlink(missing_ok=True)
    show(heard, len(corpus.clips) - len(todo), time.monotonic() - begin)
    sys.stdout.write(f"{options.out}: {len(clips)} clips\n")
    sys.stdout.write(f"\nNext: {shlex.join(['mertools', 'data', 'validate', '--data', str(options.out), *root])}\n")
    return 0


def add_recogniser_options(parser: argparse.ArgumentParser) -> None:
    """`--language`, `--recogniser`, `--model` and how it runs: who writes down what is said."""
    parser.add_argument("--language", choices=LANGUAGES, default=CHINESE, help="the language that is spoken")
    parser.add_argument(
        "--recogniser", choices=RECOGNISERS, help="which to use (default: funasr for Chinese, whisper for English)"
    )
    parser.add_argument(
        "--model",
        metavar="SOURCE",
        help="the recogniser's model, such as hf:openai/whisper-medium or path:/folder; FunASR takes two, the second "
        "for punctuation (default: hf:openai/whisper-large-v3, or FunASR's paraformer-zh,ct-punc)",
    )
    add_model_options(parser, batch_size=16, batch_help="clips the model hears at once")


def show(heard: Mapping[str, Heard], kept: int, seconds: float) -> None:
    """Print the clips that still have no subtitle and why, and how many there are of each kind."""
    empty = [(name, one.reason or "nothing is said, by the recogniser") for name, one in heard.items() if not one.text]
    if empty:
        print_table(["clip", "reason"], empty[:REASONS_SHOWN])
        more = f"and {len(empty) - REASONS_SHOWN} more\n" if len(empty) > REASONS_SHOWN else ""
        sys.stdout.write(f"{more}\n")
    written = len(heard) - len(empty)
    sys.stdout.write(f"Subtitles: {kept} kept, {written} written in {seconds:.1f} s, {len(empty)} still lacking\n")
