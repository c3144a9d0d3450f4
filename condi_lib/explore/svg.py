"""Small helpers for pictures as SVG text: escaped, and in the colours of the reader's theme.

Matplotlib would take longer for one picture than the explorer has for all of them.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

# JupyterLab's own colours, light or dark; elsewhere those of a light page.
INK = "var(--jp-ui-font-color1, #212121)"
QUIET = "var(--jp-ui-font-color2, #616161)"
FAINT = "var(--jp-border-color1, #bdbdbd)"
PAPER = "var(--jp-layout-color1, #ffffff)"


def tag(name: str, *children: str, **attributes: object) -> str:
    """Return an element; ``class_`` is ``class``, ``data_key`` is ``data-key``, None is left out.

    Children are taken as they are: ``escaped`` is for texts.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{''.join(children)}</{name}>"


def escaped(text: object) -> str:
    """Return a text in which no character means anything to a browser."""
    return html.escape(str(text))


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def words(x: float, y: float, text: object, **attributes: object) -> str:
    """Return text at a place, in the theme's ink."""
    look = {"fill": INK, "font_size": 12} | attributes
    return tag("text", escaped(text), x=float(x), y=float(y), **look)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> str:
    """Return a straight line."""
    look = {"stroke": FAINT, "stroke_width": 1} | attributes
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), **look)


def polyline(x: Sequence[float], y: Sequence[float], **attributes: object) -> str:
    """Return a line through points."""
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return tag("polyline", points=points, fill="none", stroke_width=2, **attributes)


def box(x: float, y: float, width: float, height: float, **attributes: object) -> str:
    """Return a rectangle; a negative size counts as none."""
    size = {"width": max(float(width), 0.0), "height": max(float(height), 0.0)}
    return tag("rect", x=float(x), y=float(y), **size, **attributes)


def picture(width: float, height: float, label: str, *children: str, **attributes: object) -> str:
    """Return an SVG that is as wide as there is room, and what it shows in words."""
    # An image whose parts can be chosen is a group: readers of screens would skip the parts.
    role = "group" if any("data-key" in child for child in children) else "img"
    return tag(
        "svg", *children, viewBox=f"0 0 {width:g} {height:g}", width="100%", role=role,
        aria_label=label, font_family="var(--jp-ui-font-family, sans-serif)", **attributes,
    )  # fmt: skip


@dataclass(frozen=True)
class Plane:
    """Where numbers are drawn: a rectangle of the picture and the numbers at its edges.

    Attributes:
        left: Edge of the rectangle.
        top: The same.
        width: Its size.
        height: The same.
        x_limits: The numbers at its left and right.
        y_limits: And at its bottom and top.
    """

    left: float
    top: float
    width: float
    height: float
    x_limits: tuple[float, float] = (0.0, 1.0)
    y_limits: tuple[float, float] = (0.0, 1.0)

    def x(self, value: float) -> float:
        """Where a number is, from left to right."""
        low, high = self.x_limits
        return self.left + self.width * (value - low) / (high - low)

    def y(self, value: float) -> float:
        """Where a number is, from bottom to top."""
        low, high = self.y_limits
        return self.top + self.height * (high - value) / (high - low)

    def curve(self, x: Sequence[float], y: Sequence[float], **attributes: object) -> str:
        """A line through numbers."""
        return polyline([self.x(a) for a in x], [self.y(b) for b in y], **attributes)

    def axes(
        self,
        x_ticks: dict[float, str],
        y_ticks: dict[float, str],
        x_label: str,
        y_label: str,
    ) -> str:
        """Both axes: a line at each number of the vertical one, and their names."""
        right, bottom = self.left + self.width, self.top + self.height
        parts = [line(self.left, bottom, right, bottom)]
        for value, name in y_ticks.items():
            y = self.y(value)
            parts.append(line(self.left, y, right, y, stroke_opacity=0.5))
            parts.append(words(self.left - 5, y + 4, name, text_anchor="end", fill=QUIET))
        for value, name in x_ticks.items():
            parts.append(words(self.x(value), bottom + 16, name, text_anchor="middle", fill=QUIET))
        middle = self.left + self.width / 2
        parts.append(words(middle, bottom + 33, x_label, text_anchor="middle"))
        parts.append(words(self.left - 34, self.top - 9, y_label))
        return "".join(parts)


def percent_ticks(low: float, high: float, most: int = 6) -> dict[float, str]:
    """Round percentages between two fractions, with their texts."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100) if (high - low) * 100 / s <= most)
    first, last = math.ceil(100 * low - 1e-6), math.floor(100 * high + 1e-6)
    return {p / 100: str(p) for p in range(first, last + 1) if p % step == 0}


def number_ticks(low: float, high: float, most: int = 6) -> dict[float, str]:
    """Round numbers between two, with their texts."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= 0.999 * rough)
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    return {n * step: f"{n * step:.6g}" for n in numbers}


def share(fraction: float) -> str:
    """A fraction as a text in %."""
    return f"{100 * fraction:.1f} %"
