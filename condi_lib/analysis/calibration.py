"""A teacher whose confidence is made honest, and what that is worth when clips are chosen.

One temperature per teacher, fitted on the clips of its validation videos, divides its logits. Then
its highest probability says how often it is right; what is asked here is whether clips *chosen* by
it, or *averaged* with it, become better video predictions.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from condi_lib.analysis.findings import SURE
from condi_lib.analysis.results import SOFTMAX, Sweep, sampler_of, stack_runs, sweep
from condi_lib.analysis.trials import Trial
from condi_lib.clip_table import ClipTable, DenseView
from condi_lib.confidence import fit_temperature, max_softmax
from condi_lib.evaluation import correct_over_k
from condi_lib.metrics import ece
from condi_lib.sampling import Sampler
from condi_lib.sampling.samplers import RankedBy
from condi_lib.study.study import Study

PLAIN, RANKED, AVERAGED, BOTH = "as it is", "ranked by it", "averaged with it", "both"
Temperatures = dict[tuple[int, str], float]


def temperatures(study: Study, split: str = "val") -> Temperatures:
    """The temperature of each seed's and fold's teacher, from the clips of one split."""
    return {
        (seed, fold): fit_temperature(table.teacher_logits, _labels(table))
        for seed in study.seeds
        for fold in study.spec.fold_names
        for table in [study.teacher_table(seed, split, fold)]
    }


def calibration_rows(study: Study, found: Temperatures, split: str = "test") -> pd.DataFrame:
    """How honest each teacher's max softmax is, before and after: one row per seed and fold.

    Returns:
        ``seed, fold, temperature``; then, each also with ``_after``: ``ece`` (15 bins), ``nll``
        (negative log-likelihood per clip, nats) and ``sure_when_wrong`` (share of the wrong clips
        with a max softmax of at least ``findings.SURE``).
    """
    rows = []
    for (seed, fold), temperature in found.items():
        table = study.teacher_table(seed, split, fold)
        row = {"seed": seed, "fold": fold, "temperature": temperature}
        for tail, by in (("", 1.0), ("_after", temperature)):
            measured = _honesty(table, by)
            row |= {f"{name}{tail}": value for name, value in measured.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def calibrated_trial(study: Study, found: Temperatures, student: str, test: str = "test") -> Trial:
    """Judge dense, the teacher's max softmax and a student, each also with calibration.

    Returns:
        A trial whose methods are ``method`` and, with calibration, ``method: way``: clips
        *ranked by it* (max softmax alone), their probabilities *averaged with it*, or *both*.
    """
    sweeps = {split: _sweep(study, found, student, split) for split in ("val", test)}
    return Trial("calibration", sweeps["val"], sweeps[test], pd.DataFrame())


def gain_rows_by_way(trial: Trial, over: str = "dense") -> pd.DataFrame:
    """What each method gains over another one, plain, in every way of calibrating.

    Returns:
        One row per method and way, in order: ``trial`` (the method), ``method`` (the way), ``k``
        and ``gain`` (:class:`Interval`, paired by video).
    """
    named = [(name, *name.partition(": ")[::2]) for name in trial.methods]
    rows = [(m, way or PLAIN, trial.k(name), trial.gain(name, over)) for name, m, way in named]
    order = [PLAIN, RANKED, AVERAGED, BOTH]
    rows.sort(key=lambda row: order.index(row[1]))
    methods = list(dict.fromkeys(m for _, m, _ in named))
    rows.sort(key=lambda row: methods.index(row[0]))
    return pd.DataFrame(rows, columns=["trial", "method", "k", "gain"])


def _sweep(study: Study, found: Temperatures, student: str, split: str) -> Sweep:
    plain = sweep(study, split, ("dense", SOFTMAX, student))

    def calibrated(seed: int, fold: str) -> dict[str, NDArray]:
        table = study.table(student, seed, split, fold)
        by_name = _asked(study, table, student, found[seed, fold])
        return {
            name: next(iter(correct_over_k(source, [sampler], plain.k_clips).values()))
            for name, (source, sampler) in by_name.items()
        }

    return Sweep(plain.correct | stack_runs(study, calibrated), plain.k_clips, plain.folds)


def _asked(
    study: Study, table: ClipTable, student: str, temperature: float
) -> dict[str, tuple[ClipTable, str | Sampler]]:
    """Every calibrated way of one teacher: what is averaged, and what ranks the clips."""
    scaled = replace(table, teacher_logits=table.teacher_logits / temperature)

    def by_calibrated(view: DenseView) -> torch.Tensor:
        return max_softmax(view.teacher_logits / temperature)

    def by_plain(view: DenseView) -> torch.Tensor:
        return max_softmax(view.teacher_logits * temperature)

    return {
        f"dense: {AVERAGED}": (scaled, "dense"),
        f"{SOFTMAX}: {RANKED}": (table, _teachers(by_calibrated)),
        f"{SOFTMAX}: {AVERAGED}": (scaled, _teachers(by_plain)),
        f"{SOFTMAX}: {BOTH}": (scaled, SOFTMAX),
        f"{student}: {AVERAGED}": (scaled, sampler_of(study, student)),
    }


def _teachers(score: RankedBy) -> Sampler:
    return Sampler("own", "own", "teacher", RankedBy(score))


def _honesty(table: ClipTable, temperature: float) -> dict[str, float]:
    logits, label = table.teacher_logits / temperature, _labels(table)
    confidence, right = max_softmax(logits).numpy(), (logits.argmax(dim=1) == label).numpy()
    wrong = confidence[~right]
    return {
        "ece": ece(confidence, right),
        "nll": float(torch.nn.functional.cross_entropy(logits, label)),
        "sure_when_wrong": float((wrong >= SURE).mean()) if len(wrong) else np.nan,
    }


def _labels(table: ClipTable) -> torch.Tensor:
    return torch.from_numpy(table.clips["label"].to_numpy().astype(np.int64))
