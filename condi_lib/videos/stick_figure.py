"""How a stick figure moves: twelve everyday actions as joint positions over time.

An action is a function from its phase (radians, one cycle per 2π) and amplitude (1 = performed
in full) to limb angles. Angles are in degrees from straight down, positive towards +x, so 90 points
forward for a figure that faces +x and 180 points up. Lengths are in body heights, y points up and
the ground is y = 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

JOINTS = (
    "head", "neck", "hip",
    "shoulder_l", "elbow_l", "hand_l", "shoulder_r", "elbow_r", "hand_r",
    "hip_l", "knee_l", "foot_l", "hip_r", "knee_r", "foot_r",
)  # fmt: skip
INDEX = {name: i for i, name in enumerate(JOINTS)}

TORSO, NECK_TO_HEAD = 0.31, 0.115
UPPER_ARM, FOREARM, THIGH, SHIN = 0.165, 0.15, 0.235, 0.235
SHOULDER_HALF_WIDTH, HIP_HALF_WIDTH = 0.09, 0.05


@dataclass
class Pose:
    """Limb angles in degrees and root offsets in body heights; each a number or ``[T]``."""

    lean: Array | float = 0.0
    arm_l: Array | float = -8.0
    forearm_l: Array | float = -4.0
    arm_r: Array | float = 8.0
    forearm_r: Array | float = 4.0
    thigh_l: Array | float = -4.0
    shin_l: Array | float = -3.0
    thigh_r: Array | float = 4.0
    shin_r: Array | float = 3.0
    lift: Array | float = 0.0  # of the lowest foot above the ground
    shift: Array | float = 0.0  # sideways
    breadth: Array | float = 1.0  # of shoulders and hips: 1 seen from the front, near 0 in profile


PROFILE_BREADTH = 0.18
_Wave = Callable[[Array, Array], Pose]


def _rise(phase: Array) -> Array:
    """0 at the start of a cycle, 1 in its middle, 0 at its end."""
    return (1 - np.cos(phase)) / 2


def _bend(phase: Array, amplitude: Array) -> Pose:
    down = amplitude * _rise(phase)
    hang = 10 + 22 * down
    return Pose(
        lean=92 * down, arm_l=hang, forearm_l=hang + 6, arm_r=hang - 6, forearm_r=hang,
        thigh_l=-9 * down, shin_l=-9 * down, thigh_r=-9 * down + 5, shin_r=-9 * down,
        breadth=PROFILE_BREADTH,
    )  # fmt: skip


def _box(phase: Array, amplitude: Array) -> Pose:
    left = amplitude * np.maximum(np.sin(phase), 0) ** 0.7
    right = amplitude * np.maximum(-np.sin(phase), 0) ** 0.7
    return Pose(
        lean=8 + 6 * (left + right),
        arm_l=28 + 62 * left, forearm_l=148 - 58 * left,
        arm_r=28 + 62 * right, forearm_r=148 - 58 * right,
        thigh_l=22, shin_l=-2, thigh_r=-18, shin_r=-26, breadth=PROFILE_BREADTH,
    )  # fmt: skip


def _clap(phase: Array, amplitude: Array) -> Pose:
    # Hands meet before the chest and swing up and out: a forearm turns through the vertical.
    apart = amplitude * _rise(phase)
    arm, forearm = 16 + 30 * apart, 118 + 108 * apart
    return Pose(arm_l=-arm, forearm_l=forearm, arm_r=arm, forearm_r=-forearm)


def _jumping_jack(phase: Array, amplitude: Array) -> Pose:
    open_ = amplitude * _rise(phase)
    arm, leg = 12 + 150 * open_, 3 + 26 * open_
    return Pose(
        arm_l=-arm, forearm_l=-arm - 8, arm_r=arm, forearm_r=arm + 8,
        thigh_l=-leg, shin_l=-leg, thigh_r=leg, shin_r=leg,
        lift=0.07 * amplitude * np.abs(np.sin(phase)),
    )  # fmt: skip


def _jump(phase: Array, amplitude: Array) -> Pose:
    crouch = amplitude * np.maximum(-np.sin(phase), 0)
    flight = amplitude * np.maximum(np.sin(phase), 0)
    arm = 8 - 45 * crouch + 150 * flight
    return Pose(
        lean=35 * crouch, arm_l=arm, forearm_l=arm + 10, arm_r=arm - 6, forearm_r=arm + 4,
        thigh_l=62 * crouch + 8 * flight, shin_l=-48 * crouch - 18 * flight,
        thigh_r=62 * crouch, shin_r=-48 * crouch - 26 * flight,
        lift=0.24 * flight, breadth=PROFILE_BREADTH,
    )  # fmt: skip


def _kick(phase: Array, amplitude: Array) -> Pose:
    swing = amplitude * _rise(phase)
    return Pose(
        lean=-14 * swing, arm_l=20 + 45 * swing, forearm_l=55 + 45 * swing,
        arm_r=-15 - 40 * swing, forearm_r=10 - 40 * swing,
        thigh_l=-3, shin_l=-6, thigh_r=-26 + 122 * swing, shin_r=-62 + 160 * swing,
        breadth=PROFILE_BREADTH,
    )  # fmt: skip


def _run(phase: Array, amplitude: Array) -> Pose:
    swing = 50 * amplitude * np.sin(phase)
    fold_l = 25 + 75 * amplitude * np.maximum(np.cos(phase), 0)
    fold_r = 25 + 75 * amplitude * np.maximum(-np.cos(phase), 0)
    return Pose(
        lean=14, arm_l=-0.9 * swing, forearm_l=-0.9 * swing + 88,
        arm_r=0.9 * swing, forearm_r=0.9 * swing + 88,
        thigh_l=12 + swing, shin_l=12 + swing - fold_l,
        thigh_r=12 - swing, shin_r=12 - swing - fold_r,
        lift=0.05 * amplitude * np.abs(np.sin(phase)), breadth=PROFILE_BREADTH,
    )  # fmt: skip


def _squat(phase: Array, amplitude: Array) -> Pose:
    down = amplitude * _rise(phase)
    return Pose(
        lean=28 * down, arm_l=6 + 84 * down, forearm_l=8 + 84 * down,
        arm_r=2 + 84 * down, forearm_r=4 + 84 * down,
        thigh_l=88 * down + 3, shin_l=-36 * down, thigh_r=88 * down - 3, shin_r=-36 * down - 4,
        breadth=PROFILE_BREADTH,
    )  # fmt: skip


def _walk(phase: Array, amplitude: Array) -> Pose:
    swing = 28 * amplitude * np.sin(phase)
    fold_l = 5 + 38 * amplitude * np.maximum(np.cos(phase), 0)
    fold_r = 5 + 38 * amplitude * np.maximum(-np.cos(phase), 0)
    return Pose(
        lean=3, arm_l=-swing, forearm_l=-swing + 16, arm_r=swing, forearm_r=swing + 16,
        thigh_l=swing + 2, shin_l=swing - fold_l, thigh_r=-swing + 2, shin_r=-swing - fold_r,
        breadth=PROFILE_BREADTH,
    )  # fmt: skip


def _wave_one(phase: Array, amplitude: Array) -> Pose:
    return Pose(arm_r=118 + 4 * amplitude, forearm_r=178 + 48 * amplitude * np.sin(phase))


def _wave_both(phase: Array, amplitude: Array) -> Pose:
    arm, forearm = 118 + 4 * amplitude, 178 + 48 * amplitude * np.sin(phase)
    return Pose(arm_l=-arm, forearm_l=-forearm, arm_r=arm, forearm_r=forearm)


def _side_step(phase: Array, amplitude: Array) -> Pose:
    # Feet together at either end, apart half-way: the shift is such that one foot stays planted
    # while the other steps.
    open_ = amplitude * _rise(2 * phase)
    leg, arm = 2 + 27 * open_, 10 + 26 * open_
    return Pose(
        arm_l=-arm, forearm_l=-arm, arm_r=arm, forearm_r=arm,
        thigh_l=-leg, shin_l=-leg, thigh_r=leg, shin_r=leg,
        shift=-0.21 * amplitude * np.cos(phase),
    )  # fmt: skip


def _stand(phase: Array, amplitude: Array) -> Pose:
    return Pose(lean=1.5 * amplitude * np.sin(phase / 3), shift=0.008 * np.sin(phase / 2))


def _scratch_head(phase: Array, amplitude: Array) -> Pose:
    return Pose(
        arm_r=105 + 3 * np.sin(2 * phase), forearm_r=228 + 7 * amplitude * np.sin(2 * phase)
    )


ACTIONS: dict[str, _Wave] = {
    "bend": _bend,
    "box": _box,
    "clap": _clap,
    "jump": _jump,
    "jumping_jack": _jumping_jack,
    "kick": _kick,
    "run": _run,
    "side_step": _side_step,
    "squat": _squat,
    "walk": _walk,
    "wave_both": _wave_both,
    "wave_one": _wave_one,
}
IDLE: dict[str, _Wave] = {"stand": _stand, "scratch_head": _scratch_head}


def move(action: str, phase: Array, amplitude: Array | float = 1.0) -> Array:
    """Return where the joints are while the figure performs an action, facing +x.

    Args:
        action: A key of ``ACTIONS`` or ``IDLE``.
        phase: Radians, ``[T]``; one cycle of the action per 2π.
        amplitude: 1 is the action in full, smaller is subdued; a number or ``[T]``.

    Returns:
        Joint positions ``[T, J, 2]`` (x, y) in body heights, the lowest foot at y = lift >= 0.
    """
    return place(limb_angles(action, phase, amplitude))


def limb_angles(action: str, phase: Array, amplitude: Array | float = 1.0) -> dict[str, Array]:
    """Return every field of the :class:`Pose` of an action as ``[T]``; arguments as :func:`move`.

    To place the figure once for several actions in a row is quicker than action by action.
    """
    wave = ACTIONS.get(action) or IDLE[action]
    pose = wave(phase, np.broadcast_to(np.asarray(amplitude, float), phase.shape))
    return {f.name: np.broadcast_to(getattr(pose, f.name), phase.shape) for f in fields(pose)}


def place(pose: dict[str, Array]) -> Array:
    """Joint positions ``[T, J, 2]``: from the hip outwards, then stood on the lowest foot."""
    joints = np.zeros((*pose["lean"].shape, len(JOINTS), 2))

    def attach(name: str, parent: str, angle: Array | float, length: float) -> None:
        rad = np.deg2rad(angle)
        step = length * np.stack([np.sin(rad), -np.cos(rad)], axis=-1)
        joints[:, INDEX[name]] = joints[:, INDEX[parent]] + step

    up = 180 - pose["lean"]  # leaning forward tips the torso towards +x
    attach("neck", "hip", up, TORSO)
    attach("head", "neck", up, NECK_TO_HEAD)
    across = pose["breadth"]
    for side, sign in (("l", -1), ("r", 1)):
        joints[:, INDEX[f"shoulder_{side}"]] = joints[:, INDEX["neck"]]
        joints[:, INDEX[f"shoulder_{side}"], 0] += sign * SHOULDER_HALF_WIDTH * across
        joints[:, INDEX[f"hip_{side}"], 0] += sign * HIP_HALF_WIDTH * across
        attach(f"elbow_{side}", f"shoulder_{side}", pose[f"arm_{side}"], UPPER_ARM)
        attach(f"hand_{side}", f"elbow_{side}", pose[f"forearm_{side}"], FOREARM)
        attach(f"knee_{side}", f"hip_{side}", pose[f"thigh_{side}"], THIGH)
        attach(f"foot_{side}", f"knee_{side}", pose[f"shin_{side}"], SHIN)
    ground = joints[..., 1].min(axis=1)
    joints[..., 1] += (pose["lift"] - ground)[:, None]
    joints[..., 0] += np.asarray(pose["shift"])[:, None]
    return joints
