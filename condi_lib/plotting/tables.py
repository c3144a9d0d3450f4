"""Tables for readers: what is best stands out, on the page and in plain text alike."""

import html
from dataclasses import dataclass

import pandas as pd

from condi_lib.analysis.backbones import BEST, CHOSEN, TIED, AccuracyTable
from condi_lib.plotting.style import style_of

_SIGNS = {BEST: "*", TIED: "~"}
_LEGEND = "the best of its teacher's rows in each column, the oracle apart"
_TOLD = "not told apart from it by these videos"


@dataclass(frozen=True)
class MarkedTable:
    """A table that a notebook shows as HTML, and that prints with the same content.

    Attributes:
        texts: What stands in each cell.
        marks: Of the same shape: ``"best"`` is bold in HTML and has a star in text, ``"tied"`` has
            a tilde in both.
        caption: Says what the numbers are, and whose.
    """

    texts: pd.DataFrame
    marks: pd.DataFrame
    caption: str

    def __repr__(self) -> str:
        signs = self.marks.map(lambda mark: _SIGNS.get(mark, " "))
        legend = f"*: {_LEGEND}"
        if (self.marks == TIED).to_numpy().any():
            legend += f"; ~: {_TOLD}"
        return f"{self.caption} ({legend})\n{(self.texts + signs).to_string()}"

    def _repr_html_(self) -> str:
        """Bold by tags, as pages that show notebooks drop style sheets."""
        cells = self.texts.map(html.escape)
        cells = cells.where(self.marks != BEST, "<b>" + cells + "</b>")
        cells = cells.where(self.marks != TIED, cells + " ~")
        legend = f"<b>bold</b>: {_LEGEND}"
        if (self.marks == TIED).to_numpy().any():
            legend += f"; ~: {_TOLD}"
        caption = f"<p>{html.escape(self.caption)} ({legend})</p>"
        return caption + cells.to_html(escape=False, border=0)


def accuracy_texts(table: AccuracyTable, caption: str, digits: int = 1) -> MarkedTable:
    """Accuracies in % by method, teacher, student and number of clips, the best marked.

    Args:
        table: The numbers and their marks.
        caption: Says whose they are.
        digits: Behind the point.
    """
    texts = table.accuracy.map(lambda a: "" if pd.isna(a) else f"{100 * a:.{digits}f}")
    if table.chosen is not None:
        texts[CHOSEN] += " at " + table.chosen.astype(str)
    marks = table.marks.copy()
    texts.index = marks.index = pd.MultiIndex.from_tuples(
        [(style_of(method).label, *networks) for method, *networks in texts.index],
        names=texts.index.names,
    )
    texts.columns = marks.columns = [f"K={c}" if isinstance(c, int) else c for c in texts]
    return MarkedTable(texts, marks, caption)
