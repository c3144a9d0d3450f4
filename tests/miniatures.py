"""Published data sets in miniature: little video files, laid out and listed like the real ones.

Each function writes a data set below a folder and returns how a params file names it
(``dataset.official``). Videos are 8 frames of noise, 24 x 16 px, no two alike.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from condi_lib.videos.decode import write_video

N_FRAMES = 8
CODECS = {
    ".avi": ("mpeg4", {"qscale": "5"}),
    ".mp4": ("libx264", {"preset": "ultrafast"}),
    ".webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    ".vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8"}),
}
KINETICS_CLASSES = ("hugging (not baby)", "massaging person's head", "zumba")


def write_noise(path: Path, seed: Sequence[int], n_frames: int = N_FRAMES, kind: str = "") -> Path:
    """Write a video of noise, as its suffix or ``kind`` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec, options = CODECS[kind or path.suffix]
    grey = np.random.default_rng(seed).integers(0, 255, (n_frames, 16, 24, 1), np.uint8)
    return write_video(path, np.repeat(grey, 3, axis=3), codec=codec, options=options)


def official(folder: Path, name: str, root: str, lists: str) -> dict[str, Any]:
    """The fields of ``dataset.official``."""
    return {"name": name, "root": str(folder / root), "lists": str(folder / lists)}


# UCF-101


def ucf101(folder: Path, videos: bool = True) -> dict[str, Any]:
    """2 classes of 8 groups of 2 clips; fold f tests groups 2f - 1 and 2f. One name is odd."""
    actions = {"Archery": "Archery", "HandstandPushups": "HandStandPushups"}
    lists = folder / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    lines = [f"{number} {name}\r\n" for number, name in enumerate(actions, start=1)]
    (lists / "classInd.txt").write_text("".join(lines))
    for fold in (1, 2, 3):
        parts: dict[str, list[str]] = {"train": [], "test": []}
        for number, (name, action) in enumerate(actions.items(), start=1):
            for group in range(1, 9):
                for clip in (1, 2):
                    file = f"{name}/v_{action}_g{group:02d}_c{clip:02d}.avi"
                    is_test = group in (2 * fold - 1, 2 * fold)
                    parts["test" if is_test else "train"].append(
                        f"{file}\r\n" if is_test else f"{file} {number}\r\n"
                    )
                    if videos and fold == 1:
                        write_noise(folder / "UCF-101" / file, (number, group, clip))
        for split, lines in parts.items():
            (lists / f"{split}list0{fold}.txt").write_text("".join(lines))
    (folder / "UCF-101").mkdir(exist_ok=True)
    return official(folder, "ucf101", "UCF-101", "ucfTrainTestlist")


# HMDB-51

HMDB_FILMS = {
    "brush_hair": ("April_09", "Brushing!!!!_[_NEW_]", "a(b)&c;d", "x~y@z+#1", "50%_off", "e'f"),
    "sword": ("prelinger_LetsBeGo1953", "Crash", "A-B", "C", "D", "E"),
}


def hmdb51(folder: Path, videos: bool = True) -> dict[str, Any]:
    """2 classes of 6 films of 2 clips; the tests of the folds overlap, one film is not used."""
    lists, root = folder / "testTrainMulti_7030_splits", folder / "hmdb51_org"
    lists.mkdir(parents=True)
    root.mkdir(exist_ok=True)
    for name, films in HMDB_FILMS.items():
        for fold in (1, 2, 3):
            lines = []
            for number, film in enumerate(films):
                # fold 1 tests films 0 and 1, fold 2 films 1 and 2, fold 3 film 2; film 5 is unused
                code = 0 if number == 5 else 2 if number in ((0, 1), (1, 2), (2,))[fold - 1] else 1
                for clip in (0, 1):
                    file = f"{film}_{name}_u_cm_np{1 + 9 * clip}_fr_goo_{clip}.avi"
                    lines.append(f"{file} {code} \n")
                    if videos and fold == 1:
                        write_noise(root / name / file, (*name.encode(), number, clip))
            (lists / f"{name}_test_split{fold}.txt").write_text("".join(lines))
    return official(folder, "hmdb51", "hmdb51_org", "testTrainMulti_7030_splits")


# Kinetics


def youtube_id(number: int) -> str:
    """A made-up id; every third begins like a formula or an option."""
    return f"{'-_a'[number % 3]}{number:010d}"


def kinetics_rows(n_train: int = 8, n_val: int = 3) -> dict[str, list[tuple[str, str, int, int]]]:
    """By split: label, YouTube id, start and end in seconds; ``n`` a class."""
    rows: dict[str, list[tuple[str, str, int, int]]] = {"train": [], "val": []}
    number = 0
    for label in KINETICS_CLASSES:
        for split, count in (("train", n_train), ("val", n_val)):
            for _ in range(count):
                number += 1
                rows[split].append((label, youtube_id(number), number, number + 10))
    return rows


def write_kinetics_csv(path: Path, rows: Iterable[tuple], split: str, quoted: bool = False) -> None:
    """Write a list as DeepMind does; ``split`` empty: without that column, as old ones are."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
        tail = ["split"] if split else []
        writer.writerow(["label", "youtube_id", "time_start", "time_end", *tail])
        writer.writerows([*row, *([split] if split else [])] for row in rows)


def kinetics(
    folder: Path, layout: str = "{split}/{label}/{stem}.mp4", videos: bool = True
) -> dict[str, Any]:
    """3 classes, 8 videos each to train and 3 to test; 2 missing, 1 a web page, 1 cut short."""
    rows = kinetics_rows()
    (folder / "annotations").mkdir(parents=True)
    (folder / "videos").mkdir()
    for split, listed in rows.items():
        write_kinetics_csv(folder / "annotations" / f"{split}.csv", listed, split)
        for number, (label, video, start, end) in enumerate(listed if videos else []):
            stem = f"{video}_{start:06d}_{end:06d}"
            path = layout.format(split=split, label=label, stem=stem, id=video)
            if number != 0:  # the first of each list is gone from YouTube
                write_noise(folder / "videos" / path, (start,))
            if split == "train" and number == 1:
                (folder / "videos" / path).write_text("<html>Video unavailable</html>")
            if split == "val" and number == 1:
                content = (folder / "videos" / path).read_bytes()
                (folder / "videos" / path).write_bytes(content[: len(content) // 2])
    head = "youtube_id,time_start,time_end,split\n"  # the test list has no labels
    (folder / "annotations" / "test.csv").write_text(head + "abcdefghijk,1,11,test\n")
    return official(folder, "kinetics", "videos", "annotations")


# Something-Something V2

TEMPLATES = (
    "Holding [something] next to [something]",
    "Laying [something] on the table on its side, not upright",
    "Pushing [something] from left to right",
)


def something_something_v2(folder: Path, videos: bool = True) -> dict[str, Any]:
    """3 labels, 10 videos each to train and 2 to validate; every other one is VP8, the rest VP9."""
    labels = sorted(template.replace("[", "").replace("]", "") for template in TEMPLATES)
    root = folder / "20bn-something-something-v2"
    root.mkdir(parents=True)
    (folder / "labels").mkdir()
    numbers = {label: str(number) for number, label in enumerate(labels)}
    (folder / "labels" / "labels.json").write_text(json.dumps(numbers))
    video = 100
    for name, count in (("train", 10), ("validation", 2)):
        entries = []
        for template in TEMPLATES:
            for _ in range(count):
                video += 1
                if videos:
                    write_noise(root / f"{video}.webm", (video,), kind=(".webm", ".vp8")[video % 2])
                label = template.replace("[something]", "a potato").lower()
                entry = {"id": str(video), "label": label, "template": template}
                entries.append({**entry, "placeholders": ["a potato"] * template.count("[")})
        (folder / "labels" / f"{name}.json").write_text(json.dumps(entries))
    (folder / "labels" / "test.json").write_text(json.dumps([{"id": "9"}]))
    return official(folder, "something_something_v2", "20bn-something-something-v2", "labels")
