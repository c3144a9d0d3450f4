"""HMDB-51 (Kuehne et al. 2011): 6 766 videos of 51 actions, three folds of 70 + 30 a class.

Lists, from ``test_train_splits.rar`` (folder ``testTrainMulti_7030_splits``): one file per class
and fold, ``brush_hair_test_split1.txt``, with ``NAME.avi CODE`` a line: 1 train, 2 test, 0 not used
in this fold. Videos: one folder per class, unpacked from ``hmdb51_org.rar`` and the archives in it.
Names hold characters that shells and web servers trip over (``!#&()+;@[]~``) and must be left as
they are. What stands before the class in a name says which film the clips are from; no fold, and no
validation split, may divide a film's clips of one class.
"""

import re
from pathlib import Path

from condi_lib.videos.catalog import Catalog
from condi_lib.videos.official.lists import Faults, Listing, need_files, need_folder, read_lines
from condi_lib.videos.records import CatalogError

N_FOLDS = 3
_FILE = re.compile(r"(?P<class>.+)_test_split(?P<fold>\d+)\.txt")
_SPLIT_OF_CODE = {"0": None, "1": "train", "2": "test"}
# Body part, camera motion, number of people, view, quality, running number: the name's tail.
_TAIL = r"_{}_[a-z]+_(?:cm|nm)_np\d+_(?:fr|ba|le|ri)_(?:goo|med|bad)_\d+\.avi"


def list_files(lists: Path) -> list[Path]:
    """The files that decide all three folds, sorted by name.

    Raises:
        CatalogError: If there are none, or a class lacks a fold.
    """
    found = [m for m in map(_FILE.fullmatch, sorted(_names(lists))) if m is not None]
    classes = sorted({match["class"] for match in found})
    if not classes:
        raise CatalogError(
            f"{lists}: has no files CLASS_test_split1.txt; unpack test_train_splits.rar there"
        )
    folds = range(1, N_FOLDS + 1)
    return need_files(lists, [f"{name}_test_split{fold}.txt" for name in classes for fold in folds])


def _names(lists: Path) -> list[str]:
    return [path.name for path in lists.iterdir()] if lists.is_dir() else []


def read(root: Path, lists: Path, fold: int) -> Catalog:
    """Read one fold; videos that it does not use are not in the catalog.

    Raises:
        CatalogError: If lists are missing, or contradict themselves or each other.
    """
    need_folder(root, "a folder per class, with the avi files of that class")
    files = list_files(lists)
    classes = tuple(dict.fromkeys(_FILE.fullmatch(path.name)["class"] for path in files))
    faults = Faults()
    listing = Listing(root, faults)
    for label, name in enumerate(classes):
        codes = {path: _read_codes(path, faults) for path in files[3 * label : 3 * label + 3]}
        _compare(codes, faults)
        path = lists / f"{name}_test_split{fold}.txt"
        _add_class(listing, path, codes[path], name, label)
    faults.refuse()
    by_split = sorted(listing.records, key=lambda record: record.split == "test")  # train first
    return Catalog(root, classes, tuple(by_split))


def _add_class(
    listing: Listing, path: Path, codes: dict[str, tuple[str, str]], name: str, label: int
) -> None:
    split_of_film: dict[str, str] = {}
    for file, (code, place) in codes.items():
        split = _SPLIT_OF_CODE[code]
        if split is None:
            continue
        film = re.sub(_TAIL.format(re.escape(name)) + "$", "", file)
        if split_of_film.setdefault(film, split) != split:
            listing.faults.add(
                f"{place}: {film!r} is in both train and test, so clips of one film would be "
                "trained on and tested; download the lists again"
            )
        listing.add(place, f"{name}/{file}", label, split, group=f"{name}/{film}")
    if set(split_of_film.values()) != {"train", "test"}:
        listing.faults.add(
            f"{path}: needs videos with code 1 (train) and code 2 (test); download it again"
        )


def _read_codes(path: Path, faults: Faults) -> dict[str, tuple[str, str]]:
    """File name -> its code and where that stands."""
    codes: dict[str, tuple[str, str]] = {}
    for place, line in read_lines(path):
        file, _, code = line.rpartition(" ")
        file = file.strip()
        if code not in _SPLIT_OF_CODE or not file.endswith(".avi") or "/" in file:
            faults.add(f"{place}: expected 'NAME.avi CODE' with code 0, 1 or 2, got {line!r}")
        elif file in codes:
            faults.add(f"{place}: {file} is listed in {codes[file][1]} already; remove one")
        else:
            codes[file] = code, place
    return codes


def _compare(codes: dict[Path, dict[str, tuple[str, str]]], faults: Faults) -> None:
    """A class has the same videos in all folds; a fold that does not use one says so by 0."""
    everything = set().union(*codes.values())
    for path, listed in codes.items():
        if missing := sorted(everything - set(listed)):
            faults.add(
                f"{path}: lacks {missing[0]} ({len(missing)} in all), which another fold of this "
                "class lists; download the lists again"
            )
