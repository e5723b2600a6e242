"""`mertools features verify`: check every row of feature files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mertools.clip import Clip
from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.corpus import read_manifest
from mertools.errors import InputError

FAULTY = 1
"""The exit status where something is wrong."""

EXAMPLES = """\
  mertools features verify features/*.h5
  mertools features verify features/egemaps.h5 --data manifest.csv"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools features verify",
        "Read feature files from end to end and list what is wrong: NaN or infinity, frames that belong to no clip,\n"
        f"names used twice, damage. Exit status {FAULTY} where anything is.",
        EXAMPLES,
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="feature files")
    parser.add_argument(
        "--data", type=Path, metavar="CSV", help="a manifest: are its clips there, and extracted from its media"
    )
    parser.add_argument(
        "--media-root", type=Path, metavar="DIR", help="folder that the manifest's paths are relative to"
    )
    options = parser.parse_args(arguments)
    clips = read_manifest(options.data, options.media_root).clips if options.data else ()

    from mertools.feature_store import find_faults

    faults = []
    for path in options.files:
        try:
            # Whether a damaged file fits the media is no question yet.
            found = find_faults(path) or _media_faults(path, clips)
        except InputError as error:
            found = [str(error)]
        faults += [[str(path), fault] for fault in found]
    if faults:
        print_table(["file", "fault"], faults)
        return FAULTY
    sys.stdout.write(f"{len(options.files)} files, nothing wrong\n")
    return 0


def _media_faults(path: Path, clips: Sequence[Clip]) -> list[str]:
    """Which of `clips` the file at `path` lacks or has from other media."""
    from mertools.feature_store import read_heads, read_provenance

    modality = read_provenance(path).modality
    rows = {row.name: row for row in read_heads(path)}
    lacking = [clip.name for clip in clips if clip.name not in rows]
    faults = [f"{len(lacking)} of {len(clips)} clips are not there (first: {lacking[0]})"] if lacking else []
    for clip in clips:
        row = rows.get(clip.name)
        # Rows that were imported know no media.
        if row and row.media_key and row.media_key != clip.media_key(modality):
            faults.append(f"clip {clip.name!r} was extracted from other media than the manifest's: extract it again")
    return faults
