"""The explorer: choices and controls on top, pages below; a change redraws the open page only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipywidgets import Dropdown, HBox, Layout, Tab, VBox

from condi_lib.clip_table import ClipTable
from condi_lib.explore.compare_page import ComparePage
from condi_lib.explore.controls import Controls
from condi_lib.explore.data_page import DataPage
from condi_lib.explore.desk import Desk, VideoChooser
from condi_lib.explore.guard import Guard
from condi_lib.explore.setting import Setting
from condi_lib.explore.sources import Choice, Source, source_of_study, source_of_table
from condi_lib.explore.split import SplitAnswers
from condi_lib.explore.video_page import VideoPage
from condi_lib.explore.your_page import YourPage
from condi_lib.explore.your_video import Networks, networks_of_study
from condi_lib.study import Study


class Explorer:
    """All widgets, and what they show.

    Attributes:
        widget: Show it in a notebook.
        desk: The open table.
        controls: The setting.
        chooser: Which video.
        tab: The pages.
        errors: What callbacks raised, in words; empty if all is well.
    """

    def __init__(
        self,
        source: Source,
        networks: Callable[[Choice], Networks],
        setting: Setting | None = None,
    ) -> None:
        """Open a source's first table.

        Args:
            source: Where tables come from.
            networks: For each choice, those that classify a video of the reader's own.
            setting: Where the controls stand at first.
        """
        self.source, self.networks, self.guard = source, networks, Guard()
        self.errors = self.guard.errors
        redraw = self.guard(self._redraw)
        self.controls = Controls(self.guard(self._set))
        self.chooser = VideoChooser(redraw)
        self.choices = {
            name: _dropdown(name, values, self.guard(self._reopen))
            for name, values in source.options.items()
        }
        self.video = VideoPage(self.chooser, self.guard)
        self.compare = ComparePage(self.chooser, self.guard)
        self.data = DataPage(self.open_video, self.guard)
        self.yours = YourPage(self.guard)
        self.pages = [self.video, self.compare, self.data, self.yours]
        self.tab = Tab([page.widget for page in self.pages], titles=[p.title for p in self.pages])
        self.tab.observe(redraw, "selected_index")
        choices = HBox(list(self.choices.values()), layout=Layout(flex_flow="row wrap"))
        parts = [choices, self.controls.widget, self.guard.widget, self.tab]
        self.widget = VBox(parts, layout=Layout(width="100%"))
        self.widget.add_class("condi-explorer")
        self._open(setting or Setting())

    @property
    def setting(self) -> Setting:
        """What the controls say."""
        return self.controls.setting

    def open_video(self, video: int, clip: int | None = None) -> None:
        """Show a video, by its number, and play one of its clips."""
        self.tab.selected_index = self.pages.index(self.video)
        self.chooser.choose(video)
        if clip is not None:
            self.video.play(clip)

    def _open(self, setting: Setting | None = None) -> None:
        choice = Choice(**{name: widget.value for name, widget in self.choices.items()})
        self.desk = Desk(SplitAnswers(self.source.table(choice)), self.source.pictures)
        self.desk.prepare()
        self.yours.networks = self.networks(choice)
        self.controls.fit(self.desk.split, setting)
        self.chooser.fit(self.desk.split, self.setting)
        self._redraw()

    def _reopen(self, _: Any) -> None:
        self._open()

    def _set(self) -> None:
        self.chooser.refresh(self.setting)
        self._redraw()

    def _redraw(self, _: Any = None) -> None:
        page = self.pages[self.tab.selected_index or 0]
        page.show(self.desk, self.setting)


def explore(
    study: Study | None = None,
    table: ClipTable | str | Path | None = None,
    videos: str | Path | None = None,
    student: str = "",
    networks: Networks | None = None,
    setting: Setting | None = None,
) -> Explorer:
    """Open the explorer.

    Args:
        study: Explore its clip tables and videos.
        table: Or: any clip table, or its file.
        videos: The folder of that table's videos; None: no pictures.
        student: The study's student to begin with; empty: ConDi-SR if there is one.
        networks: With which to classify videos of one's own; None: those of the study.
        setting: Where the controls stand at first; None: the best clip by z̃.

    Raises:
        ValueError: If neither a study nor a table is given, or both are.
    """
    if (study is None) == (table is None):
        raise ValueError("give the explorer either a study or a clip table")
    source = source_of_table(table, videos) if study is None else source_of_study(study, student)

    def networks_for(choice: Choice) -> Networks:
        if networks is not None or study is None:
            return networks or Networks()
        return networks_of_study(study, choice)

    return Explorer(source, networks_for, setting)


def _dropdown(name: str, values: tuple, on_change: Callable[[Any], None]) -> Dropdown:
    """One of several; hidden where there is nothing to choose."""
    style = {"description_width": "58px"}
    dropdown = Dropdown(options=values, description=name, style=style)
    dropdown.layout = Layout(width="230px", display=None if len(values) > 1 else "none")
    dropdown.observe(on_change, "value")
    return dropdown
