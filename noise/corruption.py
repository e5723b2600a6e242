"""A recipe at work: clips that are read become noisy on the way, and whoever reads them need not know."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mertools.clip import Clip
from mertools.errors import InputError
from mertools.media import Sound, UnreadableMedia, altered
from noise.audio import mix_at_snr
from noise.augment import augment, version
from noise.blur import blur
from noise.recipe import CLEAN_DB, CORPUS, ClipNoise, Recipe, read_recipe
from noise.recordings import read_noise, subset


@dataclass(frozen=True)
class Corruption:
    """What happens to one clip: its noise, whose recordings lie in `folder`, and how its pictures are blurred."""

    noise: ClipNoise
    folder: Path
    blur_way: str

    def applied(self) -> AbstractContextManager[None]:
        """While this lasts, `mertools.media` gives this thread the noisy clip."""
        return altered(self.sound, self.picture)

    def sound(self, clean: Sound) -> Sound:
        """The clip's sound with noise; what is silent stays silent.

        Raises UnreadableMedia where a recording cannot be read, where all are silent, and where no noise was drawn.
        """
        if self.noise.snr_db is None:
            raise UnreadableMedia("the noise recipe has no noise for its sound: draw the recipe again")
        if self.noise.snr_db == CLEAN_DB or not clean.samples.any():
            return clean
        noise = read_noise(self.folder, self.noise.voices, len(clean.samples), clean.sample_rate)
        if not noise.any():
            files = ", ".join(piece.file for voice in self.noise.voices for piece in voice)
            raise UnreadableMedia(f"the noise {files} is silent")
        mixture, _ = mix_at_snr(clean.samples, noise, self.noise.snr_db)
        return replace(clean, samples=augment(mixture, clean.sample_rate, self.noise.augmentations))

    def picture(self, clean: np.ndarray) -> np.ndarray:
        """A frame (H, W, 3) uint8, blurred. Raises UnreadableMedia where no blur was drawn."""
        if self.noise.blur is None:
            raise UnreadableMedia("the noise recipe has no blur for its video: draw the recipe again")
        return blur(clean, self.noise.blur, self.blur_way)


@dataclass(frozen=True)
class Noise:
    """A recipe, and the folder of its recordings on this machine."""

    recipe: Recipe
    folder: Path

    @property
    def fingerprint(self) -> str:
        """The recipe's."""
        return self.recipe.fingerprint

    def of(self, clip: Clip) -> Corruption:
        """What happens to `clip`, which `check` has seen."""
        return Corruption(self.recipe.clips[clip.name], self.folder, self.recipe.blur_way)

    def check(self, clips: Sequence[Clip]) -> None:
        """Raises InputError where the recipe lacks one of `clips`."""
        lacking = [clip.name for clip in clips if clip.name not in self.recipe.clips]
        if lacking:
            raise InputError(
                f"The noise recipe lacks {len(lacking)} of {len(clips)} clips (first: {lacking[0]}). "
                "Run: mertools noise draw, with the --data of this command."
            )


def load_noise(path: Path, speech: Path | None, media_root: Path) -> Noise:
    """The recipe at `path`, its recordings in `speech`, or in `media_root` where they are a corpus' own clips.

    Raises InputError for a file that is no recipe, where the recordings' folder is not named or not there, and where
    what augmented the recipe's clips is not here, or in another version.
    """
    recipe = read_recipe(path)
    if recipe.augmented_by and version() != recipe.augmented_by:
        raise InputError(
            f"{path} was drawn with {recipe.augmented_by}, here is {version()}, which may sound otherwise. Install "
            "that version, or draw again."
        )
    if recipe.kind == CORPUS:
        folder = (speech or media_root).resolve()
    elif speech is None:
        raise InputError(f"The noise of {path} is MUSAN's {recipe.kind}. Name that folder with --speech.")
    else:
        folder = subset(speech, recipe.kind)
    files = {piece.file for noise in recipe.clips.values() for voice in noise.voices for piece in voice}
    if files and not any((folder / file).exists() for file in files):
        raise InputError(
            f"{folder} has none of the {len(files)} recordings of {path} (one is {min(files)}). Name with --speech the "
            "folder that the recipe was drawn from."
        )
    return Noise(recipe, folder)


def uncropped(clips: Sequence[Clip]) -> list[Clip]:
    """`clips`, without their ready face crops: those are of clean pictures, and faces are to be found in blurred ones.

    A clip that had nothing but crops to look at has no picture then.
    """
    return [replace(clip, faces=None) for clip in clips]
