"""What ``make lab`` opens: the chapter with the study or clip table that was asked for."""

import shutil
import sys

import nbformat
import pytest
from explored_tables import explored_table
from tiny_study import tiny, write_params

from condi_lib import paths
from condi_lib.clip_table import write_clip_table
from condi_lib.explore import __main__ as command
from condi_lib.explore import lab
from condi_lib.explore.lab import CHAPTER, prepare_chapter, study_to_explore
from condi_lib.study import open_study

CHAPTERS = paths.notebooks_dir()


@pytest.fixture
def project(root):
    """A project with the chapter, the tiny study's params and the committed reference."""
    write_params(root, tiny())
    shutil.copy(CHAPTERS / CHAPTER, root / "notebooks")
    (root / "data").mkdir()
    (root / "data" / "reference").symlink_to(CHAPTERS.parent / "data" / "reference")
    return root


def parameters(notebook):
    """What the notebook's cells set, the injected ones last."""
    cells = nbformat.read(notebook, 4).cells
    tags = ("parameters", "injected-parameters")
    values: dict = {}
    for cell in (c for tag in tags for c in cells if tag in c.metadata.get("tags", [])):
        exec(cell.source, values)
    return values


def test_a_study_that_is_not_computed_is_told_so_and_not_computed(project):
    name, told = study_to_explore("tiny")
    assert name == "reference"
    assert "study tiny has not been computed yet (`python -m condi_lib study tiny`)" in told
    assert not (project / "data" / "runs").exists()


def test_a_computed_study_is_opened(project):
    open_study("tiny").table("condi_sr", 0)
    assert study_to_explore("tiny") == ("tiny", "")
    assert study_to_explore("reference") == ("reference", "")


def test_the_chapter_is_given_its_parameters_and_kept_as_it_is(project):
    before = (project / "notebooks" / CHAPTER).read_bytes()
    notebook = prepare_chapter({"study": "tiny"})
    assert notebook == project / "data" / "runs" / "explorer" / "tiny.ipynb"
    assert parameters(notebook)["study"] == "tiny"
    assert (project / "notebooks" / CHAPTER).read_bytes() == before


@pytest.fixture
def opened(monkeypatch):
    """What JupyterLab would be opened on, instead of opening it."""
    calls = []
    monkeypatch.setattr(lab, "open_lab", lambda *given: calls.append(given) or 0)
    return calls


def test_the_command_opens_what_was_asked_for(project, opened, tmp_path, capsys):
    table = tmp_path / "clips.parquet"
    write_clip_table(explored_table(4, 2), table)
    assert command.explore("tiny", browser=False) == 0
    assert command.explore(clip_table=str(table), videos=str(tmp_path)) == 0
    (first, options), (second, none) = opened
    assert (options, none) == (("--no-browser",), ())
    assert (
        parameters(first)["study"] == "reference" and "not been computed" in capsys.readouterr().err
    )
    given = parameters(second)
    assert (given["clip_table"], given["videos"]) == (str(table), str(tmp_path))


@pytest.mark.parametrize("mistake", [{"study": "nonesuch"}, {"clip_table": "nowhere.parquet"}])
def test_mistakes_are_told_in_a_line(project, opened, capsys, mistake):
    assert command.explore(**mistake) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and next(iter(mistake.values())) in said
    assert opened == []


def test_a_file_that_is_no_clip_table_is_refused_before_jupyterlab_opens(
    project, opened, tmp_path, capsys
):
    wrong = tmp_path / "clips.parquet"
    wrong.write_text("video,label\n")
    assert command.explore(clip_table=str(wrong)) == 2
    assert str(wrong) in capsys.readouterr().err
    assert opened == []


def test_jupyterlab_runs_in_the_project(project, monkeypatch):
    monkeypatch.setattr(sys, "executable", "echo")
    assert lab.open_lab(project / "x.ipynb", ("--no-browser",)) == 0
