"""`predict` on real files with real networks: what it tells, what it refuses, what it leaves."""

import json
import os
import pickle
import signal
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from predictions import prediction
from tiny_study import N_VIDEOS, process, run_command, tiny, write_params
from video_files import mux_video, numbered_frames, read_numbers

from condi_lib.__main__ import main
from condi_lib.evaluation import choose_adaptive
from condi_lib.models import Student, load_weights
from condi_lib.predict.files import LineFile, picture_paths
from condi_lib.predict.models import load_classifier
from condi_lib.predict.options import ClipOptions, NetworkOptions, OutputOptions
from condi_lib.predict.report import read_thumbnails, report
from condi_lib.predict.run import predict_all, run_predict
from condi_lib.study import ensure, open_study, read_study
from condi_lib.study.specs import run_folder
from condi_lib.videos.decode import read_frames, write_video

N_FRAMES = 38  # ten clips of 4 frames, the last one of 2
STUDY = ("--study", "tiny")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which the tiny study has been computed."""
    root = tmp_path_factory.mktemp("project")
    write_params(root, tiny(losses={"condi_sr": {}, "st_ent": {}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONDI_ROOT", str(root))
        for name in ("condi_sr", "st_ent"):
            ensure(read_study("tiny").student_of(name, 0))
        yield root


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Three videos of noise, whose clips differ in brightness."""
    folder, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(0)
    paths = [folder / f"noise_{index}.mp4" for index in range(3)]
    for path in paths:
        level = np.repeat(rng.integers(60, 200, 10), 4)[:N_FRAMES, None, None, None]
        noise = rng.normal(level, 30, (N_FRAMES, 32, 24, 3))
        write_video(path, np.clip(noise, 0, 255).astype(np.uint8), fps=10)
    return [str(path) for path in paths]


@pytest.fixture
def predict(project, monkeypatch, capsys):
    """Run the command; exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["condi_lib", "predict", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return (end.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"<html>not available</html>")
    return str(path)


def weights(role):
    spec = read_study("tiny")
    run = spec.teacher_of(0) if role == "teacher" else spec.student_of("condi_sr", 0)
    return run_folder(run) / "weights.safetensors"


@torch.inference_mode()
def said(video):
    """Softmax ``[10, C]`` of teacher and student, and z̃ ``[10]``, computed clip by clip."""
    frames = read_frames(video, size_px=(16, 16))
    clips = [frames[np.arange(start, start + 4)] for start in range(0, 36, 4)]
    clips.append(frames[[36, 37, 36, 37]])
    teacher, found = load_weights(weights("teacher")), load_weights(weights("student"))
    shown = teacher.preprocess(torch.from_numpy(np.stack(clips)))
    student = Student(found.build())
    student.confidence_head.load_state_dict(found.confidence_head)
    output = student.eval()(shown)
    logits = teacher.build().eval()(shown), output.class_logits
    probs = [each.double().softmax(dim=1).numpy() for each in logits]
    return *probs, output.confidence_logit.double().sigmoid().numpy()


def expected(video, mode):
    """Probabilities, and the clips that count, by their definitions."""
    teacher, student, z = said(video)
    best = np.argsort(-z, kind="stable")
    if mode == "top-k":
        return teacher[best[:3]].mean(axis=0), sorted(best[:3])
    if mode == "weighted":
        share = z[best[:3]] ** 2 / (z[best[:3]] ** 2).sum()
        return share @ teacher[best[:3]], sorted(best[:3])
    if mode == "dense":
        return teacher.mean(axis=0), list(range(10))
    if mode == "equidistant":
        return teacher[[1, 5, 8]].mean(axis=0), [1, 5, 8]
    if mode == "student alone":
        return (z**8 / (z**8).sum()) @ student, list(range(10))
    entropy = -(student * np.log(student)).sum(axis=1)
    if mode == "entropy":
        surest = np.argsort(entropy, kind="stable")[:3]
        return teacher[surest].mean(axis=0), sorted(surest)
    mine, yours = set(best[:2]), set(np.argsort(entropy, kind="stable")[:2])
    parts = [
        np.mean(
            [p[clip] for p, kept in ((teacher, mine), (student, yours)) if clip in kept], axis=0
        )
        for clip in sorted(mine | yours)
    ]
    return np.mean(parts, axis=0), sorted(mine | yours)


MODES = {
    "top-k": ("--k-clips", 3),
    "weighted": ("--k-clips", 3, "--power", 2),
    "entropy": ("--k-clips", 3, "--score", "student_negative_entropy"),
    "dense": ("--mode", "dense"),
    "equidistant": ("--mode", "equidistant", "--k-clips", 3),
    "division": ("--mode", "division", "--k-clips", 4, "--k-student", 2),
    "student alone": ("--mode", "adaptive", "--threshold", 0),
}


@pytest.mark.parametrize("mode", MODES)
def test_json_says_what_the_networks_say(predict, videos, mode):
    status, out, err = predict(*videos[:2], *STUDY, "--json", "--top", 12, *MODES[mode])
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 2
    for video, line in zip(videos, lines, strict=False):
        probs, kept = expected(video, mode)
        found = json.loads(line)
        names = load_weights(weights("teacher")).classes
        by_name = {each["class"]: each["prob"] for each in found["top"]}
        assert [by_name[name] for name in names] == pytest.approx(probs.tolist(), abs=1e-5)
        assert (found["video"], found["label"]) == (video, names[probs.argmax()])
        clips = found["clips"]
        weight = [clip["teacher_weight"] + clip["student_weight"] for clip in clips]
        assert np.flatnonzero(weight).tolist() == kept
        assert sum(weight) == pytest.approx(1, abs=1e-5)
        assert (found["n_clips"], found["n_frames"], len(clips)) == (10, N_FRAMES, 10)
        assert [clip["start_sec"] for clip in clips] == pytest.approx(np.arange(10) * 0.4)


def test_json_says_why_clips_were_kept(predict, videos):
    _, out, _ = predict(videos[0], *STUDY, "--json", "--k-clips", 3)
    teacher, student, z = said(videos[0])
    clips = json.loads(out)["clips"]
    assert [clip["confidence"] for clip in clips] == pytest.approx(z.tolist(), abs=1e-5)
    assert [clip["score"] for clip in clips] == pytest.approx(z.tolist(), abs=1e-5)
    student_probs = [clip["student_prob"] for clip in clips]
    assert student_probs == pytest.approx(student.max(axis=1).tolist(), abs=1e-5)
    kept = [clip for clip in clips if clip["teacher_class"] is not None]
    assert {clip["clip_index"] for clip in kept} == set(np.argsort(-z)[:3].tolist())
    for clip in kept:
        best = teacher[clip["clip_index"]].max()
        assert clip["teacher_prob"] == pytest.approx(best, abs=1e-5)


def test_without_json_the_same_is_told_to_people(predict, videos):
    _, out, _ = predict(videos[0], *STUDY, "--json", "--k-clips", 3)
    found = json.loads(out)
    status, out, err = predict(videos[0], *STUDY, "--k-clips", 3, "--top", 2)
    lines = out.splitlines()
    assert (status, err, lines[0]) == (0, "", videos[0])
    for line, best in zip(lines[1:3], found["top"], strict=False):
        assert line.split("%")[1].strip() == best["class"].replace("_", " ")
        assert float(line.split("%")[0]) == pytest.approx(100 * best["prob"], abs=0.05)
    assert lines[3] == "clips: 3 clips, best by confidence; the teacher saw 3 of 10, the student 10"
    z = np.array([clip["confidence"] for clip in found["clips"]])
    rank = (-z).argsort().argsort() + 1
    for line, clip in zip(lines[5:8], sorted(np.argsort(-z)[:3]), strict=True):
        wanted = [
            f"{clip}",
            f"{0.4 * clip:.2f}",
            "s",
            f"{z[clip]:.3f}",
            f"{rank[clip]}",
            "33.3",
            "%",
        ]
        assert line.split()[:7] == wanted
    assert lines[8].startswith("time: ")
    assert lines[9].endswith(" % of dense")


def test_a_report_counts_what_is_not_listed_and_what_is_damaged():
    told = report(
        prediction(40, teacher=range(5, 10), student=range(10, 35), damaged=[0, 1])
    ).split("\n")
    assert told[4].endswith("the teacher saw 5 of 40, the student 38")
    assert sum(line.lstrip()[:1].isdigit() and " s " in line for line in told[6:26]) == 20
    assert told[26].strip() == "and 10 more, 33.3 % of the weight together"
    assert told[-2] == "arithmetic: 1.2 GMAC, 60.0 % of dense"
    assert told[-1] == "damaged: 32 frames, 2 clips left out"


def test_a_report_is_silent_about_arithmetic_that_cannot_be_counted():
    for uncounted in ({"gmacs": np.nan, "dense_gmacs": np.nan}, {"gmacs": np.nan}):
        assert "arithmetic" not in report(prediction(3, teacher=[1], **uncounted))


def test_a_bad_file_is_reported_and_the_rest_goes_on(predict, videos, bad, tmp_path):
    folder = str(tmp_path)
    missing = str(tmp_path / "missing.mp4")
    asked = [videos[0], bad, folder, videos[1], missing]
    status, out, err = predict(*asked, *STUDY, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [line["video"] for line in lines] == asked
    assert ["error" in line for line in lines] == [False, True, True, False, True]
    assert [line.split(": ")[1] for line in err.splitlines()] == [bad, folder, missing]
    assert lines[2]["error"].startswith(f"{folder}: is a folder; ")
    status, out, err = predict(*asked, *STUDY)
    assert status == 1
    assert [line for line in out.splitlines() if line in asked] == [videos[0], videos[1]]
    assert [line.split(": ")[1] for line in err.splitlines()] == [bad, folder, missing]


def test_several_videos_are_what_each_is_alone(predict, videos):
    _, together, _ = predict(*videos, *STUDY, "--json", "--top", 12)
    for video, line in zip(videos, together.splitlines(), strict=True):
        alone = json.loads(predict(video, *STUDY, "--json", "--top", 12)[1])
        for one, other in zip(alone["top"], json.loads(line)["top"], strict=True):
            assert one["class"] == other["class"]
            assert one["prob"] == pytest.approx(other["prob"], abs=2e-6)


def test_networks_from_files_are_those_of_the_study(predict, videos):
    files = ("--teacher", weights("teacher"), "--student", weights("student"))
    tops = [json.loads(predict(videos[0], *which, "--json")[1])["top"] for which in (files, STUDY)]
    assert tops[0] == tops[1]
    status, out, _ = predict(
        videos[0], "--teacher", weights("teacher"), "--json", "--mode", "dense"
    )
    assert status == 0
    assert json.loads(out)["n_student"] == 0


def test_random_clips_are_drawn_by_the_seed(predict, videos):
    def kept(seed):
        files = ("--teacher", weights("teacher"), "--seed", seed)
        _, out, _ = predict(videos[0], *files, "--mode", "random", "--k-clips", 3, "--json")
        return [c["clip_index"] for c in json.loads(out)["clips"] if c["teacher_weight"] > 0]

    draws = [kept(seed) for seed in range(4)]
    assert all(len(draw) == 3 for draw in draws)
    assert len(set(map(tuple, draws))) > 1
    assert kept(2) == draws[2]


def test_a_threshold_is_chosen_on_the_studys_validation_videos(predict, videos):
    table = open_study("tiny").table("condi_sr", 0, "val")
    adaptive = (*STUDY, "--json", "--mode", "adaptive")
    _, out, _ = predict(videos[0], *adaptive, "--budget", 1, "--k-clips", 2)
    assert json.loads(out)["policy"] == str(choose_adaptive(table, budget=1, max_clips=2))
    chosen = choose_adaptive(table, target_accuracy=1 / N_VIDEOS, powers=(4.0,))
    clips = ClipOptions("adaptive", power=4.0, target_accuracy=1 / N_VIDEOS)
    assert load_classifier(NetworkOptions(study="tiny"), clips, []).policy == chosen


WRONG = {
    "name one or more video files": (),
    "--k-student: not used by --mode top-k": ("--k-student", 2),
    "--k-clips, --score: not used by --mode dense": (
        *("--mode", "dense", "--k-clips", 3, "--score", "confidence"),
    ),
    "--budget: not used by --mode top-k": ("--budget", 2),
    "--mode division: give --k-student": ("--mode", "division"),
    "need 0 <= k_student <= k_clips": ("--mode", "division", "--k-student", 7),
    "by one of --threshold, --budget, --target-accuracy": ("--mode", "adaptive"),
    "by one of --threshold,": ("--mode", "adaptive", "--threshold", 1, "--budget", 1),
    "threshold must be at least 0": ("--mode", "adaptive", "--threshold", -1),
    "no threshold reaches a video accuracy": ("--mode", "adaptive", "--target-accuracy", 1.01),
    "k_clips must be at least 1": ("--k-clips", 0),
    "power must be at least 0": ("--power", "nan"),
    "--top must be at least 1": ("--top", 0),
    "--seed 7: the study tiny has the seeds [0]": ("--seed", 7),
    "--loss naive: the study tiny has the students ['condi_sr', 'st_ent']": ("--loss", "naive"),
    "needs a student with a confidence head": ("--loss", "st_ent"),
    "out.jpg: must end in one of .png, .pdf, .svg": ("--plot", "out.jpg"),
    "there is no folder nowhere; make it first": ("--output", "nowhere/out.jsonl"),
    "/dev/null: is no ordinary file": ("--output", "/dev/null"),
    "b.mp4: must end in one of .jsonl, .json, .ndjson, .txt": ("--output", "b.mp4"),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_mistake_in_the_options_is_one_line_and_status_2(predict, videos, message):
    shown = videos[:1] if WRONG[message] else []
    status, out, err = predict(*shown, *STUDY, *WRONG[message])
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_networks_come_from_one_place(predict, videos):
    teacher = ("--teacher", weights("teacher"))
    assert "not both" in predict(videos[0], *STUDY, *teacher)[2]
    assert "--student without --teacher" in predict(videos[0], "--student", weights("student"))[2]
    assert "needs a student; give --student" in predict(videos[0], *teacher)[2]
    both = (*teacher, "--student", weights("student"), "--mode", "adaptive", "--budget", 1)
    assert "give --threshold" in predict(videos[0], *both)[2]
    assert predict(videos[0], "--mode", "best")[0] == 2  # refused by the parser
    assert predict(videos[0], "--study", "reference")[0] == 2


def test_nothing_is_trained_on_the_way(root, videos, monkeypatch, capsys):
    write_params(root, tiny(), "embedded")
    write_params(root, tiny(), "mine")
    for name, command in {
        "embedded": "make study",
        "mine": "python -m condi_lib study mine",
    }.items():
        options = (NetworkOptions(study=name), ClipOptions(), OutputOptions())
        assert run_predict(videos, *options) == 2
        err = capsys.readouterr().err
        assert f"the study {name} have not been computed; run `{command}`" in err
        assert err.count("\n") == 1
    assert run_predict(videos, NetworkOptions(), ClipOptions(), OutputOptions()) == 2
    assert "make study" in capsys.readouterr().err
    assert not (root / "data").exists()


class Intruder:
    """Would make a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_weights_that_carry_code_are_refused(predict, videos, tmp_path):
    trap = tmp_path / "executed"
    torch.save(
        {"state_dict": {"fc.weight": torch.zeros(2, 2)}, "x": Intruder(trap)}, tmp_path / "w.pth"
    )
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(Intruder(trap)))
    (tmp_path / "w.safetensors").write_bytes(b"not weights at all")
    for name in ("w.pth", "w.pkl", "w.safetensors", "missing.pth"):
        path = tmp_path / name
        status, out, err = predict(videos[0], "--teacher", path, "--mode", "dense")
        assert (status, out) == (2, "")
        assert err.startswith(f"error: {path}")
        assert err.count("\n") == 1
    assert not trap.exists()


def test_output_holds_the_lines_that_json_prints(predict, videos, bad, tmp_path):
    target = tmp_path / "out.jsonl"
    target.write_text("old\n")
    status, out, _ = predict(*videos, bad, *STUDY, "--json", "--output", target)
    assert status == 1
    assert target.read_text() == out
    predict(videos[0], *STUDY, "--output", target)
    (line,) = target.read_text().splitlines()
    assert json.loads(line)["video"] == videos[0]
    assert list(tmp_path.glob(".*")) == []


def test_a_picture_of_each_video(predict, videos, bad, tmp_path):
    assert predict(videos[0], *STUDY, "--plot", tmp_path / "one.png")[0] == 0
    assert predict(*videos[:2], bad, *STUDY, "--plot", tmp_path / "all.png")[0] == 1
    names = ["all-noise_0.png", "all-noise_1.png", "one.png"]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == names
    for name in names:
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            assert picture.width > 1200
    assert list(tmp_path.glob(".*")) == []


def test_a_file_that_vanishes_before_its_picture_is_reported(project, videos, tmp_path, capsys):
    """The rest goes on: its line is told, the next video has a picture."""
    copies = [str(tmp_path / f"{number}.mp4") for number in range(2)]
    for copy in copies:
        Path(copy).write_bytes(Path(videos[0]).read_bytes())
    classifier = load_classifier(NetworkOptions(study="tiny"), ClipOptions(), copies)

    class Vanishing:
        def predict_many(self, paths):
            for answer in classifier.predict_many(paths):
                if answer.video == copies[0]:
                    Path(copies[0]).unlink()
                yield answer

    output = OutputOptions(json=True, plot=str(tmp_path / "out.png"))
    assert predict_all(Vanishing(), copies, output) == 1
    told = capsys.readouterr()
    assert [json.loads(line)["video"] for line in told.out.splitlines()] == copies
    assert "0.mp4: does not exist" in told.err
    assert [path.name for path in tmp_path.glob("*.png")] == ["out-1.png"]


@pytest.mark.parametrize("name", [b"\xff.mp4", "動画 $x_1$.mp4".encode(), b"a\nb.mp4"])
def test_any_name_of_a_file_can_be_told(predict, videos, tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(Path(videos[0]).read_bytes())
    missing = tmp_path / f"no {path.name}"
    asked = (path, missing, *STUDY, "--plot", tmp_path / "p.png")
    status, out, _ = predict(*asked, "--json", "--output", tmp_path / "o.jsonl")
    assert status == 1
    assert [json.loads(line)["video"] for line in out.splitlines()] == [str(path), str(missing)]
    assert (tmp_path / "o.jsonl").read_text() == out
    assert (tmp_path / f"p-{path.stem}.png").exists()
    assert predict(*asked)[0] == 1


def test_videos_of_one_name_have_pictures_of_their_own(tmp_path):
    asked = ["a/x.mp4", "b/x.mp4", "b/X.avi", "c/x-2.mp4", "y.mp4"]
    found = [path.name for path in picture_paths(tmp_path / "out.svg", asked)]
    assert found == ["out-x.svg", "out-x-2.svg", "out-X-3.svg", "out-x-2-2.svg", "out-y.svg"]
    assert picture_paths(tmp_path / "out.svg", ["a/x.mp4"]) == [tmp_path / "out.svg"]


def test_thumbnails_are_the_middle_frames(tmp_path):
    path = mux_video(tmp_path / "numbers.mp4", numbered_frames(100), options={"g": "10"})
    shown = prediction(7, teacher=[1], last_frames=4)  # clips of 16 frames
    frames = read_thumbnails(path, shown)
    assert list(frames) == list(range(7))
    assert read_numbers(np.stack(list(frames.values()))) == [7, 23, 39, 55, 71, 87, 97]
    assert frames[0].shape == (160, 267, 3)  # of 48 x 80


def test_a_damaged_thumbnail_is_missing_and_the_others_are_not(tmp_path):
    options = {"g": "20", "bf": "0", "sc_threshold": "0"}
    path = mux_video(tmp_path / "numbers.mp4", numbered_frames(100), options=options)
    shown = prediction(7, teacher=[1], last_frames=4)
    sound = read_thumbnails(path, shown)
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)
    frames = read_thumbnails(path, shown)
    missing = [clip for clip, frame in frames.items() if frame is None]
    assert 0 < len(missing) < 4
    for clip in set(frames) - set(missing):
        assert np.array_equal(frames[clip], sound[clip])


def test_lines_are_kept_when_the_work_is_stopped(tmp_path):
    target = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt), LineFile(target) as lines:
        lines.write("ä")
        lines.write("b")
        assert not target.exists()
        lines._file.write(b"half a li")
        raise KeyboardInterrupt
    assert target.read_text() == "ä\nb\n"
    with pytest.raises(KeyboardInterrupt), LineFile(target) as lines:
        lines._file.write(b"half a li")
        raise KeyboardInterrupt
    assert target.read_text() == "ä\nb\n"  # nothing was finished, so the older file stays
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_finished_and_nothing_else(project, videos, tmp_path, sign):
    asked = videos * 2000
    target, printed = tmp_path / "out.jsonl", tmp_path / "printed.txt"
    arguments = ["predict", *asked, *STUDY, "--json", "--output", str(target)]
    run = process(run_command, project, arguments, printed)
    part = tmp_path / f".out.jsonl.{run.pid}.part"
    while not part.exists() or part.read_bytes().count(b"\n") < 3:
        assert run.exitcode is None, printed.read_text()
        time.sleep(0.05)
    assert not target.exists()
    os.kill(run.pid, sign)
    run.join(120)
    assert run.exitcode == 130
    lines = target.read_text().split("\n")
    assert lines.pop() == ""
    assert 3 <= len(lines) < len(asked)
    found = [json.loads(line)["video"] for line in lines]
    assert found == asked[: len(found)]
    *told, empty, last = printed.read_text().splitlines()
    assert (empty, last) == ("", "stopped")
    assert lines[: len(told)] == told or told[: len(lines)] == lines
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "printed.txt"]


def test_a_progress_bar_where_somebody_watches(predict, videos, monkeypatch):
    def shown(*asked):
        terminal, stderr = os.openpty()
        termios.tcsetwinsize(stderr, (24, 80))
        with os.fdopen(stderr, "w") as file, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", file)
            out = predict(*asked, *STUDY, "--json")[1]
            file.write("end")
            file.flush()
            told = ""
            while not told.endswith("end"):
                told += os.read(terminal, 4096).decode()
        os.close(terminal)
        assert [json.loads(line)["video"] for line in out.splitlines()] == list(asked)
        return told

    assert predict(*videos, *STUDY, "--json")[2] == ""
    assert "3/3" in shown(*videos)
    assert shown(videos[0]) == "end"


def test_a_reader_who_has_had_enough_is_no_error(project, videos, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    options = (NetworkOptions(study="tiny"), ClipOptions(), OutputOptions(json=True))
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert run_predict(videos, *options) == 1


def test_quicker_modes_say_the_same(predict, videos, no_bf16):
    plain, quick = (predict(videos[0], *STUDY, "--json", *how) for how in ((), ("--optimize",)))
    assert plain[0] == quick[0] == 0
    assert json.loads(plain[1])["label"] == json.loads(quick[1])["label"]
