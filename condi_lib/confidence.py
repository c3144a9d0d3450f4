"""Scores that say how much to trust a prediction, computed from its class logits.

Every score is a *confidence*: higher means more likely to be classified correctly, without
exception. All take logits ``[..., C]`` and return ``[...]``, in float32 where the logits are in
half precision, and are NaN where a logit is. They are for ranking, not for training.
"""

import math

import torch
from torch import Tensor

TEMPERATURES = (0.01, 100.0)  # between which fit_temperature looks


def max_softmax(logits: Tensor) -> Tensor:
    """Return the highest class probability, in ``[1/C, 1]`` (Hendrycks & Gimpel 2017).

    Rounds to exactly 1 where one logit leads by more than about 17 (float32), so that very
    certain clips tie.
    """
    return _probabilities(logits).amax(dim=-1)


def negative_entropy(logits: Tensor) -> Tensor:
    """Return minus the predictive entropy of each softmax, in nats (thesis Eq. 4.1).

    ``-H(p) = sum_c p_c log p_c`` lies in ``[-log C, 0]``: 0 is one-hot, ``-log C`` is uniform.
    ``0 log 0`` counts as 0. Example: logits ``[0, 0]`` give ``-log 2 = -0.693``.
    """
    return -torch.special.entr(_probabilities(logits)).sum(dim=-1)


def max_logit(logits: Tensor) -> Tensor:
    """Return the largest logit: SCSampler's saliency (Korbar et al. 2019). Any real number."""
    return _at_least_float32(logits).amax(dim=-1)


def energy(logits: Tensor) -> Tensor:
    """Return the logarithm of the summed exponentials of the logits (Liu et al. 2020).

    Their *energy*, with its sign turned. Any real number, at least the largest logit; a network
    gives more of it to what resembles its training data. Example: logits ``[0, 0]`` give log 2.
    """
    return _at_least_float32(logits).logsumexp(dim=-1)


def softmax_margin(logits: Tensor) -> Tensor:
    """Return by how much the best class probability leads the second best, in ``[0, 1]``.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    if logits.shape[-1] < 2:
        raise ValueError(f"a margin needs at least 2 classes, got logits {list(logits.shape)}")
    best, second = _probabilities(logits).topk(2, dim=-1).values.unbind(dim=-1)
    return best - second


def true_class_probability(logits: Tensor, label: Tensor) -> Tensor:
    """Return the probability of the true class, in ``[0, 1]``: the oracle's score.

    It reads the label, so it is an upper bound and never a method.

    Args:
        logits: Unnormalised class scores, ``[..., C]``.
        label: True classes, int64, of shape ``[...]`` or one that broadcasts to it.

    Raises:
        ValueError: If a label is not in ``[0, C)``.
    """
    n_classes = logits.shape[-1]
    if label.numel() and not 0 <= int(label.min()) <= int(label.max()) < n_classes:
        span = f"{int(label.min())} to {int(label.max())}"
        raise ValueError(f"labels must be in [0, {n_classes}), got {span}")
    index = label.broadcast_to(logits.shape[:-1]).unsqueeze(-1)
    return _probabilities(logits).gather(-1, index).squeeze(-1)


def fit_temperature(logits: Tensor, label: Tensor) -> float:
    """Return the temperature T at which ``softmax(logits / T)`` says most of the labels.

    Temperature scaling (Guo et al. 2017): T minimises the mean negative log-likelihood, which has
    one minimum in 1/T. Above 1 the network was over-confident. It changes no prediction, but the
    order of clips by their highest probability it may. Where everything is right, or everything
    wrong, no finite T is best: one near an end of ``TEMPERATURES`` is returned.

    Example: two classes, logits ``[m, 0]``, right on a share q > .5 of the clips:
    ``T = m / log(q / (1 - q))``.

    Args:
        logits: Unnormalised class scores of clips that the network was not trained on, ``[n, C]``.
        label: True classes, int64, ``[n]``.

    Raises:
        ValueError: If there is no clip, or shapes disagree.
    """
    if logits.ndim != 2 or not len(logits) or label.shape != logits.shape[:1]:
        shapes = f"{list(logits.shape)} and {list(label.shape)}"
        raise ValueError(f"need logits [n, C] and label [n] with n >= 1, got {shapes}")
    logits = logits.double()

    from scipy.optimize import minimize_scalar  # slow to import

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        return float(torch.nn.functional.cross_entropy(scaled, label))

    bounds = tuple(map(math.log, TEMPERATURES))
    found = minimize_scalar(negative_log_likelihood, bounds=bounds, method="bounded",
                            options={"xatol": 1e-6})  # fmt: skip
    return math.exp(found.x)


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _probabilities(logits: Tensor) -> Tensor:
    return _at_least_float32(logits).softmax(dim=-1)
