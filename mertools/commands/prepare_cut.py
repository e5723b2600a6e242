"""`mertools prepare cut`: films -> clips of one person who speaks, with a manifest."""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import (
    add_face_options,
    add_reading_options,
    add_time_limit,
    make_parser,
)
from mertools.commands.display import clip_progress, print_table
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.prepare.film_cutting import Cutting, Manner
    from mertools.prepare.pieces import Limits, Piece, Verdict

DESCRIPTION = """\
Cut films into clips as MER2024 was made (§2.1): by subtitles (given, beside the film or inside it), else by voice
activity, where neighbours of one voice are merged; then keep what has one face, of one person, and 2 to 16 seconds.
What is not kept stands in rejected.csv with the reason and the figure. All is measured once: the same command with
other limits judges anew and decodes only what is kept then. A run that is killed goes on with the same command."""

EXAMPLES = """\
  mertools prepare cut film.mkv --out corpus
  mertools prepare cut film.mkv --subtitles film.srt --language english --out corpus
  mertools prepare cut *.mp4 --by speech --one-face 0.8 --judge-only --out corpus
  mertools prepare cut *.mp4 --by speech --one-face 0.5 --out corpus"""

COLUMNS = (
    "name",
    "film",
    "begin",
    "end",
    "seconds",
    "reason",
    "figure",
    "limit",
    "no_face",
    "one_face",
    "several_faces",
    "one_person",
    "pictures",
    "stretches",
    "subtitle",
    "subtitle_english",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, measure, cut, write, tell; returns the exit status."""
    options = make_cut_parser().parse_args(arguments)
    if options.subtitles and len(options.subtitles) != len(options.films):
        raise InputError(
            f"--subtitles: {len(options.subtitles)} files for {len(options.films)} films. Give one a film."
        )

    from mertools.faces import face_detector
    from mertools.machine import cores
    from mertools.prepare.face_identity import face_identity
    from mertools.prepare.film_cutting import Manner, find_pieces, open_films, subtitle_file, write_clips
    from mertools.prepare.film_measuring import Journal
    from mertools.prepare.voices import voices

    detector = face_detector(options.face_detector, options.face_model)
    manner = Manner(
        detector,
        face_identity(options.person_model),
        voices(options.voice_model),
        options.by,
        options.language,
        options.looks,
    )
    limits = _limits(options, manner)
    journal = Journal(options.out / "measured.jsonl")
    films = open_films(options.films, options.subtitles or [], manner, journal)
    workers = cores() if options.workers is None else options.workers
    begin = time.monotonic()
    cuttings = []
    for place, film in enumerate(films):
        given = options.subtitles[place] if options.subtitles else None
        with clip_progress(f"looking at {film.name}", "damaged") as progress:
            cutting = find_pieces(
                film,
                subtitle_file(film.path, given, options.by),
                manner,
                limits,
                journal,
                workers=workers,
                time_limit=options.time_limit,
                progress=progress,
            )
        cuttings.append(cutting)
    if not options.judge_only:
        with clip_progress("cutting", "damaged") as progress:
            cuttings = write_clips(
                cuttings, options.out / "video", workers=workers, time_limit=options.time_limit, progress=progress
            )
    write_pieces(options.out, cuttings, limits.face_distance)
    tell(cuttings, time.monotonic() - begin)
    if options.judge_only:
        sys.stdout.write(f"{options.out / 'rejected.csv'}: why; nothing was cut\n")
        return 0
    return _finish(options.out, cuttings, options.language)


def make_cut_parser() -> argparse.ArgumentParser:
    """The options of `mertools prepare cut`."""
    from mertools.prepare.pieces import Limits

    default = Limits()
    parser = make_parser("mertools prepare cut", DESCRIPTION, EXAMPLES)
    parser.add_argument("films", type=Path, nargs="+", metavar="FILM", help="the films; clips are named after them")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of clips and manifest")
    parser.add_argument(
        "--subtitles", type=Path, nargs="+", action="extend", metavar="FILE", help=".srt, .ass or .vtt, one a film"
    )
    parser.add_argument("--by", choices=("auto", "subtitles", "speech"), default="auto", help="what films are cut by")
    parser.add_argument("--language", default="chinese", help="the language that is spoken; which subtitles are taken")
    parser.add_argument(
        "--looks", type=float, default=2.0, metavar="N", help="pictures a second in which faces are looked for"
    )
    limits = parser.add_argument_group("limits", "may be changed later; nothing is decoded again")
    limits.add_argument("--shortest", type=float, default=default.shortest, metavar="SECONDS", help="shorter: rejected")
    limits.add_argument("--longest", type=float, default=default.longest, metavar="SECONDS", help="longer: rejected")
    limits.add_argument(
        "--one-face", type=float, default=default.one_face_share, metavar="SHARE", help="of pictures with just one face"
    )
    limits.add_argument(
        "--one-person", type=float, default=default.one_person_share, metavar="SHARE", help="of faces that are alike"
    )
    limits.add_argument(
        "--face-distance", type=float, metavar="D", help="up to which faces are alike (default: the network's own)"
    )
    limits.add_argument(
        "--gap", type=float, default=default.longest_gap, metavar="SECONDS", help="longest pause inside a clip"
    )
    limits.add_argument(
        "--voice", type=float, default=default.voice_similarity, metavar="COSINE", help="from which on voices are one"
    )
    parser.add_argument(
        "--person-model", type=Path, metavar="ONNX", help="SFace's file, for cv2.FaceRecognizerSF (default: dlib's)"
    )
    parser.add_argument(
        "--voice-model",
        metavar="SOURCE",
        help="a speaker model of transformers, such as hf:microsoft/wavlm-base-plus-sv, or path:FILE.onnx, a network "
        "from sound (B, samples) at 16 kHz to voices (B, D); set --voice for it (default: Resemblyzer's GE2E)",
    )
    parser.add_argument("--judge-only", action="store_true", help="cut nothing: say what would be kept, and why not")
    add_face_options(parser)
    add_reading_options(parser)
    add_time_limit(parser, "one piece")
    return parser


def _limits(options: argparse.Namespace, manner: Manner) -> Limits:
    from mertools.prepare.pieces import Limits

    return Limits(
        shortest=options.shortest,
        longest=options.longest,
        one_face_share=options.one_face,
        one_person_share=options.one_person,
        face_distance=manner.identity.distance if options.face_distance is None else options.face_distance,
        longest_gap=options.gap,
        voice_similarity=options.voice,
    )


def write_pieces(out: Path, cuttings: Iterable[Cutting], face_distance: float) -> None:
    """Write `pieces.csv`, all pieces with their figures, and `rejected.csv`, those of them that are not kept."""
    rows = [_row(piece, verdict, face_distance) for cutting in cuttings for piece, verdict in cutting.pieces]
    for name, chosen in (("pieces.csv", rows), ("rejected.csv", [row for row in rows if row["reason"]])):
        temporary = out / f".{name}.tmp"
        out.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(chosen)
        temporary.replace(out / name)


def _row(piece: Piece, verdict: Verdict, face_distance: float) -> dict[str, str]:
    stretch = piece.stretch
    return {
        "name": piece.name,
        "film": piece.film,
        "begin": f"{stretch.begin:.3f}",
        "end": f"{stretch.end:.3f}",
        "seconds": f"{stretch.seconds:.3f}",
        "reason": verdict.reason,
        "figure": verdict.figure,
        "limit": verdict.limit,
        "no_face": f"{piece.share_with_faces(0):.2f}",
        "one_face": f"{piece.share_with_faces(1):.2f}",
        "several_faces": f"{piece.share_with_faces(2, most=10**6):.2f}",
        "one_person": f"{piece.share_of_one_person(face_distance):.2f}",
        "pictures": str(len(piece.seen.faces)),
        "stretches": str(piece.merged),
        "subtitle": stretch.subtitle,
        "subtitle_english": stretch.subtitle_english,
    }


def tell(cuttings: Sequence[Cutting], seconds: float) -> None:
    """Print what was not used of each film and why, and how many pieces there are of each kind."""
    if notes := [(cutting.film.name, note) for cutting in cuttings for note in cutting.notes]:
        print_table(["film", "note"], notes)
    verdicts = Counter(verdict.reason or "kept" for cutting in cuttings for _, verdict in cutting.pieces)
    if verdicts:
        print_table(["pieces", "number"], [(what, str(number)) for what, number in verdicts.most_common()])
    sys.stdout.write(f"{verdicts.total()} pieces of {len(cuttings)} films in {seconds:.1f} s\n")


def _finish(out: Path, cuttings: Sequence[Cutting], language: str) -> int:
    from mertools.clip import Clip
    from mertools.corpus import write_manifest

    clips = [
        Clip(
            piece.name,
            video=(out / "video" / f"{piece.name}.mp4").resolve(),
            subtitle=piece.stretch.subtitle,
            subtitle_english=piece.stretch.subtitle_english,
            columns={
                "language": language,
                "film": piece.film,
                "begin": f"{piece.stretch.begin:.3f}",
                "end": f"{piece.stretch.end:.3f}",
            },
        )
        for cutting in cuttings
        for piece, verdict in cutting.pieces
        if not verdict.reason
    ]
    manifest = out / "manifest.csv"
    if not clips:
        manifest.unlink(missing_ok=True)
        raise InputError(f"No piece is left; {out / 'rejected.csv'} says why. Limits are options: --help.")
    write_manifest(manifest, clips)
    sys.stdout.write(f"{manifest}: {len(clips)} clips\n")
    verb = ["card"] if all(clip.text for clip in clips) else ["transcribe"]
    further = [] if verb == ["card"] else ["--out", str(out / "transcribed.csv"), "--language", language]
    sys.stdout.write(f"\nNext: {shlex.join(['mertools', 'data', *verb, '--data', str(manifest), *further])}\n")
    return 0
