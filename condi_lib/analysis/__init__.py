"""What the chapters compute from a study: one module a question, tables and intervals as answers.

``results`` turns clip tables into accuracies, ``folds`` averages over official folds, ``costs``
counts what networks cost, ``tables`` chooses K; ``findings`` keeps what they say in few numbers
(variants of a study are read through them), ``export`` makes the committed reference,
``controls`` says what files give away.
``comparisons`` sets losses beside one another, ``settings`` what a sweep varies. ``ways`` judges
policies, ``divisions`` all workload divisions, ``times`` (by the ``stopwatch``) measures both on
files, ``savings``, ``lengths`` and ``frontier`` say what that is worth; ``real_videos`` tells all
in one table.
``conditions`` says what students learnt from and are judged on, ``trials`` compares methods under
many of these, ``backbones`` pairs of networks, ``teachers`` what teachers learnt from,
``calibration`` makes them honest, ``rule`` predicts where skipping clips gains. ``senses`` says
what students are shown, ``novelty`` what their scores notice of unseen classes.
"""

from condi_lib.analysis.export import export_reference
from condi_lib.analysis.findings import Findings, findings_of

__all__ = ["Findings", "export_reference", "findings_of"]
