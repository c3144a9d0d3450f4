"""What can be set in the explorer: how clips are chosen, by which score, and how many."""

from dataclasses import dataclass

from condi_lib.sampling import SAMPLERS
from condi_lib.sampling.samplers import RankedBy

BEST, CONFIDENCE = "best", "confidence"

# Scores by which clips can be ranked, as in SAMPLERS, with their names for readers.
SCORES = {
    CONFIDENCE: "z̃: the student's confidence",
    "student_negative_entropy": "student's entropy (negative)",
    "student_max_logit": "SCSampler saliency (student's largest logit)",
    "teacher_max_softmax": "teacher's max softmax (needs a full teacher pass)",
    "teacher_negative_entropy": "teacher's entropy, negative (needs a full teacher pass)",
}
SHORT_SCORES = {
    CONFIDENCE: "z̃",
    "student_negative_entropy": "−entropy, student",
    "student_max_logit": "largest logit, student",
    "teacher_max_softmax": "max softmax, teacher",
    "teacher_negative_entropy": "−entropy, teacher",
}

# The methods whose colours they have.
METHOD_OF = {
    CONFIDENCE: "condi_sr",
    "student_negative_entropy": "st_ent",
    "student_max_logit": "scsampler_saliency",
}

# Ways of choosing K clips; all but the first need no score.
WAYS = {
    BEST: "best by score",
    "equidistant": "equidistant",
    "random": "random (one draw)",
    "first": "first K",
    "middle": "middle K",
    "last": "last K",
    "dense": "dense: all clips",
    "oracle": "oracle (reads the label)",
}


@dataclass(frozen=True)
class Setting:
    """One state of the controls.

    Attributes:
        way: A key of ``WAYS``.
        score: A key of ``SCORES``: ranks clips where ``way`` is ``"best"``.
        k_clips: Clips that are kept, K; those of teacher and student together.
        k_student: Of these the student classifies so many, K_s: the paper's workload division.

    Raises:
        ValueError: If a name is unknown, not ``0 <= k_student <= k_clips >= 1``, or clips are
            divided in another way than best by z̃.
    """

    way: str = BEST
    score: str = CONFIDENCE
    k_clips: int = 1
    k_student: int = 0

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ValueError(f"way must be one of {list(WAYS)}, got {self.way!r}")
        if self.score not in SCORES:
            raise ValueError(f"score must be one of {list(SCORES)}, got {self.score!r}")
        if not 0 <= self.k_student <= self.k_clips or self.k_clips < 1:
            asked = f"{self.k_student} and {self.k_clips}"
            raise ValueError(f"need 0 <= k_student <= k_clips >= 1, got {asked}")
        if self.k_student and not self.can_divide:
            raise ValueError("workload division ranks the teacher's clips by z̃: take best by z̃")

    @property
    def sampler(self) -> str:
        """The key in ``SAMPLERS`` of what keeps the teacher's clips."""
        return self.score if self.way == BEST else self.way

    @property
    def can_divide(self) -> bool:
        """Whether some clips may be given to the student."""
        return self.way == BEST and self.score == CONFIDENCE

    @property
    def method(self) -> str:
        """Its key in ``plotting.METHODS``, where it has a colour."""
        return METHOD_OF.get(self.sampler, self.sampler)

    def __str__(self) -> str:
        if self.way == "dense":
            return "dense, all clips"
        ranked = isinstance(SAMPLERS[self.sampler].weights, RankedBy) and self.way == BEST
        how = f"best by {SHORT_SCORES[self.score]}" if ranked else WAYS[self.way].split(" (")[0]
        if self.k_student:
            return f"{self.k_clips - self.k_student} clips {how} + {self.k_student} by the student"
        return f"K = {self.k_clips}, {how}"
