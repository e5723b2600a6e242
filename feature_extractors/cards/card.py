"""Card: the facts of one encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mertools.registry import look_up

Recipe = Mapping[str, str | int | float | tuple[float, ...]]

MER2024, MASKED = "mer2024", "masked"
RECIPES = (MER2024, MASKED)
"""`mer2024` computes what the challenge's released code computes, quirks included; `masked` the same without them."""


@dataclass(frozen=True)
class Card:
    """The facts of one encoder.

    `label` is how the paper's tables call it; `family` a key of `encoder.FAMILIES`; `source` what
    `model_sources.fetch` reads, checked against `sha256`; `revision` what the source is pinned to, "" where the
    installed version, or the file the user gives, is what counts. `recipes` hold, by recipe name, what turns the
    encoder's activations into a feature (layers, pooling, frames, resolution); two recipes never share a feature file.
    `dim` is the utterance vector's length, `language` the one whose subtitles a text encoder reads, `training_data`
    and its language are Table 2 of the paper, `parameters` how many weights the encoder has. `needs` says what a user
    must bring first (an extra, a file), "" where nothing is missing. `architecture` is the `model_type` by which
    transformers knows the network, where it does. `may_lack` are regular expressions of weights
    that a checkpoint may leave out because no feature is computed from them (a pooler).
    """

    name: str
    label: str
    modality: str
    family: str
    source: str
    revision: str
    dim: int
    licence: str
    recipes: Mapping[str, Recipe]
    language: str = ""
    training_data: str = ""
    parameters: int = 0
    needs: str = ""
    sha256: str | None = None
    may_lack: tuple[str, ...] = ()
    architecture: str = ""

    def recipe(self, name: str) -> Recipe:
        """The recipe called `name`; raises InputError where the card has none of that name."""
        return look_up(f"recipe of {self.name}", name, self.recipes)


def same(recipe: Recipe) -> dict[str, Recipe]:
    """One recipe under both names: for encoders of which the released code has no quirks, or which it does not have."""
    return {MER2024: recipe, MASKED: recipe}
