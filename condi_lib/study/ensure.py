"""``ensure(spec)``: the run of a spec, computed once, found again by whoever needs it.

A run's folder appears under its digest; ``done.json`` is written last, lists the folder's files
and makes it complete. One process computes while others wait for it; a killed run leaves its
checkpoint and parts behind, and the next ``ensure`` goes on from there.

Under torchrun all processes call it together: rank 0 takes the lock and prepares data sets, the
others wait for it; networks are computed by all.
"""

import json
import platform
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from condi_lib import __version__
from condi_lib.distributed import World, join_world
from condi_lib.locks import alone
from condi_lib.study.datasets import delete_videos, make_dataset, videos_exist
from condi_lib.study.networks import compute_network
from condi_lib.study.specs import (
    DatasetSpec,
    Spec,
    StudentSpec,
    TeacherSpec,
    describe,
    run_folder,
)

DONE = "done.json"
_COMPUTE: dict[type, Callable[..., None]] = {
    DatasetSpec: make_dataset,
    TeacherSpec: compute_network,
    StudentSpec: compute_network,
}


def is_done(spec: Spec) -> bool:
    """Whether the run is complete: it was finished, and all its files are still there."""
    folder = run_folder(spec)
    if isinstance(spec, DatasetSpec) and not videos_exist(spec):
        return False
    try:
        promised = json.loads((folder / DONE).read_text(encoding="utf-8"))["files"]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return False
    return promised == _sizes(folder, promised)


def ensure(spec: Spec, workers: int = 0, progress: bool = False) -> Path:
    """Return the folder of the spec's complete run; compute what is missing, also what it needs.

    Args:
        spec: What to compute.
        workers: Processes that draw or decode videos.
        progress: Show progress bars.
    """
    folder, world = run_folder(spec), join_world()
    if world.agree(lambda: is_done(spec)):
        return folder
    for needed in spec.needs:
        ensure(needed, workers, progress)
    waiting = f"waiting for another process that computes {folder.name}"
    with alone(folder, waiting) if world.leads else nullcontext():
        # Another process may have finished it while this one waited.
        if not world.agree(lambda: is_done(spec)):
            _compute(spec, folder, workers, progress, world)
    return folder


def _compute(spec: Spec, folder: Path, workers: int, progress: bool, world: World) -> None:
    start = time.monotonic()
    if world.leads:
        _clear(folder)
        _write_json(folder / "spec.json", describe(spec))
    world.wait()
    if world.leads or not isinstance(spec, DatasetSpec):
        _COMPUTE[type(spec)](spec, folder, workers, progress)
    if world.leads:
        done = _circumstances(time.monotonic() - start, folder)
        _write_json(folder / DONE, done | {"processes": world.size})
    world.wait()


def forget(spec: Spec) -> None:
    """Delete a run, and a pantomime's videos with it, once no other process computes it."""
    folder = run_folder(spec)
    with alone(folder):
        shutil.rmtree(folder, ignore_errors=True)
    if isinstance(spec, DatasetSpec):
        delete_videos(spec)


def _sizes(folder: Path, names: Iterable[str]) -> dict[str, int | None]:
    """Bytes of each file; None where it is missing."""
    files = {name: folder / name for name in names}
    return {name: file.stat().st_size if file.exists() else None for name, file in files.items()}


def _clear(folder: Path) -> None:
    """Make a folder ready to go on in, without what is damaged or was left half written."""
    if (folder / DONE).exists():  # it was finished once, and has lost files since
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for part in folder.rglob("*.part"):
        part.unlink()


def _circumstances(seconds: float, folder: Path) -> dict[str, Any]:
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {
        "files": _sizes(folder, [name for name in files if name != DONE]),
        "seconds": round(seconds, 2),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "condi_lib": __version__,
    }


def _write_json(path: Path, value: Any) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
