"""The study: specs, their runs, and the plan that computes all of them.

``specs`` says what a run is, ``ensure`` computes it once: ``datasets`` makes or reads videos,
``networks`` trains and scores. ``config`` says what a study is, ``params`` reads it from a file,
``study`` is what the notebooks open, ``results`` turns its clip tables into accuracies,
``findings`` keeps what they say in few numbers (variants of a study are read through them),
``export`` makes the committed reference, ``controls`` says what files give away. ``ways`` judges
policies, ``divisions`` all workload divisions, ``times`` (by the ``stopwatch``) measures both on
files, ``savings`` and ``frontier`` say what that is worth; ``real_videos`` tells all in one table.
``conditions`` says what students learnt from and are judged on, ``trials`` compares methods under
many of these, ``backbones`` pairs of networks, ``teachers`` what teachers learnt from,
``calibration`` makes them honest, ``rule`` predicts where skipping clips gains.
``plan`` and ``orchestrate`` run everything, ``chapters`` runs one notebook.
"""

from condi_lib.study.config import StudySpec
from condi_lib.study.ensure import ensure
from condi_lib.study.export import export_reference
from condi_lib.study.findings import Findings, findings_of
from condi_lib.study.params import read_study
from condi_lib.study.specs import CatalogSource, DatasetSpec, NetworkSpec, StudentSpec, TeacherSpec
from condi_lib.study.study import Study, open_study

__all__ = [
    "CatalogSource",
    "DatasetSpec",
    "Findings",
    "NetworkSpec",
    "StudentSpec",
    "Study",
    "StudySpec",
    "TeacherSpec",
    "ensure",
    "export_reference",
    "findings_of",
    "open_study",
    "read_study",
]
