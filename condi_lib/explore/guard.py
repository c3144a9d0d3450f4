"""What goes wrong in a callback is shown in its place, logged, and kept: never swallowed."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from ipywidgets import HTML

from condi_lib.explore.svg import escaped, tag

LOG = logging.getLogger("condi_lib.explore")


class Guard:
    """Wraps callbacks. A kernel would write their errors where nobody looks.

    Attributes:
        errors: What was raised so far, in words, oldest first.
        widget: Shows the last of them until a callback succeeds.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.widget = HTML()

    def __call__(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Return the callback, guarded."""

        @functools.wraps(callback)
        def guarded(*arguments: Any) -> None:
            try:
                callback(*arguments)
                self.widget.value = ""
            except Exception as error:
                LOG.exception("a callback of the explorer failed")
                self.errors.append(f"{type(error).__name__}: {error}")
                self.widget.value = error_note(f"This went wrong: {self.errors[-1]}")

        return guarded


def error_note(text: str) -> str:
    """Return a text that is marked as an error, on light and dark pages."""
    style = "border-left: 4px solid #D55E00; padding: 4px 8px; margin: 4px 0"
    return tag("div", escaped(text), class_="condi-error", role="alert", style=style)
