"""A video of the reader's own: chosen as a file or by its path, classified in a thread."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ipywidgets import HTML, Button, FileUpload, HBox, IntProgress, Layout, Text, VBox

from condi_lib.explore.charts import bar_chart
from condi_lib.explore.clickable import Clickable
from condi_lib.explore.desk import Desk
from condi_lib.explore.filmstrip import TILES, clip_card, filmstrip, key_to_strip, timeline
from condi_lib.explore.guard import Guard, error_note
from condi_lib.explore.pictures import Pictures, pictures_of_files
from condi_lib.explore.setting import SHORT_SCORES, Setting
from condi_lib.explore.svg import escaped, tag
from condi_lib.explore.video_page import first_slider
from condi_lib.explore.your_video import (
    Networks,
    classify,
    clips_of,
    count_clips,
    looks_of,
    policy_of,
)
from condi_lib.plotting.prediction_text import headline, time_told
from condi_lib.selective import Prediction
from condi_lib.videos.decode import VideoError


class YourPage:
    """Selective inference on a file.

    Attributes:
        networks: With which videos are classified.
        widget: All of it.
        upload: A file from the reader's machine.
        path: Or a path on the machine of the kernel.
        button: Starts.
        bar: Clips decoded so far.
        note: What is wrong with the file, if anything.
        prediction: The last answer, or None.
        working: The thread that is at it, or None.
    """

    title = "Your video"

    def __init__(self, guard: Guard) -> None:
        """Make the page; it is of use once it has ``networks``."""
        self.networks, self._guard, self._setting = Networks(), guard, Setting()
        self.prediction: Prediction | None = None
        self.working: threading.Thread | None = None
        self._folder: TemporaryDirectory | None = None
        self.upload = FileUpload(accept="video/*", multiple=False, description="Choose a video",
                                 layout=Layout(width="170px"))  # fmt: skip
        self.path = Text(placeholder="or its path, where the kernel runs", description="path",
                         layout=Layout(flex="1 1 0", min_width="150px"))  # fmt: skip
        self.button = Button(description="Classify", button_style="primary")
        self.bar = IntProgress(0, 0, 1, layout=Layout(width="160px"), description="clips")
        self.policy, self.note, self.answer = HTML(), HTML(), HTML()
        self.bars, self.card, self.line = HTML(), HTML(), HTML()
        self.strip, self.first = Clickable(guard(self._play)), first_slider(guard(self._turn))
        self.first.layout.display = "none"
        self.upload.observe(guard(self._uploaded), "value")
        self.button.on_click(guard(lambda _: self.start()))
        ask = HBox([self.upload, self.path, self.button, self.bar],
                   layout=Layout(flex_flow="row wrap"))  # fmt: skip
        half = Layout(flex="1 1 0", min_width="0")
        result = HBox([VBox([self.answer, self.bars], layout=half), VBox([self.card])])
        rows = [self.policy, ask, self.note, result, self.line, self.strip, self.first]
        self.widget = VBox(rows, layout=Layout(width="100%", overflow="hidden"))

    def show(self, desk: Desk, setting: Setting) -> None:
        """Say how a video would be classified now; one that was stays as it was."""
        self._setting = setting
        if self.networks.teacher is None:
            text = f"Not possible here: {self.networks.why_none}."
        else:
            text = f"Classifies with the setting above ({setting}); then choose a clip to play it."
        self.policy.value = tag("p", escaped(text), class_="condi-quiet")
        self.button.disabled = self.networks.teacher is None

    def start(self) -> None:
        """Classify the file at ``path`` in a thread of its own."""
        if self.working is not None and self.working.is_alive():
            return
        self._clear()
        self.button.disabled = True
        path, setting = Path(self.path.value.strip()).expanduser(), self._setting
        work = self._guard(lambda: self._work(path, setting))
        self.working = threading.Thread(target=work, daemon=True)
        self.working.start()

    def _clear(self) -> None:
        """Forget the last answer: a bad file's error must not stand beside another one's clips."""
        self.prediction, self.bar.value, self.strip.html = None, 0, ""
        for each in (self.note, self.answer, self.bars, self.card, self.line):
            each.value = ""

    def take(self, files: Sequence[Mapping[str, Any]]) -> None:
        """Classify an uploaded file: ``name`` and ``content`` of the only one."""
        (file,) = files
        self._folder = TemporaryDirectory()  # the one before is deleted
        path = Path(self._folder.name) / Path(file["name"]).name
        path.write_bytes(file["content"])
        self.path.value = str(path)
        self.start()

    def _uploaded(self, change: Mapping[str, Any]) -> None:
        if change["new"]:
            self.take(change["new"])
            self.upload.value = ()

    def _work(self, path: Path, setting: Setting) -> None:
        try:
            policy_of(setting)
            classifier = self.networks.classifier
            self.bar.max = count_clips(classifier, path) or 1
            prediction = classify(classifier, path, setting, self._progress)
        except (VideoError, ValueError, OSError) as error:
            self.note.value = error_note(" ".join(str(error).split()))
        else:
            self._show_prediction(prediction, path, SHORT_SCORES[setting.score])
        finally:
            self.button.disabled = False

    def _progress(self, n_clips: int) -> None:
        self.bar.value = n_clips

    def _show_prediction(self, prediction: Prediction, path: Path, score: str) -> None:
        self.prediction, self._clips, self._score = prediction, clips_of(prediction), score
        frames = self.networks.classifier.source.grid.clip_frames
        self._pictures: Pictures = pictures_of_files(path.parent, frames, prediction.fps)
        self._clip: int | None = None
        self.bar.max = self.bar.value = len(self._clips)
        told = [headline(prediction), looks_of(prediction), time_told(prediction)]
        first, *others = (escaped(text) for text in told)
        answer = tag("b", first, class_="condi-answer", style="font-size: 16px")
        self.answer.value = answer + "".join(tag("div", t, class_="condi-quiet") for t in others)
        self.bars.value = bar_chart(prediction.probs, prediction.classes)
        line = timeline(self._clips, frames, prediction.fps, score)
        self.line.value = line + key_to_strip(self._clips, score)
        self.card.value, self.first.max = "", len(self._clips)
        self.first.value = 1
        self.first.layout.display = None if len(self._clips) > TILES else "none"
        self._draw_strip()

    def _turn(self, _: Any) -> None:
        if self.prediction is not None:
            self._draw_strip()

    def _draw_strip(self) -> None:
        first = self.first.value - 1
        page = self._clips.iloc[first:][:TILES]
        starts = page["start_frame"].tolist()
        found, problem = self._pictures.thumbnails(Path(self.prediction.video).name, starts)
        by_row = {page.index[place]: picture for place, picture in found.items()}
        self.note.value = error_note(problem) if problem else ""
        self.strip.html = filmstrip(self._clips, by_row, self._score, self._clip, first)

    def _play(self, key: str) -> None:
        self._clip = int(key.removeprefix("clip-"))
        clip = self._clips.iloc[self._clip].to_dict()
        start, name = clip["start_frame"], Path(self.prediction.video).name
        frames, fps = self._pictures.clip_frames, self._pictures.fps
        picture = self._pictures.moving(name, start)
        self.card.value = clip_card(clip, picture, frames, fps, self._score)
        self._draw_strip()
