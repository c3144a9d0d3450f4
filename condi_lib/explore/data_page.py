"""The whole split: accuracy over K, what the chosen score is worth, and clips by score."""

import threading
from collections.abc import Callable

import pandas as pd
from ipywidgets import HTML, GridBox, Layout, VBox

from condi_lib.explore.charts import (
    accuracy_chart,
    histogram_chart,
    reliability_chart,
    risk_chart,
)
from condi_lib.explore.clickable import Clickable
from condi_lib.explore.desk import Desk
from condi_lib.explore.filmstrip import filmstrip
from condi_lib.explore.guard import Guard
from condi_lib.explore.setting import METHOD_OF, SHORT_SCORES, WAYS, Setting
from condi_lib.explore.svg import escaped, share, tag
from condi_lib.explore.video_page import pictures_of

LISTED = 12  # clips of a bin


class DataPage:
    """Every video of the split under one setting.

    Attributes:
        widget: All of it.
        histogram: Its bins can be chosen.
        listed: The clips of the chosen bin.
        bin: The chosen bin, or None.
    """

    title = "Data set"

    def __init__(self, open_video: Callable[[int, int], None], guard: Guard) -> None:
        """Make the page.

        Args:
            open_video: Shows a video, and a clip of it, on its own page.
            guard: Of its callbacks.
        """
        self.accuracy, self.calibration, self.risk = HTML(), HTML(), HTML()
        self.summary, self.told, self.bin = HTML(), HTML(), None
        self.histogram = Clickable(guard(self._choose_bin))
        self.listed = Clickable(guard(self._open))
        self._open_video, self._guard = open_video, guard
        self._shown: tuple[Desk, Setting] | None = None
        self._clips, self.loading = pd.DataFrame(), None
        charts = [self.accuracy, self.histogram, self.calibration, self.risk]
        grid = GridBox(charts, layout=Layout(
            grid_template_columns="minmax(0, 1fr) minmax(0, 1fr)", grid_gap="8px", width="100%",
        ))  # fmt: skip
        rows = [self.summary, grid, self.told, self.listed]
        self.widget = VBox(rows, layout=Layout(width="100%", overflow="hidden"))

    def show(self, desk: Desk, setting: Setting) -> None:
        """Show the whole split."""
        before = self._shown
        self._shown = desk, setting
        self._draw_accuracy()
        if before is None or (before[0], before[1].score) != (desk, setting.score):
            self.bin = None
            self._draw_score()

    def choose_bin(self, number: int) -> None:
        """List the clips of a bin of the histogram."""
        self.bin = number
        self._draw_histogram()

    def _choose_bin(self, key: str) -> None:
        self.choose_bin(int(key.removeprefix("bin-")))

    def _draw_accuracy(self) -> None:
        desk, setting = self._shown
        curve, dense = desk.split.accuracy_over_k(setting.sampler), Setting("dense")
        now, of_dense = desk.split.accuracy(setting), desk.split.accuracy(dense)
        k = desk.split.longest if setting.way == "dense" else setting.k_clips
        name = WAYS[setting.way] if setting.way != "best" else f"by {SHORT_SCORES[setting.score]}"
        self.accuracy.value = accuracy_chart(curve, of_dense, (k, now), setting.method, name)
        text = f"{setting}: {share(now)} of {desk.split.n_videos} videos right"
        beside = f"{100 * (now - of_dense):+.1f} points against dense ({share(of_dense)})"
        self.summary.value = tag("div", tag("b", escaped(text), class_="condi-accuracy"),
                                 f"; {escaped(beside)}", role="status")  # fmt: skip

    def _draw_score(self) -> None:
        desk, setting = self._shown
        report, name = desk.reports.of(setting.score), SHORT_SCORES[setting.score]
        method = METHOD_OF.get(setting.score, setting.score)
        self.calibration.value = reliability_chart(
            report.reliability, report.is_probability, method, name, report.numbers
        )
        self.risk.value = risk_chart(*report.risk_curve, method, name)
        self._draw_histogram()

    def _draw_histogram(self) -> None:
        desk, setting = self._shown
        report, name = desk.reports.of(setting.score), SHORT_SCORES[setting.score]
        self.histogram.html = histogram_chart(report.histogram, report.edges, name, self.bin)
        if self.bin is None:
            self._clips, self.listed.html = pd.DataFrame(), ""
            self.told.value = '<p class="condi-quiet">Choose a bar to list its clips.</p>'
            return
        rows = report.clips_in(self.bin)
        low, high = report.edges[self.bin : self.bin + 2]
        more = f"; the first {LISTED}, of highest score" if len(rows) > LISTED else ""
        text = f"{len(rows)} clips with {name} from {low:.3g} to {high:.3g}{more}"
        self.told.value = tag("p", escaped(text), class_="condi-listed")
        self._list(desk.split.described(rows[:LISTED], setting.score), name)

    def _list(self, clips: pd.DataFrame, name: str) -> None:
        """Show tiles at once, and their pictures as they come: each is of another video."""
        desk, _ = self._shown
        self._clips, found = clips, {}
        self.listed.html = filmstrip(clips, found, name)

        def load() -> None:
            for row, clip in clips.iterrows():
                if self._clips is not clips:  # another bar was chosen meanwhile
                    return
                found.update(pictures_of(desk, clip["video"], clips.loc[[row]])[0])
            if self._clips is clips:
                self.listed.html = filmstrip(clips, found, name)

        self.loading = threading.Thread(target=self._guard(load), daemon=True)
        self.loading.start()

    def _open(self, key: str) -> None:
        clip = self._clips.loc[int(key.removeprefix("clip-"))]
        self._open_video(int(clip["video"]), int(clip["clip_index"]))
