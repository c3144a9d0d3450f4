"""Plans name every job once, after its needs; a study finishes whatever is killed, or says why.

The tests marked ``slow`` start whole studies through the workflow engine, in processes of their
own: one story, in which they go on where the one before has stopped.
"""

import contextlib
import json
import os
import signal
import time

import nbformat
import psutil
import pytest
from test_chapters import printed, write_notebook
from test_ensure import results
from tiny_study import ensure_and_die, process, run_command, tiny, write_params

from condi_lib import paths
from condi_lib.chapters import ChapterError
from condi_lib.study import ensure
from condi_lib.study.orchestrate import StudyError, _end, _report, run_job, run_study
from condi_lib.study.params import read_study
from condi_lib.study.plan import JobSize, find_job, plan, study_folder, write_plan
from condi_lib.study.progress import clock, finished_weight, status

SPLITS = {split: [split] for split in ("teacher_train", "train", "val", "test")}
CATALOG = {"path": "labels.csv", "group_column": "person", "content": "0"}
BAR = "\rcondi_sr 1.2:  17%|█▋        | 1/6 [00:00<00:00]\rcondi_sr 1.1:  50%|█████     | 3/6"


@pytest.fixture
def planned(root):
    """The tiny study with two seeds and a chapter, planned and not computed."""
    write_params(root, tiny(seeds=[0, 7], losses={"condi_sr": {}, "st_ent": {}}))
    write_notebook(root / "notebooks" / "00_first.ipynb", "print(study)")
    return plan("tiny")


def test_a_plan_has_every_job_after_its_needs(planned):
    assert [job.name for job in planned] == [
        *("dataset", "teacher-seed0", "condi_sr-seed0", "st_ent-seed0"),
        *("teacher-seed7", "condi_sr-seed7", "st_ent-seed7", "00_first"),
    ]
    by_stamp = {job.stamp: job.name for job in planned}
    needs = {job.name: [by_stamp[stamp] for stamp in job.needs] for job in planned}
    assert needs["dataset"] == []
    assert needs["teacher-seed7"] == ["dataset"]
    assert needs["st_ent-seed7"] == ["teacher-seed7"]
    assert needs["00_first"] == [job.name for job in planned[:-1]]
    assert not any(job.is_done for job in planned)


def test_folds_have_data_sets_of_their_own(root):
    fields = {"dataset.pantomime": ..., "dataset.catalog": CATALOG}
    turned = SPLITS | {"val": SPLITS["test"], "test": SPLITS["val"]}
    write_params(root, tiny(**fields, folds={"fold 1": SPLITS, "fold 2": turned}))
    names = [job.name for job in plan("tiny")]
    assert names[:3] == ["dataset-fold_1", "teacher-fold_1-seed0", "condi_sr-fold_1-seed0"]
    assert len(set(names)) == len(names) == 6


def test_stamps_names_and_logs_are_never_shared(root):
    same = {"condi_sr": {}, "again": {"loss": "condi_sr"}, "other": {"loss": "st_ent"}}
    write_params(root, tiny(losses=same))  # one run under two names is one job
    jobs = plan("tiny")
    path = root / "plan.json"
    write_plan(jobs, "tiny", path)
    rows = json.loads(path.read_text())
    for field in ("command", "stamp", "log"):
        assert len({row[field] for row in rows}) == len(rows) == 4


def test_students_of_one_teacher_may_share_a_job(root):
    losses = {"condi_sr": {}, "st_ent": {}, "naive": {}}
    write_params(root, tiny(losses=losses, seeds=[0, 7]))
    jobs = plan("tiny", JobSize(students=2))
    assert [job.name for job in jobs] == [
        *("dataset", "teacher-seed0", "condi_sr+1-seed0", "naive-seed0"),
        *("teacher-seed7", "condi_sr+1-seed7", "naive-seed7"),
    ]
    alone = {job.name: job for job in plan("tiny")}
    pair = jobs[2]
    expected = alone["condi_sr-seed0"].specs + alone["st_ent-seed0"].specs
    assert pair.specs == expected and pair.weight == 2 * alone["naive-seed0"].weight
    assert pair.needs == (jobs[1].stamp,) and pair.kind == "student"
    *_, name, option, count = pair.command("tiny")
    assert (name, option, count) == ("condi_sr+1-seed0", "--students", "2")
    assert find_job("tiny", name, int(count)) == pair
    assert jobs[0].command("tiny")[-1] == "dataset"

    run_job("tiny", name, workers=1, students=2)
    assert pair.n_done == 2 and pair.is_done and pair.stamp.exists()
    assert alone["st_ent-seed0"].is_done  # and is found by whoever plans otherwise
    with pytest.raises(ValueError, match="students must be at least 1, got 0"):
        JobSize(students=0)


def test_a_chapter_is_the_same_however_students_are_put_together(root):
    """Here a chapter reads one of the students that share a job of another chapter's."""
    students = {"condi_sr": {}, "naive": {}, "st_conf": {}}
    own = {"student": {"training": {"epochs": 1, "clips_per_video": 1}}}
    variants = {"first": {"a": own | {"losses": students}},
                "second": {"b": own | {"losses": {"naive": {}}}}}  # fmt: skip
    write_params(root, tiny(variants=variants))
    for name in ("00_first", "01_second"):
        write_notebook(root / "notebooks" / f"{name}.ipynb", "print(1)")
    jobs = plan("tiny", JobSize(students=3))
    assert any(len(job.specs) == 3 for job in jobs)
    for job in jobs:  # the engine waits for the stamp that the job's command leaves
        students = 3 if "--students" in job.command("tiny") else 1
        assert find_job("tiny", job.name, students).stamp == job.stamp


def test_a_chapter_is_made_anew_when_its_notebook_or_its_study_changes(root, planned):
    stamps = {planned[-1].stamp}
    write_notebook(root / "notebooks" / "00_first.ipynb", "print('anew')")
    stamps.add(plan("tiny")[-1].stamp)
    write_params(root, tiny(seeds=[0]))
    stamps.add(plan("tiny")[-1].stamp)
    assert len(stamps) == 3


def test_a_chapter_is_given_the_parameters_of_its_params_file(root, planned):
    write_notebook(root / "notebooks" / "01_second.ipynb", "print(study)")
    write_params(root, tiny(parameters={"00": {"k_clips": 4}}))
    first, second = plan("tiny")[-2:]
    assert (first.parameters, second.parameters) == ({"k_clips": 4}, {})
    write_params(root, tiny(parameters={"02_third": {"k_clips": 4}}))
    with pytest.raises(ChapterError, match="no chapter begins with '02_third'"):
        plan("tiny")


def test_a_parameter_that_a_chapter_lacks_is_named_before_anything_runs(root, planned):
    write_params(root, tiny(parameters={"00": {"k_clip": 4}}))
    with pytest.raises(ChapterError, match=r"00_first.ipynb has no parameter \['k_clip'\]"):
        run_study("tiny")
    assert not any(paths.runs_dir().glob("teacher*"))


def test_a_params_file_by_path_is_found_from_any_folder(root, monkeypatch, tmp_path):
    write_params(root, tiny())
    monkeypatch.chdir(root / "notebooks")
    job = plan("params/tiny.yaml")[0]
    *_, command, study, name = job.command("params/tiny.yaml")
    assert (command, study, name) == ("job", str(root / "notebooks/params/tiny.yaml"), "dataset")
    assert job.command("tiny")[-2] == "tiny"


def test_an_unknown_job_is_told_those_there_are(planned):
    with pytest.raises(ValueError, match=r"'tiny' has no job 'st_ent'; it has .*'st_ent-seed7'"):
        find_job("tiny", "st_ent")


def test_a_stamp_says_what_is_true(root, planned):
    job = planned[0]
    job.stamp.parent.mkdir(parents=True)
    job.stamp.touch()  # but there is no run
    job.mark()
    assert not job.stamp.exists()
    ensure(*job.specs)  # for whatever study
    job.mark()
    assert job.stamp.exists()


def test_progress_is_read_off_logs(root, planned):
    dataset, _, student = planned[:3]
    student.log.parent.mkdir(parents=True)
    assert status(planned, set(), 0, 0) == "0:00  0/8 done  starting"
    student.log.write_text(BAR)
    assert finished_weight(planned, set()) == pytest.approx(0.45 * student.weight)
    total = sum(job.weight for job in planned)
    left = clock(90 * (total - 0.45 * student.weight) / (0.45 * student.weight))
    line = "1:30  0/8 done  condi_sr-seed0 45 %"
    assert status(planned, set(), 90, 0) == f"{line}, about {left} left"
    student.log.write_text(BAR + "\rscoring (student):  40%|████      | 24/60")
    assert finished_weight(planned, set()) == pytest.approx(0.94 * student.weight)
    dataset.log.write_text(BAR)  # it shows several bars: no telling how much is left
    assert finished_weight(planned, set()) == pytest.approx(0.94 * student.weight)
    done = {dataset.name, student.name}
    assert finished_weight(planned, done) == dataset.weight + student.weight
    assert status(planned, {job.name for job in planned}, 60, 0) == "1:00  8/8 done"


def test_a_report_shows_the_message_of_what_failed(planned):
    failed = planned[1]
    failed.log.parent.mkdir(parents=True)
    message = "error: no teacher\n  here\n  and there"
    failed.log.write_text(f"{BAR}\n{message}\n")
    report = _report(planned[1:], failed.log)
    assert report.startswith(f"teacher-seed0 failed; the end of {failed.log}:\n    error: no")
    assert "      and there\n6 other jobs wait for that; what is done is kept." in report
    failed.log.write_text(BAR)
    assert _end(failed.log).endswith("was it killed, for lack of memory?)")
    failed.log.write_text("Traceback\n" + "x\n" * 50 + "TypeError: no")
    assert _end(failed.log).endswith("    TypeError: no")
    assert len(_end(failed.log).splitlines()) == 15


# The story


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the tiny study and one chapter."""
    root = tmp_path_factory.mktemp("project")
    write_params(root, tiny(parameters={"00": {"k_clips": 4}}))
    write_notebook(root / "notebooks" / "00_first.ipynb", "print(k_clips, 'of', study)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONDI_ROOT", str(root))
        yield root


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the study's runs must hold in the end: computed in one go, without any engine."""
    root = tmp_path_factory.mktemp("expected")
    run = process(ensure_and_die, tiny(), root, "", 0, False)
    run.join()
    assert run.exitcode == 0
    return results(root)


class Command:
    """``python -m condi_lib study tiny``, under way; with one core every job has one thread."""

    def __init__(self, root, *options):
        self.root, self.output = root, root / f"output-{time.monotonic_ns()}.txt"
        command = ["study", "tiny", *(options or ("--cores", "1"))]
        self.run = process(run_command, root, command, self.output)

    def interrupt(self):
        """As Ctrl-C does."""
        os.kill(self.run.pid, signal.SIGINT)

    def wait(self):
        """Exit code and all that was printed."""
        self.run.join(600)
        return self.run.exitcode, self.output.read_text()


def processes(root):
    """Processes of the project, but for those that this one started itself."""
    for other in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if other.environ().get("CONDI_ROOT") == str(root) and other.ppid() != os.getpid():
                yield other


def find(root, *words):
    """The process of the project whose command has all these words, as soon as there is one."""
    for _ in range(3000):
        for other in processes(root):
            with contextlib.suppress(psutil.Error):
                if set(words) <= set(other.cmdline()):
                    return other
        time.sleep(0.1)
    raise TimeoutError(words)


def survivors(root):
    """Processes of the project that do not end by themselves."""
    return psutil.wait_procs(list(processes(root)), timeout=60)[1]


@pytest.mark.slow
def test_ctrl_c_ends_a_study_with_all_its_jobs(project):
    study = Command(project)
    find(project, "job", "dataset")
    study.interrupt()
    code, output = study.wait()
    assert code == 130
    assert output.endswith("stopped; what is done is kept, run the same command again to go on\n")
    assert survivors(project) == []


@pytest.mark.slow
def test_a_killed_engine_takes_its_jobs_along(project):
    study = Command(project)
    find(project, "job", "dataset")
    find(project, "snakemake").kill()
    code, output = study.wait()
    assert code == 1
    assert "dataset failed" in output
    assert survivors(project) == []


@pytest.mark.slow
def test_who_waits_takes_over_from_a_killed_command_and_a_killed_job(project, expected):
    """A killed command leaves its engine at work; the second waits for it, then does the rest."""
    first = Command(project)
    find(project, "job", "dataset")
    first.run.kill()
    second = Command(project)
    find(project, "job", "teacher-seed0").kill()  # of the first one's engine
    code, output = second.wait()
    assert code == 0
    assert output.startswith("study tiny is being run by another process; waiting for it\n")
    assert "study tiny: complete" in output
    assert results(project) == expected
    assert printed(study_folder("tiny") / "notebooks" / "00_first.ipynb") == "4 of tiny\n"
    assert survivors(project) == []


@pytest.mark.slow
def test_the_second_time_there_is_nothing_to_do(project, expected):
    log = study_folder("tiny") / "logs" / "workflow.log"
    before = log.stat().st_mtime_ns
    code, output = Command(project).wait()
    assert code == 0
    assert output.startswith("study tiny: nothing to do, all 4 jobs are done\n")
    assert log.stat().st_mtime_ns == before  # the engine, which takes seconds, was not started
    assert results(project) == expected


@pytest.mark.slow
def test_a_failing_chapter_is_named_and_a_deleted_run_comes_back(project, expected):
    student = read_study("tiny").student_of("condi_sr", 0)
    for path in sorted(ensure(student).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    write_notebook(project / "notebooks" / "00_first.ipynb", "print('so far')", "1 / 0")
    code, output = Command(project).wait()
    assert code == 1
    assert "error: 00_first failed" in output
    assert "00_first.ipynb, cell [4]: ZeroDivisionError: division by zero" in output
    assert "  1 / 0\n" in output
    assert results(project) == expected
    partial = study_folder("tiny") / "notebooks" / "00_first.ipynb"
    assert printed(partial) == "so far\n"
    assert "1 / 0" in {cell.source for cell in nbformat.read(partial, 4).cells}


def test_a_study_that_cannot_be_read_fails_at_once(root):
    with pytest.raises(ValueError, match="no such params file"):
        plan("tiny")
    assert issubclass(StudyError, RuntimeError)
