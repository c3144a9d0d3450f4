"""Every confidence score: closed forms, one sign, and inputs at the edge."""

import math

import pytest
import torch
from cases import EXTREME_LOGITS

from condi_lib.confidence import (
    max_logit,
    max_softmax,
    negative_entropy,
    softmax_margin,
    true_class_probability,
)

SCORES = [max_softmax, negative_entropy, max_logit, softmax_margin]


@pytest.mark.parametrize("n_classes", [2, 12, 400])
def test_uniform_prediction(n_classes):
    logits = torch.full((3, n_classes), 7.0, dtype=torch.float64)
    label = torch.tensor([0, 1, n_classes - 1])
    one = torch.ones(3, dtype=torch.float64)
    torch.testing.assert_close(max_softmax(logits), one / n_classes)
    torch.testing.assert_close(negative_entropy(logits), -one * math.log(n_classes))
    torch.testing.assert_close(max_logit(logits), one * 7)
    torch.testing.assert_close(softmax_margin(logits), one * 0)
    torch.testing.assert_close(true_class_probability(logits, label), one / n_classes)


def test_by_hand():
    """Probabilities .5, .25, .25: entropy .5 log 2 + 2 · .25 log 4 = 1.5 log 2."""
    logits = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).log()
    assert max_softmax(logits).item() == pytest.approx(0.5)
    assert negative_entropy(logits).item() == pytest.approx(-1.5 * math.log(2))
    assert max_logit(logits).item() == pytest.approx(-math.log(2))
    assert softmax_margin(logits).item() == pytest.approx(0.25)
    assert true_class_probability(logits, torch.tensor(2)).item() == pytest.approx(0.25)


@pytest.mark.parametrize("score", SCORES)
def test_the_clearer_the_winner_the_higher_the_score(score):
    lead = torch.linspace(0, 8, 50)
    logits = torch.stack([lead, torch.zeros(50), torch.zeros(50)], dim=1)
    assert (score(logits).diff() > 0).all()


@pytest.mark.parametrize("score", [max_softmax, negative_entropy, softmax_margin])
def test_a_constant_added_to_all_logits_changes_nothing(score):
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(score(logits + 100), score(logits))


@pytest.mark.parametrize("score", SCORES)
def test_any_leading_shape_and_any_order_of_classes(score):
    logits = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    scores = score(logits)
    assert scores.shape == (2, 3)
    torch.testing.assert_close(score(logits.flip(-1)), scores)
    torch.testing.assert_close(score(logits[1, 2]), scores[1, 2])


def test_extreme_logits_stay_in_range():
    logits = torch.tensor(list(EXTREME_LOGITS.values()))
    torch.testing.assert_close(max_softmax(logits), torch.tensor([0.25, 1.0, 1.0, 0.5, 0.25, 1.0]))
    log2, log4 = math.log(2), math.log(4)
    torch.testing.assert_close(
        negative_entropy(logits), torch.tensor([-log4, 0.0, 0.0, -log2, -log4, 0.0])
    )
    torch.testing.assert_close(softmax_margin(logits), torch.tensor([0.0, 1.0, 1.0, 0.0, 0.0, 1.0]))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(score, dtype):
    """In bfloat16 the softmax of a sure clip rounds to 1, and all sure clips would tie."""
    logits = torch.tensor([[6.0, 0.0], [7.0, 0.0]], dtype=dtype)
    scores = score(logits)
    assert scores.dtype == torch.float32
    assert scores[0] < scores[1]
    torch.testing.assert_close(scores, score(logits.float()))


@pytest.mark.parametrize("score", SCORES)
def test_nan_is_handed_on_not_hidden(score):
    scores = score(torch.tensor([[0.0, math.nan], [0.0, 1.0]]))
    assert scores.isnan().tolist() == [True, False]


def test_true_class_probability_over_a_table_of_videos():
    """Labels [V, 1] serve all N clips of their video."""
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    label = torch.tensor([[4], [0], [2]])
    expected = [[logits[v, n].softmax(0)[label[v, 0]] for n in range(4)] for v in range(3)]
    torch.testing.assert_close(true_class_probability(logits, label), torch.tensor(expected))


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_out_of_range_is_refused(label):
    with pytest.raises(ValueError, match=rf"in \[0, 2\), got {label}"):
        true_class_probability(torch.zeros(1, 2), torch.tensor([label]))


def test_a_margin_needs_two_classes():
    with pytest.raises(ValueError, match="at least 2 classes"):
        softmax_margin(torch.zeros(3, 1))
