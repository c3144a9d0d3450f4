"""Networks: teachers, students, and how to build them by name.

``small`` has those of the embedded study, ``resnext3d``, ``r2plus1d``, ``shufflenetv2`` and
``mobilenetv2`` those of the paper; ``student`` adds the confidence head; ``zoo`` builds by name,
torchvision's, Hugging Face's and your own too; ``glimpse`` lets them see less of a clip, or
its motion; ``weights`` reads published and own weights; ``optimize`` makes any network quick,
``one_dnn`` one that is shown single clips, and ``layout`` puts weights in the order that suits
both.
"""

from condi_lib.models.optimize import OptimizedModel, optimize
from condi_lib.models.student import Student, StudentOutput
from condi_lib.models.weights import ClassesDiffer, PretrainedWeights, load_weights
from condi_lib.models.zoo import BACKBONES, build_backbone

__all__ = [
    "BACKBONES",
    "ClassesDiffer",
    "OptimizedModel",
    "PretrainedWeights",
    "Student",
    "StudentOutput",
    "build_backbone",
    "load_weights",
    "optimize",
]
