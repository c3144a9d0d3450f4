"""The README's short table of verdicts, written between two markers."""

from collections.abc import Sequence
from pathlib import Path

from condi_lib.claims.judge import Verdict, in_points
from condi_lib.claims.report import SYMBOLS, paper_text, tally

BEGIN, END = "<!-- verdicts -->", "<!-- /verdicts -->"


def readme_table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as a Markdown table, a line per claim, and a line that counts them."""
    lines = ["| | claim | paper | here | |", "|---|---|---|---|---|"]
    for verdict in verdicts:
        found = verdict.judgement
        here = ", ".join(in_points(each) for each in found.deciding) or found.lacking
        paper = paper_text(verdict.claim, found, most_sets=1)
        cells = (verdict.claim.number, verdict.claim.title, paper, here, _mark(verdict))
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    counted = ", ".join(
        f"{SYMBOLS[outcome]} {n} {outcome}" for outcome, n in tally(verdicts).items()
    )
    return "\n".join([*lines, "", f"{counted}."])


def _mark(verdict: Verdict) -> str:
    """The outcome as a symbol, and those of other regimes where they differ."""
    others = {
        name: found.outcome
        for name, found in verdict.beside.items()
        if found.outcome != verdict.outcome
    }
    beside = ", ".join(f"{name} {SYMBOLS[outcome]}" for name, outcome in others.items())
    return SYMBOLS[verdict.outcome] + (f" ({beside})" if beside else "")


def section_of(text: str) -> str:
    """What stands between the markers of a text.

    Raises:
        ValueError: If it does not have both, in order.
    """
    _, begin, rest = text.partition(BEGIN)
    inside, end, _ = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}: put both, a line each, where the table goes")
    return inside.strip("\n")


def write_section(path: Path, section: str) -> bool:
    """Replace what stands between the markers of a file; say whether that changed it.

    Raises:
        ValueError: If the file does not have both markers.
    """
    text = path.read_text(encoding="utf-8")
    try:
        section_of(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    changed = f"{before}{BEGIN}\n{section}\n{END}{after}"
    if changed != text:
        path.write_text(changed, encoding="utf-8")
    return changed != text
