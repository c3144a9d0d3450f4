"""Divide a catalog into splits: by class, by group, or as a list of groups says."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from condi_lib.videos.records import Catalog, CatalogError, VideoRecord


def assign_splits(
    catalog: Catalog, fractions: Mapping[str, float], seed: int, by_group: bool = False
) -> Catalog:
    """Divide the videos at random so that every split has its share of every class.

    Depends on the videos, not on their order; splits that the catalog had are replaced.

    Args:
        catalog: The videos.
        fractions: Split -> its share, ``{"train": .7, "val": .15, "test": .15}``; they sum to 1.
        seed: Of the draw.
        by_group: Keep the videos of a group together; classes are then divided as evenly as the
            groups allow.

    Raises:
        CatalogError: If a split gets no video, or ``by_group`` and a video has no group.
        ValueError: If the fractions are not positive or do not sum to 1.
    """
    shares = np.array(list(fractions.values()), dtype=np.float64)
    if not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6 or "" in fractions:
        raise ValueError(f"fractions must be positive, named and sum to 1, got {dict(fractions)}")
    names = list(fractions)
    divide = _divide_groups if by_group else _divide_videos
    chosen = divide(catalog, shares, seed)
    return _with_splits(catalog, {video: names[place] for video, place in chosen.items()}, names)


def assign_splits_by_group(catalog: Catalog, groups: Mapping[str, Sequence[str]]) -> Catalog:
    """Divide the videos as a list says which groups make up which split.

    Example:
        >>> splits = {"train": ["1", "2", "3"], "val": ["4"], "test": ["5"]}  # leave-two-out
        >>> assign_splits_by_group(catalog, splits)  # doctest: +SKIP

    Raises:
        CatalogError: If a group is in two splits, in none or not in the catalog, or if a video
            has no group.
    """
    known = _known_groups(catalog)
    named = [str(group) for members in groups.values() for group in members]
    _refuse(catalog, "in more than one split", (g for g, n in Counter(named).items() if n > 1))
    _refuse(catalog, "not in the catalog", set(named) - known)
    _refuse(catalog, "in no split", known - set(named))
    split_of = {str(group): split for split, members in groups.items() for group in members}
    chosen = {record.video_id: split_of[record.group] for record in catalog}
    return _with_splits(catalog, chosen, list(groups))


def _refuse(catalog: Catalog, what: str, groups: Iterable[str]) -> None:
    listed = sorted(groups)
    if listed:
        raise CatalogError(f"{catalog.source or catalog.root}: group {what}: {', '.join(listed)}")


def _known_groups(catalog: Catalog) -> set[str]:
    without = next((record for record in catalog if not record.group), None)
    if without is not None:
        raise CatalogError(
            f"{without.path}: has no group; read the catalog with group_column to give it one"
        )
    return {record.group for record in catalog}


def _with_splits(catalog: Catalog, chosen: Mapping[str, str], names: Sequence[str]) -> Catalog:
    used = set(chosen.values())
    for name in names:
        if name not in used:
            raise CatalogError(
                f"{catalog.source or catalog.root}: split {name!r} gets none of the "
                f"{len(catalog)} videos; give it a larger share or more groups"
            )
    records = tuple(replace(record, split=chosen[record.video_id]) for record in catalog)
    return replace(catalog, records=records)


def _divide_videos(catalog: Catalog, shares: NDArray[np.float64], seed: int) -> dict[str, int]:
    """Return each video's split; what rounding owes a split in one class it gets in the next."""
    chosen: dict[str, int] = {}
    owed = np.zeros(len(shares))
    by_label: list[list[str]] = [[] for _ in catalog.classes]
    for record in catalog:
        by_label[record.label].append(record.video_id)
    for label, videos in enumerate(by_label):
        videos.sort()
        owed += shares * len(videos)
        counts = _round_to(owed, len(videos))
        owed -= counts
        order = np.random.default_rng([seed, label]).permutation(len(videos))
        for place, split in zip(order, np.repeat(np.arange(len(shares)), counts), strict=True):
            chosen[videos[place]] = int(split)
    return chosen


def _round_to(wanted: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Round to whole numbers, none negative, that sum to ``total``."""
    counts = np.floor(np.maximum(wanted, 0)).astype(np.int64)
    while counts.sum() > total:
        counts[np.argmax(np.where(counts > 0, counts - wanted, -np.inf))] -= 1
    while counts.sum() < total:
        counts[np.argmax(wanted - counts)] += 1
    return counts


def _divide_groups(catalog: Catalog, shares: NDArray[np.float64], seed: int) -> dict[str, int]:
    """Return each video's split: groups, the largest first, go where their classes lack most."""
    members: dict[str, list[VideoRecord]] = {group: [] for group in sorted(_known_groups(catalog))}
    for record in catalog:
        members[record.group].append(record)
    order = np.random.default_rng(seed).permutation(list(members)).tolist()
    order.sort(key=lambda group: -len(members[group]))  # stable: equal sizes stay shuffled
    lacking = shares[:, None] * np.array(list(catalog.class_counts().values()))
    chosen: dict[str, int] = {}
    for group in order:
        labels, counts = np.unique([r.label for r in members[group]], return_counts=True)
        # The squared shortfall, relative to the share, shrinks most in the split that needs it.
        before = lacking[:, labels]
        gain = ((before**2 - (before - counts) ** 2) / shares[:, None]).sum(axis=1)
        split = int(np.argmax(gain))
        lacking[split, labels] -= counts
        chosen |= {record.video_id: split for record in members[group]}
    return chosen
