"""Something-Something V2 (Goyal et al. 2017; Mahdisoltani et al. 2018): 174 actions.

Lists: ``labels.json`` (label -> its number as a text), ``train.json`` and ``validation.json`` (each
a list of ``{"id": "78687", "template": "Holding [something] next to [something]", ...}``), also
under their first names ``something-something-v2-labels.json`` and so on. Videos: ``20bn-something-
something-v2/78687.webm``, all in one folder. The labels of the test list are not published, so the
validation list is the split ``test``, as in the paper (sec. IV, Evaluation). Left and right are
part of some labels: do not mirror these videos in training.
"""

import difflib
import json
from pathlib import Path
from typing import Any

from condi_lib.videos.catalog import Catalog
from condi_lib.videos.official.lists import Faults, Listing, need_folder
from condi_lib.videos.records import CatalogError

_LISTS = {"labels": "labels", "train": "train", "test": "validation"}


def list_files(lists: Path) -> list[Path]:
    """``labels.json``, ``train.json``, ``validation.json``.

    Raises:
        CatalogError: If one is missing.
    """
    return [_find(lists, name) for name in _LISTS.values()]


def _find(lists: Path, name: str) -> Path:
    names = [f"{name}.json", f"something-something-v2-{name}.json"]
    found = [lists / each for each in names if (lists / each).is_file()]
    if len(found) != 1:
        has = "has both" if found else "has neither"
        raise CatalogError(f"{lists}: {has} {' and '.join(names)}; put one of the two there")
    return found[0]


def read(root: Path, lists: Path, fold: int = 1) -> Catalog:
    """Read the one official division; classes are in the order of their numbers.

    Raises:
        CatalogError: If lists are missing, or contradict themselves or each other.
    """
    need_folder(root, "the files 1.webm, 2.webm, ... (all parts of the archive, joined, unpacked)")
    labels, *files = list_files(lists)
    classes = _read_classes(labels)
    faults = Faults()
    listing = Listing(root, faults)
    label_of = {name: label for label, name in enumerate(classes)}
    for split, path in zip(("train", "test"), files, strict=True):
        for number, entry in enumerate(_entries(path), start=1):
            _add(listing, f"{path}, entry {number}", entry, label_of, split)
    faults.refuse()
    return Catalog(root, classes, tuple(listing.records))


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CatalogError(
            f"{path}: cannot be read as JSON ({error}); download it again"
        ) from error


def _entries(path: Path) -> list[Any]:
    entries = _load(path)
    if not isinstance(entries, list) or not entries:
        raise CatalogError(f"{path}: must be a list of videos, and not empty; download it again")
    return entries


def _read_classes(path: Path) -> tuple[str, ...]:
    numbers = _load(path)
    wanted = [str(number) for number in range(len(numbers))] if isinstance(numbers, dict) else []
    if not wanted or sorted(map(str, numbers.values())) != sorted(wanted):
        raise CatalogError(
            f"{path}: must map each label to its number, 0, 1, 2, ..., each once; download it again"
        )
    return tuple(sorted(numbers, key=lambda name: int(numbers[name])))


def _add(listing: Listing, place: str, entry: Any, label_of: dict[str, int], split: str) -> None:
    video = entry.get("id") if isinstance(entry, dict) else None
    template = entry.get("template") if isinstance(entry, dict) else None
    if not isinstance(video, str) or not video.isdecimal() or not isinstance(template, str):
        listing.faults.add(f"{place}: needs an 'id', a number in quotes, and a 'template'")
        return
    label = template.replace("[", "").replace("]", "")
    if label not in label_of:
        near = difflib.get_close_matches(label, label_of, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "are these files of one version?"
        listing.faults.add(f"{place} (id {video}): {label!r} is not in labels.json; {hint}")
        return
    listing.add(f"{place} (id {video})", f"{video}.webm", label_of[label], split)
