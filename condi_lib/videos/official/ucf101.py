"""UCF-101 (Soomro, Zamir, Shah 2012): 13 320 videos of 101 actions, three folds.

Lists, from ``UCF101TrainTestSplits-RecognitionTask.zip``: ``classInd.txt`` (``1 ApplyEyeMakeup``),
``trainlist01.txt`` (``ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1``) and ``testlist01.txt`` (the
same without a number), for folds 01 to 03. Videos: the folder ``UCF-101`` of the archive, with a
folder per class. Clips ``c..`` of one group ``g..`` were cut from the same recordings: no fold, and
no validation split, may divide a group.
"""

import re
from pathlib import Path

from condi_lib.videos.catalog import Catalog
from condi_lib.videos.official.lists import Faults, Listing, need_files, need_folder, read_lines

N_FOLDS = 3
_NAME = re.compile(r"(?P<folder>[^/]+)/v_(?P<action>\w+)_g(?P<group>\d+)_c\d+\.avi")
_SPLITS = {"train": "trainlist{:02d}.txt", "test": "testlist{:02d}.txt"}


def list_files(lists: Path) -> list[Path]:
    """The files that decide all three folds.

    Raises:
        CatalogError: If one is missing.
    """
    names = [name.format(fold) for name in _SPLITS.values() for fold in range(1, N_FOLDS + 1)]
    return need_files(lists, ["classInd.txt", *sorted(names)])


def read(root: Path, lists: Path, fold: int) -> Catalog:
    """Read one fold; groups are ``ApplyEyeMakeup_g08``.

    Raises:
        CatalogError: If lists are missing, or contradict themselves or each other.
    """
    need_folder(root, "a folder per class (the archive's folder UCF-101)")
    names = [name.format(fold) for name in _SPLITS.values()]
    class_file, *files = need_files(lists, ["classInd.txt", *names])
    faults = Faults()
    classes = _read_classes(class_file, faults)
    faults.refuse()
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    listing = Listing(root, faults)
    split_of_group: dict[str, str] = {}
    for split, path in zip(_SPLITS, files, strict=True):
        for place, line in read_lines(path):
            found = _parse(place, line, numbers, faults, with_number=split == "train")
            if found is None:
                continue
            video_id, label, group = found
            if split_of_group.setdefault(group, split) != split:
                faults.add(
                    f"{place}: group {group} is in the training list too, so the same recordings "
                    "would be trained on and tested; download both lists again"
                )
            listing.add(place, video_id, label, split, group)
    faults.refuse()
    return Catalog(root, classes, tuple(listing.records))


def _read_classes(path: Path, faults: Faults) -> tuple[str, ...]:
    classes: list[str] = []
    for place, line in read_lines(path):
        number, _, name = line.partition(" ")
        if number != str(len(classes) + 1) or not name.strip() or name.strip() in classes:
            faults.add(
                f"{place}: expected '{len(classes) + 1} NameOfAClass', a new one, got {line!r}; "
                "download the file again"
            )
            break
        classes.append(name.strip())
    if not classes:
        faults.add(f"{path}: lists no classes; download it again")
    return tuple(classes)


def _parse(
    place: str, line: str, numbers: dict[str, int], faults: Faults, with_number: bool
) -> tuple[str, int, str] | None:
    """Video id, label and group of one line; None where a fault was noted."""
    video_id, _, number = line.partition(" ")
    name = _NAME.fullmatch(video_id)
    # The official lists write HandstandPushups/v_HandStandPushups_g01_c01.avi.
    if name is None or name["action"].lower() != name["folder"].lower():
        faults.add(f"{place}: {video_id!r} is not Class/v_Class_g01_c01.avi; correct the line")
        return None
    if name["folder"] not in numbers:
        faults.add(f"{place}: class {name['folder']!r} is not in classInd.txt; correct either")
        return None
    expected = numbers[name["folder"]]
    if number.strip() != str(expected) and (with_number or number.strip()):
        faults.add(
            f"{place}: says class number {number.strip()!r}, but classInd.txt gives "
            f"{name['folder']} the number {expected}; correct either"
        )
        return None
    return video_id, expected - 1, f"{name['folder']}_g{name['group']}"
