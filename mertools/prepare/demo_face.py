"""What a drawn face is made of: the speaker's look, a clip's expression, and how the head moves. Values and draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from mertools.prepare.draws import dealt

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Expression:
    """What the muscles of a face do, after the action units of FACS; 0 is at rest and about 1 is a strong action.

    Linear: expressions can be weakened and mixed.
    """

    brow_inner: float = 0.0  # AU1, inner brow raiser
    brow_outer: float = 0.0  # AU2, outer brow raiser
    brow_lower: float = 0.0  # AU4, brow lowerer
    lid_raise: float = 0.0  # AU5, upper lid raiser; negative droops
    lid_tight: float = 0.0  # AU6 and AU7, cheek raiser and lid tightener
    smile: float = 0.0  # AU12, lip corner puller
    frown: float = 0.0  # AU15, lip corner depressor
    stretch: float = 0.0  # AU20, lip stretcher; negative rounds the mouth
    jaw: float = 0.0  # AU26, jaw drop
    teeth: float = 0.0  # AU10 and AU25, lips part and show the teeth
    press: float = 0.0  # AU24, lip pressor
    gaze_down: float = 0.0  # AU64, eyes down

    def scaled(self, factor: float) -> Expression:
        """The same expression, `factor` times as strong."""
        return Expression(*(factor * value for value in self.actions))

    def mixed(self, other: Expression, share: float) -> Expression:
        """`share` of the other expression, the rest of this one."""
        pairs = zip(self.actions, other.actions, strict=True)
        return Expression(*((1 - share) * mine + share * theirs for mine, theirs in pairs))

    @property
    def actions(self) -> tuple[float, ...]:
        """The actions in the order of the fields."""
        return tuple(getattr(self, action.name) for action in fields(self))


EXPRESSIONS = {
    "neutral": Expression(),
    "angry": Expression(brow_lower=1.1, lid_raise=0.35, lid_tight=0.45, teeth=0.9, stretch=0.25, frown=0.45, press=0.3),
    "happy": Expression(brow_outer=0.1, lid_tight=0.9, smile=1.1, teeth=0.9, stretch=0.35),
    "sad": Expression(brow_inner=1.0, brow_lower=0.35, lid_raise=-0.55, frown=1.0, stretch=-0.25, gaze_down=0.9),
    "worried": Expression(
        brow_inner=1.0, brow_outer=0.3, brow_lower=0.4, lid_raise=0.8, stretch=0.75, frown=0.45, jaw=0.25, teeth=0.4
    ),
    "surprise": Expression(brow_inner=1.3, brow_outer=1.2, lid_raise=1.1, stretch=-0.55, jaw=1.0),
}
"""The prototypes of the six classes, after Ekman's descriptions; `worried` is the mild form of fear."""


def draw_expression(rng: np.random.Generator, prototype: Expression) -> Expression:
    """A prototype as one clip shows it: stronger or weaker, and never quite the same."""
    shown = prototype.scaled(rng.uniform(0.8, 1.1))
    return Expression(*(np.array(shown.actions) + rng.normal(0, 0.06, len(shown.actions))).tolist())


@dataclass(frozen=True)
class Complexion:
    """Colours of skin, hair and eyes that go together, RGB in 0..255."""

    skin: Colour
    hair: Colour
    iris: Colour


@dataclass(frozen=True)
class Look:
    """How a speaker looks. Colours are RGB in 0..255, lengths in drawing units, the rest are factors around 1."""

    complexion: Complexion
    hair_style: str
    clothes: Colour
    background: tuple[Colour, Colour]
    jaw_width: float
    face_length: float
    eye_size: float
    eye_distance: float
    brow_thickness: float
    brow_tilt: float
    nose_width: float
    mouth_width: float
    lip_fullness: float
    light_side: float


HAIR_STYLES = {"female": ("long", "bob", "bun"), "male": ("short", "parted", "receding")}
COMPLEXIONS = (
    Complexion(skin=(240, 205, 180), hair=(140, 102, 62), iris=(84, 108, 128)),
    Complexion(skin=(236, 198, 170), hair=(104, 62, 38), iris=(76, 92, 70)),
    Complexion(skin=(238, 202, 172), hair=(34, 27, 25), iris=(70, 46, 30)),
    Complexion(skin=(228, 186, 152), hair=(30, 25, 24), iris=(62, 42, 30)),
    Complexion(skin=(222, 178, 145), hair=(50, 35, 28), iris=(92, 62, 38)),
    Complexion(skin=(214, 168, 132), hair=(74, 50, 34), iris=(92, 62, 38)),
    Complexion(skin=(230, 192, 164), hair=(122, 118, 116), iris=(84, 108, 128)),
    Complexion(skin=(202, 154, 118), hair=(36, 28, 26), iris=(64, 42, 28)),
    Complexion(skin=(182, 132, 98), hair=(28, 24, 23), iris=(58, 38, 26)),
    Complexion(skin=(158, 112, 82), hair=(26, 22, 22), iris=(54, 36, 26)),
)
CLOTHES: tuple[Colour, ...] = (
    (62, 84, 122),
    (122, 58, 62),
    (70, 104, 84),
    (92, 84, 112),
    (150, 132, 104),
    (58, 60, 66),
    (196, 192, 184),
    (46, 94, 104),
)
BACKGROUNDS: tuple[tuple[Colour, Colour], ...] = (
    ((206, 214, 220), (150, 164, 178)),
    ((222, 210, 192), (172, 152, 128)),
    ((186, 204, 190), (124, 148, 132)),
    ((196, 188, 206), (138, 128, 156)),
    ((168, 180, 196), (98, 112, 134)),
    ((226, 220, 212), (184, 176, 166)),
)


def draw_looks(rng: np.random.Generator, sexes: Sequence[str]) -> list[Look]:
    """The looks of the speakers, one for each sex given, as different from each other as the palettes allow."""
    palettes = (COMPLEXIONS, CLOTHES, BACKGROUNDS)
    colours = zip(*(dealt(rng, palette, len(sexes)) for palette in palettes), strict=True)
    styles = {sex: dealt(rng, HAIR_STYLES[sex], len(sexes)) for sex in HAIR_STYLES}
    return [_draw_look(rng, sex, *own, styles[sex].pop()) for sex, own in zip(sexes, colours, strict=True)]


def _draw_look(
    rng: np.random.Generator,
    sex: str,
    complexion: Complexion,
    clothes: Colour,
    background: tuple[Colour, Colour],
    hair_style: str,
) -> Look:
    woman = sex == "female"
    return Look(
        complexion=complexion,
        hair_style=hair_style,
        clothes=clothes,
        background=background,
        jaw_width=rng.uniform(0.92, 1.08) + (-0.04 if woman else 0.04),
        face_length=rng.uniform(0.96, 1.05),
        eye_size=rng.uniform(0.92, 1.1) + (0.04 if woman else -0.04),
        eye_distance=rng.uniform(0.96, 1.05),
        brow_thickness=rng.uniform(0.85, 1.15) + (-0.15 if woman else 0.15),
        brow_tilt=rng.uniform(-0.025, 0.025),
        nose_width=rng.uniform(0.9, 1.15),
        mouth_width=rng.uniform(0.93, 1.08),
        lip_fullness=rng.uniform(0.85, 1.15) + (0.12 if woman else -0.08),
        light_side=rng.uniform(-1, 1),
    )


@dataclass(frozen=True)
class Motion:
    """How a head moves in one clip: times in seconds, shifts in pixels of the finished frame, roll in degrees."""

    blinks: tuple[float, ...]
    sway_period_seconds: float
    sway_phase: float
    sway_x: float
    sway_y: float
    roll: float
    tilt: float
    onset_seconds: float


def draw_motion(rng: np.random.Generator) -> Motion:
    """One clip's head movement, blinks (one in about two seconds) and how fast the expression comes up."""
    first = rng.uniform(0.2, 2.0)
    return Motion(
        blinks=(first, first + rng.uniform(1.4, 2.6)),
        sway_period_seconds=rng.uniform(1.8, 3.4),
        sway_phase=rng.uniform(0, 2 * np.pi),
        sway_x=rng.uniform(1.0, 3.5),
        sway_y=rng.uniform(0.5, 2.0),
        roll=rng.uniform(0.5, 2.5),
        tilt=rng.uniform(-2.5, 2.5),
        onset_seconds=rng.uniform(0.15, 0.4),
    )
