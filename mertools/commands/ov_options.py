"""What the commands on open-vocabulary labels share: which clips, which language, which evidence."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.clip import Clip
from mertools.commands.command_line import Several, add_corpus_options, positive
from mertools.commands.ov_outcome import FAILED_STRICTLY
from mertools.corpus import Corpus, read_manifest
from mertools.emotions import label_set
from mertools.errors import InputError
from mertools.ov.language import LANGUAGES
from mertools.registry import look_up

if TYPE_CHECKING:
    from mertools.ov.clip_media import Preparation
    from mertools.ov.describing import Told
    from mertools.ov.join import Evidence

PARTS_TAKEN = ("images", "video", "audio")


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    """Which clips: the corpus, its splits, how many."""
    add_corpus_options(parser)
    parser.add_argument("--split", action=Several, metavar="NAME", help="only clips of these splits (default: all)")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N of these clips")


def chosen_corpus(options: argparse.Namespace) -> Corpus:
    """The corpus with the clips alone that the options name; raises InputError for a split that there is not."""
    corpus = read_manifest(options.data, options.media_root)
    check_known(f"split of {options.data}", options.split or (), corpus.splits)
    clips = [clip for clip in corpus.clips if not options.split or clip.split in options.split]
    return replace(corpus, clips=tuple(clips[: options.limit]))


def add_language_option(parser: argparse.ArgumentParser, of: str) -> None:
    """`--language`: the language `of` what is written; the subtitle is read in it where there is one."""
    parser.add_argument("--language", choices=LANGUAGES, default="en", help=f"the language of {of}")


def add_strict_option(parser: argparse.ArgumentParser) -> None:
    """`--strict`: whether failed clips show in the exit status."""
    parser.add_argument("--strict", action="store_true", help=f"exit with status {FAILED_STRICTLY} if any clip failed")


def add_media_options(parser: argparse.ArgumentParser) -> None:
    """How clips are shown to a model."""
    group = parser.add_argument_group("media", "Sound always goes as a WAV of its own, also beside a video.")
    group.add_argument(
        "--takes",
        action=Several,
        metavar="PART",
        help=f"what the model takes: {', '.join(PARTS_TAKEN)} (default: it is tried out, as by mertools ov probe)",
    )
    group.add_argument("--frames", type=positive, default=8, metavar="N", help="pictures of a clip, evenly spaced")
    group.add_argument(
        "--frame-side", type=positive, default=768, metavar="PIXELS", help="longest side of a picture that is sent"
    )


def check_known(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises InputError for a value of an option with several values that is not among `known`."""
    for one in given:
        look_up(kind, one, dict.fromkeys(known))


def preparation_of(options: argparse.Namespace) -> Preparation:
    """How the options want media prepared."""
    from mertools.ov.clip_media import Preparation

    return Preparation(options.frames, options.frame_side)


def add_join_options(parser: argparse.ArgumentParser, joins: Sequence[str], what: str) -> None:
    """The classifier's evidence; `joins` are the ways it may enter and `what` says how."""
    group = parser.add_argument_group("join", what)
    if len(joins) > 1:
        group.add_argument(
            "--join", choices=joins, help="how the classifier's evidence enters (default: both, given --predictions)"
        )
    group.add_argument("--predictions", type=Path, metavar="CSV", help="predictions.csv of a finished run")
    group.add_argument(
        "--out-of-fold", type=Path, metavar="CSV", help="its out_of_fold.csv, for clips it was trained on"
    )
    group.add_argument("--labels", action=Several, metavar="NAME", help="its classes, or 'auto' (default: MER2024's)")


def check_join(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Settle `--join`; ends the command where evidence is named that nothing would be done with."""
    from mertools.ov.join import DEFAULT_JOIN

    named = options.predictions or options.out_of_fold
    if options.join is None:
        options.join = DEFAULT_JOIN if named else "none"
    if options.join == "none" and named:
        parser.error("--join none does nothing with --predictions and --out-of-fold: leave them out")


def evidence_of(options: argparse.Namespace, clips: Sequence[Clip]) -> Mapping[str, Evidence]:
    """What the classifier says of each of `clips`, by name.

    Raises InputError without `--predictions`, and for clips about which nothing may be said.
    """
    from mertools.ov.join import read_evidence

    if not options.predictions:
        raise InputError("The join needs what the classifier said: name its predictions.csv with --predictions.")
    labels = label_set(options.labels, (clip.label for clip in clips))
    return read_evidence(options.predictions, options.out_of_fold, clips, labels)


def told_of(evidence: Mapping[str, Evidence], language: str) -> dict[str, Told]:
    """The evidence as descriptions take it."""
    from mertools.ov.describing import Told
    from mertools.ov.join import sentence

    return {name: Told(sentence(one, language), one.as_dict()) for name, one in evidence.items()}


def first_three(names: Iterable[str]) -> str:
    """The first three of `names`, for messages."""
    names = list(names)
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
