"""The study: specs, their runs, and the plan that computes all of them.

``specs`` says what a run is, ``ensure`` computes it once: ``datasets`` makes or reads videos,
``networks`` trains and scores. ``config`` says what a study is, ``params`` reads it from a file,
``study`` is what the notebooks open. ``plan`` and ``orchestrate`` run everything. What is computed
*from* a study is in :mod:`condi_lib.analysis`.
"""

from condi_lib.study.config import StudySpec
from condi_lib.study.ensure import ensure
from condi_lib.study.params import read_study
from condi_lib.study.specs import CatalogSource, DatasetSpec, NetworkSpec, StudentSpec, TeacherSpec
from condi_lib.study.study import Study, open_study

__all__ = [
    "CatalogSource",
    "DatasetSpec",
    "NetworkSpec",
    "StudentSpec",
    "Study",
    "StudySpec",
    "TeacherSpec",
    "ensure",
    "open_study",
    "read_study",
]
