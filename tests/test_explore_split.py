"""Every setting's answers in the explorer against the evaluation that the chapters use."""

from dataclasses import replace

import numpy as np
import pytest
from explored_tables import explored_table

from condi_lib.clip_table import ClipTable
from condi_lib.evaluation import correct_over_k, decide
from condi_lib.explore.scores import ScoreReport, ScoreReports
from condi_lib.explore.setting import SCORES, WAYS, Setting
from condi_lib.explore.split import MOST_DIVISIONS, SplitAnswers
from condi_lib.metrics import aurc, ece
from condi_lib.sampling import Divided, Selected

N_CLIPS = 7
WITHOUT_CHANCE = [Setting("best", score) for score in SCORES]
WITHOUT_CHANCE += [Setting(way) for way in WAYS if way not in ("best", "random")]


@pytest.fixture(scope="module")
def table():
    return explored_table(150, N_CLIPS)


@pytest.fixture(scope="module")
def split(table):
    return SplitAnswers(table)


class TestAnswers:
    @pytest.mark.parametrize("setting", WITHOUT_CHANCE, ids=str)
    def test_are_right_where_the_chapters_say_so_at_every_k(self, split, table, setting):
        expected = correct_over_k(table, [setting.sampler], range(1, N_CLIPS + 1))
        for k in range(1, N_CLIPS + 1):
            right = split.answers(replace(setting, k_clips=k)).right
            assert np.array_equal(right, expected[setting.sampler][:, k - 1])
        curve = expected[setting.sampler].mean(axis=0)
        assert split.accuracy_over_k(setting.sampler) == pytest.approx(curve, abs=1e-6)

    @pytest.mark.parametrize("way", ["best", "equidistant", "random", "first", "middle", "last"])
    @pytest.mark.parametrize("k", [1, 3, N_CLIPS])
    def test_are_those_of_the_same_policy(self, split, table, way, k):
        setting = Setting(way, k_clips=k)
        expected = decide(table, Selected(setting.sampler, k))
        self.assert_same(split, setting, table, expected)

    @pytest.mark.parametrize(("k", "k_student"), [(1, 1), (3, 1), (5, 5), (7, 2)])
    def test_of_a_division_are_those_of_its_policy(self, split, table, k, k_student):
        setting = Setting(k_clips=k, k_student=k_student)
        self.assert_same(split, setting, table, decide(table, Divided(k, k_student)))

    @staticmethod
    def assert_same(split, setting, table, expected):
        answers = split.answers(setting)
        assert np.array_equal(answers.right, expected.correct)
        assert answers.probability == pytest.approx(expected.probs.max(axis=1), abs=1e-6)
        label = split.view.label.numpy()
        of_label = expected.probs[np.arange(len(label)), label]
        assert answers.of_label == pytest.approx(of_label, abs=1e-6)
        for video in (0, 7, split.n_videos - 1):
            probs = split.probabilities(setting, video)
            assert probs == pytest.approx(expected.probs[video], abs=1e-6)
            assert probs.argmax() == answers.predicted[video]

    def test_do_not_depend_on_what_was_asked_before(self, table):
        asked, fresh = SplitAnswers(table), SplitAnswers(table)
        asked.prepare()
        setting = Setting("equidistant", k_clips=2)
        assert np.array_equal(asked.answers(setting).right, fresh.answers(setting).right)

    def test_of_divisions_are_kept_but_not_all_of_them(self, table):
        split = SplitAnswers(table._take(np.arange(40)))
        settings = [Setting(k_clips=k, k_student=s) for k in range(1, 13) for s in range(1, k + 1)]
        assert len(settings) > MOST_DIVISIONS
        first = split.answers(settings[0])
        assert split.answers(settings[0]) is first
        for setting in settings:
            split.answers(setting)
        assert len(split._divisions) == MOST_DIVISIONS


class TestClips:
    def test_say_what_the_table_says(self, split, table):
        first, last = table.first_rows[3:5]
        clips = split.clips(Setting(k_clips=2), 3)
        logits = table.teacher_logits[first:last].double().numpy()
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        names = [table.classes[c] for c in probs.argmax(axis=1)]
        assert clips["teacher_class"].tolist() == names
        assert clips["teacher_prob"].to_numpy() == pytest.approx(probs.max(axis=1), abs=1e-6)
        rows = table.clips.iloc[first:last]
        assert clips["teacher_right"].tolist() == list(probs.argmax(axis=1) == rows["label"])
        for name in ("truth", "confidence", "start_frame"):
            assert clips[name].tolist() == rows[name].tolist()
        best = np.argsort(-rows["confidence"].to_numpy(), kind="stable")[:2]
        assert np.flatnonzero(clips["teacher_weight"]).tolist() == sorted(best)
        assert not clips["student_weight"].any()

    def test_of_a_division_are_shared(self, split):
        clips = split.clips(Setting(k_clips=5, k_student=2), 0)
        assert (clips["teacher_weight"] > 0).sum() == 3
        assert (clips["student_weight"] > 0).sum() == 2
        assert clips["teacher_weight"].sum() + clips["student_weight"].sum() == pytest.approx(1)


class TestLists:
    def test_hold_every_video_in_order(self, split):
        assert split.videos("all", Setting()).tolist() == list(range(150))

    def test_of_improvement_and_harm_share_out_the_videos_by_their_change(self, split):
        setting = Setting(k_clips=2)
        change = split.answers(setting).of_label - split.answers(Setting("dense")).of_label
        improved, hurt = (split.videos(name, setting) for name in ("improved", "hurt"))
        assert (np.diff(change[improved]) <= 0).all() and (change[improved] > 0).all()
        assert (np.diff(change[hurt]) >= 0).all() and (change[hurt] < 0).all()
        assert len(improved) + len(hurt) + (change == 0).sum() == 150

    def test_of_confident_mistakes_begin_with_the_most_confident(self, split):
        answers = split.answers(Setting())
        found = split.videos("confidently_wrong", Setting())
        assert set(found) == set(np.flatnonzero(~answers.right))
        assert (np.diff(answers.probability[found]) <= 0).all()

    def test_can_be_narrowed_by_class_and_words(self, split, table):
        found = split.videos("all", Setting(), label=1)
        assert {split.view.video_id[v].partition("_")[2] for v in found} == {"box.mp4"}
        (one,) = split.videos("all", Setting(), search="00013 TEST/")
        assert split.view.video_id[one].startswith("test/00013")
        assert not len(split.videos("all", Setting(), search="nowhere"))


class TestOtherTables:
    def test_without_a_student_offer_what_needs_none(self):
        split = SplitAnswers(explored_table(20, 4, student=False, truth=False))
        assert split.scores == ["teacher_max_softmax", "teacher_negative_entropy"]
        assert not split.can_divide
        clips = split.clips(Setting("equidistant", "teacher_max_softmax"), 0)
        assert not {"truth", "confidence", "student_class"} & set(clips)

    def test_without_z_have_the_students_other_scores(self):
        table = explored_table(20, 4)
        table = replace(table, clips=table.clips.drop(columns="confidence"))
        split = SplitAnswers(table)
        assert "confidence" not in split.scores and "student_max_logit" in split.scores
        assert not split.can_divide

    def test_without_a_teacher_are_refused(self):
        table = explored_table(5, 3)
        with pytest.raises(ValueError, match="no teacher_logits: score the videos"):
            SplitAnswers(ClipTable(table.clips, table.classes, None, table.student_logits))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"way": "worst"}, "way must be one of"),
        ({"score": "luck"}, "score must be one of"),
        ({"k_clips": 0}, "k_student <= k_clips"),
        ({"k_clips": 2, "k_student": 3}, "got 3 and 2"),
        ({"way": "random", "k_student": 1}, "take best by z̃"),
        ({"score": "teacher_max_softmax", "k_student": 1}, "take best by z̃"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Setting(**change)


class TestScores:
    def test_are_those_of_the_clips(self, split, table):
        report = ScoreReports(split).of("confidence")
        assert report.values == pytest.approx(table.clips["confidence"].to_numpy())
        assert report.kind.tolist() == table.clips["truth"].tolist()

    def test_fall_into_bins_that_hold_every_clip_once(self, split):
        for score in split.scores:
            report = ScoreReports(split).of(score)
            assert report.histogram.to_numpy().sum() == len(split.table)
            edges = report.edges
            for number, row in report.histogram.iterrows():
                clips = report.clips_in(number)
                assert len(clips) == row.sum()
                values = report.values[clips]
                assert ((values >= edges[number]) & (values <= edges[number + 1])).all()
                assert (np.diff(values) <= 0).all()
                for kind in report.histogram:
                    assert len(report.clips_in(number, kind)) == row[kind]

    def test_agree_with_the_metrics(self, split):
        report = ScoreReports(split).of("teacher_max_softmax")
        coverage, risk = report.risk_curve
        assert coverage[-1] == 1 and risk[-1] == pytest.approx(1 - report.right.mean())
        assert report.numbers["ece"] == ece(report.values, report.right)
        few = ScoreReport(report.values[:100], report.right[:100], report.kind[:100])
        assert few.risk_curve[1].mean() == pytest.approx(aurc(few.values, few.right))

    def test_are_calibrated_by_level_or_by_group(self):
        values = np.array([0.05, 0.95, 0.95, 1.0])
        report = ScoreReport(values, np.array([False, True, True, False]), np.array(["right"] * 4))
        assert report.reliability["accuracy"].tolist() == [0, pytest.approx(2 / 3)]
        assert report.reliability["score"].tolist() == [0.05, pytest.approx(2.9 / 3)]
        entropy = ScoreReport(-np.arange(100.0), np.arange(100) < 50, np.array(["right"] * 100))
        assert entropy.reliability["share"].tolist() == [0.1] * 10
        assert entropy.reliability["accuracy"].tolist() == [0.0] * 5 + [1.0] * 5
        assert "ece" not in entropy.numbers

    def test_are_shown_by_outcome_where_the_truth_is_not_known(self):
        split = SplitAnswers(explored_table(20, 4, truth=False))
        report = ScoreReports(split).of("confidence")
        assert set(report.histogram) == {"right", "wrong"}
        assert report.histogram["right"].sum() == split.teacher_right().sum()
