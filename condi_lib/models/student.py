"""The student: one backbone, two heads. It skims every clip of a video.

The class head imitates the teacher; the confidence head says whether the teacher will be right.
"""

from typing import NamedTuple

from torch import Tensor, nn


class StudentOutput(NamedTuple):
    """What a student says of clips.

    Attributes:
        class_logits: ``[B, C]``.
        confidence_logit: ``[B]``; its sigmoid is z̃, the predicted probability that the teacher
            classifies this clip correctly (thesis sec. 3.1). Higher means more likely correct.
    """

    class_logits: Tensor
    confidence_logit: Tensor


class Student(nn.Module):
    """A classifier with a confidence head on its pooled features (thesis fig. 3.1).

    Args:
        backbone: A network with ``features(clips) -> [B, D]``, an attribute ``feature_dim`` = D
            and its own class head ``fc``.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        for name in ("features", "feature_dim", "fc"):
            if not hasattr(backbone, name):
                kind = type(backbone).__name__
                raise TypeError(f"a student's backbone needs `{name}`; {kind} has none")
        self.backbone = backbone
        self.confidence_head = nn.Linear(backbone.feature_dim, 1)

    def forward(self, clips: Tensor) -> StudentOutput:
        """Class and confidence logits of clips ``[B, 3, T, H, W]``."""
        features = self.backbone.features(clips)
        return StudentOutput(self.backbone.fc(features), self.confidence_head(features).squeeze(1))
