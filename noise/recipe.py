"""recipe.jsonl: which noise and which blur each clip gets. The only place that reads or writes it.

The first line says what holds for all clips (schema, seed, kind of noise, way of blurring); then there is one line a
clip. A recipe holds no paths of a machine: recordings are named relative to their folder.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from mertools.errors import InputError
from mertools.whole_files import whole_file
from noise.augment import TRANSFORMS, Augmentation
from noise.blur import FACTORS, WAYS

SCHEMA = 1
CLEAN = "inf"

SPEECH, CORPUS = "speech", "corpus"
MUSAN_KINDS = (SPEECH, "music", "noise")
KINDS = (*MUSAN_KINDS, CORPUS)
"""MUSAN's subsets, and babble from a corpus' own clips."""

CLEAN_DB = math.inf
"""The ratio of sound to noise where there is no noise; in the file it is "inf", since JSON has no such number."""


@dataclass(frozen=True)
class Piece:
    """A recording from `offset_seconds` on; `file` is relative to the recordings' folder, with slashes."""

    file: str
    offset_seconds: float


Voice = tuple[Piece, ...]
"""Recordings one after the other, as long as the clip or longer."""


@dataclass(frozen=True)
class ClipNoise:
    """What one clip gets.

    `voices` sound at once, equally loud, `snr_db` below the clip's speech together; None and () for a clip without
    sound, CLEAN_DB and () for one whose sound stays clean. `blur` is the factor its pictures are scaled down by, 1 for
    not at all; None for a clip without video. `augmentations` come upon the mixture, one after the other.
    """

    snr_db: float | None
    voices: tuple[Voice, ...]
    blur: int | None
    augmentations: tuple[Augmentation, ...] = ()

    def at(self, snr_db: float, blur: int) -> ClipNoise:
        """The same voices at another ratio, CLEAN_DB for none, and another blur; without voices or video as before.

        Nothing else is done to the sound.
        """
        return ClipNoise(
            snr_db if self.voices else self.snr_db,
            () if snr_db == CLEAN_DB else self.voices,
            None if self.blur is None else blur,
        )


UNTOUCHED = ClipNoise(CLEAN_DB, (), 1)
"""What a clip gets that stays as it is."""


@dataclass(frozen=True)
class Recipe:
    """The noise of a corpus, drawn with `seed`; `clips` by name.

    `augmented_by` names what drew and applies the clips' augmentations, with its version; "" where there are none.
    """

    seed: int
    kind: str
    blur_way: str
    clips: Mapping[str, ClipNoise]
    augmented_by: str = ""

    def at(self, snr_db: float, blur: int) -> Recipe:
        """The same recordings for every clip, at one ratio (CLEAN_DB: none) and one blur."""
        return replace(self, clips={name: noise.at(snr_db, blur) for name, noise in self.clips.items()})

    @property
    def fingerprint(self) -> str:
        """A digest of all that decides about the noisy clips, whatever their order; and what augments them, if any."""
        content = [_head(self), *(_entry(name, self.clips[name]) for name in sorted(self.clips))]
        digest = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]
        return f"{digest}+{self.augmented_by}" if self.augmented_by else digest


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write `recipe`, whole or not at all; the folder is made."""
    lines = [_head(recipe), *(_entry(name, clip) for name, clip in recipe.clips.items())]
    with whole_file(path) as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def read_recipe(path: Path) -> Recipe:
    """Raises InputError, with the line, for a file that is no recipe or names a recording outside its folder."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"There is no noise recipe {path}. Draw one: mertools noise draw --out {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The noise recipe {path} cannot be read: {error}.") from None
    number, clips = 0, {}
    try:
        head = json.loads(lines[0]) if lines else {}
        if head.get("schema") != SCHEMA:
            raise ValueError(f"got schema {head.get('schema')!r}, wanted {SCHEMA}")
        seed, kind, way = int(head["seed"]), head["noise_kind"], head["blur_way"]
        _check(kind in KINDS and way in WAYS, f"got noise_kind {kind!r} and blur_way {way!r}")
        augmented_by = str(head.get("augmented_by", ""))
        for number in range(1, len(lines)):
            entry = json.loads(lines[number])
            _check(entry["name"] not in clips, f"clip {entry['name']!r} appears twice")
            clips[entry["name"]] = _clip_noise(entry)
            _check(bool(augmented_by) or not clips[entry["name"]].augmentations, "the first line lacks augmented_by")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        told = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InputError(
            f"{path}, line {number + 1}: {told}. Wanted what `mertools noise draw` writes; draw it again."
        ) from None
    return Recipe(seed, kind, way, clips, augmented_by)


def _head(recipe: Recipe) -> dict[str, Any]:
    head = {"schema": SCHEMA, "seed": recipe.seed, "noise_kind": recipe.kind, "blur_way": recipe.blur_way}
    return head | ({"augmented_by": recipe.augmented_by} if recipe.augmented_by else {})


def _entry(name: str, clip: ClipNoise) -> dict[str, Any]:
    voices = [[{"file": piece.file, "offset_seconds": piece.offset_seconds} for piece in v] for v in clip.voices]
    snr_db = CLEAN if clip.snr_db == CLEAN_DB else clip.snr_db
    entry = {"name": name, "snr_db": snr_db, "noise": voices, "blur": clip.blur}
    drawn = [{"transform": one.transform, "parameters": dict(one.parameters)} for one in clip.augmentations]
    return entry | ({"augmentations": drawn} if drawn else {})


def _clip_noise(entry: Mapping[str, Any]) -> ClipNoise:
    snr_db, factor = CLEAN_DB if entry["snr_db"] == CLEAN else entry["snr_db"], entry["blur"]
    voices = tuple(tuple(_piece(piece) for piece in voice) for voice in entry["noise"])
    _check(factor is None or factor in FACTORS, f"got blur {factor!r}, wanted one of {FACTORS}")
    _check(snr_db in (None, CLEAN_DB) or math.isfinite(snr_db), f"got snr_db {snr_db!r}")
    _check((snr_db in (None, CLEAN_DB)) == (not voices) and all(voices), "snr_db and noise go together")
    augmentations = tuple(_augmentation(one) for one in entry.get("augmentations", ()))
    _check(bool(voices) or not augmentations, "augmentations without noise")
    return ClipNoise(snr_db, voices, factor, augmentations)


def _augmentation(entry: Mapping[str, Any]) -> Augmentation:
    name, parameters = entry["transform"], entry["parameters"]
    _check(name in TRANSFORMS, f"got transform {name!r}, wanted one of {', '.join(TRANSFORMS)}")
    _check(all(map(math.isfinite, parameters.values())), f"got parameters {parameters!r}")
    return Augmentation(name, dict(parameters))


def _piece(entry: Mapping[str, Any]) -> Piece:
    path, offset = PurePosixPath(entry["file"]), float(entry["offset_seconds"])
    inside = path.parts and not path.is_absolute() and ".." not in path.parts and "\\" not in entry["file"]
    _check(bool(inside), f"{entry['file']!r} leaves the recordings' folder")
    _check(math.isfinite(offset) and offset >= 0, f"got offset_seconds {offset!r}")
    return Piece(entry["file"], offset)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
