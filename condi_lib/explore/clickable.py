"""The one widget of our own: a picture as text whose elements can be chosen.

ipywidgets has none: its HTML does not tell of clicks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from condi_lib.explore.filmstrip import STYLE


class Clickable(anywidget.AnyWidget):
    """Shows HTML or SVG, and tells which element with ``data-key`` was chosen.

    Attributes:
        html: What is shown; whoever makes it escapes the texts in it.
    """

    _esm = Path(__file__).with_name("clickable.js").read_text(encoding="utf-8")
    _css = STYLE
    html = traitlets.Unicode("").tag(sync=True)

    def __init__(self, on_choice: Callable[[str], None] | None = None, **traits: Any) -> None:
        """Make one.

        Args:
            on_choice: Is given the key of what was chosen.
            **traits: As of any widget.
        """
        super().__init__(**traits)
        self._on_choice = on_choice
        self.on_msg(self._received)

    def choose(self, key: str) -> None:
        """Do what choosing an element does."""
        if self._on_choice is not None:
            self._on_choice(key)

    def _received(self, _: Any, content: dict[str, str], __: Any) -> None:
        self.choose(content["key"])
