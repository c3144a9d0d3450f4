"""The paper's 19 claims and what a study says of each.

``catalogue`` lists the claims, ``rules`` says when one counts as reproduced, ``judge`` applies it,
``evidence`` reads a study's findings; ``accuracy``, ``learning`` and ``reach`` hold one test per
claim, ``published`` the authors' numbers, ``report`` the tables, ``readme`` the
README's.
"""

from condi_lib.claims.catalogue import CLAIMS
from condi_lib.claims.evidence import Comparison, Regime, Untestable
from condi_lib.claims.judge import Claim, Evidence, Judgement, Verdict, judge
from condi_lib.claims.readme import readme_table, section_of, write_section
from condi_lib.claims.report import (
    SYMBOLS,
    Shown,
    claims_table,
    contradictions,
    regime_table,
    regimes_of,
    tally,
    undone_by_seeds,
    verdict_table,
    verdicts_of,
)
from condi_lib.claims.rules import (
    MARGIN,
    NOT_REPRODUCED,
    OUTCOMES,
    REPRODUCED,
    UNDECIDED,
    UNTESTABLE,
    Effect,
    Rule,
)

__all__ = [
    "CLAIMS",
    "MARGIN",
    "NOT_REPRODUCED",
    "OUTCOMES",
    "REPRODUCED",
    "SYMBOLS",
    "UNDECIDED",
    "UNTESTABLE",
    "Claim",
    "Comparison",
    "Effect",
    "Evidence",
    "Judgement",
    "Regime",
    "Rule",
    "Shown",
    "Untestable",
    "Verdict",
    "claims_table",
    "contradictions",
    "judge",
    "readme_table",
    "regime_table",
    "regimes_of",
    "section_of",
    "tally",
    "undone_by_seeds",
    "verdict_table",
    "verdicts_of",
    "write_section",
]
