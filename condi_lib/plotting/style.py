"""One look for the whole study: a method has the same colour, marker and line in every chapter.

Colours are those of Okabe and Ito, and of Tol's muted scheme where these run out: colour-blind
readers can tell them apart. In grey, marker and line do it; and the line says what a method costs:
solid a student, dashed nothing, dotted what cannot be had before the teacher has seen every clip.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib.colors
import matplotlib.style

STUDENT, FREE, REFERENCE = "-", (0, (4, 2)), (0, (1, 1.5))
OTHER_INPUT = (0, (6, 1))  # of students that are shown something else than all frames of a clip
ALONE = (0, (3, 1, 1, 1))  # where the student answers, alone or beside its teacher
Line = str | tuple[int, tuple[float, ...]]

INK = "#262626"  # text
QUIET = "#737373"  # what stands back: notes, leaders, the paper's curves


_MARKER_SCALE = {"*": 1.8, "P": 1.25, "X": 1.25, "d": 1.2, "^": 1.1, "v": 1.1, "D": 0.9}


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn, and its name for readers."""

    label: str
    colour: str
    marker: str
    linestyle: Line = STUDENT

    def line(self) -> dict[str, Any]:
        """Keyword arguments of ``ax.plot``, all but the label."""
        return {
            "color": self.colour, "marker": self.marker, "linestyle": self.linestyle,
            "markersize": 5.5 * _MARKER_SCALE.get(self.marker, 1.0),
            "markeredgecolor": "white", "markeredgewidth": 0.5,
        }  # fmt: skip


METHODS = {
    "condi_sr": MethodStyle("ConDi-SR", "#D55E00", "o"),
    "st_ent": MethodStyle("ST-Ent", "#0072B2", "s"),
    "st_conf": MethodStyle("ST-Conf", "#009E73", "^"),
    "bce_conf": MethodStyle("BCE-Conf", "#CC79A7", "D"),
    "bce_conf_all": MethodStyle("BCE-Conf, all clips", "#8C5A7B", "8"),
    "naive": MethodStyle("naive loss", "#E69F00", "v"),
    "naive_0_5": MethodStyle("naive loss, β = .5", "#8F6B00", "P"),
    "detached": MethodStyle("ConDi-SR, gradient detached", "#7A1F1F", "<"),
    "without_modified_teacher": MethodStyle("ConDi-SR without p̂", "#AA4499", "H"),
    "without_confidence_loss": MethodStyle("ConDi-SR without $L_{conf}$", "#2F8F80", ">"),
    "scsampler_saliency": MethodStyle("SCSampler, saliency", "#6B4226", "h"),
    "scsampler_ranking": MethodStyle("SCSampler, ranking", "#999933", "p"),
    "random": MethodStyle("random", "#8C8C8C", "X", FREE),
    "equidistant": MethodStyle("equidistant", "#56B4E9", "d", FREE),
    "motion": MethodStyle("ConDi-SR, motion", "#00796B", "X", OTHER_INPUT),
    "sound": MethodStyle("ConDi-SR, sound", "#6A3D9A", "*", OTHER_INPUT),
    "one_frame": MethodStyle("ConDi-SR, 1 frame", "#B15928", "d", OTHER_INPUT),
    "four_frames": MethodStyle("ConDi-SR, 4 frames", "#1F78B4", "s", OTHER_INPUT),
    "condi_sr/student_negative_entropy": MethodStyle(
        "ConDi-SR student's entropy", "#C98A5E", "o", OTHER_INPUT
    ),
    "first": MethodStyle("first K", "#B89BC4", "<", FREE),
    "middle": MethodStyle("middle K", "#B5872E", "H", FREE),
    "last": MethodStyle("last K", "#5E8C8C", ">", FREE),
    "dense": MethodStyle("dense (all clips)", "#595959", "", (0, (7, 2, 1.5, 2))),
    "division": MethodStyle("division: K_t + K_s clips", "#44AA99", "s", ""),
    "adaptive": MethodStyle("adaptive stopping", "#6B4C9A", "D", ""),
    "votes_1": MethodStyle("+ 1 vote", "#44AA99", "^", ALONE),
    "votes_3": MethodStyle("+ 3 votes", "#2A8C82", "v", ALONE),
    "votes_5": MethodStyle("+ 5 votes", "#0B5F53", "D", ALONE),
    "student_by_confidence": MethodStyle("student alone, by z̃", "#8A6A1F", "o", ALONE),
    "student_by_entropy": MethodStyle("student alone, by its entropy", "#3D7A8C", "s", ALONE),
    "oracle": MethodStyle("oracle", "#111111", "*", REFERENCE),
    "teacher_max_softmax": MethodStyle(
        "teacher's max softmax (full pass)", "#882255", "P", REFERENCE
    ),
    "teacher_negative_entropy": MethodStyle(
        "teacher's entropy (full pass)", "#332288", "h", REFERENCE
    ),
    "teacher_max_logit": MethodStyle("teacher's max logit (full pass)", "#A6611A", "X", REFERENCE),
    "teacher_energy": MethodStyle("teacher's energy (full pass)", "#018571", "D", REFERENCE),
}

# What a clip of the embedded benchmark shows.
TRUTH_COLOURS = {"key": "#3F8F29", "confuser": "#BF1576", "generic": "#A3A3A3"}
TRUTH_LINES: dict[str, Line] = {"key": "-", "confuser": (0, (5, 1.5)), "generic": (0, (1, 1.2))}

# Where that is not known: whether the teacher is right on it.
OUTCOME_COLOURS = {"right": "#3F8F29", "wrong": "#C51B7D"}
OUTCOME_LINES: dict[str, Line] = {"right": "-", "wrong": (0, (5, 1.5))}

_FURTHER = tuple(
    (colour, marker)
    for marker, colour in product("<>H", ("#44AA99", "#7F5F2A", "#6B4C9A", "#AA4455", "#3D5A6C"))
)


def use_style() -> None:
    """Make matplotlib draw in the study's style from now on; chapters call it once, at the top."""
    matplotlib.style.use(Path(__file__).with_name("condi.mplstyle"))


def styles_of(methods: Iterable[str]) -> dict[str, MethodStyle]:
    """Return the style of each method, in the order given.

    A method that is not in ``METHODS`` gets a colour and marker that follow from its name, and the
    name itself as label; should two such methods meet on one, the later name takes the next.
    """
    wanted = list(dict.fromkeys(methods))
    further: dict[str, MethodStyle] = {}
    taken: set[int] = set()
    for name in sorted(set(wanted) - set(METHODS)):
        slot = zlib.crc32(name.encode()) % len(_FURTHER)
        while slot in taken and len(taken) < len(_FURTHER):
            slot = (slot + 1) % len(_FURTHER)
        taken.add(slot)
        further[name] = MethodStyle(name.replace("_", " "), *_FURTHER[slot])
    return {name: METHODS.get(name) or further[name] for name in wanted}


def style_of(method: str) -> MethodStyle:
    """Return the style of one method; see :func:`styles_of`."""
    return styles_of([method])[method]


def text_colour(colour: str) -> str:
    """Return ``colour``, darkened until text in it is legible on white (contrast of 4.5 to 1)."""
    rgb = matplotlib.colors.to_rgb(colour)
    while 1.05 / (_luminance(rgb) + 0.05) < 4.5:
        rgb = tuple(0.95 * value for value in rgb)
    return matplotlib.colors.to_hex(rgb)


def text_on(colour: Any) -> str:
    """Return black or white, whichever is legible on ``colour`` (contrast of 4.5 to 1 or more)."""
    return "white" if _luminance(matplotlib.colors.to_rgb(colour)) < 0.179 else "black"


def _luminance(rgb: Iterable[float]) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
    return sum(
        weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )
