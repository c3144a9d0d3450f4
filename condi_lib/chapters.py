"""Run one chapter: a notebook executed by papermill, its parameters checked first.

Torch is imported by the notebook alone: that takes seconds, and a study has a dozen chapters.
"""

import hashlib
import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from condi_lib import paths
from condi_lib.locks import alone

ABOVE_THE_STUDY = ("claims", "plotting", "predict", "explore", "__main__")


class ChapterError(RuntimeError):
    """A chapter could not be run; names the notebook and, where one failed, the cell."""


def chapter_notebooks(chosen: tuple[str, ...] = ()) -> list[Path]:
    """The study's notebooks in reading order; only those whose names begin as ``chosen`` says.

    Raises:
        ChapterError: If a chosen beginning fits no notebook.
    """
    notebooks = sorted(paths.notebooks_dir().glob("[0-9][0-9]_*.ipynb"))
    if not chosen:
        return notebooks
    for prefix in chosen:
        if not any(path.name.startswith(prefix) for path in notebooks):
            names = [path.stem for path in notebooks]
            raise ChapterError(f"no chapter begins with {prefix!r}; there are {names}")
    return [path for path in notebooks if path.name.startswith(tuple(chosen))]


def check_parameters(notebook: Path, parameters: Iterable[str]) -> None:
    """Hold names of parameters to those that a notebook has.

    Raises:
        ChapterError: If one is unknown to the notebook.
    """
    import papermill  # half a second, which importing this module should not take

    known = papermill.inspect_notebook(notebook)
    if unknown := sorted(set(parameters) - set(known)):
        raise ChapterError(
            f"{notebook.name} has no parameter {unknown}; its parameters cell has {sorted(known)}"
        )


def run_chapter(notebook: Path, parameters: dict[str, Any], output: Path) -> None:
    """Execute a notebook in its own folder and write the result to ``output``.

    Waits while another process executes it to the same file.

    Args:
        notebook: The chapter.
        parameters: Values for its parameters cell.
        output: File to write, also when a cell fails: the notebook as far as it got.

    Raises:
        ChapterError: If a parameter is unknown to the notebook, a cell raises or its kernel dies.
    """
    check_parameters(notebook, parameters)
    with alone(output, f"waiting for another process that runs {notebook.stem}"):
        _execute(notebook, parameters, output)


def _execute(notebook: Path, parameters: dict[str, Any], output: Path) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    part = output.with_name(f".{output.name}.part.ipynb")
    try:
        papermill.execute_notebook(
            notebook, part, parameters, cwd=notebook.parent, kernel_name="python3"
        )
    except PapermillExecutionError as error:
        cell = textwrap.indent(error.source.strip(), "    ")
        raise ChapterError(
            f"{notebook.name}, cell [{error.exec_count}]: {error.ename}: {error.evalue}\n"
            f"  the cell:\n{cell}\n  the notebook as far as it got: {output}"
        ) from error
    except DeadKernelError as error:
        raise ChapterError(
            f"{notebook.name}: its kernel died ({error}); is there enough memory?\n"
            f"  the notebook as far as it got: {output}"
        ) from error
    finally:
        if part.exists():
            part.replace(output)


def code_hash(results_only: bool = False) -> str:
    """Hash of every source file of the library: results of other code are made anew.

    Args:
        results_only: Leave out the rooms above the study, which no result can depend on.
    """
    state = hashlib.sha256()
    package = Path(__file__).resolve().parent
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.mplstyle")]):
        name = path.relative_to(package)
        if results_only and name.parts[0].removesuffix(".py") in ABOVE_THE_STUDY:
            continue
        state.update(name.as_posix().encode())
        state.update(path.read_bytes())
    return state.hexdigest()[:12]


def notebook_hash(notebook: Path) -> str:
    """Hash of a notebook's cells without their outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:12]
