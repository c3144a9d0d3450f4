"""Open JupyterLab on the explorer's chapter, with the study or clip table that one wants to see."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from condi_lib import paths
from condi_lib.explore.sources import source_of_study
from condi_lib.explore.your_video import networks_of_study
from condi_lib.study import open_study
from condi_lib.study.config import REFERENCE
from condi_lib.study.study import RunStore

CHAPTER = "11_explorer.ipynb"


def study_to_explore(name: str) -> tuple[str, str]:
    """Return the study to open, and what to tell: nothing is trained because somebody looks.

    Args:
        name: A params file's name or path, or ``"reference"``.

    Returns:
        The name, or ``"reference"`` where that study has not been computed; and why, or ``""``.
    """
    study = open_study(name)
    has_networks = networks_of_study(study, source_of_study(study).first).teacher is not None
    if has_networks or not isinstance(study.store, RunStore):
        return name, ""
    command = "make study" if name == "embedded" else f"python -m condi_lib study {name}"
    return REFERENCE, (
        f"study {name} has not been computed yet (`{command}`): opening the committed reference"
    )


def prepare_chapter(parameters: dict[str, Any]) -> Path:
    """Write the chapter with other parameters to ``data/runs/explorer`` and return its path."""
    import papermill  # half a second

    name = Path(parameters.get("clip_table") or parameters.get("study") or REFERENCE).stem
    target = paths.runs_dir() / "explorer" / f"{name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    source = paths.notebooks_dir() / CHAPTER
    papermill.execute_notebook(source, target, parameters, prepare_only=True, progress_bar=False)
    return target


def open_lab(notebook: Path, options: tuple[str, ...] = ()) -> int:
    """Run JupyterLab on a notebook until it is stopped; return its exit status.

    Args:
        notebook: A file in the project.
        options: Further options of ``jupyter lab``.
    """
    command = [sys.executable, "-m", "jupyterlab", str(notebook),
               f"--ServerApp.root_dir={paths.project_root()}", *options]  # fmt: skip
    return subprocess.run(command, check=False).returncode
