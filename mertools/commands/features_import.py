"""`mertools features import`: a folder of the challenge's .npy features as one feature file."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from feature_extractors.catalog import CATALOG
from mertools.clip import Clip
from mertools.commands.command_line import make_parser
from mertools.commands.display import print_table
from mertools.corpus import read_manifest
from mertools.errors import InputError

if TYPE_CHECKING:
    from mertools.feature_store import Row

BLOCK = 256
"""Clips that share a shard."""

REASONS_SHOWN = 20

EXAMPLES = """\
  mertools features import features/chinese-hubert-large-UTT --feature hubert-large --out features/hubert-large.h5
  mertools features import my-feature-FRA --feature my-feature --modality audio --out features/my-feature.h5"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, load, work, tell; returns the exit status."""
    parser = make_parser(
        "mertools features import",
        "Pack a folder of .npy files, as the challenge's released code writes them, into one feature file: <name>.npy\n"
        "holds a vector (D,) or frames (T, D), a folder <name>/ a .npy a frame. Files that cannot be read or have\n"
        "another shape than most become failed clips with the reason; all zeros, which stand for a lacking medium\n"
        "there, become missing clips.",
        EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of .npy files")
    parser.add_argument("--feature", required=True, metavar="NAME", help="what the feature is called here")
    parser.add_argument(
        "--modality", choices=("audio", "video", "text"), help="needed where the catalog does not know the feature"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the file to write (default: features/NAME.h5)")
    parser.add_argument(
        "--data", type=Path, metavar="CSV", help="a manifest: its order and clips; those without a file are failed"
    )
    options = parser.parse_args(arguments)
    modality = _modality(options.feature, options.modality)
    clips = read_manifest(options.data).clips if options.data else None
    if not options.folder.is_dir():
        raise InputError(f"There is no folder {options.folder}.")
    entries = _entries(options.folder)
    if not entries:
        raise InputError(f"{options.folder} holds no .npy files and no folders of them.")
    path = options.out or Path("features") / f"{options.feature}.h5"
    if path.exists():
        raise InputError(f"{path} exists already. Remove it to import again, or give another --out.")
    rows = _pack(options.folder.resolve().name, entries, options.feature, modality, path, clips)
    _show(path, rows)
    return 0


@dataclass(frozen=True)
class _Layout:
    """The shape that most arrays of a folder have: `ndim` 1 for vectors (D,), 2 for frames (T, D)."""

    ndim: int
    dim: int

    def __str__(self) -> str:
        return f"({self.dim},)" if self.ndim == 1 else f"(T, {self.dim})"


def _modality(feature: str, given: str | None) -> str:
    known = CATALOG[feature].modality if feature in CATALOG else None
    if known and given and known != given:
        raise InputError(
            f"Feature {feature!r} is {known}, not {given}. Leave --modality out, or name another --feature."
        )
    if not known and not given:
        raise InputError(f"The catalog has no feature {feature!r}: say its --modality (audio, video or text).")
    return known or given


def _entries(folder: Path) -> dict[str, Path]:
    """The file or folder of each clip by name, in natural order."""
    found = {}
    for path in sorted(folder.iterdir(), key=_natural_key):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            found.setdefault(path.name, path)
        elif path.suffix == ".npy":
            found[path.stem] = path
    return found


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Numbers in names compare as numbers: frame 9 stands before frame 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _pack(
    folder_name: str,
    entries: Mapping[str, Path],
    feature: str,
    modality: str,
    path: Path,
    clips: Sequence[Clip] | None,
) -> list[Row]:
    """Write the feature file, block by block; gives its rows without arrays."""
    from mertools.feature_store import FeatureWriter, Provenance, read_heads

    layout = _layout(entries)
    recipe = {"layout": "npy", "utterance": "as imported" if layout.ndim == 1 else "mean"}
    provenance = Provenance(
        feature=feature,
        modality=modality,
        encoder="imported",
        # The folder's name alone: a path would tell of the machine.
        source=f"imported:{folder_name}",
        revision="",
        recipe=json.dumps(recipe, sort_keys=True),
        level="utterance" if layout.ndim == 1 else "frame",
    )
    keys = {name: "" for name in entries} if clips is None else {c.name: c.media_key(modality) for c in clips}
    names = list(keys)
    with FeatureWriter(path, provenance) as writer:
        finished = writer.finished()
        for begin in range(0, len(names), BLOCK):
            block = [name for name in names[begin : begin + BLOCK] if finished.get(name) != keys[name]]
            writer.append([_row(name, keys[name], entries.get(name), layout) for name in block])
        writer.pack(names)
    return [row for row in read_heads(path) if row.name in keys]


def _layout(entries: Mapping[str, Path]) -> _Layout:
    """The commonest shape, by the heads of all files."""
    counts: Counter[_Layout] = Counter()
    for path in entries.values():
        frames = path.is_dir()
        first = next(iter(sorted(path.glob("*.npy"), key=_natural_key)), None) if frames else path
        try:
            shape = np.load(first, mmap_mode="r", allow_pickle=False).shape if first else ()
        except (OSError, ValueError, EOFError):
            continue
        if len(shape) == 1 or (len(shape) == 2 and not frames):
            counts[_Layout(2 if frames else len(shape), shape[-1])] += 1
    if not counts:
        raise InputError("None of the .npy files can be read as a vector (D,) or frames (T, D).")
    return counts.most_common(1)[0][0]


def _row(name: str, media_key: str, path: Path | None, layout: _Layout) -> Row:
    from feature_extractors.pooling import masked_mean
    from mertools.clip_rows import FAILED, MISSING, OK
    from mertools.feature_store import Row

    if path is None:
        return Row(name, FAILED, f"no {name}.npy was imported", media_key)
    try:
        array = _read(path)
    except (OSError, ValueError, EOFError) as error:
        return Row(name, FAILED, " ".join(f"{path.name} cannot be read: {error}".split()), media_key)
    if array.ndim != layout.ndim or array.shape[-1] != layout.dim or not len(array):
        return Row(name, FAILED, f"{path.name} holds {array.shape}, most hold {layout}", media_key)
    if not np.isfinite(array).all():
        return Row(name, FAILED, f"{path.name} holds NaN or infinity", media_key)
    if not array.any():
        return Row(name, MISSING, "all zeros, which stand for a lacking medium", media_key)
    if layout.ndim == 1:
        return Row(name, OK, media_key=media_key, utterance=array)
    return Row(name, OK, media_key=media_key, utterance=masked_mean(array), frames=array)


def _read(path: Path) -> np.ndarray:
    """The numbers of a clip as float32; raises ValueError, OSError or EOFError."""
    if path.is_dir():
        files = sorted(path.glob("*.npy"), key=_natural_key)
        if not files:
            raise ValueError("no .npy in the folder")
        return np.stack([_read(file) for file in files])
    array = np.load(path, allow_pickle=False)
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(f"it holds {array.dtype}, wanted numbers")
    return array.astype(np.float32)


def _show(path: Path, rows: Sequence[Row]) -> None:
    from mertools.clip_rows import STATUSES

    statuses = [row.status for row in rows]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in STATUSES)
    sys.stdout.write(f"{path}: {len(rows)} clips ({counts})\n")
    troubled = sorted((row for row in rows if row.reason), key=lambda row: -STATUSES.index(row.status))
    if troubled:
        sys.stdout.write("\n")
        print_table(["clip", "status", "reason"], [[r.name, r.status, r.reason] for r in troubled[:REASONS_SHOWN]])
    if len(troubled) > REASONS_SHOWN:
        sys.stdout.write(f"and {len(troubled) - REASONS_SHOWN} more\n")
