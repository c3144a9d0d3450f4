"""A saved figure says what made it, and the same work gives the same bytes."""

import re

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from condi_lib import paths
from condi_lib.chapters import code_hash
from condi_lib.plotting import read_record, save_figure, use_style

PARAMETERS = {"study": "embedded", "k_clips": [1, 3], "temperature": 0.9}
INPUTS = {"teacher-seed0.parquet": "5f3a"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "figures_dir", lambda: tmp_path)
    with plt.rc_context():
        use_style()
        yield tmp_path
    plt.close("all")


def figure(height=2.0):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.plot([0, 1], [0, height], label="z̃")
    return fig


def test_the_file_lies_in_the_studys_folder_and_says_what_made_it(folder):
    path = save_figure(figure(), "accuracy_over_k", "embedded", PARAMETERS, INPUTS)
    assert path == folder / "embedded" / "accuracy_over_k.png"
    record = {"parameters": PARAMETERS, "code": code_hash(), "inputs": INPUTS}
    assert read_record(path) == record


def test_nothing_else_is_written_into_it():
    path = save_figure(figure(), "a", "s", PARAMETERS, INPUTS)
    with Image.open(path) as image:
        assert set(image.text) == {"Description"}


def test_the_same_work_gives_the_same_bytes(folder):
    first = save_figure(figure(), "a", "s", PARAMETERS, INPUTS).read_bytes()
    turned = dict(reversed(PARAMETERS.items()))
    assert save_figure(figure(), "a", "s", turned, INPUTS).read_bytes() == first
    assert save_figure(figure(height=3), "a", "s", PARAMETERS, INPUTS).read_bytes() != first
    assert save_figure(figure(), "a", "s", PARAMETERS, {}).read_bytes() != first


def test_the_background_is_opaque_and_light():
    path = save_figure(figure(), "a", "s", {}, {})
    with Image.open(path) as image:
        assert image.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)


def test_a_failed_write_leaves_the_old_file_and_no_other(folder, monkeypatch):
    path = save_figure(figure(), "a", "s", {}, {})
    before = path.read_bytes()
    fig = figure(height=5)

    def break_off(file, **_):
        file.write_bytes(b"half a fig")
        raise OSError("disk full")

    monkeypatch.setattr(fig, "savefig", break_off)
    with pytest.raises(OSError, match="disk full"):
        save_figure(fig, "a", "s", {}, {})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "a b"])
def test_names_that_leave_the_folder_are_refused(name):
    with pytest.raises(ValueError, match=re.escape(f"{name!r} is no name")):
        save_figure(figure(), name, "s", {}, {})
    with pytest.raises(ValueError, match=re.escape(f"{name!r} is no name")):
        save_figure(figure(), "a", name, {}, {})


def test_parameters_that_are_not_json_are_refused(folder):
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_figure(figure(), "a", "s", {"spec": object()}, {})
    assert list(folder.rglob("*.png")) == []


def test_a_foreign_picture_has_no_record(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"x\.png: no Description"):
        read_record(tmp_path / "x.png")
