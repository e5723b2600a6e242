"""Draws a face that speaks and shows an emotion: frames as a pure function of look, expression, movement and loudness.

Faces are frontal, about 120 px wide and shaded (sockets, nose, cheeks, jaw), so that detectors and expression networks
trained on photographs find and read them.

Lengths are in drawing units: half a face's width is 1, the origin lies on the nose's bridge, x points to the image's
right and y down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from mertools.prepare.demo_face import Colour, Expression, Look, Motion

SIZE = 256
FRAMES_PER_SECOND = 15

# Heads are drawn at twice the size and come down in the warp that also moves them.
SUPERSAMPLING = 2
CANVAS = SIZE * SUPERSAMPLING
UNIT = 63.0 * SUPERSAMPLING
ORIGIN = np.array([CANVAS / 2, CANVAS * 0.47])
SUBPIXEL_BITS = 4

Knots = list[tuple[float, float]]


def render(look: Look, expression: Expression, motion: Motion, loudness: Sequence[float]) -> Iterator[np.ndarray]:
    """The frames of one clip, (SIZE, SIZE, 3) uint8 RGB, at FRAMES_PER_SECOND.

    `loudness` in 0..1 is the speech's at each frame: it opens the mouth, and its length is the clip's. The expression
    comes up from rest within `motion.onset_seconds` and stays.
    """
    scene, at_rest = _scene(look), _head_at_rest(look)
    at_apex = _folded(at_rest, expression)
    for index, level in enumerate(loudness):
        seconds = index / FRAMES_PER_SECOND
        rise = min(seconds / motion.onset_seconds, 1.0)
        rise = rise * rise * (3 - 2 * rise)
        shown = expression.scaled(rise)
        head = cv2.addWeighted(at_rest.image, 1 - rise, at_apex, rise, 0)
        _draw_eyes(head, look, shown, _lids_closed(seconds, motion))
        _draw_brows(head, look, shown)
        _draw_mouth(head, look, shown, float(level))
        yield _in_scene(head, at_rest.opacity, scene, _head_movement(seconds, motion))


def _lids_closed(seconds: float, motion: Motion) -> float:
    """How far a blink has closed the eyes, 0..1; a blink takes a quarter of a second."""
    return max(0.0, *(1 - abs(seconds - blink) / 0.125 for blink in motion.blinks))


def _head_movement(seconds: float, motion: Motion) -> np.ndarray:
    """The affine map (2, 3) from the finished frame to the canvas that the head was drawn on."""
    phase = 2 * np.pi * seconds / motion.sway_period_seconds + motion.sway_phase
    angle = np.deg2rad(motion.tilt + motion.roll * np.sin(0.7 * phase))
    shift = np.array([motion.sway_x * np.sin(phase), motion.sway_y * np.sin(1.6 * phase)])
    turn = SUPERSAMPLING * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # The head turns about the chin; the pixel centres of both grids lie at halves.
    pivot = ORIGIN + UNIT * np.array([0.0, 1.3])
    offset = pivot - turn @ (pivot / SUPERSAMPLING + shift) + turn @ np.array([0.5, 0.5]) - 0.5
    return np.column_stack([turn, offset])


def _in_scene(head: np.ndarray, opacity: np.ndarray, scene: np.ndarray, movement: np.ndarray) -> np.ndarray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    head, opacity = (cv2.warpAffine(layer, movement, (SIZE, SIZE), flags=flags) for layer in (head, opacity))
    return cv2.blendLinear(head, scene, opacity, 1 - opacity)


# Drawing on the canvas.


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """The drawing coordinates of the canvas' pixels: x (1, CANVAS) and y (CANVAS, 1), float32."""
    x, y = ((np.arange(CANVAS, dtype=np.float32) - origin) / UNIT for origin in ORIGIN.astype(np.float32))
    return x[None, :], y[:, None]


def _spot(centre_x: float, centre_y: float, width: float, height: float) -> np.ndarray:
    """A Gaussian spot, (CANVAS, CANVAS)."""
    x, y = _grid()
    return np.exp(-(((x - centre_x) / width) ** 2)) * np.exp(-(((y - centre_y) / height) ** 2))


def _spots(centre_x: float, centre_y: float, width: float, height: float) -> np.ndarray:
    """The same spot on both sides of the face."""
    return _spot(centre_x, centre_y, width, height) + _spot(-centre_x, centre_y, width, height)


def _rounded(knots: Knots, steps: int = 12) -> np.ndarray:
    """A closed Catmull-Rom curve through the knots, (len(knots) * steps, 2)."""
    p = np.asarray(knots, float)
    a, b, c, d = (np.roll(p, shift, axis=0)[:, None, :] for shift in (1, 0, -1, -2))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return curve.reshape(-1, 2)


def _mirrored(right: Knots) -> Knots:
    """A closed outline from its right half, which is given from the top down."""
    return right + [(-x, y) for x, y in reversed(right) if x > 0]


def _fixed_point(points: np.ndarray) -> np.ndarray:
    """Drawing coordinates (N, 2) as the canvas coordinates that OpenCV takes with SUBPIXEL_BITS."""
    return np.rint((points * UNIT + ORIGIN) * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _fill(image: np.ndarray, outline: np.ndarray, colour: Colour | int) -> None:
    cv2.fillPoly(image, [_fixed_point(outline)], colour, cv2.LINE_AA, SUBPIXEL_BITS)


def _stroke(image: np.ndarray, line: np.ndarray, colour: Colour | int, width: float) -> None:
    thickness = max(1, round(width * UNIT))
    cv2.polylines(image, [_fixed_point(line)], False, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def _disc(image: np.ndarray, centre: np.ndarray, radius: float, colour: Colour) -> None:
    radius_fixed = round(radius * UNIT * (1 << SUBPIXEL_BITS))
    cv2.circle(image, _fixed_point(centre), radius_fixed, colour, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)


def _mask(outline: np.ndarray, blur: float = 0.0) -> np.ndarray:
    """A filled outline as (CANVAS, CANVAS) float32 in 0..1, its edge blurred by `blur`."""
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    _fill(mask, outline, 255)
    if blur:
        mask = cv2.GaussianBlur(mask, (0, 0), blur * UNIT)
    return mask.astype(np.float32) / 255


def _paint(image: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> None:
    """Lay a colour, (3,) or one a pixel, over a float image where the mask is 1."""
    image += mask[..., None] * (colour - image)


def _times(colour: Colour, light: np.ndarray) -> np.ndarray:
    """A colour under a light, (H, W, 3) float32."""
    return np.asarray(colour, np.float32) * light.astype(np.float32)[..., None]


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return factor * red, factor * green, factor * blue


# What stands still: the scene behind the head, and the head without eyes, brows and mouth. Cached by speaker.


@lru_cache(maxsize=16)
def _scene(look: Look) -> np.ndarray:
    """Background, clothes, neck and the hair that falls behind it, (SIZE, SIZE, 3) uint8."""
    x, y = _grid()
    near, far = (np.asarray(colour, np.float32) for colour in look.background)
    depth = np.clip(0.5 + 0.22 * y + 0.12 * look.light_side * x, 0, 1)[..., None]
    scene = near * (1 - depth) + far * depth
    # A window and a shelf, out of focus.
    scene += 16 * (_spot(-1.3 * look.light_side, -0.9, 0.5, 0.7) - _spot(1.5, 0.4, 0.35, 0.9))[..., None]
    if look.hair_style == "long":
        right = [(0, -1.6), (0.75, -1.45), (1.16, -0.9), (1.24, 0.0), (1.22, 0.9), (1.3, 1.6), (1.15, 2.1), (0.6, 1.9)]
        _paint(scene, _mask(_rounded(_mirrored([*right, (0, 1.6)])), 0.01), _hair_colour(look) * 0.75)
    neck = _rounded([(-0.5, 0.7), (0.5, 0.7), (0.52, 1.45), (0.9, 1.9), (-0.9, 1.9), (-0.52, 1.45)])
    light = 0.82 - 0.3 * _spot(0, 1.2, 0.7, 0.28) - 0.12 * x**2
    _paint(scene, _mask(neck), _times(look.complexion.skin, light))
    right = [(0, 1.92), (0.32, 1.82), (0.56, 1.56), (1.2, 1.74), (1.75, 2.1), (1.9, 3.0), (0, 3.0)]
    folds = 1 - 0.16 * np.abs(x) - 0.1 * _spot(0, 1.75, 0.8, 0.25) + 0.03 * np.sin(9 * x + 5 * y)
    _paint(scene, _mask(np.array(_mirrored(right)), 0.008), _times(look.clothes, folds))
    return cv2.resize(np.clip(scene, 0, 255).astype(np.uint8), (SIZE, SIZE), interpolation=cv2.INTER_AREA)


@dataclass(frozen=True, eq=False)
class Head:
    """A head without eyes, brows and mouth, and its face at rest."""

    image: np.ndarray  # (CANVAS, CANVAS, 3) uint8
    opacity: np.ndarray  # (CANVAS, CANVAS) float32
    bare_skin: np.ndarray  # (CANVAS, CANVAS) float32, how much of a pixel is facial skin that no hair covers


HAIRLINES: dict[str, Knots] = {
    "short": [(-0.95, -0.45), (-0.8, -0.85), (-0.3, -1.02), (0.3, -1.02), (0.8, -0.85), (0.95, -0.45)],
    "parted": [(-0.95, -0.4), (-0.86, -0.8), (-0.5, -0.92), (0.1, -1.0), (0.55, -1.14), (0.84, -0.8), (0.95, -0.4)],
    "receding": [(-0.96, -0.4), (-0.84, -0.86), (-0.6, -1.08), (0, -1.0), (0.6, -1.08), (0.84, -0.86), (0.96, -0.4)],
    "bun": [(-0.95, -0.4), (-0.78, -0.86), (-0.3, -1.1), (0.3, -1.1), (0.78, -0.86), (0.95, -0.4)],
    "bob": [(-0.92, 0.1), (-0.86, -0.66), (-0.4, -0.88), (0.2, -0.94), (0.7, -0.86), (0.9, -0.5), (0.92, 0.1)],
    "long": [(-0.9, 0.3), (-0.86, -0.6), (-0.4, -0.98), (0, -1.12), (0.4, -0.98), (0.86, -0.6), (0.9, 0.3)],
}


@lru_cache(maxsize=16)
def _head_at_rest(look: Look) -> Head:
    skin, hair = look.complexion.skin, _hair_colour(look)
    long_hair = look.hair_style in ("bob", "long")
    # Soft edges let through what lies under them: hair where the outline is hair, else skin.
    x, y = _grid()
    image = np.where(
        ((y < -0.3) | (long_hair & (np.abs(x) > 0.6)))[..., None], hair, np.asarray(skin, np.float32) * 0.8
    )
    opacity = np.zeros((CANVAS, CANVAS), np.float32)

    def put(mask: np.ndarray, colour: np.ndarray) -> None:
        _paint(image, mask, colour)
        np.maximum(opacity, mask, out=opacity)

    if long_hair:
        right = [(0, -1.6), (0.8, -1.42), (1.17, -0.8), (1.2, 0.2), (1.12, 0.98), (0.6, 1.0), (0, 0.9)]
        put(_mask(_rounded(_mirrored(right)), 0.008), hair * 0.8)
    if look.hair_style == "bun":
        put(_mask(_rounded(_mirrored([(0, -1.95), (0.3, -1.82), (0.33, -1.55), (0.26, -1.35)]))), hair)
    if look.hair_style != "long":
        ear = np.array([(0.92, -0.22), (1.1, -0.24), (1.12, 0.05), (1.02, 0.36), (0.92, 0.3)])
        light = 0.86 - 0.25 * _spots(1.03, 0.02, 0.05, 0.14)
        for side in (-1, 1):
            put(_mask(_rounded(ear * (side, 1))), _times(skin, light))

    jaw, length = look.jaw_width, look.face_length
    right = [(0, -1.32), (0.55, -1.2), (0.9, -0.8), (1.0, -0.2), (0.96, 0.3), (0.8 * jaw, 0.82 * length)]
    right += [(0.48 * jaw, 1.17 * length), (0.2 * jaw, 1.32 * length), (0, 1.34 * length)]
    face = _mask(_rounded(_mirrored(right)))
    put(face, _times(skin, _modelling(look, face)))
    rosy = face * _spots(0.55, 0.38, 0.24, 0.2)
    image -= rosy[..., None] * np.array([0, 6, 5], np.float32)
    for side in (-1, 1):
        nostril = _spot(side * 0.1 * look.nose_width, 0.455, 0.045 * look.nose_width, 0.022)
        image *= 1 - 0.75 * nostril[..., None]

    top = [(1.06, -0.1), (1.14, -0.8), (0.8, -1.42), (0, -1.62), (-0.8, -1.42), (-1.14, -0.8), (-1.06, -0.1)]
    front_hair = _mask(_rounded(top + HAIRLINES[look.hair_style]), 0.012)
    put(front_hair, hair)
    return Head(np.clip(image, 0, 255).astype(np.uint8), opacity, face * (1 - front_hair))


def _hair_colour(look: Look) -> np.ndarray:
    """The hair's colour at each pixel, (CANVAS, CANVAS, 3): strands, and a shine on the crown."""
    x, y = _grid()
    strands = np.sin(34 * x + 3 * np.sin(4 * y)) * np.sin(23 * x - 6 * y)
    return _times(look.complexion.hair, 1 + 0.16 * strands + 0.22 * _spot(-0.35, -1.3, 0.5, 0.2)) + 8


def _modelling(look: Look, face: np.ndarray) -> np.ndarray:
    """The light on a face at rest, a factor a pixel."""
    x, _ = _grid()
    depth = cv2.distanceTransform((face > 0.5).astype(np.uint8), cv2.DIST_L2, 3) / UNIT
    light = 1.04 - 0.34 * np.exp(-depth / 0.16) + 0.07 * look.light_side * x
    sockets = 0.24 * _spots(0.43, -0.16, 0.3, 0.16) + 0.12 * _spots(0.17, -0.05, 0.07, 0.2)
    nose_ridge = 0.1 * _spot(0, 0.1, 0.07, 0.35) + 0.12 * _spot(0, 0.36, 0.1, 0.08)
    nose_sides = 0.1 * _spots(0.17 * look.nose_width, 0.3, 0.06, 0.16)
    nose_wings = 0.14 * _spots(0.21 * look.nose_width, 0.41, 0.03, 0.07)
    under_nose = 0.22 * _spot(0, 0.5, 0.2 * look.nose_width, 0.045)
    forehead_and_cheeks = 0.07 * _spot(0, -0.75, 0.5, 0.25) + 0.07 * _spots(0.55, 0.3, 0.22, 0.16)
    under_lip, chin = 0.12 * _spot(0, 1.02, 0.22, 0.05), 0.05 * _spot(0, 1.16, 0.16, 0.08)
    dark = sockets + nose_sides + nose_wings + under_nose + under_lip
    return np.clip(light + nose_ridge + forehead_and_cheeks + chin - dark, 0.25, 1.25)


def _folded(head: Head, expression: Expression) -> np.ndarray:
    """The head's image with the folds and shadows that the expression makes in its skin."""
    folds = np.zeros((CANVAS, CANVAS), np.uint8)

    def fold(right: Knots, depth: float, width: float = 0.035) -> None:
        if depth > 0:
            for side in (-1, 1):
                _stroke(folds, np.array(right) * (side, 1), round(255 * min(depth, 1.0)), width)

    raised = (expression.brow_inner + expression.brow_outer) / 2
    smile = min(max(expression.smile, 0.0), 1.0)
    for height in (-0.7, -0.82, -0.94):
        fold([(0, height), (0.25, height - 0.02), (0.5, height + 0.02)], 0.4 * raised)
    fold([(0.08, -0.5), (0.065, -0.38), (0.085, -0.27)], 0.7 * expression.brow_lower, 0.04)
    fold([(0.22, 0.4), (0.4, 0.52), (0.52, 0.72)], 0.75 * smile + 0.45 * expression.teeth * (1 - smile), 0.045)
    fold([(0.25, 0.12), (0.43, 0.15), (0.62, 0.08)], 0.6 * expression.lid_tight)
    fold([(0.46, 0.86), (0.5, 0.98)], 0.7 * expression.frown)
    fold([(0, 1.05), (0.12, 1.07), (0.2, 1.12)], 0.45 * (expression.frown + expression.press))
    light = 1 - 0.45 * cv2.GaussianBlur(folds, (0, 0), 0.022 * UNIT).astype(np.float32) / 255
    light += 0.12 * smile * _spots(0.52, 0.28, 0.18, 0.12)
    # Lowered brows put the sockets in the shade.
    light -= 0.18 * expression.brow_lower * _spots(0.3, -0.22, 0.22, 0.1)
    light = 1 + head.bare_skin * (light - 1)
    return cv2.multiply(head.image, cv2.merge([light] * 3), dtype=cv2.CV_8U)


# What moves in every frame.


def _draw_eyes(head: np.ndarray, look: Look, expression: Expression, closed: float) -> None:
    skin, iris = look.complexion.skin, look.complexion.iris
    # t runs from the inner corner to the outer one.
    t = np.linspace(-1, 1, 21)
    arch = np.sqrt(1 - t**2)
    openness = (1 + 0.6 * expression.lid_raise - 0.3 * expression.lid_tight) * (1 - closed)
    upper_height = 0.115 * look.eye_size * max(openness, 0.02)
    lower_height = 0.08 * look.eye_size * max((1 - 0.6 * expression.lid_tight) * (1 - 0.7 * closed), 0.02)
    droop = 0.05 * (0.3 + expression.brow_inner * max(-expression.lid_raise, 0))
    axis = -0.1 + droop * (t + 1) / 2
    for side in (-1, 1):
        centre_x = 0.43 * look.eye_distance * side
        x = centre_x + side * 0.21 * look.eye_size * t
        upper = np.column_stack([x, axis - upper_height * arch**1.1 + 0.35 * closed * lower_height])
        lower = np.column_stack([x, axis + lower_height * arch])
        crease = np.column_stack([x, axis - 0.05 - upper_height * arch])
        opening = np.vstack([upper, lower[::-1]])

        _fill(head, np.vstack([crease, upper[::-1]]), _shade(skin, 0.74))
        with_ball = head.copy()
        _fill(with_ball, opening, (232, 226, 222))
        gaze = np.array([centre_x, -0.055 + 0.06 * expression.gaze_down])
        _disc(with_ball, gaze, 0.108 * look.eye_size, _shade(iris, 0.55))
        _disc(with_ball, gaze, 0.09 * look.eye_size, iris)
        _disc(with_ball, gaze, 0.046 * look.eye_size, (14, 12, 12))
        _disc(with_ball, gaze - (0.03, 0.035), 0.02, (250, 250, 250))
        _copy_inside(with_ball, head, opening)

        _stroke(head, lower, _shade(skin, 0.62), 0.018)
        _stroke(head, upper, (34, 24, 22), 0.045)
        _stroke(head, crease, _shade(skin, 0.55), 0.02)


def _copy_inside(source: np.ndarray, target: np.ndarray, outline: np.ndarray) -> None:
    """Copy what lies inside the outline from one image to the other, with a smooth edge."""
    corners = _fixed_point(np.array([outline.min(axis=0), outline.max(axis=0)])) >> SUBPIXEL_BITS
    (left, top), (right, bottom) = corners + np.array([[-1], [2]])
    window = np.s_[top:bottom, left:right]
    inside = np.zeros((bottom - top, right - left), np.uint8)
    corner = np.array([left, top]) << SUBPIXEL_BITS
    cv2.fillPoly(inside, [_fixed_point(outline) - corner], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    share = inside.astype(np.float32) / 255
    patches = (np.ascontiguousarray(image[window]) for image in (source, target))
    target[window] = cv2.blendLinear(*patches, share, 1 - share)


def _draw_brows(head: np.ndarray, look: Look, expression: Expression) -> None:
    # t runs from the inner end to the outer one.
    t = np.linspace(0, 1, 15)
    inner_x, outer_x = 0.19 - 0.08 * expression.brow_lower, 0.76
    inner_y = -0.39 - 0.17 * expression.brow_inner + 0.15 * expression.brow_lower
    outer_y = -0.37 - 0.17 * expression.brow_outer + 0.02 * expression.brow_lower
    arch = 0.075 + 0.02 * expression.brow_outer - 0.04 * expression.brow_lower
    x = inner_x + (outer_x - inner_x) * t
    y = inner_y + (outer_y - inner_y) * t - arch * np.sin(np.pi * t) + look.brow_tilt * (t - 0.5)
    thickness = 0.06 * look.brow_thickness * np.sqrt(1.05 - t) * np.minimum(0.6 + 2 * t, 1)
    hair, skin = look.complexion.hair, look.complexion.skin
    colour = tuple(0.75 * h + 0.05 * s for h, s in zip(hair, skin, strict=True))
    for side in (-1, 1):
        above, below = (np.column_stack([side * x, y + edge * thickness]) for edge in (-1, 1))
        _fill(head, np.vstack([above, below[::-1]]), colour)


def _draw_mouth(head: np.ndarray, look: Look, expression: Expression, loudness: float) -> None:
    skin = look.complexion.skin
    lips = (0.74 * skin[0], 0.5 * skin[1], 0.5 * skin[2])
    smile, frown, teeth = expression.smile, expression.frown, max(expression.teeth, 0.0)
    # t runs from corner to corner.
    t = np.linspace(-1, 1, 31)
    belly = np.sqrt(1 - t**2)
    x = 0.39 * look.mouth_width * (1 + 0.24 * smile + 0.2 * expression.stretch - 0.08 * loudness) * t
    # The mouth opens with the jaw, the parting of the lips and the voice.
    opening = 0.36 * expression.jaw + 0.11 * teeth + 0.12 * loudness * (1 - 0.3 * expression.press)
    opening = max(opening, 0.012)
    fullness = look.lip_fullness * (1 - 0.45 * expression.press - 0.2 * max(smile, 0))
    middle = 0.74 + 0.06 * smile - 0.03 * teeth
    inner_top = middle + 0.15 * (frown - smile) * np.abs(t) ** 1.7 - 0.3 * opening * belly
    inner_bottom = inner_top + opening * belly
    cupids_bow = 1 - 0.28 * np.exp(-((t / 0.16) ** 2))

    def fill(above: np.ndarray, below: np.ndarray, colour: Colour) -> None:
        _fill(head, np.vstack([np.column_stack([x, above]), np.column_stack([x, below])[::-1]]), colour)

    fill(inner_top - 0.085 * fullness * belly**1.2 * cupids_bow, inner_top, _shade(lips, 0.88))
    fill(inner_bottom, inner_bottom + 0.11 * fullness * belly, _shade(lips, 1.06))
    fill(inner_top, inner_bottom, (58, 22, 26))
    if opening > 0.03:
        fill(inner_top, inner_top + min(0.62 * opening, 0.075 + 0.05 * teeth) * belly**0.6, (232, 226, 214))
    if teeth > 0.3:
        fill(inner_bottom - 0.3 * (opening - 0.02) * min(teeth, 1.0) * belly, inner_bottom, (214, 206, 196))
    if opening > 0.2:
        tongue = np.maximum(1 - (t / 0.6) ** 2, 0)
        fill(inner_bottom - 0.3 * opening * tongue, inner_bottom, (150, 72, 74))
    _stroke(head, np.column_stack([x, inner_top]), _shade(lips, 0.45), 0.02)
    for corner in (0, -1):
        end = np.array([x[corner], inner_top[corner]])
        _stroke(head, np.array([end, end * (1.06, 1) + (0, 0.015 * (frown - smile))]), _shade(skin, 0.5), 0.03)
