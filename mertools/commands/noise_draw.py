"""`mertools noise draw`: which noise and which blur each clip gets."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import Several, add_corpus_options, add_reading_options, make_parser
from mertools.commands.display import clip_progress, print_table
from mertools.commands.manifest_output import refuse_existing
from mertools.corpus import Corpus, read_manifest
from mertools.errors import InputError
from mertools.registry import look_up
from noise.blur import PYRAMID, WAYS
from noise.recipe import CORPUS, MUSAN_KINDS, SPEECH, UNTOUCHED, Recipe, write_recipe

if TYPE_CHECKING:
    from noise.recordings import Recordings

REMARKS_SHOWN = 20

DESCRIPTION = """\
Draw the noise of MER-NOISE for each clip: a speech-to-noise ratio of 5 to 10 dB, recordings of MUSAN's subset `speech`
with offsets, and a factor of blur out of 1, 2 and 4. The same seed, recordings and name give a clip the same noise.
Nothing is mixed yet: `extract.py --noise` does that while it reads, `mertools noise apply` writes noisy clips."""

EXAMPLES = """\
  mertools noise draw --data manifest.csv --speech musan/speech --seed 0 --out recipe.jsonl
  mertools noise draw --data manifest.csv --speech corpus     # without MUSAN: babble of the corpus' other speakers
  mertools noise draw --speech musan/speech --split noise     # the clips of other splits stay clean"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, draw, write, tell; returns the exit status."""
    options = make_draw_parser().parse_args(arguments)
    corpus = read_manifest(options.data, options.media_root)
    refuse_existing(options.out, options.overwrite)
    for split in options.split or ():
        look_up("split", split, dict.fromkeys(corpus.splits))
    clips = [clip for clip in corpus.clips if not options.split or clip.split in options.split]

    from mertools.machine import cores
    from mertools.prepare.noise_drawing import draw_all
    from noise.augment import version

    augmented_by = version() if options.augment else ""
    recordings = find_recordings(options, corpus, options.media_root or options.data.parent)
    if recordings.kind not in (SPEECH, CORPUS):
        sys.stderr.write(
            "warning: music and noise may convey emotion themselves, rain a sad one; the challenge takes speech alone "
            "(MER2024, section 2.2)\n"
        )
    with clip_progress("drawing", "with remarks") as progress:
        drawn = draw_all(
            clips,
            recordings,
            options.seed,
            options.continuous,
            options.augment,
            workers=cores() if options.workers is None else options.workers,
            progress=progress,
        )
    noises = [one.noise for one in drawn.values()]
    untouched = {clip.name: UNTOUCHED for clip in corpus.clips}
    whole = untouched | {name: one.noise for name, one in drawn.items()}
    recipe = Recipe(options.seed, recordings.kind, options.blur_way, whole, augmented_by)
    write_recipe(options.out, recipe)

    remarks = [(name, remark) for name, one in drawn.items() for remark in one.remarks]
    if remarks:
        print_table(["clip", "remark"], remarks[:REMARKS_SHOWN])
        more = f"and {len(remarks) - REMARKS_SHOWN} more\n" if len(remarks) > REMARKS_SHOWN else ""
        sys.stdout.write(f"{more}\n")
    if recordings.kind == CORPUS and not all(clip.speaker for clip in corpus.clips):
        sys.stdout.write("Some clips name no speaker: the babble they get or give may be one's own voice.\n")
    ratios = [noise.snr_db for noise in noises if noise.snr_db is not None]
    factors = Counter(noise.blur for noise in noises if noise.blur is not None)
    mean = f", on average {sum(ratios) / len(ratios):.2f} dB" if ratios else ""
    blurs = ", ".join(f"{count} by {factor}" for factor, count in sorted(factors.items())) or "none"
    kept = f"; {len(whole) - len(noises)} of other splits left as they are" if options.split else ""
    sys.stdout.write(
        f"{options.out}: {len(noises)} clips, {len(ratios)} with noise{mean}; blurred: {blurs}{kept}\n"
        f"Fingerprint: {recipe.fingerprint}\n"
    )
    place = [] if recordings.kind == CORPUS else ["--speech", options.speech]
    root = ["--media-root", str(options.media_root)] if options.media_root else []
    command = ["python", "extract.py", "--data", str(options.data), *root, "--noise", str(options.out), *place]
    # All that a fusion asks a folder of noisy features for, that of the texts too.
    readable = {"egemaps": ratios, "face-expression": factors, "minilm": any(clip.text for clip in corpus.clips)}
    features = [name for name, found in readable.items() if found]
    if features:
        sys.stdout.write(f"\nNext: {shlex.join([*command, '--out', 'features-noisy', '--feature', *features])}\n")
    return 0


def make_draw_parser() -> argparse.ArgumentParser:
    """The options of `mertools noise draw`."""
    parser = make_parser("mertools noise draw", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    add_recording_options(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws")
    parser.add_argument(
        "--split", action=Several, metavar="NAME", help="add noise to these splits alone (default: to all clips)"
    )
    parser.add_argument("--continuous", action="store_true", help="ratios between whole decibels too")
    parser.add_argument(
        "--augment",
        action="store_true",
        help="send the noisy sound through drawn filters, gain and distortion too: for copies to train on, never for "
        "those to test on; needs the extra augment",
    )
    parser.add_argument("--out", type=Path, default=Path("recipe.jsonl"), metavar="FILE", help="the recipe")
    parser.add_argument("--overwrite", action="store_true", help="replace a recipe that is there already")
    add_reading_options(parser)
    return parser


def add_recording_options(parser: argparse.ArgumentParser) -> None:
    """`--speech`, `--noise-kind` and `--blur-way`: what noise is drawn from, and how pictures are blurred."""
    parser.add_argument(
        "--speech",
        required=True,
        metavar="DIR",
        help=f"MUSAN's folder `speech`, or `{CORPUS}` for the clips of the corpus' other speakers",
    )
    parser.add_argument(
        "--noise-kind", choices=MUSAN_KINDS, default=SPEECH, help="MUSAN's subset; the challenge takes speech alone"
    )
    parser.add_argument(
        "--blur-way",
        choices=WAYS,
        default=PYRAMID,
        help="pyramid: Gaussian, as the challenge's code blurs; resize: scale down and up, as the paper words it",
    )


def find_recordings(options: argparse.Namespace, corpus: Corpus, media_root: Path) -> Recordings:
    """The recordings that `add_recording_options`' options name; raises InputError where there are none."""
    from noise.recordings import babble, musan

    if options.speech != CORPUS:
        return musan(Path(options.speech), options.noise_kind)
    if options.noise_kind == SPEECH:
        return babble(corpus.clips, media_root)
    raise InputError(f"--noise-kind {options.noise_kind} is a part of MUSAN. Leave it out with --speech {CORPUS}.")
