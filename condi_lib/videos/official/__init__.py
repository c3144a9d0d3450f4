"""Data sets by their official files, as downloaded: which videos, which labels, which splits.

One module for each data set. Its reader looks at lists and at file names and returns a
:class:`~condi_lib.videos.catalog.Catalog` whose splits are ``train`` and ``test``, as the authors
of the data set divided it; where they keep the labels of the test list to themselves, the
validation list is ``test``. Videos that are listed but not there stay in the catalog, under the
name that they should have: ``scan`` reports them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from condi_lib.videos.catalog import Catalog
from condi_lib.videos.official import hmdb51, kinetics, something_something_v2, ucf101

__all__ = ["OFFICIAL", "OfficialSet", "read_official"]


@dataclass(frozen=True)
class OfficialSet:
    """How one data set is read.

    Attributes:
        read: ``read(root, lists, fold)`` gives the catalog.
        list_files: ``list_files(lists)`` gives the files that decide it, over all folds.
        n_folds: How many divisions its authors published.
        by_group: Whether some videos must not be divided between train and validation.
    """

    read: Callable[[Path, Path, int], Catalog]
    list_files: Callable[[Path], list[Path]]
    n_folds: int = 1
    by_group: bool = False


OFFICIAL = {
    "ucf101": OfficialSet(ucf101.read, ucf101.list_files, ucf101.N_FOLDS, by_group=True),
    "hmdb51": OfficialSet(hmdb51.read, hmdb51.list_files, hmdb51.N_FOLDS, by_group=True),
    "kinetics": OfficialSet(kinetics.read, kinetics.list_files, by_group=True),
    "something_something_v2": OfficialSet(
        something_something_v2.read, something_something_v2.list_files
    ),
}


def read_official(name: str, root: str | Path, lists: str | Path, fold: int = 1) -> Catalog:
    """Read a data set's official files.

    Args:
        name: A key of ``OFFICIAL``.
        root: Folder of the videos.
        lists: Folder of the official files.
        fold: Which of the official divisions, from 1.

    Raises:
        CatalogError: If files are missing or contradict each other, naming file and line.
        ValueError: If the data set or the fold is unknown.
    """
    check_fold(name, fold)
    root, lists = Path(root), Path(lists)
    return OFFICIAL[name].read(root, lists, fold)


def check_fold(name: str, fold: int) -> None:
    """Refuse a data set that is unknown, and a fold that it does not have.

    Raises:
        ValueError: Naming those there are.
    """
    if name not in OFFICIAL:
        raise ValueError(f"no official data set is called {name!r}; choose from {list(OFFICIAL)}")
    n_folds = OFFICIAL[name].n_folds
    if not 1 <= fold <= n_folds:
        has = f"folds 1 to {n_folds}" if n_folds > 1 else "one official division, fold 1"
        raise ValueError(f"{name} has {has}, got fold {fold}")
