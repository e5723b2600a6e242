"""`mertools data validate`: what is wrong with the clips of a corpus, before any encoder looks at them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import (
    Several,
    add_corpus_options,
    add_face_options,
    add_reading_options,
    make_parser,
)
from mertools.commands.display import clip_progress, print_table
from mertools.corpus import read_manifest
from mertools.emotions import label_set

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.prepare.validation import Problem

CLIPS_SHOWN = 3

UNUSABLE = 3
"""The exit status of `--strict` where a clip has an error."""

DESCRIPTION = """\
Read every clip as extraction does: sound, silence, video, a face in 16 frames, ready face crops, subtitle, label, and
a duration of 2 to 16 s. Errors make a clip unusable for a modality, warnings do not. Modalities that no clip of the
manifest has are left out."""

EXAMPLES = """\
  mertools data validate --data manifest.csv
  mertools data validate --data manifest.csv --out problems.csv --strict"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, write, tell; returns the exit status."""
    parser = make_parser("mertools data validate", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="CSV",
        help="where the problems are written (default: validation.csv by the manifest)",
    )
    parser.add_argument("--labels", action=Several, metavar="NAME", help="classes, or 'auto' (default: MER2024's six)")
    add_reading_options(parser)
    add_face_options(parser)
    parser.add_argument("--strict", action="store_true", help=f"exit with status {UNUSABLE} if any clip has an error")
    options = parser.parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)
    labels = label_set(options.labels, (clip.label for clip in corpus.clips))

    import numpy as np

    from mertools.faces import face_detector
    from mertools.machine import cores
    from mertools.prepare.validation import ERROR, modalities, validate, write_problems

    detector = face_detector(options.face_detector, options.face_model)
    present = modalities(corpus.clips)
    if any(clip.video and not clip.faces for clip in corpus.clips):
        # A detector that cannot be loaded is not the first clip's fault.
        detector.detect(np.zeros((64, 64, 3), np.uint8))
    workers = cores() if options.workers is None else options.workers
    begin = time.monotonic()
    with clip_progress("validating", "with errors") as progress:
        found = list(validate(corpus.clips, labels, detector, workers, progress))
    out = options.out or options.data.with_name("validation.csv")
    write_problems(out, found)
    show(found, time.monotonic() - begin)
    for modality in ("audio", "video", "text"):
        if modality not in present:
            sys.stdout.write(f"No clip of {options.data} has {modality}: not looked at.\n")
    sys.stdout.write(f"Problems: {out}\n")
    unusable = any(problem.level == ERROR for _, problems in found for problem in problems)
    return UNUSABLE if options.strict and unusable else 0


def show(found: Sequence[tuple[Clip, Sequence[Problem]]], seconds: float) -> None:
    """Print how many clips have which problem, errors first, and how many have none."""
    clips: dict[tuple[str, str, str], list[str]] = {}
    for clip, problems in found:
        for key in dict.fromkeys((problem.level, problem.kind, problem.modality) for problem in problems):
            clips.setdefault(key, []).append(clip.name)
    if clips:
        order = sorted(clips, key=lambda key: (key[0], -len(clips[key]), key))
        rows = [[*key, str(len(clips[key])), _first(clips[key])] for key in order]
        print_table(["level", "problem", "modality", "clips", "first clips"], rows)
        sys.stdout.write("\n")
    sound = sum(not problems for _, problems in found)
    sys.stdout.write(f"{len(found)} clips in {seconds:.1f} s, {sound} without a problem\n")


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:CLIPS_SHOWN]) + (", …" if len(names) > CLIPS_SHOWN else "")
