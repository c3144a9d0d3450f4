"""One video: its answer, its clips over time, and whichever clip is played."""

from collections.abc import Callable

import pandas as pd
from ipywidgets import HTML, HBox, IntSlider, Layout, VBox

from condi_lib.explore.charts import bar_chart
from condi_lib.explore.clickable import Clickable
from condi_lib.explore.desk import Desk, VideoChooser
from condi_lib.explore.filmstrip import (
    TILES,
    clip_card,
    filmstrip,
    headline,
    key_to_strip,
    timeline,
)
from condi_lib.explore.guard import Guard, error_note
from condi_lib.explore.setting import SHORT_SCORES, Setting

DENSE = Setting("dense")
N_CLASSES = 8  # in the bar chart


class VideoPage:
    """What one setting says of one video.

    Attributes:
        widget: All of it.
        strip: The filmstrip.
        clip: The clip that is played, or None.
    """

    title = "Video"

    def __init__(self, chooser: VideoChooser, guard: Guard) -> None:
        """Make the page.

        Args:
            chooser: Says which video.
            guard: Of its callbacks.
        """
        self.chooser, self.clip = chooser, None
        self.headline, self.bars, self.card = HTML(), HTML(), HTML()
        self.line, self.key, self.note = HTML(), HTML(), HTML()
        self.strip = Clickable(guard(self._play))
        self.first = first_slider(guard(lambda _: self._draw_strip()))
        self._shown: tuple[Desk, Setting] | None = None
        self._place: tuple[int, int] | None = None
        answer = VBox([self.headline, self.bars], layout=Layout(flex="1.7 1 0", min_width="0"))
        card = VBox([self.card], layout=Layout(flex="0.9 1 0", min_width="210px"))
        top = HBox([chooser.widget, answer, card], layout=Layout(width="100%"))
        rows = [top, self.line, self.key, self.strip, self.first, self.note]
        self.widget = VBox(rows, layout=Layout(width="100%", overflow="hidden"))

    def show(self, desk: Desk, setting: Setting) -> None:
        """Show the chosen video."""
        self._shown = desk, setting
        split, video = desk.split, self.chooser.video
        if self._place != (id(desk), video):  # another video: from its beginning, nothing played
            self._place, self.clip, self.first.value = (id(desk), video), None, 1
        probs, dense = (split.probabilities(each, video) for each in (setting, DENSE))
        label, classes = int(split.view.label[video]), split.table.classes
        self.headline.value = headline(probs, classes, label, dense)
        self.bars.value = bar_chart(probs, classes, label, N_CLASSES)
        self.clips = split.clips(setting, video)
        score = SHORT_SCORES[setting.score]
        self.line.value = timeline(self.clips, desk.clip_frames, desk.fps, score)
        self.key.value = key_to_strip(self.clips, score)
        self.first.max = len(self.clips)
        self.first.layout.display = None if len(self.clips) > TILES else "none"
        self._draw_strip()
        self._draw_card()

    def play(self, clip: int) -> None:
        """Play a clip, by its index."""
        self.clip = clip
        self._draw_strip()
        self._draw_card()

    def _play(self, key: str) -> None:
        self.play(int(key.removeprefix("clip-")))

    def _draw_strip(self) -> None:
        desk, setting = self._shown
        first = self.first.value - 1
        found, problem = pictures_of(desk, self.chooser.video, self.clips.iloc[first:][:TILES])
        self.note.value = error_note(problem) if problem else ""
        name = SHORT_SCORES[setting.score]
        self.strip.html = filmstrip(self.clips, found, name, self.clip, first)

    def _draw_card(self) -> None:
        desk, setting = self._shown
        if self.clip is None:
            self.card.value = '<p class="condi-quiet">Choose a clip below to play it here.</p>'
            return
        clip = self.clips.iloc[self.clip].to_dict()
        picture = moving_picture(desk, self.chooser.video, clip["start_frame"])
        name = SHORT_SCORES[setting.score]
        self.card.value = clip_card(clip, picture, desk.clip_frames, desk.fps, name)


def first_slider(on_change: Callable[[object], None]) -> IntSlider:
    """The slider with which one turns the pages of a long video's clips."""
    slider = IntSlider(1, 1, 1, TILES, description="from clip", layout=Layout(width="60%"))
    slider.observe(on_change, "value")
    return slider


def pictures_of(desk: Desk, video: int, clips: pd.DataFrame) -> tuple[dict[int, str], str]:
    """Thumbnails of a video's clips by their rows, and what is wrong with the others."""
    if desk.pictures is None:
        return {}, ""
    starts = clips["start_frame"].tolist()
    found, problem = desk.pictures.thumbnails(desk.split.view.video_id[video], starts)
    return {clips.index[place]: picture for place, picture in found.items()}, problem


def moving_picture(desk: Desk, video: int, start_frame: int) -> str | None:
    """A clip in motion; None where it cannot be read, which its tile says already."""
    if desk.pictures is None:
        return None
    return desk.pictures.moving(desk.split.view.video_id[video], start_frame)
