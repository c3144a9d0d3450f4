"""The chapters as committed: they were run, they say what they print, and they are readable.

Whether their numbers are still right is for ``pytest --nbval notebooks``.
"""

import ast
import json
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
# Numbers with a decimal are measured, not counted; "table 4.8" is neither.
NUMBER = re.compile(r"(?<![\w.])(?<!table )\d+\.\d+")
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def cells(path: Path, kind: str) -> list[dict]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def printed(path: Path) -> str:
    """Everything that a notebook's cells printed."""
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", []) for output in outputs
    ]
    return "\n".join("".join(text) for text in texts)


def claimed(path: Path) -> str:
    """The answer and the summary: the prose that quotes results."""
    prose = [source(cell) for cell in cells(path, "markdown")]
    return "\n".join(text for text in prose if "**Answer.**" in text or "## Summary" in text)


def lines_of_work(code: str) -> int:
    """Lines of a cell apart from its imports."""
    imports = (n for n in ast.parse(code).body if isinstance(n, ast.Import | ast.ImportFrom))
    return len(code.splitlines()) - sum(n.end_lineno - n.lineno + 1 for n in imports)


def test_there_are_chapters():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{n:02d}" for n in range(len(NOTEBOOKS))]
    assert len(NOTEBOOKS) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestChapter:
    def test_was_run_without_error(self, path: Path):
        code = cells(path, "code")
        assert all(cell["execution_count"] for cell in code), "run it: make reference"
        kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
        assert "error" not in kinds

    def test_begins_with_question_and_answer(self, path: Path):
        first = source(cells(path, "markdown")[0])
        assert first.startswith(f"# {path.name[:2]} · ")
        assert "**Question.**" in first
        assert "**Answer.**" in first

    def test_ends_with_what_it_does_not_show_and_a_summary(self, path: Path):
        titles = re.findall(r"^## (.+)$", "\n".join(map(source, cells(path, "markdown"))), re.M)
        assert titles[-2:] == ["What this does not show", "Summary"]

    def test_quotes_only_numbers_that_it_prints(self, path: Path):
        quoted = set(NUMBER.findall(claimed(path)))
        assert quoted, "answer and summary should quote numbers"
        assert quoted - set(NUMBER.findall(printed(path))) == set()

    def test_has_one_parameters_cell_of_typed_literals(self, path: Path):
        tagged = [c for c in cells(path, "code") if "parameters" in c["metadata"].get("tags", [])]
        assert len(tagged) == 1
        for line, node in zip(
            source(tagged[0]).splitlines(), ast.parse(source(tagged[0])).body, strict=True
        ):
            assert isinstance(node, ast.AnnAssign)
            ast.literal_eval(node.value)
            assert "  # " in line, f"say what {line!r} means"

    def test_code_cells_are_short(self, path: Path):
        lengths = {c["id"]: lines_of_work(source(c)) for c in cells(path, "code")}
        assert {name: n for name, n in lengths.items() if n > 18} == {}
        assert len(lengths) <= 25

    def test_defines_no_helper_longer_than_five_lines(self, path: Path):
        for cell in cells(path, "code"):
            for node in ast.walk(ast.parse(source(cell))):
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < 5, node.name

    def test_every_figure_has_a_printed_claim_near_it(self, path: Path):
        code = cells(path, "code")
        for at, cell in enumerate(code):
            if "save_figure" in source(cell):
                near = code[at : at + 2]
                assert any("print(" in source(c) for c in near), source(cell)

    def test_reads_the_committed_reference(self, path: Path):
        assert 'study: str = "reference"' in source(cells(path, "code")[0])

    def test_is_in_the_readme(self, path: Path):
        assert f"(notebooks/{path.name})" in README

    def test_says_which_figures_it_writes(self, path: Path):
        prose = "\n".join(map(source, cells(path, "markdown")))
        assert sorted(set(re.findall(r"`(\w+)\.png`", prose))) == sorted(figure_names(path))


def test_the_readme_quotes_only_numbers_that_the_chapters_print():
    """Results in the README's answer and table come from the committed notebooks."""
    answer = README.partition("**Answer.**")[2].partition("![")[0]
    table = README.partition("## What came out")[2].partition("\n## ")[0]
    paper = "".join(p.read_text() for p in sorted((CHECKOUT / "data" / "paper").glob("*.csv")))
    known = set(NUMBER.findall("".join(map(printed, NOTEBOOKS)) + paper))
    quoted = set(NUMBER.findall(answer + table))
    assert len(quoted) > 10
    assert quoted - known == set()


def figure_names(path: Path) -> list[str]:
    return [
        name
        for cell in cells(path, "code")
        for name in re.findall(r'save_figure\(\s*\w+,\s*"(\w+)"', source(cell))
    ]


def test_no_figure_is_overwritten_by_another_chapter():
    names = [name for path in NOTEBOOKS for name in figure_names(path)]
    assert len(names) == len(set(names)) >= len(NOTEBOOKS)
