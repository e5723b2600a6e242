"""`mertools ov rate export`: what people are asked about descriptions, a page and a sheet for each rater."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mertools.clip import Clip
from mertools.commands.command_line import add_corpus_options, make_parser, positive
from mertools.commands.display import print_table
from mertools.commands.small_clips import write_small_clips
from mertools.corpus import read_manifest
from mertools.errors import InputError
from mertools.ov.descriptions import read_descriptions
from mertools.ov.language import LANGUAGES
from mertools.ov.rating import (
    CHOICES,
    RATING,
    VALUES,
    Key,
    check_language,
    draw_clips,
    draw_study,
    write_key,
)
from mertools.ov.rating_sheets import write_sheet

DESCRIPTION = """\
Ask people how good descriptions are, as EMER did: the descriptions of several systems and the true ones, of the same
clips, in an order that hides which is whose. Each rater gets a page that opens offline (or fills a sheet) and hands a
file back; `mertools ov rate import` reads those. Only key.json says which item is whose: keep it from the raters."""

EXAMPLES = """\
  mertools ov rate export --system Valley=valley.jsonl --system mine=descriptions.jsonl --truth Truth=truth.jsonl
  mertools ov rate export --system mine=descriptions.jsonl --items 50 --raters 3 --link-clips --out study"""

QUESTION = "How much of the reasoning about this person's emotion is right?"

GUIDE = (
    "Watch and listen, read what is said, then judge whether the description reasons plausibly about the person's "
    "emotional state. Where it is from is hidden, and the same clip comes back with other descriptions. Answers are "
    "kept as you go; save them to a file when you are done, and hand that file back."
)

NOTE = """\
Rate descriptions
=================

{rater}.html  Open it in a browser; it needs no network. Answer with the keys 1 to {last}, save, and hand the file back.
{rater}.csv   The same as a sheet: fill the last column with 1 to {last}. The clips are in the folder clips.

{scale}

Each of you has a page of your own: please do not trade, and do not talk about items before all are done.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, draw, write, tell; returns the exit status."""
    options = make_export_parser().parse_args(arguments)
    truth, files = _named_files(options.system, options.truth)
    corpus = read_manifest(options.data, options.media_root)
    if (options.out / "key.json").exists():
        raise InputError(f"{options.out} holds a study already: its key would be lost. Give another --out.")
    clips = {clip.name: clip for clip in corpus.clips}
    texts = _read_texts(files, clips)

    order = draw_clips(texts, options.seed)
    if len(order) < options.items:
        raise InputError(
            f"All {len(texts)} systems describe {len(order)} clips in common; --items {options.items} asks for more."
        )
    folder = options.out / "raters"
    media, unreadable = write_small_clips([clips[name] for name in order], options.items, folder / "clips")
    check_language(texts, list(media), options.language)
    key = draw_study(texts, list(media), options.raters, options.seed, truth)
    size = _write_raters(folder, key, texts, clips, media, not options.link_clips)
    write_key(options.out / "key.json", key)

    for name, reason in unreadable.items():
        sys.stdout.write(f"{name} was passed over: {reason}\n")
    sys.stdout.write(
        f"{folder}: {options.raters} pages of {size / 1e6:.1f} MB, and sheets; {len(key.items)} items each "
        f"({len(media)} clips, {len(texts)} systems)\n{options.out / 'key.json'}: which item is whose; not for raters\n"
    )
    command = ["mertools", "ov", "rate", "import", str(options.out / "key.json")]
    sys.stdout.write(f"\nNext: {shlex.join(command)} answers-{key.study}-*.json\n")
    return 0


def make_export_parser() -> argparse.ArgumentParser:
    """The options of `mertools ov rate export`."""
    parser = make_parser("mertools ov rate export", DESCRIPTION, EXAMPLES)
    add_corpus_options(parser)
    parser.add_argument(
        "--system",
        action="append",
        required=True,
        metavar="NAME=JSONL",
        help="a system and its descriptions.jsonl; give it once for each",
    )
    parser.add_argument("--truth", metavar="NAME=JSONL", help="the true descriptions, rated like a system")
    parser.add_argument("--items", type=positive, default=20, metavar="N", help="clips, drawn from all described ones")
    parser.add_argument("--raters", type=positive, default=5, metavar="N", help="people, each of whom rates everything")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw and of all orders")
    parser.add_argument(
        "--language", choices=LANGUAGES, help="the language of all descriptions (default: any, but one for all)"
    )
    parser.add_argument(
        "--link-clips", action="store_true", help="leave the clips beside the pages: small pages, a folder to send"
    )
    parser.add_argument("--out", type=Path, default=Path("rating"), metavar="DIR", help="where the study goes")
    return parser


def _named_files(systems: Sequence[str], truth: str | None) -> tuple[str, dict[str, Path]]:
    """The name of the truth ("" without one), and the files of all systems by name."""
    files: dict[str, Path] = {}
    for option, text in [*(("--system", text) for text in systems), *([("--truth", truth)] if truth else [])]:
        name, equals, path = text.partition("=")
        if not (name.strip() and equals and path):
            raise InputError(f"{option} {text}: wanted a name and a file, such as Valley=descriptions.jsonl.")
        if name.strip() in files:
            raise InputError(f"{option} {text}: there is a system {name.strip()!r} already; names are unique.")
        files[name.strip()] = Path(path)
    return (truth.partition("=")[0].strip() if truth else ""), files


def _read_texts(files: Mapping[str, Path], clips: Mapping[str, Clip]) -> dict[str, dict[str, str]]:
    """By system and clip the descriptions that can be rated; tells in a table what cannot."""
    texts, rows = {}, []
    for system, path in files.items():
        found = list(read_descriptions(path))
        said = {row.name: row.description.strip() for row in found if not row.failed and row.description.strip()}
        texts[system] = {name: text for name, text in said.items() if name in clips}
        rows.append([system, *map(str, (len(found), len(found) - len(said), len(said) - len(texts[system])))])
    print_table(["system", "descriptions", "failed", "of clips not in the manifest"], rows)
    return texts


def _write_raters(
    folder: Path,
    key: Key,
    texts: Mapping[str, Mapping[str, str]],
    clips: Mapping[str, Clip],
    media: Mapping[str, Path | None],
    embedded: bool,
) -> int:
    """Write each rater's page and sheet; gives the size of a page in bytes."""
    from mertools.report.rating_page import Choice, Question, ShownClip, ShownItem, Sitting, write_rating_page

    choices = tuple(Choice(value, text) for value, text in zip(VALUES, CHOICES, strict=True))
    shown_clip = {item.clip: item.shown_clip for item in key.items}
    shown = [
        ShownClip(shown_clip[name], path, clips[name].subtitle, clips[name].subtitle_english)
        for name, path in media.items()
    ]
    items = {item.id: item for item in key.items}
    size = 0
    for rater, order in key.orders.items():
        own = [items[number] for number in order]
        sitting = Sitting(
            study=key.study,
            rater=rater,
            title="Rate descriptions",
            guide=GUIDE,
            text_heading="Description",
            questions=[Question(RATING, QUESTION, choices)],
            clips=shown,
            items=[ShownItem(item.id, item.shown_clip, texts[item.system][item.clip]) for item in own],
        )
        size = write_rating_page(folder / f"{rater}.html", sitting, embedded)
        rows = [
            {
                "item": item.id,
                "clip": media[item.clip].relative_to(folder).as_posix() if media[item.clip] else "",
                "subtitle": clips[item.clip].subtitle,
                "subtitle_english": clips[item.clip].subtitle_english,
                "description": texts[item.system][item.clip],
            }
            for item in own
        ]
        write_sheet(folder / f"{rater}.csv", key.study, rater, [RATING], rows)
    scale = "\n".join(f"{choice.value}  {choice.text}" for choice in choices)
    note = NOTE.format(rater="rater-N", last=VALUES[-1], scale=scale)
    (folder / "README.txt").write_text(note, encoding="utf-8")
    return size
