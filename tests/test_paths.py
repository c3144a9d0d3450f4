"""Places are the same from every folder, follow CONDI_ROOT, and are refused where unknown."""

from pathlib import Path

import pytest

from condi_lib import paths

CHECKOUT = Path(__file__).resolve().parents[1]


def test_root_is_this_checkout_whatever_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(paths.ROOT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert paths.project_root() == CHECKOUT


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (paths.data_dir, "data"),
        (paths.paper_dir, "data/paper"),
        (paths.reference_dir, "data/reference"),
        (paths.videos_dir, "data/videos"),
        (paths.runs_dir, "data/runs"),
        (paths.figures_dir, "figures"),
        (paths.notebooks_dir, "notebooks"),
    ],
)
def test_places_lie_below_the_chosen_root(monkeypatch, tmp_path, place, expected):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    assert place() == tmp_path / expected
    assert not place().exists(), "naming a place must not create it"


def test_a_relative_root_becomes_absolute(monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(paths.ROOT_VARIABLE, "elsewhere")
    assert paths.project_root() == tmp_path / "elsewhere"


def test_an_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv(paths.ROOT_VARIABLE, "")
    assert paths.project_root() == CHECKOUT


def test_a_root_that_is_no_folder_is_refused(monkeypatch, tmp_path):
    missing = tmp_path / "gone"
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(missing))
    with pytest.raises(NotADirectoryError, match=r"CONDI_ROOT=.*gone is not a folder"):
        paths.project_root()


def test_installed_outside_a_checkout_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv(paths.ROOT_VARIABLE, raising=False)
    installed = tmp_path / "site-packages" / "condi_lib" / "paths.py"
    monkeypatch.setattr(paths, "__file__", str(installed))
    with pytest.raises(FileNotFoundError, match=r"site-packages.* set CONDI_ROOT to a checkout"):
        paths.project_root()
