"""Several processes compute what one computes, whoever of them is killed on the way."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import distributed_run
import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import load_file
from test_chapters import write_notebook
from tiny_clips import cached_clips, network, training_data
from tiny_study import ensure_and_die, process, tiny, write_params

from condi_lib.clip_table import read_clip_table
from condi_lib.distributed import World, join_world
from condi_lib.losses import build_objective
from condi_lib.study import orchestrate
from condi_lib.training import train

ONE = World()


# Each process with one thread; without the second, half of all restarts hang (pytorch 135712).
SETTINGS = {"OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def torchrun_command(n_processes: int, restarts: int = 0) -> list[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*command, "--nproc-per-node", str(n_processes), "--max-restarts", str(restarts)]


def torchrun(n_processes: int, *arguments: str | Path, restarts: int = 0) -> None:
    """Launch processes as a user would."""
    done = subprocess.run(
        [*torchrun_command(n_processes, restarts), *map(str, arguments)],
        env=os.environ | SETTINGS,
        timeout=1800,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of the same work, by number of processes; with 3, two of them are killed."""
    script = Path(distributed_run.__file__)
    folders = {n: tmp_path_factory.mktemp(f"processes-{n}") for n in (1, 2, 3)}
    for folder in folders.values():
        (folder / "clips").mkdir()
        cached_clips(folder / "clips")
    n_threads = torch.get_num_threads()
    distributed_run.main(folders[1], kills=False)
    torch.set_num_threads(n_threads)
    torchrun(2, script, folders[2], restarts=1)  # another process may have taken its port
    torchrun(3, script, folders[3], "kills", restarts=3)
    return folders


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


# --- shares --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 12, 100])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_shares_are_everything_once_and_of_one_size(n, size):
    slices = [World(rank, size).slice_of(n) for rank in range(size)]
    taken = [list(range(n))[part] for part in slices]
    if n < size:
        assert taken == [list(range(n))] * size  # too few to share
        return
    assert [item for part in taken for item in part] == list(range(n))
    assert max(map(len, taken)) - min(map(len, taken)) <= 1


def test_a_process_that_nobody_launched_is_alone():
    assert join_world() == ONE and ONE.leads
    values = torch.ones(3, requires_grad=True)
    assert ONE.gather(values, 3) is values
    assert ONE.agree(lambda: 5) == 5
    model = torch.nn.Linear(1, 1)
    assert ONE.parallel(model) is model


# --- training ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("loss", distributed_run.COMPARED)
@pytest.mark.parametrize("n_processes", [2, 3])
def test_every_loss_is_that_of_one_process(runs, n_processes, loss):
    one, several = (
        json.loads((runs[n] / loss / "losses.json").read_text()) for n in (1, n_processes)
    )
    n_steps = 24 // 5 if loss != "bce_conf" else len(one) // 2 - 1
    assert len(several) == len(one) == 2 * (n_steps + 1)  # one batch of validation an epoch
    assert several == pytest.approx(one, rel=0, abs=1e-5)
    history = [pd.read_csv(runs[n] / loss / "history.csv") for n in (1, n_processes)]
    pd.testing.assert_frame_equal(*history, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        weights(runs[n_processes] / loss), weights(runs[1] / loss), rtol=0, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 3])
def test_but_for_rounding_weights_are_those_of_one_process(runs, n_processes):
    """In float64, with dropout and a drawn choice of clips: also drawn for the whole batch."""
    one, several = weights(runs[1] / "float64"), weights(runs[n_processes] / "float64")
    assert any(value.dtype == torch.float64 for value in one.values())
    torch.testing.assert_close(several, one, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_a_killed_process_changes_no_bit(runs):
    attempts = [json.loads((runs[3] / f"world-{rank}-3.json").read_text()) for rank in range(3)]
    assert [each["attempt"] for each in attempts] == [2, 2, 2]  # killed while training and scoring
    whole, killed = weights(runs[3] / "condi_sr"), weights(runs[3] / "killed")
    torch.testing.assert_close(killed, whole, rtol=0, atol=0)
    left = sorted(path.name for path in (runs[3] / "killed").iterdir())
    assert left == ["history.csv", "weights.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 3])
def test_one_process_goes_on_where_several_stopped(runs, n_processes):
    folder = runs[n_processes] / "stopped"
    assert (folder / "checkpoint.safetensors").exists()
    data = training_data(cached_clips(runs[n_processes] / "clips"))
    objective = build_objective("condi_sr")
    train(network("condi_sr"), objective, data, distributed_run.SETTINGS, folder, "cpu")
    torch.testing.assert_close(weights(folder), weights(runs[1] / "condi_sr"), rtol=0, atol=1e-5)


# --- scoring -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 3])
def test_scores_are_those_of_one_process(runs, n_processes):
    """10 videos, one a part, neither by 2 nor by 3 processes the same number of parts."""
    folders = [runs[n] / "scores" for n in (1, n_processes)]
    # Who is killed may leave a file with another ending, which `ensure` clears away.
    names = [sorted(path.name for path in folder.glob("*.parquet")) for folder in folders]
    assert names[0] == names[1] == [f"part-{number:05d}.parquet" for number in range(10)]
    one, several = map(read_clip_table, folders)
    pd.testing.assert_frame_equal(several.clips, one.clips)  # no row lost, none doubled
    torch.testing.assert_close(several.teacher_logits, one.teacher_logits, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 3])
def test_no_part_is_scored_twice(runs, n_processes):
    seen = [len(path.read_text()) for path in runs[n_processes].glob("seen-*.txt")]
    lost = sum(seen) - 30  # of parts that were under way when a process was killed
    assert lost == 0 if n_processes == 2 else 0 < lost <= 3 * 3


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 3])
def test_each_process_knows_its_share(runs, n_processes):
    worlds = [
        json.loads((runs[n_processes] / f"world-{rank}-{n_processes}.json").read_text())
        for rank in range(n_processes)
    ]
    bounds = {2: [[0, 3], [3, 7]], 3: [[0, 2], [2, 4], [4, 7]]}
    assert [world["part"] for world in worlds] == bounds[n_processes]


# --- a job ---------------------------------------------------------------------------------------


def kill_rank(launcher: psutil.Popen, rank: int) -> None:
    """Kill one of torchrun's processes, as the system does when memory is short."""
    for child in launcher.children():
        with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
            if child.environ().get("RANK") == str(rank):
                child.kill()


def appears(root: Path, pattern: str, launcher: psutil.Popen) -> None:
    deadline = time.monotonic() + 1800
    while not list(root.glob(pattern)):
        assert launcher.poll() is None and time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.005)


@pytest.mark.slow
def test_a_job_is_finished_though_its_leader_is_killed(tmp_path):
    """Its data set, its teacher and its student: ``torchrun -m condi_lib job``."""
    folders = {name: tmp_path / name for name in ("one", "two")}
    params = {name: write_params(folder, tiny()) for name, folder in folders.items()}
    alone = process(ensure_and_die, tiny(), folders["one"], "", 0, False)
    command = [*torchrun_command(2, restarts=3), "-m", "condi_lib", "job"]
    with (tmp_path / "log").open("w") as log:
        launcher = psutil.Popen(
            [*command, str(params["two"]), "condi_sr-seed0", "--workers", "1"],
            env=os.environ | SETTINGS | {"CONDI_ROOT": str(folders["two"])},
            stdout=log,
            stderr=log,
        )
        try:
            appears(folders["two"] / "data" / "runs", "teacher-*/checkpoint.safetensors", launcher)
            kill_rank(launcher, 0)  # which leads, and holds the run's lock
            assert launcher.wait(1800) == 0, (tmp_path / "log").read_text()[-3000:]
        finally:
            with contextlib.suppress(psutil.Error):
                launcher.terminate()  # it ends the others
            launcher.wait(60)
    alone.join()
    assert alone.exitcode == 0
    for kind in ("dataset", "teacher", "student"):
        one, two = (next((f / "data" / "runs").glob(f"{kind}-*")) for f in folders.values())
        assert one.name == two.name
        done = [json.loads((folder / "done.json").read_text()) for folder in (one, two)]
        assert list(done[0]["files"]) == list(done[1]["files"])  # as many parts, nothing left over
        assert [each["processes"] for each in done] == [1, 2]
        if kind != "dataset":
            tables = [read_clip_table(folder / "scores") for folder in (one, two)]
            rows = [table.clips.drop(columns="confidence", errors="ignore") for table in tables]
            pd.testing.assert_frame_equal(*rows)
            logits = [getattr(table, f"{kind}_logits") for table in tables]
            torch.testing.assert_close(*logits, rtol=0, atol=0.05)  # they spread over some units


def test_a_notebook_is_no_job_of_runs(monkeypatch, root):
    write_params(root, tiny())
    write_notebook(root / "notebooks" / "00_first.ipynb", "print(study)")
    monkeypatch.setattr(orchestrate, "join_world", lambda: World(1, 2))
    told = "00_first is a chapter, run by: .* chapter .*00_first.ipynb"
    with pytest.raises(orchestrate.StudyError, match=told):
        orchestrate.run_job("tiny", "00_first")
