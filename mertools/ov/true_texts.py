"""What is true of clips, for a judge: the true descriptions, or the true labels where there is nothing else."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertools.corpus import MEDIUM_COLUMNS, read_manifest
from mertools.errors import InputError
from mertools.ov.descriptions import read_descriptions
from mertools.ov.judging import Truth
from mertools.ov.labels import OPENSET, read_labels
from mertools.run_record import fingerprint

DESCRIPTION_COLUMN = "description"
"""The manifest's column of true descriptions."""


@dataclass(frozen=True)
class TrueTexts:
    """The truth of `file`. `without` counts its clips that have none; `notice` is what a corpus says of itself."""

    file: Path
    truth: Truth
    without: int
    notice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """What a judgement says of its truth; the fingerprint tells one truth from another."""
        return {
            "file": str(self.file),
            "fingerprint": fingerprint(dict(self.truth.texts)),
            "without": self.without,
            "notice": self.notice,
        }


def read_true_texts(path: Path) -> TrueTexts:
    """Read descriptions.jsonl (or CSV: `name,description`), a file of labels (`name,openset`), or a manifest.

    A manifest's truth is its descriptions, or its open labels where no clip has one. Raises InputError for a file that
    is none of these, or in which no clip has anything true.
    """
    header = _header(path) if path.suffix.lower() == ".csv" else []
    notice, are_labels = "", OPENSET in header
    if are_labels:
        texts = {row.name: ", ".join(row.labels) for row in read_labels(path)}
    elif set(header) & set(MEDIUM_COLUMNS):
        corpus = read_manifest(path)
        notice = corpus.notice
        texts = {clip.name: clip.columns.get(DESCRIPTION_COLUMN, "") for clip in corpus.clips}
        are_labels = not any(map(str.strip, texts.values()))
        if are_labels:
            texts = {clip.name: ", ".join(clip.open_labels) for clip in corpus.clips}
    else:
        texts = {row.name: "" if row.failed else row.description for row in read_descriptions(path)}
    said = {clip: text.strip() for clip, text in texts.items() if text.strip()}
    if not said:
        raise InputError(f"{path}: no clip has a true description or open labels; there is nothing to judge by.")
    return TrueTexts(path, Truth(said, are_labels), len(texts) - len(said), notice)


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x}). Save it as UTF-8.") from None
