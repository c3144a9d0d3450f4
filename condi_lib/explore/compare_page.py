"""Two settings on one video, side by side."""

from ipywidgets import HTML, Box, HBox, Layout, VBox

from condi_lib.explore.charts import bar_chart
from condi_lib.explore.clickable import Clickable
from condi_lib.explore.controls import Controls
from condi_lib.explore.desk import Desk, VideoChooser
from condi_lib.explore.filmstrip import filmstrip, headline, timeline
from condi_lib.explore.guard import Guard
from condi_lib.explore.setting import SHORT_SCORES, Setting
from condi_lib.explore.svg import escaped, tag
from condi_lib.explore.video_page import DENSE, pictures_of

OTHER = Setting("equidistant")
HALF = 420  # width of a picture beside another one


class ComparePage:
    """The setting above, A, beside another one, B.

    Attributes:
        widget: All of it.
        controls: Those of B.
    """

    title = "Compare"

    def __init__(self, chooser: VideoChooser, guard: Guard) -> None:
        """Make the page; arguments as of :class:`VideoPage`."""
        self.chooser = chooser
        self.controls = Controls(guard(self._draw), "B")
        self.sides = {name: _Side() for name in "AB"}
        half = Layout(flex="1 1 0", min_width="0", padding="0 6px 0 0")
        columns = [VBox([side.widget], layout=half) for side in self.sides.values()]
        top = HBox(
            [
                chooser.widget,
                VBox([self.controls.widget], layout=Layout(flex="1.7 1 0", min_width="0")),
            ]
        )
        self.widget = VBox([top, HBox(columns)], layout=Layout(width="100%", overflow="hidden"))
        self._shown: tuple[Desk, Setting] | None = None
        self._desk: Desk | None = None

    def show(self, desk: Desk, setting: Setting) -> None:
        """Show the chosen video, with ``setting`` as A."""
        if self._desk is not desk:
            self.controls.fit(desk.split, OTHER if self._desk is None else None)
        self._desk, self._shown = desk, (desk, setting)
        self._draw()

    def _draw(self) -> None:
        desk, setting = self._shown
        for name, each in (("A", setting), ("B", self.controls.setting)):
            self.sides[name].show(name, desk, each, self.chooser.video)


class _Side:
    """What one of the two says."""

    def __init__(self) -> None:
        self.head, self.bars, self.line, self.strip = HTML(), HTML(), HTML(), Clickable()
        strip = Box([self.strip], layout=Layout(overflow="hidden"))
        self.widget = VBox([self.head, self.bars, self.line, strip])

    def show(self, name: str, desk: Desk, setting: Setting, video: int) -> None:
        split = desk.split
        probs, dense = (split.probabilities(each, video) for each in (setting, DENSE))
        label, classes = int(split.view.label[video]), split.table.classes
        title = tag("div", escaped(f"{name}: {setting}"), style="font-weight: bold")
        self.head.value = title + headline(probs, classes, label, dense)
        self.bars.value = bar_chart(probs, classes, label)
        clips, score = split.clips(setting, video), SHORT_SCORES[setting.score]
        self.line.value = timeline(clips, desk.clip_frames, desk.fps, score, HALF)
        used = clips[(clips.filter(like="_weight") > 0).any(axis=1)]
        found, _ = pictures_of(desk, video, used.head(12))
        self.strip.html = filmstrip(used.head(12), found, score)
