"""Splits with knobs of their own: they change their own videos, and no others."""

from dataclasses import asdict, dataclass, field, replace

import pandas as pd
import pytest

from condi_lib.digests import digest, essentials
from condi_lib.videos.pantomime import (
    CLASSES,
    PantomimeSpec,
    PantomimeSplit,
    script,
    write_pantomime,
)
from condi_lib.videos.screenplay import listed_label

PLAIN = PantomimeSplit(24, n_clips=6)
SPEC = PantomimeSpec(splits={"a": PLAIN, "b": PLAIN}, size_px=16, seed=3)


def with_b(**knobs):
    return replace(SPEC, splits={"a": PLAIN, "b": replace(PLAIN, **knobs)})


def clips(spec, split):
    return [clip for index in range(24) for clip in script(spec, split, index).clips]


def test_a_splits_own_knobs_are_those_of_a_spec_with_these_knobs():
    own = with_b(key_share=0.8, confuser_share=0.1, cue=0.5)
    whole = replace(SPEC, key_share=0.8, confuser_share=0.1, cue=0.5)
    for index in range(24):
        assert script(own, "b", index) == script(whole, "b", index)
        assert script(own, "a", index) == script(SPEC, "a", index)
    assert {clip.truth for clip in clips(with_b(key_share=1.0, confuser_share=0.0), "b")} == {"key"}


def test_a_split_of_some_classes_has_no_others():
    some = with_b(classes=("walk", "box"))
    labels = [script(some, "b", index).label for index in range(24)]
    assert labels == ["walk", "box"] * 12
    assert script(some, "b", 3).file == "b/00003_box.mp4"


def test_label_noise_changes_the_list_and_not_the_video(tmp_path):
    noisy = replace(SPEC, splits={"b": replace(PLAIN, n_videos=480, label_noise=0.25)})
    same = replace(SPEC, splits={"b": replace(PLAIN, n_videos=480)})
    assert script(noisy, "b", 7) == script(same, "b", 7)
    shown = [script(noisy, "b", index).label for index in range(480)]
    listed = [listed_label(noisy, "b", index) for index in range(480)]
    wrong = sum(a != b for a, b in zip(shown, listed, strict=True))
    assert 85 <= wrong <= 155  # 120 expected, standard deviation 9.5
    assert set(listed) == set(CLASSES)
    assert [listed_label(same, "b", index) for index in range(480)] == shown

    small = replace(SPEC, splits={"b": PantomimeSplit(24, n_clips=1, label_noise=1.0)})
    write_pantomime(small, tmp_path)
    table = pd.read_csv(tmp_path / "labels.csv")
    assert table["label"].tolist() == [listed_label(small, "b", index) for index in range(24)]
    assert not any(row.label in row.file for row in table.itertuples() if row.label != "jump")


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"cue": 0.0}, r"splits\['b'\]: cue must be in \(0, 1\], got 0"),
        ({"key_share": 0.8}, r"splits\['b'\]: key_share \+ confuser_share must be at most 1"),
        ({"label_noise": 1.5}, r"label_noise must be in \[0, 1\], got 1.5"),
        ({"classes": ("walk", "fly")}, "classes must be some of"),
        ({"classes": ()}, "classes must be some of"),
    ],
)
def test_wrong_knobs_are_refused_with_their_split(knobs, message):
    with pytest.raises(ValueError, match=message):
        with_b(**knobs)


# Digests


@dataclass(frozen=True)
class Inner:
    size: int
    rate: float = 0.1


@dataclass(frozen=True)
class Outer:
    inner: Inner
    parts: dict[str, Inner] = field(default_factory=dict)
    flag: bool = False
    names: tuple[str, ...] = ("a",)


@dataclass(frozen=True)
class Later(Outer):
    added: float | None = None


def test_essentials_are_what_differs_from_the_defaults():
    assert essentials(Outer(Inner(3))) == {"inner": {"size": 3}}
    changed = Outer(Inner(3, 0.2), {"x": Inner(1)}, True, ("b",))
    assert essentials(changed) == {
        "inner": {"size": 3, "rate": 0.2},
        "parts": {"x": {"size": 1}},
        "flag": True,
        "names": ["b"],
    }
    assert essentials(Outer(Inner(3), flag=0)) == {"inner": {"size": 3}, "flag": 0}


def test_a_field_added_later_leaves_digests_alone_and_a_value_does_not():
    old, new = Outer(Inner(3)), Later(Inner(3))
    assert asdict(old) != asdict(new)
    assert digest(essentials(old)) == digest(essentials(new))
    assert digest(essentials(replace(new, added=0.0))) != digest(essentials(new))
    order = {"x": Inner(1), "y": Inner(2)}
    turned = dict(reversed(order.items()))
    one, other = (digest(essentials(replace(old, parts=parts))) for parts in (order, turned))
    assert one != other  # the order of splits decides how clips are numbered
