"""`mertools data faces`: find and crop the faces of a corpus once, for all visual encoders."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mertools.commands.command_line import (
    add_corpus_options,
    add_face_options,
    add_part_options,
    add_reading_options,
    add_time_limit,
    make_parser,
    positive,
)
from mertools.commands.display import clip_progress
from mertools.commands.extract import show
from mertools.corpus import read_manifest
from mertools.errors import InputError

DESCRIPTION = """\
Find the face in every frame of every clip and store its crops, as JPEG in one file. With extract.py --faces FILE all
encoders that look at faces read them there: video is decoded, and faces are found, once for all of them. Clips that are
stored already are left alone; clips with ready crops in the manifest need none."""

EXAMPLES = """\
  mertools data faces --data manifest.csv
  python extract.py --feature face-expression clip-large --faces faces.h5
  mertools data faces --size 112                # half of the disk; enough for the recipe mer2024
  mertools data faces --shard 1/4               # on the first of four machines; then, on the same:
  python extract.py --feature clip-large --shard 1/4 --faces 1-of-4/faces.h5"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser("mertools data faces", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument("--out", type=Path, default=Path("faces.h5"), metavar="FILE", help="the file of crops")
    parser.add_argument(
        "--size",
        type=positive,
        default=224,
        metavar="PIXELS",
        help="scale larger crops down to this; 112 is enough for the recipe mer2024, 224 for all",
    )
    add_face_options(parser)
    add_part_options(parser, "beside --out")
    add_reading_options(parser)
    add_time_limit(parser, "one clip")
    options = parser.parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)

    from feature_extractors.runner import Outcome, Part
    from mertools.faces import face_detector
    from mertools.machine import cores
    from mertools.prepare.face_cutting import cut_faces, without_crops

    part = Part(*options.shard or (1, 1))
    asked = part.of(corpus.clips[: options.limit])
    clips = without_crops(asked)
    if not clips:
        raise InputError(f"All {len(asked)} clips of {options.data} have ready face crops: there is nothing to cut.")
    out = options.out
    if options.shard:
        out = out.parent / f"{part.number}-of-{part.count}" / out.name
    begin = time.monotonic()
    with clip_progress("cutting faces") as progress:
        heads = cut_faces(
            clips,
            out,
            face_detector(options.face_detector, options.face_model),
            side=options.size,
            workers=cores() if options.workers is None else options.workers,
            time_limit=options.time_limit,
            progress=progress,
        )
    show([Outcome("faces", out, tuple(heads))], time.monotonic() - begin)
    if len(clips) < len(asked):
        sys.stdout.write(f"{len(asked) - len(clips)} clips have ready face crops in the manifest: not looked at.\n")
    sys.stdout.write(f"Faces: {out}, {out.stat().st_size / 1e6:.1f} MB\n")
    shard = ["--shard", f"{part.number}/{part.count}"] if options.shard else []
    command = ["python", "extract.py", "--data", str(options.data), *shard, "--faces", str(out)]
    sys.stdout.write(f"\nNext: {shlex.join([*command, '--feature', 'face-expression'])}\n")
    return 0
