"""``python -m condi_lib.explore embedded``: the explorer in JupyterLab."""

import sys
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional, arg

Option = Annotated[str, arg(metavar="PATH")]


def explore(
    study: Positional[str] = "embedded",
    clip_table: Option = "",
    videos: Option = "",
    teacher: Option = "",
    student: Option = "",
    browser: bool = True,
) -> int:
    """Open the explorer; then run all cells of its notebook.

    Args:
        study: A params file in notebooks/params, by name, or the path of another one, or
            "reference". One that has not been computed is not: the reference is opened instead.
        clip_table: Instead: any clip table, a Parquet file or a folder of them.
        videos: The folder of that table's videos; without it there are no pictures.
        teacher: Weights with which to classify videos of your own. Default: those of the study.
        student: The student's.
        browser: Open a browser; else the address is only printed.
    """
    from condi_lib.explore.lab import open_lab, prepare_chapter, study_to_explore
    from condi_lib.explore.sources import source_of_table

    given = {"clip_table": clip_table, "videos": videos, "teacher_weights": teacher,
             "student_weights": student}  # fmt: skip
    given = {name: str(Path(path).resolve()) for name, path in given.items() if path}
    try:
        for path in filter(lambda path: not Path(path).exists(), given.values()):
            raise FileNotFoundError(f"{path}: no such file or folder")
        if clip_table:
            source_of_table(clip_table, videos or None)  # refuses what is none
        else:
            given["study"], told = study_to_explore(study)
            print(told or f"opening {study}: run all cells", file=sys.stderr)
        return open_lab(prepare_chapter(given), () if browser else ("--no-browser",))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(tyro.cli(explore, prog="python -m condi_lib.explore"))
