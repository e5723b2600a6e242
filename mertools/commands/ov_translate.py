"""`mertools ov translate`: clues, descriptions or labels, into English or Chinese."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertools.commands.command_line import make_parser
from mertools.commands.display import clip_progress
from mertools.commands.language_model_options import CACHE_NAME, add_language_model_options, open_chat
from mertools.commands.ov_options import add_strict_option
from mertools.commands.ov_outcome import Outcome, show, status
from mertools.ov.language import LANGUAGES

if TYPE_CHECKING:
    from mertools.ov.chat import Chat

DESCRIPTION = """\
Translate clues.jsonl, descriptions.jsonl or labels.csv. What is in the language already is left as it is, subtitles
too; a clip whose translation fails has failed."""

EXAMPLES = """\
  mertools ov translate descriptions.jsonl --to en --out descriptions-en.jsonl
  mertools ov translate labels.csv --to zh --out labels-zh.csv"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, ask, write, tell; returns the exit status."""
    parser = make_parser("mertools ov translate", DESCRIPTION, EXAMPLES)
    parser.add_argument("file", type=Path, metavar="FILE", help="clues.jsonl, descriptions.jsonl or labels.csv")
    parser.add_argument("--to", choices=LANGUAGES, required=True, help="the language to translate into")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the translation goes")
    add_language_model_options(parser)
    add_strict_option(parser)
    options = parser.parse_args(arguments)
    kind = _kind(options.file)
    with open_chat(options, options.out.parent / CACHE_NAME) as chat:
        outcome = write_translation(kind, options.file, chat, options.to, options.out)
    show([outcome])
    sys.stdout.write(f"\n{options.out}\n")
    return status([outcome], options.strict)


@dataclass(frozen=True)
class Kind:
    """A file of the pipeline: how it is read, translated and written."""

    read: Callable[[Path], Any]
    translate: Callable[..., Any]
    write: Callable[[Path, Any], None]


def descriptions_kind() -> Kind:
    """descriptions.jsonl."""
    from mertools.ov.descriptions import read_descriptions, write_descriptions
    from mertools.ov.translation import translate_descriptions

    return Kind(read_descriptions, translate_descriptions, write_descriptions)


def write_translation(kind: Kind, file: Path, chat: Chat, to: str, out: Path, run: int = 0) -> Outcome:
    """Translate a file and write that; raises InputError for a file that is none of its kind, before all questions."""
    total = sum(1 for _ in kind.read(file))
    outcome = Outcome("translation")
    out.parent.mkdir(parents=True, exist_ok=True)
    with clip_progress("translating") as progress:
        kind.write(out, outcome.counted(kind.translate(kind.read(file), chat, to, run), total, progress))
    return outcome


def _kind(path: Path) -> Kind:
    """What file `path` is: by its suffix, and by the first row where that leaves it open."""
    from mertools.ov.clues import read_clues, write_clues
    from mertools.ov.json_lines import read_objects
    from mertools.ov.labels import read_labels, write_labels
    from mertools.ov.translation import translate_clues, translate_labels

    if path.suffix.lower() == ".csv":
        return Kind(read_labels, translate_labels, write_labels)
    _, first = next(read_objects(path, {"name": str}), (0, {}))
    return descriptions_kind() if "description" in first else Kind(read_clues, translate_clues, write_clues)
