"""Value and gradient along the path of each head."""

import numpy as np
import pytest
import torch

from lossassay.catalogue.losses import LOSSES
from lossassay.losses.curves import CLASSES, curve, mirrored, path_scores

JUMPS = (
    "logit_normalization",  # the direction of (m, 0, 0) turns round at m = 0, and nothing else changes
    "focal_sample_dependent",  # another focusing from p = 0.2 on
)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_curve_of_finite_numbers(name: str) -> None:
    found = curve(name)
    assert found.place.shape == found.value.shape == found.gradient.shape
    assert (np.diff(found.place) > 0).all()
    assert np.isfinite(found.value).all()
    assert np.isfinite(found.gradient).all()
    assert np.ptp(found.value) > 0
    assert found.axis


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in JUMPS])
def test_the_gradient_is_that_of_the_value(name: str) -> None:
    """Trapezoids under the gradient give the value back, up to their width and to kinks."""
    found = curve(name)
    steps = np.diff(found.place) * (found.gradient[1:] + found.gradient[:-1]) / 2
    height = np.ptp(found.value)
    np.testing.assert_allclose(found.value[0] + steps.sum(), found.value[-1], atol=0.03 * height)


def test_cross_entropy_is_what_it_is() -> None:
    found = curve("categorical_crossentropy")
    p = np.exp(found.place) / (np.exp(found.place) + CLASSES - 1)
    np.testing.assert_allclose(found.value, -np.log(p), rtol=1e-12)
    np.testing.assert_allclose(found.gradient, p - 1, rtol=1e-12)
    assert (found.place[0], found.place[-1]) == (-6, 6)
    assert found.note == ""


def test_hyper_parameters_change_the_curve() -> None:
    assert curve("focal", gamma=5.0).value[48] < curve("focal", gamma=0.5).value[48]


def test_a_loss_of_the_batch_is_drawn_for_two_mirrored_examples() -> None:
    found, single = curve("root_mean_squared_error"), curve("mean_squared_error")
    np.testing.assert_allclose(found.value, np.sqrt(single.value), rtol=1e-12)
    np.testing.assert_allclose(found.gradient, single.gradient / (2 * np.sqrt(single.value)), rtol=1e-10)
    assert found.note == "a batch of two mirrored examples"


def test_paths_of_the_heads() -> None:
    place = torch.tensor([-2.0, 0.5])
    assert path_scores("linear", place, 3).tolist() == [[-2, 0, 0], [0.5, 0, 0]]
    assert path_scores("cosine", place, 3).tolist() == [[-2, 0, 0], [0.5, 0, 0]]
    assert path_scores("thresholds", place, 3).tolist() == [[-1, -3], [1.5, -0.5]]
    assert path_scores("scalar", place, 3).tolist() == [[-2], [0.5]]
    assert mirrored("linear", path_scores("linear", place, 3)).tolist() == [[0, -2, 0], [0, 0.5, 0]]
    assert mirrored("scalar", place[:, None]).tolist() == [[-2], [0.5]]


def test_the_middle_grade_costs_least_in_the_middle() -> None:
    for name in (name for name, spec in LOSSES.items() if spec.head in ("shared_slope", "thresholds")):
        found = curve(name)
        assert abs(found.place[found.value.argmin()]) <= 1, name
        np.testing.assert_allclose(found.value, found.value[::-1], rtol=1e-9, err_msg=name)
