"""The one place that writes figures: each carries its origin, and the same work gives its bytes."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from condi_lib import paths
from condi_lib.chapters import code_hash


def save_figure(
    fig: Figure,
    name: str,
    study_name: str,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
) -> Path:
    """Write a figure to ``figures/<study_name>/<name>.png`` and return its path.

    The PNG's ``Description`` is JSON that says what it was made with: ``parameters``, ``code`` (the
    hash of the library's sources) and ``inputs``. No clock and no version is written, so that
    unchanged work leaves the file's bytes unchanged. The file appears whole or not at all.

    Args:
        fig: What to save.
        name: File name without its ending.
        study_name: Folder, usually ``Study.name``.
        parameters: The run's parameters; must be JSON.
        inputs: Hash of what was read, by its name.

    Raises:
        ValueError: If a name holds more than letters, digits, ``.``, ``_`` and ``-``.
        TypeError: If parameters or inputs are not JSON.
    """
    for part in (name, study_name):
        if not re.fullmatch(r"\w[\w.-]*", part):
            raise ValueError(f"{part!r} is no name for a file: use letters, digits, '_', '-', '.'")
    record = {"parameters": dict(parameters), "code": code_hash(), "inputs": dict(inputs)}
    description = json.dumps(record, sort_keys=True)
    target = paths.figures_dir() / study_name / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{name}.{os.getpid()}.part")
    try:
        fig.savefig(
            temporary, format="png", metadata={"Description": description, "Software": None}
        )
        temporary.replace(target)
        fig.set_layout_engine("none")  # what is shown next looks as what was saved
    finally:
        temporary.unlink(missing_ok=True)
    return target


def read_record(path: Path) -> dict[str, Any]:
    """Return what a saved figure was made with: ``parameters``, ``code`` and ``inputs``.

    Raises:
        ValueError: If the file has no such record.
    """
    with Image.open(path) as image:
        description = image.info.get("Description")
    if description is None:
        raise ValueError(f"{path}: no Description; only save_figure's files say what made them")
    return json.loads(description)
