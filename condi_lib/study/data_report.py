"""What a check of a data set found, as text for a terminal."""

from collections.abc import Iterator

import pandas as pd

from condi_lib.study.data_check import DataCheck

MEANING = {
    "missing": "listed, but not there",
    "corrupt": "cannot be read as a video",
    "too_short": "one frame, or fewer than asked for",
    "shorter_than_a_clip": "usable: the only clip loops",
    "same_content": "byte for byte the same as another",
    "same_name": "in different folders",
    "group_in_two_splits": "one recording or YouTube video in two splits",
    "class_without_videos": "nothing usable in a split",
}
EXAMPLES = 2


def report_lines(check: DataCheck) -> Iterator[str]:
    """The report, line by line: counts by split, what the files are, problems with examples."""
    yield f"videos below {check.root}"
    yield ""
    yield from _count_lines(check.counts)
    yield ""
    yield from _file_lines(check.files)
    yield ""
    yield from _problem_lines(check.problems)


def _count_lines(counts: pd.DataFrame) -> Iterator[str]:
    table = counts.rename(columns={"too_short": "too short"}).reset_index()
    table["median"] = table["median"].map(lambda value: f"{value:g}")
    if not table["fold"].any():
        table = table.drop(columns="fold")
    yield from table.to_string(index=False).splitlines()
    yield "loops: shorter than one clip. least, median, most: usable videos a class"


def _file_lines(files: pd.DataFrame) -> Iterator[str]:
    if files.empty:
        yield "no usable file"
        return
    hours = files["duration_sec"].sum() / 3600
    yield f"{len(files)} usable files, {_size(files['n_bytes'].sum())}, {hours:.3g} h"
    yield f"seconds  {_spread(files['duration_sec'], '.1f')}"
    yield f"frames   {_spread(files['n_frames'], '.0f')}"
    yield f"fps      {_commonest(files['fps'].round(2).map('{:g}'.format))}"
    sizes = files["width_px"].astype(str) + " x " + files["height_px"].astype(str)
    yield f"pixels   {_commonest(sizes)}"
    yield f"codec    {_commonest(files['codec'])}"


def _spread(values: pd.Series, spec: str) -> str:
    low, median, high = (format(values.quantile(q), spec) for q in (0, 0.5, 1))
    return f"{low} to {high}, median {median}"


def _commonest(values: pd.Series, shown: int = 4) -> str:
    counts = values.value_counts()
    named = [f"{value} ({count})" for value, count in counts.head(shown).items()]
    return ", ".join(named + ([f"{len(counts) - shown} others"] if len(counts) > shown else []))


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"


def _problem_lines(problems: pd.DataFrame) -> Iterator[str]:
    if problems.empty:
        yield "no problems"
        return
    yield f"{len(problems)} problems"
    for kind, meaning in MEANING.items():
        found = problems[problems["kind"] == kind]
        if found.empty:
            continue
        yield f"  {len(found)} {kind.replace('_', ' ')}: {meaning}"
        for row in found.head(EXAMPLES).itertuples():
            yield f"    {row.file}: {row.detail}" if row.file else f"    {row.detail}"
        if len(found) > EXAMPLES:
            yield f"    and {len(found) - EXAMPLES} more"
