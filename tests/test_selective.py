"""Selective inference on real files, against the clip tables of the same networks and videos."""

import gc
import itertools
import json
import math
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_clips import FULL_FRAME, FrameByFrame, write_videos
from video_files import mux_video, numbered_frames, spoil

from condi_lib.clip_table import merge_student, read_clip_table
from condi_lib.cost import macs
from condi_lib.evaluation import decide
from condi_lib.models import Student
from condi_lib.sampling import DENSE, SAMPLERS, Adaptive, Divided, Selected
from condi_lib.scoring import score_clips
from condi_lib.selective import ClipNetwork, SelectiveClassifier, decoding
from condi_lib.videos.clips import ClipGrid
from condi_lib.videos.decode import VideoError, read_frames
from condi_lib.videos.loader import ClipSet

CLASSES = ("bright", "dark", "flat")
GRID, SIZE = ClipGrid(4), (16, 16)
N_FRAMES = [11, 3, 8, 29, 4, 7, 44, 5]  # videos of 3, 1, 2, 8, 1, 2, 11 and 2 clips
PREPROCESS = replace(FULL_FRAME, crop_px=12)
POLICIES = [
    DENSE,
    Selected("dense", None, power=3),
    *(Selected("confidence", k) for k in (1, 3, 99)),
    Selected("confidence", 3, power=2),
    *(Selected(name, 2) for name, s in SAMPLERS.items() if s.costs == "student"),
    Selected("equidistant", 3),
    Selected("equidistant", 3, power=2),
    Selected("random", 2),
    *itertools.starmap(Divided, [(1, 1), (4, 0), (4, 2), (5, 5), (99, 3)]),
    *itertools.starmap(Adaptive, itertools.product((0.0, 0.1, 2.0, math.inf), (2, 10), (1, 8))),
    Adaptive(0.5, 3, 0, "student_negative_entropy"),
]


class Probe(torch.nn.Module):
    """Linear in the differences between eight blocks of a clip, so that clips of noise differ."""

    feature_dim = 24

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.fc = torch.nn.Linear(24, len(CLASSES))
        torch.nn.init.normal_(self.fc.weight, std=12)

    def features(self, clips):
        blocks = torch.nn.functional.adaptive_avg_pool3d(clips, 2).flatten(1)
        return blocks - blocks.mean(dim=1, keepdim=True)

    def forward(self, clips):
        return self.fc(self.features(clips))


def probing_student():
    student = Student(Probe(1))
    torch.nn.init.normal_(student.confidence_head.weight, std=12)
    return student


TEACHER, STUDENT = Probe(0).eval(), probing_student().eval()


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    catalog, n_frames = write_videos(tmp_path_factory.mktemp("videos"), N_FRAMES)
    return ClipSet(replace(catalog, classes=CLASSES), GRID, SIZE, n_frames)


@pytest.fixture(scope="module")
def table(clips, tmp_path_factory):
    """What both networks say of all clips."""
    rows, tables = np.arange(len(clips)), {}
    for role, model in (("teacher", TEACHER), ("student", STUDENT)):
        folder = tmp_path_factory.mktemp(role)
        score_clips(model, clips, rows, PREPROCESS, folder, role, batch_size=5)
        tables[role] = read_clip_table(folder)
    return merge_student(tables["teacher"], tables["student"])


@pytest.fixture(scope="module")
def paths(clips):
    return [record.path for record in clips.catalog]


def classifier(policy, batch_size=4, student=STUDENT, **settings):
    networks = ClipNetwork(TEACHER, PREPROCESS), student and ClipNetwork(student, PREPROCESS)
    settings = {"device": "cpu", "batch_size": batch_size} | settings
    return SelectiveClassifier(*networks, policy, CLASSES, GRID, SIZE, **settings)


def test_the_networks_tell_clips_apart(table):
    """Otherwise agreement below would mean nothing."""
    z = table.clips["confidence"]
    assert z.std() > 0.05 and z.between(1e-6, 1 - 1e-6).all()
    for logits in (table.teacher_logits, table.student_logits):
        assert len(logits.argmax(dim=1).unique()) > 1 and logits.std(dim=0).min() > 0.1
    answers = [decide(table, policy).probs for policy in POLICIES]
    assert len({np.round(probs, 6).tobytes() for probs in answers}) > len(POLICIES) / 2


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_files_are_answered_as_tables_are(policy, table, paths):
    expected = decide(table, policy)
    found = list(classifier(policy).predict_many(paths))
    assert [each.video for each in found] == list(map(str, paths))
    np.testing.assert_allclose([each.probs for each in found], expected.probs, atol=1e-5)
    assert [each.n_teacher for each in found] == expected.n_teacher.tolist()
    assert [each.n_student for each in found] == expected.n_student.tolist()


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize(
    "settings",
    [{"batch_size": 1}, {"batch_size": 64}, {"decoders": 0}, {"decoders": 3, "workers": 3}],
    ids=str,
)
def test_batches_and_threads_change_nothing(policy, settings, table, paths):
    expected = decide(table, policy)
    found = list(classifier(policy, **settings).predict_many(paths))
    np.testing.assert_allclose([each.probs for each in found], expected.probs, atol=1e-5)
    assert [each.n_teacher for each in found] == expected.n_teacher.tolist()


class Watched(torch.nn.Module):
    """Counts the clips that a network is shown."""

    def __init__(self, model):
        super().__init__()
        self.model, self.n_clips, self.one_at_a_time = model, 0, threading.Lock()

    def forward(self, clips):
        with self.one_at_a_time:  # a batch is divided between threads
            self.n_clips += len(clips)
        return self.model(clips)


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_teacher_really_skips(policy, table, paths):
    teacher, student = Watched(TEACHER), Watched(STUDENT)
    networks = ClipNetwork(teacher, PREPROCESS), ClipNetwork(student, PREPROCESS)
    watched = SelectiveClassifier(*networks, policy, CLASSES, GRID, SIZE, "stretch", 4, "cpu")
    teacher.n_clips = student.n_clips = 0  # it was asked what kind of network it is
    found = list(watched.predict_many(paths))
    assert teacher.n_clips == sum(each.n_teacher for each in found)
    assert student.n_clips == sum(each.n_student for each in found)
    assert teacher.n_clips == decide(table, policy).n_teacher.sum()


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_clip_rows_add_up_to_the_answer(policy, table, paths):
    view = table.dense(3, 4)
    (answer,) = classifier(policy).predict_many([paths[3]])
    rows = answer.clips
    assert rows["clip_index"].tolist() == list(range(8)) and len(rows) == 8
    teacher, student = (logits[0].softmax(dim=1).double().numpy() for logits in (
        view.teacher_logits, view.student_logits
    ))  # fmt: skip
    mixed = (
        rows["teacher_weight"].to_numpy() @ teacher + rows["student_weight"].to_numpy() @ student
    )
    np.testing.assert_allclose(mixed, answer.probs, atol=1e-5)
    seen = rows["teacher_class"].notna().to_numpy()
    assert seen.sum() == answer.n_teacher and not rows["teacher_weight"].to_numpy()[~seen].any()
    np.testing.assert_allclose(
        rows["teacher_prob"].to_numpy()[seen], teacher.max(1)[seen], atol=1e-5
    )
    of_answer = teacher[:, CLASSES.index(answer.label)]
    np.testing.assert_allclose(rows["answer_teacher_prob"][seen], of_answer[seen], atol=1e-5)
    if policy.ranking is not None:
        np.testing.assert_allclose(rows["confidence"], view.confidence[0], atol=1e-5)
        np.testing.assert_allclose(rows["student_prob"], student.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(rows["start_sec"], rows["start_frame"] / 30)
    assert not rows["damaged"].any()  # nor are those that nobody looked at


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_frames_are_answered_as_their_file(policy, paths):
    for path in (paths[3], paths[1]):
        frames = read_frames(path)
        of_file = classifier(policy).predict(path)
        of_frames = classifier(policy).predict(frames)
        np.testing.assert_allclose(of_frames.probs, of_file.probs, atol=1e-6)
        assert of_frames.n_frames == len(frames) and of_frames.fps is None
        if policy.ranking is None and policy.most_clips is not None:
            with pytest.raises(ValueError, match="how many frames there are"):
                classifier(policy).predict(iter(frames))
        else:
            np.testing.assert_allclose(
                classifier(policy).predict(iter(frames)).probs, of_file.probs, atol=1e-6
            )


def test_a_bad_file_among_good_ones(paths, tmp_path):
    bad = [tmp_path / "missing.mp4", tmp_path / "text.mp4", tmp_path]
    bad[1].write_text("no video")
    for policy, decoders in itertools.product(
        (DENSE, Selected(k_clips=2), Adaptive(0.2)), (0, 1, 2)
    ):
        mixed = [bad[0], paths[0], bad[1], paths[6], bad[2], paths[1]]
        found = list(classifier(policy, decoders=decoders).predict_many(mixed))
        assert [isinstance(each, VideoError) for each in found] == [True, False] * 3
        assert [found[i].path for i in (0, 2, 4)] == bad
        good = list(classifier(policy).predict_many([paths[0], paths[6], paths[1]]))
        for a, b in zip(good, found[1::2], strict=True):
            np.testing.assert_allclose(a.probs, b.probs, atol=1e-6)
    with pytest.raises(VideoError, match=r"missing\.mp4: does not exist"):
        classifier(DENSE).predict(bad[0])


@pytest.mark.parametrize("policy", [DENSE, Selected("equidistant", 2), Selected("random", 1)])
def test_where_damage_ends_a_video_all_its_clips_so_far_are_told(policy, tmp_path):
    source = mux_video(tmp_path / "whole.avi", numbered_frames(100), codec="mpeg4")
    answer = classifier(policy).predict(spoil(source, tmp_path / "damaged.avi", 62))
    assert answer.stopped_at_frame == 62 and answer.n_frames is None
    assert answer.clips["clip_index"].tolist() == list(range(16))  # frames 60 and 61 are the last
    assert answer.dense_gmacs == pytest.approx(16 * macs(TEACHER, (3, 4, 12, 12)) / 1e9)


def test_one_file_is_no_list_of_files(paths):
    for one in (paths[0], str(paths[0])):
        with pytest.raises(TypeError, match=r"need a list of videos, got '.*0_bright\.mp4'"):
            next(classifier(DENSE).predict_many(one))


def test_no_videos_no_answers():
    assert list(classifier(DENSE).predict_many([])) == []


def test_mistakes_in_frames_are_errors():
    frame = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(TypeError, match="frame 1 handed over: must be a numpy array of uint8"):
        classifier(DENSE).predict([frame, frame.astype(float)])
    with pytest.raises(ValueError, match="frame 2 handed over: has shape"):
        classifier(DENSE).predict([frame, frame, frame[:10]])
    with pytest.raises(ValueError, match="no frames"):
        classifier(DENSE).predict([])


# --- memory and threads -------------------------------------------------------------------------


def noise(n_frames):
    rng = np.random.default_rng(0)
    for _ in range(n_frames):
        yield rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "policy",
    [
        DENSE,
        Selected(k_clips=3),
        Selected("dense", None, 2),
        Divided(5, 2),
        Adaptive(0.1, 5),
        Adaptive(math.inf, 5),
    ],
    ids=str,
)
def test_clips_in_memory_are_bounded_whatever_the_length(policy, monkeypatch):
    """Counts the decoded clips that are alive, in one long video and in many short ones."""
    alive, most = weakref.WeakSet(), 0
    make = decoding._tensor

    def counted(pixels):
        nonlocal most
        tensor = make(pixels)
        alive.add(tensor)
        most = max(most, len(alive))
        return tensor

    monkeypatch.setattr(decoding, "_tensor", counted)
    model = classifier(policy, batch_size=3)
    for lengths in ([4 * 150], [8] * 40, [4] * 40, [40] * 8):
        list(model.predict_many(noise(n) for n in lengths))
        for _ in range(600):  # a thread that was told to stop may hold its last clip for a while
            gc.collect()
            if not alive:
                break
            time.sleep(0.1)
        assert not alive
    assert 3 <= most <= model.clips_in_memory


def ended(n_threads, patience_sec=120):
    """Whether no more than so many threads go on; on a busy machine they need time to end."""
    latest = time.monotonic() + patience_sec
    while threading.active_count() > n_threads and time.monotonic() < latest:
        time.sleep(0.05)
    assert threading.active_count() <= n_threads


def test_who_stops_listening_stops_the_decoder(paths):
    model = classifier(DENSE, decoders=2)
    before = threading.active_count()
    answers = model.predict_many(itertools.cycle(paths))
    next(answers)
    assert threading.active_count() > before
    answers.close()
    ended(before)


def test_who_stops_listening_does_not_wait_for_frames_that_do_not_come(paths):
    model, more = classifier(DENSE, batch_size=1), threading.Event()
    before = threading.active_count()

    def camera():
        yield from noise(4)
        more.wait()
        yield from noise(4)

    answers = model.predict_many([paths[0], camera()])
    next(answers)
    rescue = threading.Timer(60, more.set)  # or a failure would hang
    rescue.start()
    answers.close()
    assert not more.is_set()
    rescue.cancel()
    more.set()
    ended(before)


def test_videos_are_taken_from_the_list_as_they_are_needed(paths):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield paths[number % len(paths)]

    answers = classifier(DENSE, batch_size=2).predict_many(endless())
    next(answers)
    time.sleep(0.3)
    assert len(taken) < 8
    answers.close()


@pytest.mark.parametrize("decoders", [0, 1, 2])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the list broke"),
        VideoError("a.txt", "the list broke", "mend it"),
        SystemExit(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_caller_s_list_is_raised(error, decoders, paths):
    def broken():
        yield paths[0]
        raise error

    answers = classifier(DENSE, batch_size=1, decoders=decoders).predict_many(broken())
    with pytest.raises(type(error)) as found:
        list(answers)
    assert found.value is error


def test_frames_that_end_their_thread_leave_nobody_waiting():
    def frames():
        yield from noise(9)
        raise SystemExit("the camera's driver gave up")

    with pytest.raises(SystemExit, match="gave up"):
        classifier(DENSE).predict(frames())


@pytest.fixture
def two_threads():
    """As many as torch would use on two cores, whatever OMP_NUM_THREADS says."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_dividing_a_batch_leaves_torch_s_threads_as_they_were(paths, two_threads):
    threads = []

    class Asked(torch.nn.Module):
        def forward(self, clips):
            threads.append((threading.get_ident(), torch.get_num_threads(), len(clips)))
            return TEACHER(clips)

    network = ClipNetwork(Asked(), PREPROCESS)
    model = SelectiveClassifier(network, None, DENSE, CLASSES, GRID, SIZE, batch_size=8, workers=3)
    threads.clear()  # its multiply-accumulates were counted
    model.predict(paths[3])
    assert sorted(n for _, _, n in threads) == [2, 3, 3]
    assert {n for _, n, _ in threads} == {1}
    assert threading.get_ident() not in {ident for ident, _, _ in threads}
    assert torch.get_num_threads() == 2


def test_another_policy_for_the_same_networks(table, paths):
    model = classifier(Selected(k_clips=1))
    for policy in (Adaptive(0.5, 4), DENSE):
        other = model.with_policy(policy)
        found = [each.probs for each in other.predict_many(paths)]
        np.testing.assert_allclose(found, decide(table, policy).probs, atol=1e-5)
    assert model.policy == Selected(k_clips=1)
    with pytest.raises(ValueError, match="needs a student; give one"):
        classifier(DENSE, student=None).with_policy(Divided(2, 1))


def test_optimised_networks_answer_alike(paths, no_bf16):
    model = classifier(Selected(k_clips=2), workers=2)
    before = [each.probs for each in model.predict_many(paths)]
    clips = torch.from_numpy(
        np.stack([read_frames(path)[:4] for path in paths if path != paths[1]])
    )
    model.optimize(clips)
    after = [each.probs for each in model.predict_many(paths)]
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert model.predict(paths[3]).gmacs == classifier(Selected(k_clips=2)).predict(paths[3]).gmacs


# --- live ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy", [p for p in POLICIES if p.ranking is not None or p.most_clips is None], ids=str
)
def test_live_is_the_video_so_far(policy, paths):
    frames = read_frames(paths[6])
    session = classifier(policy).live()
    with pytest.raises(ValueError, match="0 frames so far; an answer needs a clip of 4"):
        session.prediction()
    for number, frame in enumerate(frames, start=1):
        session.add(frame)
        if number in (4, 7, 16, 30, 44):
            so_far = classifier(policy).predict(frames[: number - number % 4])
            found = session.prediction()
            np.testing.assert_allclose(found.probs, so_far.probs, atol=1e-5)
            assert found.n_frames == number and len(found.clips) == number // 4


def test_live_asks_the_teacher_about_a_clip_once(paths):
    teacher = Watched(TEACHER)
    networks = ClipNetwork(teacher, PREPROCESS), ClipNetwork(STUDENT, PREPROCESS)
    session = SelectiveClassifier(*networks, Selected(k_clips=2), CLASSES, GRID, SIZE).live()
    teacher.n_clips = 0  # its multiply-accumulates were counted
    for frame in read_frames(paths[6]):
        session.add(frame)
        if session._video.arrived:
            session.prediction()
            assert len(session._video.pixels) <= 2
    assert teacher.n_clips == len(session._video.teacher) <= 11


@pytest.mark.parametrize("name", ["equidistant", "random"])
def test_live_needs_a_policy_that_does_not_look_ahead(name):
    with pytest.raises(ValueError, match="a video whose end is not known yet"):
        classifier(Selected(name, 2)).live()


# --- what it costs ------------------------------------------------------------------------------


def test_costs_are_counted(paths):
    teacher, student = (macs(model, (3, 4, 12, 12)) / 1e9 for model in (TEACHER, STUDENT))
    answer = classifier(Selected(k_clips=3)).predict(paths[6])
    assert answer.gmacs == pytest.approx(3 * teacher + 11 * student)
    assert answer.dense_gmacs == pytest.approx(11 * teacher)
    seconds = answer.seconds
    assert 0 < seconds["teacher"] + seconds["student"] <= seconds["total"]
    per_clip = seconds["teacher"] / 3
    assert answer.dense_sec == pytest.approx(11 * per_clip + seconds["decode"])
    alone = classifier(Divided(3, 3)).predict(paths[6])
    assert alone.dense_sec is None and alone.gmacs == pytest.approx(11 * student)


def test_warming_up_counts_for_nothing(paths):
    plain, warm = classifier(Selected(k_clips=2)), classifier(Selected(k_clips=2))
    warm.warm_up()
    assert warm.rates() == plain.rates() and warm.rates().teacher_sec is None
    np.testing.assert_array_equal(warm.predict(paths[3]).probs, plain.predict(paths[3]).probs)


def test_a_prediction_as_json(paths):
    answer = classifier(Selected(k_clips=2)).predict(paths[6])
    told = json.loads(json.dumps(answer.as_dict(k=2), allow_nan=False))
    assert told["label"] == answer.label == told["top"][0]["class"]
    assert [each["prob"] for each in told["top"]] == pytest.approx(
        sorted(answer.probs)[:-3:-1], abs=1e-6
    )
    unseen = [clip for clip in told["clips"] if clip["teacher_class"] is None]
    assert len(unseen) == 9 and all(clip["teacher_prob"] is None for clip in unseen)
    assert told["policy"] == "2 clips, best by confidence" and told["n_clips"] == 11


# --- networks that see less, and what does not fit ------------------------------------------------


def test_a_student_may_see_fewer_and_smaller_frames(paths):
    """Every other frame, and pixels averaged down, here about 2 x 2 of them."""
    shown = []

    class Spy(torch.nn.Module):
        def forward(self, clips):
            shown.append(clips)
            return STUDENT(clips)

    plain = replace(PREPROCESS, crop_px=8, mean=(0.0,) * 3, std=(1 / 255,) * 3)
    small = ClipNetwork(Spy(), plain, every=2, size_px=(8, 8))
    pair = ClipNetwork(TEACHER, PREPROCESS), small
    SelectiveClassifier(*pair, Selected(k_clips=1), CLASSES, GRID, SIZE, workers=1).predict(
        paths[0]
    )
    first = shown[-1][0]  # [3, 2, 8, 8]
    assert first.shape == (3, 2, 8, 8)
    frames = read_frames(paths[0])[[0, 2]].astype(float)
    block = frames.reshape(2, 8, 2, 8, 2, 3).mean(axis=(2, 4, 5))
    assert np.corrcoef(block.ravel(), first.mean(0).numpy().ravel())[0, 1] > 0.9
    assert first.mean() == pytest.approx(frames.mean(), abs=0.5)


def test_a_network_with_2d_convolutions_is_shown_clips(paths):
    frames, model = read_frames(paths[3])[:4], FrameByFrame(3)
    answer = SelectiveClassifier(
        ClipNetwork(model, PREPROCESS), None, DENSE, CLASSES, GRID, SIZE
    ).predict(frames)
    with torch.no_grad():
        logits = model(PREPROCESS(torch.from_numpy(frames)[None]))
    np.testing.assert_allclose(answer.probs, logits[0].softmax(dim=0), atol=1e-5)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="needs a student; give one"):
        classifier(Selected(k_clips=2), student=None)
    with pytest.raises(ValueError, match="needs a student with a confidence head"):
        classifier(Selected(k_clips=2), student=STUDENT.backbone)
    classifier(Selected("student_negative_entropy", 2), student=STUDENT.backbone)
    for wrong in ({"batch_size": 0}, {"decoders": -1}, {"workers": 0}):
        with pytest.raises(ValueError, match="need batch_size >= 1, decoders >= 0, workers >= 1"):
            classifier(DENSE, **wrong)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        classifier(Selected("random", 2), seed=-1)
    with pytest.raises(ValueError, match="every must be at least 1"):
        ClipNetwork(TEACHER, PREPROCESS, every=0)
    big = ClipNetwork(STUDENT, PREPROCESS, size_px=(32, 32))
    with pytest.raises(ValueError, match="decoded to 16 x 16 px, but a network wants 32"):
        SelectiveClassifier(
            ClipNetwork(TEACHER, PREPROCESS), big, Selected(k_clips=1), CLASSES, GRID, SIZE
        )


class Multiplied(torch.nn.Module):
    def __init__(self, model, factor):
        super().__init__()
        self.model, self.factor = model, factor

    def forward(self, clips):
        return self.model(clips) * self.factor


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_logits_that_are_no_numbers_are_an_error(factor, paths):
    """Or the answer would be the first class, with probability NaN."""
    message = r"0_bright\.mp4: the {} gave NaN or infinite logits for clip 0; find out why"
    teacher = ClipNetwork(Multiplied(TEACHER, factor), PREPROCESS)
    model = SelectiveClassifier(teacher, None, DENSE, CLASSES, GRID, SIZE)
    with pytest.raises(ValueError, match=message.format("teacher")):
        model.predict(paths[0])
    student = Multiplied(STUDENT.backbone, factor)
    by_logit = Selected("student_max_logit", 2)
    with pytest.raises(ValueError, match=message.format("student")):
        classifier(by_logit, student=student).predict(paths[0])


def test_a_score_that_is_no_number_is_an_error(paths):
    class Lost(torch.nn.Module):
        def forward(self, clips):
            output = STUDENT(clips)
            return output._replace(confidence_logit=output.confidence_logit * math.nan)

    with pytest.raises(ValueError, match=r"0_bright\.mp4: the student's score of clip 0 is NaN"):
        classifier(Selected(k_clips=1), student=Lost()).predict(paths[0])
