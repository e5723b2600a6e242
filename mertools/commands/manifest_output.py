"""Where commands write a manifest whose media stay where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mertools.clip import Clip
from mertools.corpus import write_manifest
from mertools.errors import InputError


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Raises InputError where `out` is there and may not be replaced."""
    if out.exists() and not overwrite:
        raise InputError(f"{out} is there already. Give another --out, or replace it with --overwrite.")


def write_manifest_for(out: Path, clips: Sequence[Clip], media_root: Path) -> list[str]:
    """Write `clips`, whose media lie in `media_root`, as the manifest `out`; gives the options it is to be read with.

    These are none where the media lie below the manifest, else `--media-root` and the folder. Raises InputError where
    the manifest cannot be written.
    """
    below = media_root.resolve().is_relative_to(out.parent.resolve())
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_manifest(out, clips, None if below else media_root)
    except OSError as error:
        raise InputError(f"Cannot write {out}: {error.strerror}. Name another place with --out.") from None
    return [] if below else ["--media-root", str(media_root)]
