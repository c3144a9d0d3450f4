"""A chapter runs with checked parameters, and says where it failed."""

import json
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from condi_lib.chapters import (
    ChapterError,
    chapter_notebooks,
    code_hash,
    notebook_hash,
    run_chapter,
)


def write_notebook(path, *sources):
    """A notebook with a parameters cell (``study``, ``k_clips``) before its code cells."""
    parameters = new_code_cell('study: str = "embedded"  # which\nk_clips: int = 3')
    parameters.metadata["tags"] = ["parameters"]
    cells = [new_markdown_cell("# A chapter"), parameters, *map(new_code_cell, sources)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def printed(path):
    """What the code cells of an executed notebook printed."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_unknown_parameters_are_refused_before_anything_runs(root):
    notebook = write_notebook(root / "notebooks" / "02_samplers.ipynb", "print('it ran')")
    output = root / "out" / "02.ipynb"
    message = r"02_samplers\.ipynb has no parameter \['k_clip'\]; .* \['k_clips', 'study'\]"
    with pytest.raises(ChapterError, match=message):
        run_chapter(notebook, {"k_clip": 4}, output)
    assert not output.exists()


def test_a_notebook_without_parameters_is_told_so(root):
    notebook = root / "01_none.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), notebook)
    with pytest.raises(ChapterError, match=r"no parameter \['study'\]; .* has \[\]"):
        run_chapter(notebook, {"study": "tiny"}, root / "out.ipynb")


def test_a_chapter_runs_in_its_folder_and_the_failing_cell_is_named(root):
    notebook = write_notebook(
        root / "notebooks" / "02_samplers.ipynb",
        "from pathlib import Path\nprint(study, k_clips, Path.cwd().name)",
        "wanted = 'accuracy'\n{}[wanted]",
        "print('too late')",
    )
    before, output = notebook.read_bytes(), root / "out" / "02.ipynb"
    with pytest.raises(ChapterError) as caught:
        run_chapter(notebook, {"study": "tiny"}, output)
    message = str(caught.value)
    assert message.startswith("02_samplers.ipynb, cell [4]: KeyError: 'accuracy'\n")
    assert "    wanted = 'accuracy'\n    {}[wanted]\n" in message
    assert message.endswith(f"the notebook as far as it got: {output}")
    assert printed(output) == "tiny 3 notebooks\n"
    assert notebook.read_bytes() == before
    assert {path.name for path in output.parent.iterdir()} == {"02.ipynb", ".02.ipynb.lock"}


def test_a_kernel_that_dies_is_told_so(root):
    notebook = write_notebook(root / "03_big.ipynb", "import os; os.kill(os.getpid(), 9)")
    output = root / "03.ipynb"
    with pytest.raises(ChapterError, match=r"03_big\.ipynb: its kernel died .*memory"):
        run_chapter(notebook, {}, output)
    assert output.exists()


def test_a_hash_of_a_notebook_ignores_what_running_it_changes(root):
    path = write_notebook(root / "02_samplers.ipynb", "1 + 1")
    before = notebook_hash(path)
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].outputs = [new_output("stream", text="2")]
    notebook.cells[-1].execution_count = 7
    notebook.metadata["papermill"] = {"duration": 3.2}
    nbformat.write(notebook, path)
    assert notebook_hash(path) == before
    content = json.loads(path.read_text())
    for cell in content["cells"]:  # a text and a list of its lines are the same
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
    path.write_text(json.dumps(content))
    assert notebook_hash(path) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda cells: cells[-1].update(source="1 + 2"),
        lambda cells: cells[0].update(source="# Another title"),
        lambda cells: cells.pop(),
        lambda cells: cells.reverse(),
    ],
    ids=["code", "text", "a cell less", "order"],
)
def test_a_hash_of_a_notebook_changes_with_its_cells(change, root):
    path = write_notebook(root / "02_samplers.ipynb", "1 + 1")
    before = notebook_hash(path)
    notebook = nbformat.read(path, 4)
    change(notebook.cells)
    nbformat.write(notebook, path)
    assert notebook_hash(path) != before


def test_the_code_has_one_hash():
    program = "from condi_lib.chapters import code_hash; print(code_hash())"
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert elsewhere.stdout == code_hash() + "\n"
    assert len(code_hash()) == 12


@pytest.mark.parametrize(
    ("room", "matters"), [("plotting/bars.py", False), ("__main__.py", False), ("metrics.py", True)]
)
def test_results_do_not_depend_on_rooms_above_the_study(room, matters, tmp_path, monkeypatch):
    package = tmp_path / "condi_lib"
    for name in ("chapters.py", "plotting/bars.py", "__main__.py", "metrics.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("1")
    monkeypatch.setattr("condi_lib.chapters.__file__", str(package / "chapters.py"))
    before = code_hash(), code_hash(results_only=True)
    (package / room).write_text("2")
    assert code_hash() != before[0]
    assert (code_hash(results_only=True) != before[1]) is matters


def test_chapters_are_found_in_reading_order(root):
    folder = root / "notebooks"
    for name in ("10_last", "02_samplers", "00_videos", "draft", "1_old"):
        write_notebook(folder / f"{name}.ipynb")
    (folder / "03_notes.md").write_text("")

    def names(*chosen):
        return [path.stem for path in chapter_notebooks(chosen)]

    assert names() == ["00_videos", "02_samplers", "10_last"]
    assert names("10", "02_sam") == ["02_samplers", "10_last"]
    with pytest.raises(ChapterError, match=r"no chapter begins with '03'; .*'02_samplers'"):
        names("03")
