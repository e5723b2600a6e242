"""`mertools explain generate`: a trained explainer's descriptions of clips."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertools.commands.command_line import make_parser, positive
from mertools.commands.display import clip_progress
from mertools.commands.explain_options import add_frame_options, make_accelerator, utterances_of
from mertools.commands.ov_options import add_clip_options, chosen_corpus

if TYPE_CHECKING:
    from mertools.clip import Clip
    from mertools.ov.descriptions import Description

DESCRIPTION = """\
Ask a trained explainer about every clip, greedily, so that the same checkpoint says the same twice. Its descriptions
name emotions already disambiguated: labels come from them directly (mertools ov labels, mertools explain evaluate). As
clues they enter the multi-step pipeline instead (mertools ov describe --clues)."""

EXAMPLES = """\
  mertools explain generate --checkpoint runs/two-stage/checkpoint --data manifest.csv --split test
  mertools explain generate --checkpoint runs/two-stage/checkpoint --as clues --out clues.jsonl
  mertools explain generate --checkpoint runs/two-stage/checkpoint --shuffle-media 0 --out shuffled.jsonl"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, generate, write, tell; returns the exit status."""
    parser = make_parser("mertools explain generate", DESCRIPTION, EXAMPLES)
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="of mertools explain train")
    add_clip_options(parser)
    add_frame_options(parser)
    add_generation_options(parser)
    parser.add_argument(
        "--shuffle-media", type=int, metavar="SEED", help="show each clip with another clip's sound and picture"
    )
    parser.add_argument(
        "--as", dest="form", choices=("descriptions", "clues"), default="descriptions", help="what is written"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where (default: descriptions.jsonl or clues.jsonl)")
    options = parser.parse_args(arguments)
    out = options.out or Path(f"{options.form}.jsonl")

    from mertools.explain.answering import as_clues, shuffled
    from mertools.ov.clues import write_clues
    from mertools.ov.descriptions import write_descriptions

    clips = chosen_corpus(options).clips
    shown = None
    if options.shuffle_media is not None:
        shown = shuffled([clip.name for clip in clips], options.shuffle_media)
    asked = Asked(options.checkpoint, options)
    rows = asked.descriptions(clips, shown)
    if options.form == "clues":
        write_clues(out, as_clues(rows, asked.media))
    else:
        write_descriptions(out, rows)
    sys.stdout.write(f"{out}\n")
    return 0


def add_generation_options(parser: argparse.ArgumentParser) -> None:
    """`--batch-size` and `--max-new-tokens`."""
    parser.add_argument("--batch-size", type=positive, default=8, metavar="N", help="clips asked about at once")
    parser.add_argument(
        "--max-new-tokens", type=positive, default=300, metavar="N", help="where a description is cut off"
    )


class Asked:
    """A trained explainer, loaded once, that is asked about clips as the options say."""

    def __init__(self, checkpoint: Path, options: argparse.Namespace) -> None:
        from mertools.explain.loading import load_explainer

        self._checkpoint = checkpoint
        self._options = options
        self._explainer, self._about = load_explainer(checkpoint)
        self._explainer.to(make_accelerator(options.device).device)

    @property
    def media(self) -> list[str]:
        """What the explainer perceives."""
        return list(self._about.configuration.branches)

    @property
    def language(self) -> str:
        """The language it answers in."""
        from mertools.explain.answering import language_of

        return language_of(self._about)

    def loss_on_descriptions(self, clips: Sequence[Clip], shown: dict[str, str] | None = None) -> float | None:
        """The loss a token of what the manifest says of `clips`, which need not be what is generated; None where it
        describes none. `shown` says with which other clip's media.

        Raises InputError for a description that is too long for the prompt.
        """
        from mertools.explain.instructions import descriptions_of
        from mertools.explain.stored_frames import StoredFrames
        from mertools.explain.validation import loss_on

        examples = descriptions_of(clips, self.language)
        if not examples:
            return None
        options, branches = self._options, self._about.configuration.branches
        with StoredFrames(branches, options.features, utterances_of(options)) as frames:
            return loss_on(self._explainer, frames, examples, options.batch_size, shown)

    def descriptions(self, clips: Sequence[Clip], shown: dict[str, str] | None = None) -> Iterator[Description]:
        """What it says of `clips`, with progress; `shown` says with which other clip's media."""
        from mertools.explain.answering import describe_clips, source_of
        from mertools.explain.instructions import questions_about
        from mertools.explain.stored_frames import StoredFrames

        options, branches = self._options, self._about.configuration.branches
        with (
            StoredFrames(branches, options.features, utterances_of(options)) as frames,
            clip_progress("describing") as progress,
        ):
            rows = describe_clips(
                self._explainer,
                self._about,
                frames,
                questions_about(clips, self.language),
                batch_size=options.batch_size,
                max_new_tokens=options.max_new_tokens,
                shown=shown,
                source=source_of(self._checkpoint, self._about),
            )
            failed = 0
            for done, row in enumerate(rows, start=1):
                failed += bool(row.failed)
                progress(done, len(clips), failed)
                yield row
