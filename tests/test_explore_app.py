"""The explorer without a browser: what its widgets show after each change, against the table."""

import gc
import html
import re

import numpy as np
import psutil
import pytest
from explored_tables import explored_table

from condi_lib.clip_table import write_clip_table
from condi_lib.explore import Setting, SplitAnswers, explore
from condi_lib.explore.clickable import Clickable
from condi_lib.explore.controls import Controls
from condi_lib.explore.desk import MOST_LISTED
from condi_lib.explore.guard import Guard
from condi_lib.explore.sources import clip_frames_of
from condi_lib.explore.twin import accuracy_rows, thumbnails_of
from condi_lib.study import open_study
from condi_lib.videos.decode import write_video

N_VIDEOS, N_CLIPS = 30, 6


@pytest.fixture(scope="module")
def table():
    return explored_table(N_VIDEOS, N_CLIPS, truth=True)


@pytest.fixture(scope="module")
def videos(table, tmp_path_factory):
    """A folder with the first three videos of the table; the others are missing."""
    folder, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(0)
    (folder / "test").mkdir()
    counts = np.diff(table.first_rows)
    for name, n_clips in zip(table.clips["video_id"].unique()[:3], counts, strict=False):
        grey = rng.integers(0, 256, (16 * n_clips, 24, 32, 3), np.uint8)
        write_video(folder / name, grey, options={"crf": "30", "preset": "ultrafast", "g": "16"})
    return folder


@pytest.fixture
def explorer(table, videos):
    explorer = explore(table=table, videos=videos, setting=Setting(k_clips=2))
    yield explorer
    assert explorer.errors == []


def plain(markup: str) -> str:
    return html.unescape(re.sub("<[^>]*>", " ", markup))


def kept(strip: str) -> list[int]:
    """The clips that a filmstrip marks as kept by the teacher."""
    tiles = re.findall(r'<button.*?data-key="clip-(\d+)".*?</button>', strip, re.S)
    bodies = re.findall(r"<button.*?</button>", strip, re.S)
    return [int(t) for t, body in zip(tiles, bodies, strict=True) if ">teacher</span>" in body]


class TestVideoPage:
    def test_shows_what_the_table_says_as_the_controls_move(self, explorer, table):
        split = SplitAnswers(table)
        explorer.controls.way.value = "best"
        for k in (1, 3, N_CLIPS, 2):
            explorer.controls.k_clips.value = k
            setting = Setting(k_clips=k)
            assert explorer.setting == setting
            self.assert_shown(explorer, split, setting, video=0)
        explorer.controls.way.value = "equidistant"
        self.assert_shown(explorer, split, Setting("equidistant", k_clips=2), video=0)
        explorer.chooser.select.value = 2
        self.assert_shown(explorer, split, Setting("equidistant", k_clips=2), video=2)

    @staticmethod
    def assert_shown(explorer, split, setting, video):
        probs = split.probabilities(setting, video)
        said = plain(explorer.video.headline.value)
        right = probs.argmax() == int(split.view.label[video])
        assert ("✓ right" if right else "✗ wrong") in said
        assert f"{100 * probs.max():.1f} %" in said
        weights = split.clips(setting, video)["teacher_weight"]
        assert kept(explorer.video.strip.html) == np.flatnonzero(weights).tolist()

    def test_gives_clips_to_the_student(self, explorer, table):
        explorer.controls.k_clips.value = 4
        explorer.controls.k_student.value = 3
        clips = SplitAnswers(table).clips(Setting(k_clips=4, k_student=3), 0)
        assert explorer.video.strip.html.count(">student</span>") == 3
        assert kept(explorer.video.strip.html) == np.flatnonzero(clips["teacher_weight"]).tolist()

    def test_plays_the_clip_that_is_chosen_until_another_video_is(self, explorer):
        explorer.video.strip.choose("clip-1")
        assert "Clip 2" in plain(explorer.video.card.value)
        assert "data:image/webp" in explorer.video.card.value
        assert re.search(r'clip-1"[^>]*aria-pressed="true"', explorer.video.strip.html)
        explorer.controls.k_clips.value = 3
        assert "Clip 2" in plain(explorer.video.card.value)
        explorer.chooser.choose(1)
        assert "Choose a clip" in plain(explorer.video.card.value)

    def test_says_where_a_file_is_missing_and_goes_on(self, explorer, table):
        explorer.chooser.choose(5)
        name = table.clips["video_id"].unique()[5]
        assert name in html.unescape(explorer.video.note.value)
        assert "no picture" in explorer.video.strip.html
        explorer.video.strip.choose("clip-0")
        assert "no picture" in explorer.video.card.value


class TestChooser:
    def test_lists_videos_by_list_class_and_words(self, explorer, table):
        split = SplitAnswers(table)
        chooser = explorer.chooser
        for name in ("improved", "hurt", "confidently_wrong", "all"):
            chooser.list.value = name
            listed = [number for _, number in chooser.select.options]
            assert listed == split.videos(name, explorer.setting).tolist()
        chooser.label.value = 1
        assert {int(split.view.label[v]) for _, v in chooser.select.options} == {1}
        chooser.label.value, chooser.search.value = -1, "0007"
        assert [v for _, v in chooser.select.options] == [7]
        assert chooser.video == 7

    def test_keeps_the_video_when_it_leaves_the_list(self, explorer):
        explorer.chooser.list.value = "confidently_wrong"
        video = explorer.chooser.select.options[0][1]
        explorer.chooser.choose(video)
        explorer.controls.way.value = "oracle"
        explorer.controls.k_clips.value = 1
        assert explorer.chooser.video == video

    def test_finds_nothing_without_losing_the_video(self, explorer):
        explorer.chooser.choose(3)
        explorer.chooser.search.value = "no such video"
        assert explorer.chooser.select.options == () and explorer.chooser.video == 3
        assert "0 of 30 videos" in explorer.chooser.note.value
        name = explorer.desk.split.view.video_id[3]
        assert name in explorer.chooser.note.value

    def test_lists_no_more_than_a_browser_can_show(self):
        explorer = explore(table=explored_table(MOST_LISTED + 50, 2))
        assert len(explorer.chooser.select.options) == MOST_LISTED
        assert f"the first {MOST_LISTED} are listed" in explorer.chooser.note.value


class TestControls:
    def test_offer_the_student_clips_only_where_they_can_be_divided(self, explorer):
        controls = explorer.controls
        controls.k_clips.value, controls.k_student.value = 5, 4
        assert explorer.setting == Setting(k_clips=5, k_student=4)
        controls.k_clips.value = 3
        assert explorer.setting == Setting(k_clips=3, k_student=3)
        controls.score.value = "student_max_logit"
        assert controls.k_student.disabled
        assert "ranks the teacher's clips by z̃" in plain(controls.hint.value)
        assert explorer.setting == Setting("best", "student_max_logit", 3)

    def test_tell_each_change_once(self, table):
        told = []
        controls = Controls(lambda: told.append(controls.setting))
        controls.fit(SplitAnswers(table), Setting(k_clips=5, k_student=4))
        assert told == []
        controls.k_clips.value = 2
        assert told == [Setting(k_clips=2, k_student=2)]

    def test_offer_only_what_a_table_has(self):
        bare = explored_table(10, 3, student=False, truth=False)
        explorer = explore(table=bare)
        assert [v for _, v in explorer.controls.score.options] == [
            "teacher_max_softmax", "teacher_negative_entropy",
        ]  # fmt: skip
        assert explorer.controls.k_student.disabled
        assert "no student" in explorer.controls.hint.value
        for page in range(4):
            explorer.tab.selected_index = page
        assert "right" in explorer.data.histogram.html and explorer.errors == []


class TestComparePage:
    def test_sets_two_settings_beside_one_another(self, explorer, table):
        explorer.tab.selected_index = 1
        explorer.compare.controls.way.value = "dense"
        split = SplitAnswers(table)
        for name, setting in (("A", Setting(k_clips=2)), ("B", Setting("dense"))):
            side = explorer.compare.sides[name]
            assert plain(side.head.value).split(":")[0].strip() == name
            assert f"{100 * split.probabilities(setting, 0).max():.1f} %" in side.head.value
            expected = np.flatnonzero(split.clips(setting, 0)["teacher_weight"]).tolist()
            assert kept(side.strip.html) == expected


class TestDataPage:
    def test_shows_the_accuracy_of_the_setting(self, explorer, table):
        explorer.tab.selected_index = 2
        split = SplitAnswers(table)
        for setting in (Setting(k_clips=3), Setting("oracle", k_clips=3)):
            explorer.controls.way.value, explorer.controls.k_clips.value = setting.way, 3
            share = f"{100 * split.accuracy(setting):.1f} %"
            assert share in explorer.data.summary.value
            assert f"K = 3: {share}" in explorer.data.accuracy.value

    def test_lists_the_clips_of_a_bar_and_opens_one_of_them(self, explorer, table):
        explorer.tab.selected_index = 2
        report = explorer.desk.reports.of("confidence")
        number = int(report.bin[0])
        explorer.data.histogram.choose(f"bin-{number}")
        explorer.data.loading.join()
        rows = report.clips_in(number)
        listed = re.findall(r'data-key="clip-(\d+)"', explorer.data.listed.html)
        assert [int(row) for row in listed] == rows[:12].tolist()
        assert f"{len(rows)} clips with z̃" in plain(explorer.data.told.value)
        explorer.data.listed.choose(f"clip-{rows[-1]}" if len(rows) <= 12 else f"clip-{rows[11]}")
        clip = table.clips.iloc[rows[min(11, len(rows) - 1)]]
        assert explorer.tab.selected_index == 0
        assert explorer.desk.split.view.video_id[explorer.chooser.video] == clip["video_id"]
        assert explorer.video.clip == clip["clip_index"]

    def test_forgets_the_bar_when_another_score_is_shown(self, explorer):
        explorer.tab.selected_index = 2
        explorer.data.histogram.choose("bin-3")
        explorer.controls.k_clips.value = 4
        assert explorer.data.bin == 3
        explorer.controls.score.value = "student_max_logit"
        assert explorer.data.bin is None and explorer.data.listed.html == ""


class TestSources:
    def test_a_study_offers_its_students_seeds_and_splits(self):
        explorer = explore(open_study("reference"))
        assert {name: w.value for name, w in explorer.choices.items()} == {
            "student": "condi_sr", "seed": 0, "split": "test", "fold": "",
        }  # fmt: skip
        before = explorer.data
        explorer.tab.selected_index = 2
        first = explorer.data.summary.value
        explorer.choices["student"].value = "st_ent"
        assert explorer.setting.score == "student_negative_entropy"
        assert "K_s is off: the table has no student with class logits and z̃" in (
            explorer.controls.hint.value
        )
        explorer.choices["split"].value = "val"
        assert "480 videos" in explorer.data.summary.value != first
        assert explorer.data is before and explorer.errors == []

    def test_a_table_comes_from_a_file_with_all_its_splits(self, table, videos, tmp_path):
        write_clip_table(table, tmp_path / "clips.parquet")
        explorer = explore(table=tmp_path / "clips.parquet", videos=videos)
        assert explorer.source.name == "clips.parquet"
        assert explorer.choices["split"].options == ("test",)
        assert explorer.desk.clip_frames == clip_frames_of(table) == 16

    def test_mistakes_are_told(self, table):
        with pytest.raises(ValueError, match="either a study or a clip table"):
            explore()
        with pytest.raises(FileNotFoundError, match=r"nowhere: is no folder"):
            explore(table=table, videos="nowhere")
        with pytest.raises(ValueError, match="no student 'condi'"):
            explore(open_study("reference"), student="condi")

    def test_where_there_are_no_networks_no_video_of_ones_own_can_be_classified(self):
        explorer = explore(open_study("reference"))
        explorer.tab.selected_index = 3
        assert "has tables but no networks" in plain(explorer.yours.policy.value)
        assert explorer.yours.button.disabled


class TestErrors:
    def test_of_a_callback_are_shown_kept_and_logged(self, table, caplog, monkeypatch):
        explorer = explore(table=table)
        monkeypatch.setattr(explorer.desk.split, "clips", None)
        explorer.controls.k_clips.value = 3
        assert explorer.errors == ["TypeError: 'NoneType' object is not callable"]
        assert "This went wrong: TypeError" in explorer.guard.widget.value
        assert "a callback of the explorer failed" in caplog.text
        monkeypatch.undo()
        explorer.controls.k_clips.value = 4
        assert explorer.guard.widget.value == "" and len(explorer.errors) == 1

    def test_are_escaped(self):
        guard = Guard()

        def fail():
            raise ValueError("<script>")

        guard(fail)()
        assert "&lt;script&gt;" in guard.widget.value


def test_a_click_in_the_browser_chooses():
    chosen = []
    widget = Clickable(chosen.append)
    widget._handle_custom_msg({"key": "clip-7"}, [])
    assert chosen == ["clip-7"]


def test_the_twin_has_the_numbers_of_the_explorer(explorer, table):
    rows = accuracy_rows(explorer.desk.split, ("confidence", "dense"))
    curve = rows[rows["sampler"] == "condi_sr"].set_index("k_clips")["video_accuracy"]
    for k in (1, N_CLIPS):
        assert curve[k] == pytest.approx(explorer.desk.split.accuracy(Setting(k_clips=k)))
    pictures = thumbnails_of(explorer.desk, 0)
    assert pictures.shape[0] == N_CLIPS and pictures.std() > 20
    assert (thumbnails_of(explorer.desk, 9) == 200).all()


def test_memory_stays_flat_over_200_interactions(explorer):
    rng = np.random.default_rng(0)

    def interact():
        explorer.tab.selected_index = 0
        explorer.chooser.choose(int(rng.integers(3)))
        explorer.video.strip.choose("clip-0")
        explorer.controls.k_clips.value = int(rng.integers(1, N_CLIPS + 1))
        explorer.controls.k_student.value = int(rng.integers(explorer.setting.k_clips + 1))
        explorer.tab.selected_index = int(rng.integers(1, 3))

    def memory_mb():
        gc.collect()
        return psutil.Process().memory_info().rss / 1e6

    for _ in range(20):
        interact()
    before = memory_mb()
    for _ in range(40):  # of five changes each
        interact()
    assert memory_mb() - before < 10
