"""Where the study keeps its files, whatever folder a script or a notebook runs in.

papermill runs a notebook in the caller's folder, nbval in the notebook's own, a script anywhere:
so nothing in this project asks for the current folder. Functions name places; none creates one.
"""

import os
from pathlib import Path

ROOT_VARIABLE = "CONDI_ROOT"


def project_root() -> Path:
    """Return the folder that holds ``data/``, ``figures/`` and ``notebooks/``, absolute.

    It is the folder named by the environment variable ``CONDI_ROOT`` where that is set, else the
    checkout that this package lies in.

    Raises:
        NotADirectoryError: If ``CONDI_ROOT`` does not name a folder.
        FileNotFoundError: If ``CONDI_ROOT`` is not set and the package is installed outside a
            checkout.
    """
    chosen = os.environ.get(ROOT_VARIABLE)
    if chosen:
        root = Path(chosen).expanduser().resolve()
        if not root.is_dir():
            raise NotADirectoryError(
                f"{ROOT_VARIABLE}={chosen} is not a folder; set it to a checkout of the study"
            )
        return root
    return _checkout_around(Path(__file__))


def _checkout_around(module_file: Path) -> Path:
    root = module_file.resolve().parents[1]
    if not (root / "pyproject.toml").is_file():
        raise FileNotFoundError(
            f"condi_lib is installed in {root}, which is not a checkout of the study, so its "
            f"data/ and notebooks/ are unknown; set {ROOT_VARIABLE} to a checkout, or install "
            "from one with: pip install -e ."
        )
    return root


def snakefile() -> Path:
    """Return the workflow's file: it belongs to the code, so ``CONDI_ROOT`` does not move it."""
    return _checkout_around(Path(__file__)) / "workflow" / "Snakefile"


def data_dir() -> Path:
    """Return ``data/``: everything the study reads or computes."""
    return project_root() / "data"


def paper_dir() -> Path:
    """Return ``data/paper/``: the published tables, as CSV."""
    return data_dir() / "paper"


def reference_dir() -> Path:
    """Return ``data/reference/``: committed clip tables and results of the full study."""
    return data_dir() / "reference"


def videos_dir() -> Path:
    """Return ``data/videos/``: generated or downloaded videos, ignored by git."""
    return data_dir() / "videos"


def runs_dir() -> Path:
    """Return ``data/runs/``: one folder per run of the study, ignored by git."""
    return data_dir() / "runs"


def figures_dir() -> Path:
    """Return ``figures/``: the plots that the notebooks write."""
    return project_root() / "figures"


def notebooks_dir() -> Path:
    """Return ``notebooks/``: one notebook per chapter, and ``params/`` for their parameters."""
    return project_root() / "notebooks"
