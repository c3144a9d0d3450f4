"""What the pages work on: the table that is open, its videos, and which video is looked at."""

from collections.abc import Callable
from typing import Any

from ipywidgets import HTML, Dropdown, Layout, Select, Text, VBox

from condi_lib.explore.pictures import Pictures
from condi_lib.explore.scores import ScoreReports
from condi_lib.explore.setting import Setting
from condi_lib.explore.split import LISTS, SplitAnswers
from condi_lib.explore.svg import escaped, tag

MOST_LISTED = 200
STYLE = {"description_width": "52px"}


class Desk:
    """The open table and everything that is computed from it.

    Attributes:
        split: Answers on its videos.
        reports: On its scores.
        pictures: Of its videos, or None.
    """

    def __init__(self, split: SplitAnswers, pictures: Pictures | None) -> None:
        self.split, self.pictures = split, pictures
        self.reports = ScoreReports(split)

    def prepare(self) -> None:
        """Compute now what would make somebody wait later."""
        self.split.prepare()
        for score in self.split.scores:
            self.reports.of(score).prepare()

    @property
    def fps(self) -> float | None:
        """Frames per second of the videos, where they share them."""
        return self.pictures.fps if self.pictures else None

    @property
    def clip_frames(self) -> int:
        """Frames that a clip spans."""
        return self.pictures.clip_frames if self.pictures else 16


class VideoChooser:
    """Lists of videos: which list, which class, words to search for; and the video chosen.

    The video stays when it is no longer in the list, so that moving K does not change the subject.

    Attributes:
        widget: All of it.
        video: Number of the chosen video.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        """Make one; it is of use after :meth:`fit`.

        Args:
            on_change: Called when another video is chosen.
        """
        wide = Layout(width="auto")
        lists = [(label, name) for name, label in LISTS.items()]
        self.list = Dropdown(options=lists, description="list", style=STYLE, layout=wide)
        self.label = Dropdown(description="class", style=STYLE, layout=wide)
        self.search = Text(description="search", style=STYLE, layout=wide,
                           placeholder="words in its name")  # fmt: skip
        self.select = Select(rows=12, layout=wide, description="video", style=STYLE)
        self.note = HTML()
        rows = [self.list, self.label, self.search, self.select, self.note]
        place = Layout(min_width="285px", flex="1 1 0", padding="0 14px 0 0")
        self.widget = VBox(rows, layout=place)
        self.video, self._silent, self._on_change = 0, False, on_change
        self._split: SplitAnswers | None = None
        self._listed = ""
        self._setting = Setting()
        for each in (self.list, self.label, self.search):
            each.observe(self._relist, "value")
        self.select.observe(self._chosen, "value")

    def fit(self, split: SplitAnswers, setting: Setting) -> None:
        """Offer the videos of a table, the first one chosen."""
        self._split, self._setting, self.video = split, setting, 0
        self._silent = True
        named = [(name.replace("_", " "), c) for c, name in enumerate(split.table.classes)]
        self.label.options = [("all classes", -1), *named]
        self.label.value, self.search.value = -1, ""
        self._silent = False
        self._fill()

    def refresh(self, setting: Setting) -> None:
        """Bring the list in line with a setting; the video stays."""
        self._setting = setting
        if self.list.value != "all":
            self._fill()

    def choose(self, video: int) -> None:
        """Choose a video by its number."""
        self.video = video
        self._silent = True
        listed = {number for _, number in self.select.options}
        self.select.value = video if video in listed else None
        self._silent = False
        self._tell()
        self._on_change()

    def _relist(self, _: Any) -> None:
        if not self._silent:
            self._fill()
            if self.select.options and self.select.value is None:
                self.choose(self.select.options[0][1])

    def _fill(self) -> None:
        label = None if self.label.value in (-1, None) else self.label.value
        found = self._split.videos(self.list.value, self._setting, label, self.search.value)
        shown = found[:MOST_LISTED].tolist()
        self._silent = True
        self.select.options = [(self._split.view.video_id[v], v) for v in shown]
        self.select.value = self.video if self.video in shown else None
        self._silent = False
        more = f", the first {MOST_LISTED} are listed" if len(found) > MOST_LISTED else ""
        self._listed = f"{len(found)} of {self._split.n_videos} videos{more}"
        self._tell()

    def _tell(self) -> None:
        """Name the chosen video: it need not be listed."""
        name = tag("b", escaped(self._split.view.video_id[self.video]))
        self.note.value = tag("div", "shown: ", name, "<br>", self._listed,
                              class_="condi-quiet", style="font-size: 12px")  # fmt: skip

    def _chosen(self, change: dict[str, Any]) -> None:
        if not self._silent and change["new"] is not None:
            self.choose(change["new"])
