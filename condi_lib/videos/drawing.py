"""Draw stick figures on quiet backgrounds: joint positions in, RGB frames out."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from condi_lib.videos.stick_figure import INDEX

Frame = NDArray[np.uint8]
Colour = tuple[int, int, int]

SUBPIXEL_BITS = 4  # OpenCV's fixed-point coordinates: 1/16 pixel
# (from, to, part, thickness in body heights), far limbs first so that near ones cover them
LIMBS = (
    ("shoulder_l", "elbow_l", "far_sleeve", 0.058), ("elbow_l", "hand_l", "far_skin", 0.048),
    ("hip_l", "knee_l", "far_trousers", 0.078), ("knee_l", "foot_l", "far_trousers", 0.064),
    ("hip_r", "knee_r", "trousers", 0.078), ("knee_r", "foot_r", "trousers", 0.064),
    ("hip", "neck", "shirt", 0.125), ("shoulder_l", "shoulder_r", "shirt", 0.07),
    ("neck", "head", "skin", 0.05),
    ("shoulder_r", "elbow_r", "sleeve", 0.058), ("elbow_r", "hand_r", "skin", 0.048),
)  # fmt: skip
HEAD_RADIUS, HAND_RADIUS = 0.072, 0.032
SHOE_LENGTH, SHOE_THICKNESS = 0.06, 0.05


@dataclass(frozen=True)
class Actor:
    """What a figure looks like: RGB colours, and where it stands.

    ``height`` is a fraction of the frame's height, ``x`` and ``ground`` are fractions of its width
    and height (ground measured from the top), ``facing`` is 1 (towards +x) or -1.
    """

    skin: Colour
    shirt: Colour
    trousers: Colour
    hair: Colour
    height: float
    x: float
    ground: float
    facing: int


@dataclass(frozen=True)
class Occluder:
    """A board in front of the scene, in fractions of the frame: it hides the figure behind it."""

    left: float
    top: float
    right: float
    colour: Colour


def _shade(colour: Colour, factor: float) -> Colour:
    return tuple(int(min(255, c * factor)) for c in colour)  # type: ignore[return-value]


def palette(actor: Actor) -> dict[str, Colour]:
    """Colours by body part; the far side is darker, which tells left from right in profile."""
    return {
        "skin": actor.skin, "far_skin": _shade(actor.skin, 0.8),
        "shirt": actor.shirt, "sleeve": _shade(actor.shirt, 1.12),
        "far_sleeve": _shade(actor.shirt, 0.72),
        "trousers": actor.trousers, "far_trousers": _shade(actor.trousers, 0.72),
        "hair": actor.hair, "shoe": (38, 36, 42),
    }  # fmt: skip


def to_pixels(joints: NDArray[np.float64], actor: Actor, size_px: int) -> NDArray[np.float64]:
    """Map joint positions ``[T, J, 2]`` in body heights to pixels (x right, y down)."""
    scale = actor.height * size_px
    x = actor.x * size_px + actor.facing * joints[..., 0] * scale
    y = actor.ground * size_px - joints[..., 1] * scale
    return np.stack([x, y], axis=-1)


def background(kind: int, size_px: int) -> Frame:
    """One of eight quiet scenes, shared by all videos so that none can be recognised by its scene.

    Each is a wall, a floor and two low-contrast shapes.
    """
    rng = np.random.default_rng([7, kind])
    wall = rng.uniform(178, 214) + rng.uniform(-7, 7, 3)
    floor = wall * rng.uniform(0.8, 0.9)
    frame = np.empty((size_px, size_px, 3), np.uint8)
    frame[:] = wall + np.linspace(5, -5, size_px)[:, None, None]
    horizon = int(rng.uniform(0.66, 0.78) * size_px)
    frame[horizon:] = floor + np.linspace(-6, 6, size_px - horizon)[:, None, None]
    for _ in range(2):
        left, width = rng.uniform(0.02, 0.8), rng.uniform(0.12, 0.3)
        top = rng.uniform(0.1, 0.45)
        corner = (int(left * size_px), int(top * size_px))
        other = (int((left + width) * size_px), horizon - 1)
        tone = _as_colour(wall * rng.uniform(0.93, 1.05))
        cv2.rectangle(frame, corner, other, tone, -1)
    return frame


def _as_colour(values: NDArray[np.float64]) -> Colour:
    return tuple(int(v) for v in np.clip(values, 0, 255))  # type: ignore[return-value]


class Painter:
    """Draws one actor in one scene; holds what does not change from frame to frame.

    Args:
        actor: Who, and where.
        scene: The empty scene, ``[size, size, 3]``.
    """

    def __init__(self, actor: Actor, scene: Frame) -> None:
        self.actor, self.scene, self.size_px = actor, scene, len(scene)
        self.scale = actor.height * self.size_px
        self.colours = palette(actor)
        self.limbs = [
            (INDEX[a], INDEX[b], self.colours[part], self._thickness(width))
            for a, b, part, width in LIMBS
        ]
        self.toe = actor.facing * self._fixed(SHOE_LENGTH)
        self.shoe = self._thickness(SHOE_THICKNESS)
        ahead = actor.facing  # the face lies a little ahead of and below the hair
        self.discs = [
            (INDEX[joint], ahead * self._fixed(x), self._fixed(y), self._fixed(radius), colour)
            for joint, x, y, radius, colour in (
                ("head", -0.018, -0.022, HEAD_RADIUS, self.colours["hair"]),
                ("head", 0.008, 0.01, HEAD_RADIUS * 0.86, self.colours["skin"]),
                ("hand_l", 0.0, 0.0, HAND_RADIUS, self.colours["far_skin"]),
                ("hand_r", 0.0, 0.0, HAND_RADIUS, self.colours["skin"]),
            )
        ]
        row = min(round((actor.ground + 0.02) * self.size_px), self.size_px - 1)
        self.shadow = tuple(int(v * 0.82) for v in scene[row, round(actor.x * self.size_px)])

    def _thickness(self, width: float) -> int:
        return max(1, round(width * self.scale))

    def _fixed(self, length: float) -> int:
        return round(length * self.scale * (1 << SUBPIXEL_BITS))

    def draw(self, joints: NDArray[np.float64]) -> Iterator[Frame]:
        """Yield one frame for each pose of ``joints``, ``[T, J, 2]`` in body heights."""
        pixels = to_pixels(joints, self.actor, self.size_px)
        points = np.rint(pixels * (1 << SUBPIXEL_BITS)).astype(int).tolist()
        shadows = self._shadows(pixels)
        for frame_points, shadow in zip(points, shadows, strict=True):
            canvas = self.scene.copy()
            cv2.ellipse(canvas, *shadow, 0, 0, 360, self.shadow, -1, cv2.LINE_AA, SUBPIXEL_BITS)
            self._figure(canvas, frame_points)
            yield canvas

    def _shadows(self, pixels: NDArray[np.float64]) -> list[tuple[tuple, tuple]]:
        """Centre and axes, in fixed point; a shadow shrinks as the figure leaves the ground."""
        ground = self.actor.ground * self.size_px
        above = (ground - pixels[..., 1].max(axis=1)) / self.scale
        centre = np.stack([pixels[:, INDEX["hip"], 0], np.full(len(pixels), ground)], axis=1)
        centre[:, 1] += 0.02 * self.scale
        axes = np.stack([0.2 - 0.25 * above, 0.035 - 0.05 * above], axis=1) * self.scale
        fixed = np.rint(np.concatenate([centre, np.maximum(axes, 0.5)], axis=1) * 16).astype(int)
        return [((x, y), (a, b)) for x, y, a, b in fixed.tolist()]

    def _figure(self, canvas: Frame, points: list[list[int]]) -> None:
        smooth, bits = cv2.LINE_AA, SUBPIXEL_BITS
        for side in ("foot_l", "foot_r"):
            x, y = points[INDEX[side]]
            cv2.line(
                canvas, (x, y), (x + self.toe, y), self.colours["shoe"], self.shoe, smooth, bits
            )
        for start, end, colour, thickness in self.limbs:
            cv2.line(canvas, points[start], points[end], colour, thickness, smooth, bits)
        for joint, right, down, radius, colour in self.discs:
            x, y = points[joint]
            cv2.circle(canvas, (x + right, y + down), radius, colour, -1, smooth, bits)


def draw_occluder(canvas: Frame, occluder: Occluder) -> None:
    """Draw the board onto ``canvas``, in place."""
    size = canvas.shape[0]
    corner = (int(occluder.left * size), int(occluder.top * size))
    other = (int(occluder.right * size), size)
    cv2.rectangle(canvas, corner, other, occluder.colour, -1)
    edge = _shade(occluder.colour, 0.85)
    cv2.rectangle(canvas, corner, other, edge, max(1, size // 80))
