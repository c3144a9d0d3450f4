"""Verdicts as readers see them: tables, the README's section, the picture; the paper's numbers."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import yaml
from made_findings import made_study, study_fields
from test_claims import VARIANTS, WORLD, level

from condi_lib import paths
from condi_lib.__main__ import main
from condi_lib.claims import (
    CLAIMS,
    OUTCOMES,
    REPRODUCED,
    SYMBOLS,
    UNDECIDED,
    UNTESTABLE,
    Evidence,
    Shown,
    claims_table,
    contradictions,
    published,
    readme_table,
    regime_table,
    regimes_of,
    section_of,
    tally,
    undone_by_seeds,
    verdict_table,
    verdicts_of,
    write_section,
)
from condi_lib.claims.readme import BEGIN, END
from condi_lib.claims.report import paper_text
from condi_lib.claims.rules import Effect
from condi_lib.plotting.verdicts import HOLDS, OUTCOME_COLOURS, forest, forest_height
from condi_lib.statistics import Interval

CHECKOUT = Path(__file__).resolve().parents[1]


def claim(number):
    return CLAIMS[number - 1]


# The paper's numbers


def test_there_are_19_claims_in_order_with_words_source_and_test():
    assert [each.number for each in CLAIMS] == list(range(1, 20))
    for each in CLAIMS:
        assert all((each.title, each.sentence, each.source, each.test, each.paper_words))
        assert each.compare.__doc__.startswith(f"Claim {each.number}: ")
    assert {each.number for each in CLAIMS if each.about_imbalance} == {6, 8, 9, 10, 19}


# By hand from the papers' pages, in points: Kinetics, UCF-101, SSv2 where there are three.
PUBLISHED = {
    (1, "oracle"): [84.8 - 68.3, 95.9 - 89.08, 50.1 - 35.1],
    (2, "first half"): [84.8 - 76, 95.9 - 92.81, 50.1 - 43.02],
    (2, "second half"): [76 - 68.3, 92.81 - 89.08, 43.02 - 35.1],
    (3, "gain"): [71.25 - 68.3, 91.2 - 89.08, 38.33 - 35.1],
    (4, "over one"): [71.25 - 65.1, 91.2 - 89, 38.33 - 35.7],
    (4, "over all"): [71.25 - 68.3, 91.2 - 89.08, 38.33 - 35.1],
    (5, "condi_sr"): [65.1 - 60.8, 89 - 87.6, 35.7 - 32.6],
    (5, "st_ent"): [60.8 - 53.74, 87.6 - 87.68, 32.6 - 28.8],
    (5, "equidistant"): [53.74 - 52.1, 87.68 - 86, 28.8 - 24],
    (6, "bce_conf"): [50 - 52.1, 85.6 - 86, 26 - 24],
    (7, "st_conf"): [55.05 - 53.74, 86.8 - 87.68, 30 - 28.8],
    (8, "naive"): [85.8 - 86.02],
    (13, "saving"): [100 - 100 * 2.31 / 3.7, 100 - 100 * 3.05 / 5.3],
    (13, "further saving"): [100 * (2.31 - 1.96) / 3.7, 100 * (3.05 - 2.6) / 5.3],
    (13, "price"): [91.2 - 90.105, 71.5 - 69.51],
    (15, "resnext_mobilenetv2"): [69.3 - 68.3, 91 - 89.08, 38.35 - 35.1],
    (15, "r2plus1d_shufflenetv2"): [71.2 - 66.3, 87.4 - 87, 34 - 32.2],
    (16, "dense"): [(71.25 - 68.3) - (91.2 - 89.08)],
    (16, "equidistant"): [(65.1 - 53.74) - (89 - 87.68)],
    (18, "fall"): [91.2 - 89.03, 71.5 - 66.89],
    (18, "rise"): [90.105 - 90.65, 70.99 - 71.5],
    (19, "accuracy"): [91.2 - 89.65],
}


@pytest.mark.parametrize(("number", "key"), PUBLISHED)
def test_published_effects_are_those_of_the_tables(number, key):
    effects = claim(number).paper()[key]
    assert [100 * x for x in effects.values()] == pytest.approx(PUBLISHED[number, key], abs=1e-3)


def test_published_effects_stand_beside_comparisons_that_there_are(verdicts):
    for found in verdicts:
        if found.judgement.comparisons:
            keys = {each.key for each in found.judgement.comparisons}
            known = set(found.claim.paper())
            assert known <= keys or found.claim.number in (8, 15, 19)  # two share one table
            assert not known or known & keys


def test_the_paper_is_quoted_with_the_digits_of_its_tables():
    assert paper_text(claim(3)) == "Kinetics +2.95; UCF-101 +2.12; SSv2 +3.23"
    assert paper_text(claim(3), most_sets=1) == "Kinetics +2.95"
    assert paper_text(claim(9)) == "a figure (thesis 4.7), no number"


# What the sources say twice: the values of the other tables in data/paper, by hand.
TWICE = {
    "SSv2, dense, ResNeXt-101 (%)": {38, 35.1},
    "SSv2, dense, R(2+1)D-34 (%)": {32.9, 32.2},
    "SSv2, random, K = 3, ResNeXt-101 (%)": {34.94, 30.24},
    "SSv2, oracle, K = 3, ResNeXt-101 (%)": {41.4, 43.02},
    "Kinetics-400, ST-Ent, K = 7, R(2+1)D-34 (%)": {68.1, 66.2},
    "UCF-101, dense, ResNeXt-101 (%)": {89.74, 89.8, 89.08},
    "UCF-101, ConDi-SR, K = 5, ResNeXt-101 (%)": {91.1, 91.2, 91.28},
    "Kinetics-600, ConDi-SR, K = 7, ResNeXt-101 (%)": {72.1, 71.25, 71.47, 71.5},
    "Kinetics-400, oracle, K = 7, R(2+1)D-34 (%)": {84.3, 83.2},
    "Kinetics-400, dense, R(2+1)D-34 (%)": {68, 66.3},
    "Kinetics-600, oracle, K = 1, ResNeXt-101 (%)": {81.27, 84.8},
}


def test_contradictions_quote_the_tables():
    path = CHECKOUT / "data" / "paper" / "contradictions.csv"
    table = pd.read_csv(path, dtype=str)
    for quantity, values in TWICE.items():
        assert set(table[table["quantity"] == quantity]["value"].astype(float)) == values
    thesis = pd.read_csv(paths.paper_dir() / "thesis_accuracy.csv")
    paper = published.table3()
    assert {thesis.loc[4, "dense"], 100 * paper["dense", "ssv2", 0]} == {38, 35.1}
    assert {thesis.loc[0, "condi_sr"], 100 * paper["condi_sr", "kinetics", 7]} == {72.1, 71.25}
    assert table.groupby("quantity")["value"].nunique().min() >= 2
    assert not table.isna().any().any()


def test_contradictions_are_one_line_each_with_their_sources():
    told = contradictions().iloc[:, 0]
    assert told["SSv2, dense, ResNeXt-101 (%)"] == "38 (thesis table 4.5); 35.1 (paper table III)"
    assert told.index.is_unique


# Tables


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Of a made study without clip tables, and so without claims 13 and 18."""
    return verdicts_of(made_study(tmp_path_factory.mktemp("made"), WORLD, VARIANTS))


def test_the_table_has_a_row_per_claim(verdicts):
    table = verdict_table(verdicts)
    assert table.index.tolist() == list(range(1, 20))
    assert table.loc[3, "paper"] == "Kinetics +2.95; UCF-101 +2.12; SSv2 +3.23"
    assert table.loc[3, "here"] == "+25.0 [19.0, 31.0]"  # 50 of 200 videos, 95 %: ± 6
    assert table.loc[3, "seeds"] == "5/5"
    assert table.loc[3, ["verdict", "beside"]].tolist() == [
        f"✓ {REPRODUCED}",
        "paper-like: reproduced",
    ]
    assert table.loc[18, "here"] == "the clips of this regime are not in the reference"
    assert table.loc[18, "verdict"] == f"– {UNTESTABLE}"
    assert tally(verdicts) == dict(zip(OUTCOMES, (17, 0, 0, 2), strict=True))


def test_intervals_over_seeds_stand_beside(tmp_path):
    """Seeds of 20, 25, 25, 25 and 30 points: mean 25, standard deviation 3.54, t(4) = 2.776."""
    uneven = replace(WORLD, by_seed={"condi_sr": (-0.05, 0.0, 0.0, 0.0, 0.05)})
    found = verdicts_of(made_study(tmp_path / "a", uneven), [claim(3), claim(1)])
    assert verdict_table(found)["over seeds"].tolist() == ["[20.6, 29.4]", "[40.0, 40.0]"]
    assert undone_by_seeds(found) == []
    # Over videos four of five seeds above 0 are enough; over seeds one that is far below is not.
    one_below = replace(WORLD, by_seed={"condi_sr": (0.0, 0.0, 0.0, 0.0, -0.35)})
    found = verdicts_of(made_study(tmp_path / "b", one_below), [claim(1), claim(3)])
    assert [each.claim.number for each in undone_by_seeds(found)] == [3]
    assert found[1].judgement.over_seeds.outcome == UNDECIDED
    few = replace(WORLD, seeds=(0,))
    found = verdicts_of(made_study(tmp_path / "c", few), [claim(3)])
    assert verdict_table(found)["over seeds"].tolist() == [""]


def test_regimes_stand_side_by_side(verdicts):
    table = regime_table(verdicts)
    both = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 17, 19}
    assert set(table.index.get_level_values(0)) == both
    decides = table[table["decides"] == "yes"].index.get_level_values("regime")
    assert (decides == "paper-like").sum() == 5


def test_regimes_are_told_apart_by_how_often_the_teacher_is_right(tmp_path):
    other = WORLD.but(dense=level(0.8))
    study = made_study(tmp_path, WORLD, {"loss_ablation": {"paper_like": other}})
    table = regimes_of(Evidence(study))
    assert table["dense"].map(lambda found: found.value).to_dict() == {
        "default": 0.5, "paper-like": 0.8
    }  # fmt: skip
    assert table["seeds"].tolist() == [5, 5]
    assert table["right"].isna().all()  # no history tells


def test_tables_are_shown_as_markdown():
    index = pd.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "b")], names=["no.", "regime"])
    shown = Shown(pd.DataFrame({"x": ["p", "q", "r"]}, index))
    expected = (
        "| no. | regime | x |\n| --- | --- | --- |\n| 1 | a | p |\n|  | b | q |\n| 2 | b | r |"
    )
    assert shown._repr_markdown_() == repr(shown) == expected


def test_every_claim_has_its_test_in_words():
    table = claims_table()
    assert table.loc[1, "test"] == "oracle at K = 1 minus dense: above 5 points"
    assert table.shape == (19, 3)


# The README's section


def test_the_readme_table_is_markdown_with_a_count(verdicts):
    lines = readme_table(verdicts).splitlines()
    assert len(lines) == 2 + 19 + 2
    assert all(line.count("|") == 6 for line in lines[:21])
    expected = (
        "| 3 | ConDi-SR at its best K beats dense | Kinetics +2.95 | +25.0 [19.0, 31.0] | ✓ |"
    )
    assert lines[4] == expected
    assert (
        lines[-1]
        == "✓ 17 reproduced, ✗ 0 not reproduced, ? 0 undecided, – 2 cannot be tested here."
    )


def test_regimes_that_differ_are_marked(tmp_path):
    variants = {"loss_ablation": {"paper_like": WORLD.but(naive=WORLD.curves["condi_sr"])}}
    found = verdicts_of(made_study(tmp_path, WORLD, variants), [claim(8)])
    assert readme_table(found).splitlines()[2].endswith("| ✗ (default ✓) |")


def test_the_section_is_replaced_and_nothing_else(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- verdicts -->\nold\n<!-- /verdicts -->\nafter\n")
    assert write_section(path, "| new |")
    assert path.read_text() == "before\n<!-- verdicts -->\n| new |\n<!-- /verdicts -->\nafter\n"
    assert not write_section(path, "| new |")
    assert section_of(path.read_text()) == "| new |"


@pytest.mark.parametrize(
    "text", ["none", "<!-- verdicts -->\n", "<!-- /verdicts --> <!-- verdicts -->"]
)
def test_a_file_without_the_markers_is_refused(tmp_path, text):
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(ValueError, match=r"README.md: no <!-- verdicts -->"):
        write_section(tmp_path / "README.md", "x")
    assert (tmp_path / "README.md").read_text() == text


def test_the_readme_says_what_the_chapter_prints():
    """The chapter is held to the committed reference by nbval, the README to the chapter."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    chapter = CHECKOUT / "notebooks" / "10_verdicts.ipynb"
    printed = "".join(
        "".join(output.get("text", []))
        for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
    )
    assert section_of(readme) in printed


def test_the_command_prints_table_and_reasons_and_rewrites_the_readme(root, monkeypatch, capsys):
    folder = root / "data" / "reference"
    study = made_study(folder, WORLD, VARIANTS)
    (folder / "study.yaml").write_text(
        yaml.safe_dump({"study": study_fields(WORLD, VARIANTS)}, sort_keys=False)
    )
    shutil.copytree(CHECKOUT / "data" / "paper", root / "data" / "paper")
    (root / "README.md").write_text(f"a\n{BEGIN}\n{END}\nb\n")
    monkeypatch.setattr(sys, "argv", ["condi_lib", "verdicts", "--readme"])
    main()
    table = readme_table(verdicts_of(study))
    assert section_of((root / "README.md").read_text()) == table
    printed = capsys.readouterr().out
    assert table in printed
    assert "3. ConDi-SR (K = 3) - dense: +25.0 [19.0, 31.0], above 0" in printed


# The picture


def test_the_picture_shows_each_claim_with_its_verdict(house_style, verdicts):
    fig, ax = plt.subplots(figsize=(11, forest_height(verdicts)))
    assert forest(ax, verdicts) is ax
    fig.draw_without_rendering()
    texts = [text.get_text() for text in ax.texts]
    for found in verdicts:
        assert found.claim.title in texts
        for each in found.judgement.deciding:
            assert each.label in texts
    words = [t for t in ax.texts if t.get_text() == f"{SYMBOLS[REPRODUCED]} {REPRODUCED}"]
    assert len(words) == 17
    assert {t.get_color() for t in words} == {OUTCOME_COLOURS[REPRODUCED]}
    assert sum(t.get_text() == f"– {UNTESTABLE}" for t in ax.texts) == 2
    assert "no times are measured in the reference" in texts


def test_bands_and_marks_are_where_the_numbers_are(house_style, verdicts):
    ax = plt.subplots()[1]
    forest(ax, [verdicts[2]])  # ConDi-SR minus dense: +25 points
    (band,) = [c for c in ax.collections if c.get_label() == "_holds"]
    x = band.get_paths()[0].vertices[:, 0]
    assert (x.min(), x.max()) == (0, ax.get_xlim()[1])
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_label() == "_here"]
    assert marks == pytest.approx([25, 25])  # the regime beside it, pale, and that which decides
    theirs = [line.get_xdata()[0] for line in ax.lines if line.get_label() == "_theirs"]
    assert theirs == pytest.approx([2.95, 2.12, 3.23])
    assert HOLDS.startswith("#")
    assert not [line for line in ax.lines if line.get_label() == "_beyond"]


def test_an_interval_that_leaves_the_picture_ends_in_an_arrow(house_style, verdicts):
    (found,) = verdicts[2].judgement.deciding
    wide = replace(found, effect=Effect(Interval(0.1, -0.9, 0.3), found.effect.by_seed))
    decided = verdicts[2].decided_by
    judged = {decided: replace(verdicts[2].judgement, comparisons=(wide,))}
    ax = plt.subplots()[1]
    forest(ax, [replace(verdicts[2], judgements=judged)])
    (arrow,) = [line for line in ax.lines if line.get_label() == "_beyond"]
    assert (arrow.get_marker(), arrow.get_xdata()[0]) == ("<", ax.get_xlim()[0])


def test_texts_of_the_picture_do_not_overlap(house_style, verdicts):
    fig, ax = plt.subplots(figsize=(11, forest_height(verdicts)))
    forest(ax, verdicts)
    fig.draw_without_rendering()
    boxes = [(t.get_text(), t.get_window_extent()) for t in ax.texts if t.get_text()]
    for at, (text, box) in enumerate(boxes):
        for other, another in boxes[at + 1 :]:
            assert not box.overlaps(another), (text, other)
        assert box.x0 >= 0 and box.x1 <= fig.bbox.width, text
