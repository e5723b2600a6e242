"""Synonym groups of clips in files: the organisers' `<clip>.npy` in a folder or zip, or JSON `{clip: [[...]]}`."""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mertools.errors import InputError
from mertools.ov.groupings import ByClip, folded
from mertools.restricted_pickle import check_size

Groups = tuple[tuple[str, ...], ...]
INNER_LIST = re.compile(r"\[([^\[\]]*)\]")


def read_groups(path: Path) -> ByClip:
    """Read the groups of each clip from a folder or `.zip` of `.npy` files, or from JSON.

    A `.npy` file is an array of one text, which looks like a list of lists: the answer of the organisers' language
    model, taken as their scorer takes it (case stays as it is, so that `Happy` groups nothing). An empty text is a clip
    without groups. JSON is ours: there, case plays no part.

    Raises InputError for a path that is absent or something else, and for content that is no groups, with its clip.
    """
    if path.is_dir():
        return ByClip({file.stem: _from_array(str(file), file.read_bytes()) for file in sorted(path.glob("*.npy"))})
    if not path.is_file():
        raise InputError(f"There are no groups {path}. Give a folder or zip of .npy files, or a JSON file.")
    if path.suffix == ".json":
        return ByClip(_from_json(path))
    try:
        with zipfile.ZipFile(path) as archive:
            check_size(path, archive)
            return ByClip(
                {Path(name).stem: _from_array(f"{path}:{name}", archive.read(name)) for name in _arrays(archive)}
            )
    except (zipfile.BadZipFile, zlib.error):
        raise InputError(f"{path} is neither a zip of .npy files nor JSON (its name ends in .json).") from None


def parse_groups(text: str) -> Groups:
    """The groups of a text that looks like a list of lists; none where it holds no list.

    Cut like the released scorer does, at brackets, quotes and commas, unless it is a list of lists as Python writes it:
    then labels may hold apostrophes.
    """
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        # What literal_eval may raise, by its documentation.
        value = None
    if not _is_groups(value):
        value = [re.split(r"""['",]""", inner) for inner in INNER_LIST.findall(text)]
    groups = (tuple(label.strip() for label in group if label.strip()) for group in value)
    return tuple(filter(None, groups))


def _arrays(archive: zipfile.ZipFile) -> Iterator[str]:
    """The `.npy` files of an archive; `__MACOSX/._x.npy` is what a Mac adds to each."""
    for name in sorted(archive.namelist()):
        if name.endswith(".npy") and not Path(name).name.startswith("._"):
            yield name


def _from_array(where: str, content: bytes) -> Groups:
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{where} is no array of text ({error}).") from None
    if array.dtype.kind != "U" or array.size != 1:
        raise InputError(f"{where}: got an array of {array.dtype} {array.shape}, wanted one text: a list of lists.")
    return parse_groups(array.item())


def _from_json(path: Path) -> dict[str, Groups]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise InputError(f'{path}: got {type(value).__name__}, wanted {{"clip": [["glad", "happy"], ["sad"]]}}.')
    for clip, groups in value.items():
        if not _is_groups(groups):
            raise InputError(
                f'{path}, clip {clip!r}: got {groups!r}, wanted groups such as [["glad", "happy"], ["sad"]].'
            )
    return {clip: folded(groups) for clip, groups in value.items()}


def _is_groups(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(group, list) and all(isinstance(label, str) for label in group) for group in value
    )
