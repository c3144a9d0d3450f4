"""Workload division: teacher and student classify some clips each (thesis Fig. 3.3).

Shapes: V videos, N clips of the longest one, C classes; ``mask [V, N]`` is True where a clip is.
"""

from torch import Tensor

from condi_lib.sampling.weights import average, clips_kept, rank_clips


def division_weights(
    teacher_confidence: Tensor,
    student_confidence: Tensor,
    mask: Tensor,
    k_clips: int,
    k_student: int,
) -> tuple[Tensor, Tensor]:
    """Return the weights ``[V, N]`` of the teacher's and of the student's clip predictions.

    The student classifies the ``k_student`` clips it is surest of itself, the teacher the
    ``k_clips − k_student`` it is most likely to get right; a clip on both lists counts once, by the
    mean of both predictions (thesis Fig. 3.3). Weights above 0 are the clips each network must
    run on. A list longer than the video is cut to it.

    Raises:
        ValueError: As ``divide_workload``.
    """
    if not 0 <= k_student <= k_clips or k_clips < 1:
        raise ValueError(f"need 0 <= k_student <= k_clips >= 1, got {k_student} and {k_clips}")
    clips_kept(mask, [k_clips])
    by_teacher = (rank_clips(teacher_confidence, mask) < k_clips - k_student) & mask
    by_student = (rank_clips(student_confidence, mask) < k_student) & mask
    n_clips = (by_teacher | by_student).sum(dim=1, keepdim=True)
    share = 1 / ((by_teacher.int() + by_student.int()).clamp(min=1) * n_clips).double()
    return by_teacher * share, by_student * share


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
