"""What commands share: options and kinds of them, and how a command ends."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mertools.errors import InputError

REFUSALS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG),
)
"""What the machine says when a file cannot be written or read, through no fault of ours: a full disk, no permission, a
file where a folder was wanted and the reverse, a name too long."""


class Several(argparse.Action):
    """An option that takes `a b c`, `a,b,c` or both, and may be repeated; the value is a list without duplicates."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs="+", **options)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        given = [part.strip() for value in values for part in value.split(",")]
        earlier = getattr(namespace, self.dest) or []
        chosen = list(dict.fromkeys([*earlier, *filter(None, given)]))
        if not chosen:
            parser.error(f"argument {option}: expected at least one value")
        setattr(namespace, self.dest, chosen)


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, except where there is none to show, and keeps the examples' line breaks."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        return super()._get_help_string(action)


def positive(text: str) -> int:
    """An option's value that is a whole number of at least 1."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def count(text: str) -> int:
    """An option's value that is a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def named_path(text: str) -> tuple[str, Path]:
    """An option's value that is a name and a path, `NAME=PATH`."""
    name, _, path = text.partition("=")
    if not name.strip() or not path:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted NAME=PATH such as mine=ov/descriptions.jsonl")
    return name.strip(), Path(path)


def share(text: str) -> tuple[int, int]:
    """An option's value that is one of several equal shares, `I/N`, counted from 1."""
    number, slash, count = text.partition("/")
    if not slash or not number.isdecimal() or not count.isdecimal() or not 1 <= int(number) <= int(count):
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted I/N with I from 1 to N, such as 1/4")
    return int(number), int(count)


def make_parser(prog: str, description: str, examples: str = "") -> argparse.ArgumentParser:
    """A parser in the house style. `examples` is shown under the options as it is."""
    epilog = f"examples:\n{examples}" if examples else None
    return argparse.ArgumentParser(prog=prog, description=description, epilog=epilog, formatter_class=HelpFormatter)


def add_corpus_options(parser: argparse.ArgumentParser) -> None:
    """`--data` and `--media-root`: which corpus a command works on."""
    parser.add_argument("--data", type=Path, default=Path("manifest.csv"), metavar="CSV", help="the corpus' manifest")
    parser.add_argument(
        "--media-root",
        type=Path,
        default=None,
        metavar="DIR",
        help="folder that the manifest's paths are relative to and stay inside (default: the manifest's own)",
    )


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """`--workers`: how clips are read."""
    parser.add_argument(
        "--workers", type=count, metavar="N", help="processes that read clips, 0 for none (default: one a CPU core)"
    )


def add_time_limit(parser: argparse.ArgumentParser, work: str) -> None:
    """`--time-limit`: how long `work` on one clip may take."""
    parser.add_argument(
        "--time-limit",
        type=positive,
        default=300,
        metavar="SECONDS",
        help=f"how long {work} may take; then the worker is ended and the clip has failed",
    )


def add_part_options(parser: argparse.ArgumentParser, folder_of: str) -> None:
    """`--shard` and `--limit`: which clips of the corpus are worked on; `folder_of` says where a share's files go."""
    parser.add_argument(
        "--shard",
        type=share,
        metavar="I/N",
        help=f"only the I-th of N equal shares of the clips, from 1, into the folder I-of-N {folder_of}",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N clips of the manifest")


def add_face_options(parser: argparse.ArgumentParser) -> None:
    """`--face-detector` and `--face-model`: how faces are found."""
    parser.add_argument(
        "--face-detector",
        choices=("auto", "dlib", "yunet"),
        default="auto",
        help="how faces are found in clips without ready crops",
    )
    parser.add_argument("--face-model", type=Path, metavar="ONNX", help="YuNet's model file")


def add_organiser_option(parser: argparse._ActionsContainer) -> None:
    """`--as-organiser`: leave to annotate the clips of a challenge (mertools.corpora.hand_labels)."""
    parser.add_argument(
        "--as-organiser", action="store_true", help="annotate clips of a challenge: for its organisers alone"
    )


def add_model_options(parser: argparse.ArgumentParser, batch_size: int, batch_help: str) -> None:
    """`--device` and `--batch-size`: how models run, by default on `batch_size` clips at once."""
    parser.add_argument("--device", default="auto", help="where models run: auto, cpu or cuda")
    parser.add_argument("--batch-size", type=positive, default=batch_size, metavar="N", help=batch_help)


def run(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status: 2 and one line for bad input, 130 for Ctrl-C.

    So ends a path that cannot be used (REFUSALS). Any other exception is ours and keeps its traceback.
    """
    try:
        status = main(arguments)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        status = 2
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing is left to say.
        sys.stderr.close()
        status = 141
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        # Of a file that is written under another name first, the second is the one that was asked for.
        sys.stderr.write(f"error: {error.strerror}: {error.filename2 or error.filename or 'while writing'}\n")
        status = 2
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        status = 130
    raise SystemExit(status)
