"""The controls of a setting: way, score, K and K_s, and why K_s may be out of reach."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipywidgets import HTML, Dropdown, HBox, IntSlider, Layout, VBox

from condi_lib.explore.setting import BEST, SCORES, WAYS, Setting
from condi_lib.explore.split import SplitAnswers
from condi_lib.explore.svg import escaped, tag

WIDE = {"description_width": "58px"}


class Controls:
    """Widgets for one setting. A change of one may move others; listeners hear of it once.

    Attributes:
        widget: All of them.
        way: Dropdown of ``WAYS``.
        score: Dropdown of those scores that the table has.
        k_clips: Slider.
        k_student: Slider, disabled where clips cannot be divided.
        hint: Says why.
    """

    def __init__(self, on_change: Callable[[], None], name: str = "") -> None:
        """Make the controls; they are of use after :meth:`fit`.

        Args:
            on_change: Called after each change.
            name: Tells several controls on one page apart.
        """
        tail = f" {name}" if name else ""
        half = Layout(width="100%", min_width="200px")
        self.way = Dropdown(options=_options(WAYS), description=f"clips{tail}", style=WIDE,
                            layout=half)  # fmt: skip
        self.score = Dropdown(description=f"score{tail}", style=WIDE, layout=half)
        self.k_clips = IntSlider(1, 1, 1, description=f"K{tail}", style=WIDE, layout=half)
        self.k_student = IntSlider(0, 0, 1, description=f"K_s{tail}", style=WIDE, layout=half)
        self.k_clips.tooltip = "clips that are kept, of teacher and student together"
        self.k_student.tooltip = "of these K, how many the student classifies"
        self.hint = HTML()
        rows = [HBox([self.way, self.score]), HBox([self.k_clips, self.k_student]), self.hint]
        self.widget = VBox(rows)
        self._on_change, self._silent, self._split = on_change, False, None
        for each in (self.way, self.score, self.k_clips, self.k_student):
            each.observe(self._changed, "value")

    @property
    def setting(self) -> Setting:
        """What they say."""
        return Setting(self.way.value, self.score.value, self.k_clips.value, self.k_student.value)

    def fit(self, split: SplitAnswers, setting: Setting | None = None) -> None:
        """Offer what a table allows, without telling listeners.

        Args:
            split: Whose videos and columns.
            setting: What to choose; None: as it is, as far as the table allows.
        """
        self._split = split
        with self._silence():
            before = setting.score if setting else self.score.value
            self.score.options = _options({s: SCORES[s] for s in split.scores})
            self.score.value = before if before in split.scores else split.scores[0]
            self.k_clips.max = split.longest
            if setting is not None:
                self.way.value, self.k_clips.value = setting.way, setting.k_clips
            self._settle()
            if setting is not None and not self.k_student.disabled:
                self.k_student.value = setting.k_student

    def _changed(self, _: Any) -> None:
        if not self._silent:
            with self._silence():
                self._settle()
            self._on_change()

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def _settle(self) -> None:
        """Bring K_s, and what can be moved, in line with the rest."""
        chosen = Setting(self.way.value, self.score.value, self.k_clips.value)
        divides = self._split.can_divide and chosen.can_divide
        self.k_student.disabled = not divides
        if not divides:
            self.k_student.value = 0
        self.k_student.max = self.k_clips.value
        self.k_clips.disabled = self.way.value == "dense"
        self.hint.value = tag("div", escaped(self._reason(divides)), class_="condi-quiet",
                              style="font-size: 12px; line-height: 1.4")  # fmt: skip

    def _reason(self, divides: bool) -> str:
        if divides:
            return (
                "K_s of the K clips go to the student: those that it is surest of itself; the "
                "teacher gets the best by z̃."
            )
        if not self._split.can_divide:
            return "K_s is off: the table has no student with class logits and z̃."
        wanted = f"“{WAYS[BEST]}” and z̃"
        return f"K_s is off: workload division ranks the teacher's clips by z̃. Choose {wanted}."


def _options(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(label, name) for name, label in names.items()]
