"""The study: specs, their runs, and the plan that computes all of them.

``specs`` says what a run is, ``ensure`` computes it once, ``datasets`` makes or reads videos,
``config`` reads params files, ``study`` is what the notebooks open, ``results`` turns clip tables
into accuracies, ``plan`` and ``orchestrate`` run everything, ``chapters`` runs one notebook.
"""

from condi_lib.study.config import StudySpec, read_study
from condi_lib.study.ensure import ensure
from condi_lib.study.specs import CatalogSource, DatasetSpec, NetworkSpec, StudentSpec, TeacherSpec
from condi_lib.study.study import Study, export_reference, open_study

__all__ = [
    "CatalogSource",
    "DatasetSpec",
    "NetworkSpec",
    "StudentSpec",
    "Study",
    "StudySpec",
    "TeacherSpec",
    "ensure",
    "export_reference",
    "open_study",
    "read_study",
]
