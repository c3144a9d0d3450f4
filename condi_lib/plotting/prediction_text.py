"""What is said of a prediction in words, in figures and reports alike."""

from pathlib import Path

import numpy as np

from condi_lib.selective import Prediction

LONGEST_NAME = 70
MOST_LISTED = 12  # clips that are named one by one


def headline(prediction: Prediction) -> str:
    """The file's name, the answer and its probability."""
    answer, probability = prediction.top(1)[0]
    name = Path(prediction.video).name.encode(errors="replace").decode()  # it may be no Unicode
    if len(name) > LONGEST_NAME:  # its end may be all that tells it from others
        name = f"{name[: LONGEST_NAME // 2]}…{name[-LONGEST_NAME // 2 :]}"
    return f"{name}: {readable(answer)}, {100 * probability:.0f} %"


def looks_told(prediction: Prediction) -> str:
    """At which clips the networks looked, and what damage kept from them."""
    looked = np.flatnonzero(prediction.clips["teacher_class"].notna()).tolist()
    listed = f" ({', '.join(map(str, looked))})" if 0 < len(looked) <= MOST_LISTED else ""
    told = f"teacher on {prediction.n_teacher} of {len(prediction.clips)} clips{listed}"
    if prediction.n_student:
        told += f", student on {prediction.n_student}"
    if prediction.damaged_frames:
        told += f"; {prediction.damaged_frames} damaged frames (crossed out)"
    if prediction.stopped_at_frame is not None:
        told += f", lost from frame {prediction.stopped_at_frame} on"
    return told


def time_told(prediction: Prediction) -> str:
    """Time spent on a prediction, by what, and what dense inference would have taken.

    Decoding runs beside the networks and videos share batches, so on the clock it may be less,
    and more if others were waited for.
    """
    names = {"decode": "decoding", "student": "student", "teacher": "teacher"}
    seconds, dense = prediction.seconds, prediction.dense_sec
    parts = [f"{name} {_short(seconds[key])}" for key, name in names.items() if seconds.get(key)]
    spent = sum(seconds[key] for key in names)
    told = f"{_short(spent)} s ({', '.join(parts)})"
    if not dense:
        return told
    saved = 100 * (1 - spent / dense)
    than = f"{abs(saved):.0f} % {'less' if saved >= 0 else 'more'}"
    return f"{told}; {than} than all clips by the teacher, about {_short(dense)} s"


def _short(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.2g}"


def readable(name: str) -> str:
    """A class name without its underscores."""
    return name.replace("_", " ")
