"""A plan's jobs get the cores, memory, time and GPUs that they need, here and on a cluster.

What SLURM itself does is tried by the last tests where one answers: workflow/local_slurm.sh
starts one on a single machine.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from test_chapters import write_notebook
from test_orchestrate import Command, processes, survivors
from tiny_study import tiny, write_params

from condi_lib import paths
from condi_lib.study.engine import (
    cluster_failures,
    engine_command,
    find_profile,
    slurm_run,
    stop_engine,
)
from condi_lib.study.orchestrate import _end, _report
from condi_lib.study.plan import JobSize, find_job, plan, study_folder, write_plan
from condi_lib.study.specs import run_folder

PROFILES = paths.snakefile().parent / "profiles"
LAUNCHER = (
    *("env", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1", sys.executable, "-m"),
    *("torch.distributed.run", "--standalone", "--nproc-per-node", "4", "--max-restarts", "3"),
)


@pytest.fixture
def written(root):
    """Plan the tiny study with a chapter, for jobs of a given size: the jobs, and the plan."""
    write_params(root, tiny())
    write_notebook(root / "notebooks" / "00_first.ipynb", "print(study)")

    def write(size=None):
        jobs = plan("tiny", size)
        path = study_folder("tiny") / "plan.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_plan(jobs, "tiny", path)
        return jobs, path

    return write


# Profiles


def test_a_profile_is_found_by_name_and_from_several_places(root, monkeypatch):
    assert find_profile("slurm") == find_profile("workflow/profiles/slurm") == PROFILES / "slurm"
    assert find_profile(str(PROFILES / "default")) == PROFILES / "default"
    for folder in (root / "lab", root / "elsewhere" / "lab"):  # the project's, then the caller's
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("jobs: 3\n")
        monkeypatch.chdir(folder.parent)
        assert find_profile("lab") == folder


def test_an_unknown_profile_names_the_places_looked_at(root):
    (root / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no workflow profile 'empty' .*: looked") as caught:
        find_profile("empty")
    assert str(root / "empty") in str(caught.value)
    assert str(PROFILES / "empty") in str(caught.value)


def test_the_cluster_retries_and_this_machine_does_not():
    slurm, default = (
        yaml.safe_load((PROFILES / name / "config.yaml").read_text())
        for name in ("slurm", "default")
    )
    assert (slurm["executor"], slurm["retries"], slurm["keep-going"]) == ("slurm", 2, True)
    assert slurm["rerun-incomplete"] and slurm["latency-wait"] == 60 and slurm["jobs"] == 100
    assert set(slurm["set-resources"]) == {"dataset", "teacher", "student"}  # kinds of jobs
    assert (default["retries"], default["keep-going"]) == (0, True)
    assert "executor" not in default


def test_the_command_line_keeps_what_must_hold_with_any_profile(root):
    command = engine_command(root / "plan.json", cores=3, gpus=2)
    text = " ".join(command)
    assert "--rerun-incomplete --nolock --rerun-triggers input --workflow-profile none" in text
    assert command[-4:] == ["--cores", "3", "--resources", "gpus=2"]
    command = engine_command(root / "plan.json", cores=3, profile="slurm", gpus=2)
    assert command[-2:] == ["--profile", str(PROFILES / "slurm")]


# Jobs


def dry_run(path, **options):
    """Threads and resources of each job by the engine's own account."""
    command = [*engine_command(path, **options), "--dry-run"]
    command += ["--cores", "64"]  # a dry run has as many as a cluster only if it is told so
    env = os.environ | {"SBATCH_PARTITION": "long", "SBATCH_ACCOUNT": "lab"}
    answer = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    jobs = {}
    for block in answer.stdout.split("\nrule ")[1:]:
        name = re.search(r"wildcards: job=(\S+)", block)
        threads = re.search(r"threads: (\d+)", block)
        pairs = re.search(r"resources: (.*)", block)[1].split(", ")
        resources = dict(pair.split("=", 1) for pair in pairs)
        if name:
            stem = re.sub(r"-[0-9a-f]{12}$", "", name[1])
            jobs[stem] = {"threads": int(threads[1]) if threads else 1, **resources}
    return jobs


def wanted(jobs, *names):
    return {job: [resources.get(name) for name in names] for job, resources in jobs.items()}


def test_a_cluster_is_asked_for_what_each_kind_of_job_needs(written):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    _, path = written(JobSize(cores=8, gpus=2, processes=4))
    jobs = dry_run(path, profile="slurm", gpus=2)
    assert wanted(jobs, "threads", "mem_mb", "runtime", "gres") == {
        "dataset": [8, "12000", "240", ""],  # 4000 + 8 * 1000
        "teacher-seed0": [8, "16000", "2880", "gpu:2"],  # 8000 + 8 * 1000
        "condi_sr-seed0": [8, "16000", "2880", "gpu:2"],
        "00_first": [1, "4000", "60", ""],
    }
    for job in jobs.values():
        assert (job["slurm_partition"], job["slurm_account"], job["nodes"]) == ("long", "lab", "1")


def test_this_machine_runs_students_in_pairs_unless_told_otherwise(written):
    kinds = ["dataset", "teacher", "student", "chapter"]
    for size, threads in ((None, [2, 2, 1, 1]), (JobSize(cores=5), [5, 5, 5, 1])):
        rows = json.loads(written(size)[1].read_text())
        assert [(row["kind"], row["threads"]) for row in rows] == list(
            zip(kinds, threads, strict=True)
        )
        assert {(row["gpus"], row["gres"], row["processes"]) for row in rows} == {(0, "", 1)}


def test_more_processes_are_started_by_torchrun(written):
    jobs, _ = written(JobSize(processes=4))
    commands = {job.name: job.command("tiny") for job in jobs}
    for name in ("teacher-seed0", "condi_sr-seed0"):
        assert commands[name] == [*LAUNCHER, "-m", "condi_lib", "job", "tiny", name]
    assert commands["dataset"] == [sys.executable, "-m", "condi_lib", "job", "tiny", "dataset"]
    assert commands["00_first"][:4] == [sys.executable, "-m", "condi_lib", "chapter"]
    assert json.loads(commands["00_first"][-1]) == {"study": "tiny"}
    assert [job.threads for job in jobs] == [2, 4, 4, 1]
    assert [job.gpus for job in jobs] == [0, 0, 0, 0]


def test_one_process_for_each_gpu_unless_told_otherwise(written):
    assert JobSize().n_processes == JobSize(gpus=1).n_processes == 1
    assert JobSize(gpus=4).n_processes == 4
    jobs, _ = written(JobSize(gpus=1))
    assert [job.command("tiny")[0] for job in jobs] == [sys.executable] * 4
    with pytest.raises(ValueError, match="2 processes cannot use 3 GPUs"):
        JobSize(gpus=3, processes=2)
    with pytest.raises(ValueError, match=r"must not be negative.*cores=-1"):
        JobSize(cores=-1)


def test_the_size_of_a_job_is_no_part_of_its_run(written):
    small, large = written()[0], written(JobSize(8, 2, 4))[0]
    assert [job.stamp for job in small] == [job.stamp for job in large]
    assert [job.specs for job in small] == [job.specs for job in large]


# How it ends

WORKFLOW_LOG = """SLURM run ID: 76715224-96e7
Error in rule {kind}:
    message: SLURM-job '{job}' failed, SLURM status is: '{status}'. For further details see ...
    jobid: 1
    output: {stamp}
    log: {log} (check log file(s) for error details)
    shell:
        python -m condi_lib job
"""


def test_a_report_says_what_became_of_a_job_on_the_cluster(written, tmp_path):
    _, teacher, student, _ = jobs = written()[0]
    workflow_log, killed = tmp_path / "workflow.log", tmp_path / "12.log"
    fields = {"kind": "teacher", "stamp": teacher.stamp, "log": killed}
    workflow_log.write_text(
        WORKFLOW_LOG.format(job=11, status="NODE_FAIL", **fields)
        + WORKFLOW_LOG.format(job=12, status="TIMEOUT", **fields)
    )
    failure = cluster_failures(workflow_log)[str(teacher.stamp)]
    assert (failure.job_id, failure.status, failure.log) == ("12", "TIMEOUT", killed)
    killed.write_text("Host: n1\nslurmstepd: error: *** JOB 12 DUE TO TIME LIMIT ***\nbye\n")
    report = _report(jobs, workflow_log)
    assert report.startswith(f"teacher-seed0 failed (TIMEOUT, SLURM job 12); the end of {killed}:")
    assert "\n    slurmstepd: error: *** JOB 12 DUE TO TIME LIMIT ***\n3 other jobs" in report
    student.log.parent.mkdir(parents=True)
    student.log.write_text("error: no teacher")
    teacher.log.write_text("scoring 50%")
    report = _report(jobs, workflow_log)
    assert f"(TIMEOUT, SLURM job 12); the end of {teacher.log}:\n    scoring 50%" in report
    assert f"condi_sr-seed0 failed; the end of {student.log}:\n    error: no teacher" in report


def test_what_torchrun_adds_to_a_message_is_left_out(tmp_path):
    log = tmp_path / "teacher.log"
    log.write_text(
        "teacher 1.2: 17%\nerror: a.mp4: truncated;\n  delete it\n"
        "E1121 15:26:06.231 140 site-packages/torch/api.py:1] failed (exitcode: 1)\n"
        "Traceback (most recent call last):\nChildFailedError\n"
    )
    assert _end(log) == "    error: a.mp4: truncated;\n      delete it"


def test_an_engine_that_waits_for_its_cluster_is_ended_and_its_jobs_cancelled(
    tmp_path, monkeypatch
):
    """Asked to terminate, Snakemake waits for its jobs; interrupted, it is slow to end."""
    scancel = tmp_path / "bin" / "scancel"
    scancel.parent.mkdir()
    scancel.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/cancelled\n')
    scancel.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scancel.parent}:{os.environ['PATH']}")
    log, heard = tmp_path / "workflow.log", tmp_path / "heard"
    log.write_text("Host: login\nSLURM run ID: lab_7671-96e7\nSubmitted\n")
    trap = f"trap 'echo INT >> {heard}' INT; trap 'echo TERM >> {heard}' TERM; "
    engine = subprocess.Popen(
        ["sh", "-c", trap + "echo up; while :; do sleep 0.05; done"],
        stdout=subprocess.PIPE,
        start_new_session=True,
        # What was started in the background ignores SIGINT, and its children cannot trap it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert engine.stdout.readline() == b"up\n"
    stop_engine(engine, log, patience_sec=3)
    engine.stdout.close()
    assert engine.returncode == -signal.SIGKILL
    assert heard.read_text().split() == ["INT", "TERM"]
    assert (tmp_path / "cancelled").read_text() == "--name lab_7671-96e7\n"


def test_an_engine_of_this_machine_is_not_interrupted_first(tmp_path):
    log = tmp_path / "workflow.log"
    log.write_text("Provided cores: 2\n")
    engine = subprocess.Popen(["sleep", "60"], start_new_session=True)
    stop_engine(engine, log)
    assert engine.returncode == -signal.SIGTERM


# On SLURM


def slurm_answers():
    if shutil.which("sinfo") is None:
        return False
    answer = subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=20, check=False)
    return answer.returncode == 0


needs_slurm = pytest.mark.skipif(
    "not slurm_answers()", reason="no SLURM here; try workflow/local_slurm.sh start"
)


@contextlib.contextmanager
def study_on_slurm(root):
    """The tiny study through the profile, under way; its output goes to a file."""
    env = os.environ | {"PYTHONPATH": str(Path(paths.__file__).parents[1])}
    command = [sys.executable, "-m", "condi_lib", "study", "tiny", "--profile", "slurm"]
    with (
        (root / "output.txt").open("w") as output,
        subprocess.Popen(command, env=env, stdout=output, stderr=output) as study,
    ):
        try:
            yield study
        finally:
            study.terminate()


def queued(plan_path):
    """Numbers of the study's jobs that wait or run."""
    run = slurm_run(plan_path.parent / "logs" / "workflow.log")
    command = ["squeue", "--noheader", "--format=%i", "--name", run]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def wait_for(condition, patience_sec=1200):
    end = time.monotonic() + patience_sec
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
@needs_slurm
def test_a_killed_job_is_tried_again_on_slurm(root, written):
    jobs, path = written()
    with study_on_slurm(root) as study:
        wait_for(jobs[0].log.exists)
        killed = queued(path)
        subprocess.run(["scancel", "--signal=KILL", *killed], check=True)
        assert study.wait(600) == 0
    assert all(job.is_done for job in plan("tiny"))
    (failure,) = cluster_failures(path.parent / "logs" / "workflow.log").values()
    assert [failure.job_id] == killed


@pytest.mark.slow
@needs_slurm
def test_ctrl_c_cancels_the_jobs_on_slurm(root, written):
    jobs, path = written()
    with study_on_slurm(root) as study:
        wait_for(jobs[0].log.exists)
        assert len(queued(path)) == 1
        study.send_signal(signal.SIGINT)
        assert study.wait(120) == 130
    wait_for(lambda: queued(path) == [])


# By torchrun


def find_rank(root, name, rank):
    """A process of this job that torchrun has started."""
    for other in processes(root):
        with contextlib.suppress(psutil.Error):
            if name in other.cmdline() and other.environ().get("RANK") == rank:
                return other
    return None


@pytest.mark.slow
def test_torchrun_starts_a_job_anew_and_ends_with_the_study(root):
    write_params(root, tiny())
    study = Command(root, "--cores", "2", "--processes", "2")
    teacher = find_job("tiny", "teacher-seed0")
    found = []
    wait_for(lambda: found.append(find_rank(root, teacher.name, "1")) or found[-1])
    found[-1].kill()
    wait_for(lambda: find_rank(root, "condi_sr-seed0", "1"))
    study.interrupt()
    code, output = study.wait()
    assert (code, output.count("3/3")) == (130, 0)
    assert survivors(root) == []
    done = json.loads((run_folder(*teacher.specs) / "done.json").read_text())
    assert done["processes"] == 2
    assert "closing signal" in teacher.log.read_text()  # which torchrun sent to the other one
