"""Losses that are one function, or one function up to a known change."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lossassay import losses
from lossassay.catalogue.losses import LOSSES
from tests.losses import checks
from tests.losses.checks import CLASSES, value_and_gradient

# Proper losses of rows: at p = t their gradient is 0.
SOFT = ["categorical_crossentropy", "binary_crossentropy", "mean_squared_error", "brier", "kl_divergence"]
CATEGORICAL, SPARSE = losses.get("categorical_crossentropy"), losses.get("sparse_categorical_crossentropy")


def examples(loss: losses.Loss, *, scale: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    given = checks.examples(checks.Case(loss=loss, task="single_label"), scale=scale)
    return given.scores, given.labels


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 20)), elements=st.floats(-200, 200, width=32)),
    st.integers(0, 2**31),
    st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
)
def test_categorical_and_sparse_are_equal_bit_for_bit(scores: np.ndarray, seed: int, dtype: torch.dtype) -> None:  # type: ignore[type-arg]
    z = torch.from_numpy(scores).to(dtype)
    labels = torch.randint(z.shape[1], (len(z),), generator=torch.Generator().manual_seed(seed))
    rows = losses.encode_labels(labels, z.shape[1], "dense").to(dtype)
    integers = losses.encode_labels(labels, z.shape[1], "integer")
    for dense, sparse in zip(
        value_and_gradient(CATEGORICAL, z, rows), value_and_gradient(SPARSE, z, integers), strict=True
    ):
        assert torch.equal(dense, sparse)


def test_focal_without_focusing_is_cross_entropy_bit_for_bit() -> None:
    scores, labels = examples(SPARSE, scale=10)
    focal = value_and_gradient(losses.get("focal", gamma=0.0), scores, labels)
    assert all(torch.equal(a, b) for a, b in zip(focal, value_and_gradient(SPARSE, scores, labels), strict=True))


@settings(deadline=None)
@given(st.floats(0, 5), st.floats(0, 1))
def test_focal_falls_with_gamma_and_never_exceeds_cross_entropy(gamma: float, more: float) -> None:
    scores, labels = examples(SPARSE)
    here, further = (
        losses.get("focal", gamma=gamma)(scores, labels),
        losses.get("focal", gamma=gamma + more)(scores, labels),
    )
    assert (further <= here * (1 + 1e-12)).all()
    assert (here <= SPARSE(scores, labels) * (1 + 1e-12)).all()


def test_mean_squared_error_times_classes_is_the_brier_score() -> None:
    loss = losses.get("mean_squared_error")
    scores, rows = examples(loss)
    p, t = torch.softmax(scores, -1).numpy(), rows.numpy()
    brier = (p**2).sum(1) - 2 * p[t == 1] + 1  # |p - t|^2 written out for a one-hot t
    np.testing.assert_allclose(CLASSES * loss(scores, rows).numpy(), brier, rtol=1e-12)


def test_root_mean_squared_error_is_the_root_of_the_batch_mean_in_value_and_gradient() -> None:
    root, square = losses.get("root_mean_squared_error"), losses.get("mean_squared_error")
    scores, rows = examples(root)
    value, gradient = value_and_gradient(root, scores, rows)
    mean, mean_gradient = value_and_gradient(square, scores, rows)
    closed_form = mean.mean().sqrt()
    torch.testing.assert_close(value.mean(), closed_form, rtol=1e-14, atol=0)
    torch.testing.assert_close(gradient, mean_gradient / (2 * closed_form), rtol=1e-12, atol=1e-16)


def test_root_mean_squared_error_of_an_exact_fit_is_0_with_gradient_0() -> None:
    loss = losses.get("root_mean_squared_error")
    value, gradient = value_and_gradient(loss, 1e4 * torch.eye(CLASSES), torch.eye(CLASSES))
    assert (value == 0).all()
    assert (gradient == 0).all()


def test_binary_cross_entropy_is_the_mean_of_one_logistic_regression_per_class() -> None:
    loss = losses.get("binary_crossentropy")
    scores, rows = examples(loss)
    one_by_one = torch.stack([loss(scores[:, [k]], rows[:, [k]]) for k in range(CLASSES)]).mean(0)
    torch.testing.assert_close(loss(scores, rows), one_by_one, rtol=1e-14, atol=0)


def test_binary_cross_entropy_takes_several_or_no_labels_per_example() -> None:
    loss = losses.get("binary_crossentropy")
    scores = torch.zeros(2, 3)
    rows = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(loss(scores, rows), torch.full((2,), 2.0).log())


@pytest.mark.parametrize("name", SOFT)
def test_soft_labels_are_taken_as_they_are(name: str) -> None:
    """At p = t the gradient of every proper loss is 0, whatever t is (a root has no gradient there)."""
    soft = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)
    link = LOSSES[name].link
    scores = soft.log() if link == "softmax" else (soft / (1 - soft)).log()
    _, gradient = value_and_gradient(losses.get(name), scores, soft)
    assert gradient.abs().max() < 1e-12


def test_categorical_cross_entropy_ignores_a_class_that_a_soft_label_rules_out() -> None:
    scores = torch.tensor([[0.0, 0.0, -torch.inf]])
    value = CATEGORICAL(scores, torch.tensor([[0.5, 0.5, 0.0]]))
    torch.testing.assert_close(value, torch.tensor([2.0]).log())  # 0 log 0 = 0
