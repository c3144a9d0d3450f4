"""Workload division: teacher and student classify some clips each (thesis Fig. 3.3).

Shapes: V videos, N clips of the longest one, C classes; ``mask [V, N]`` is True where a clip is.
"""

from torch import Tensor

from condi_lib.sampling.weights import average, clips_kept, rank_clips

# What becomes of a clip on both lists: the mean of both predictions counts as one clip's; or each
# prediction as one; or the teacher's alone; or the student takes its next best clip instead.
OVERLAPS = ("mean", "twice", "teacher", "next")


def division_weights(
    teacher_confidence: Tensor,
    student_confidence: Tensor,
    mask: Tensor,
    k_clips: int,
    k_student: int,
    overlap: str = "mean",
) -> tuple[Tensor, Tensor]:
    """Return the weights ``[V, N]`` of the teacher's and of the student's clip predictions.

    The student classifies the ``k_student`` clips it is surest of itself, the teacher the
    ``k_clips − k_student`` it is most likely to get right; a clip on both lists counts once, by the
    mean of both predictions (thesis Fig. 3.3). Weights above 0 are the clips each network must
    run on. A list longer than the video is cut to it.

    Args:
        teacher_confidence: See ``divide_workload``.
        student_confidence: The same.
        mask: The same.
        k_clips: The same.
        k_student: The same.
        overlap: One of ``OVERLAPS``; all but ``"mean"`` are there to be compared with it.

    Raises:
        ValueError: As ``divide_workload``, or if ``overlap`` is unknown.
    """
    check_division(k_clips, k_student, overlap)
    clips_kept(mask, [k_clips])
    by_teacher = (rank_clips(teacher_confidence, mask) < k_clips - k_student) & mask
    free = mask & ~by_teacher if overlap == "next" else mask
    by_student = (rank_clips(student_confidence, free) < k_student) & free
    if overlap == "teacher":
        by_student = by_student & ~by_teacher
    said = by_teacher.int() + by_student.int()  # predictions of each clip
    of_clip = said.clamp(max=1) if overlap == "mean" else said
    n_votes = of_clip.sum(dim=1, keepdim=True)
    share = of_clip / (said.clamp(min=1) * n_votes).double()
    return by_teacher * share, by_student * share


def check_division(k_clips: int, k_student: int, overlap: str) -> None:
    """Raise a ValueError unless these settings describe a division."""
    if not 0 <= k_student <= k_clips or k_clips < 1:
        raise ValueError(f"need 0 <= k_student <= k_clips >= 1, got {k_student} and {k_clips}")
    if overlap not in OVERLAPS:
        raise ValueError(f"overlap must be one of {OVERLAPS}, got {overlap!r}")


def divide_workload(
    teacher_probs: Tensor,
    student_probs: Tensor,
    teacher_confidence: Tensor,
    student_confidence: Tensor,
    mask: Tensor,
    k_clips: int,
    k_student: int,
) -> Tensor:
    """Return video-level probabilities of teacher and student sharing the clips (thesis Fig. 3.3).

    Args:
        teacher_probs: Clip-level probabilities, ``[V, N, C]``.
        student_probs: ``[V, N, C]``.
        teacher_confidence: That the teacher is right (the learned z̃), ``[V, N]``.
        student_confidence: That the student is right (its negative entropy), ``[V, N]``.
        mask: ``[V, N]``.
        k_clips: Clips on both lists together, K = K_t + K_s.
        k_student: Clips on the student's list, K_s; K is the student alone, 0 the teacher alone.

    Returns:
        ``[V, C]``.

    Raises:
        ValueError: If not 0 <= k_student <= k_clips, a score is NaN or a video has no clips.
    """
    shares = division_weights(teacher_confidence, student_confidence, mask, k_clips, k_student)
    by_teacher, by_student = (share.unsqueeze(1) for share in shares)
    both = average(teacher_probs, by_teacher) + average(student_probs, by_student)
    return both.squeeze(1)
