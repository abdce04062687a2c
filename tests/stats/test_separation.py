"""Separation, silhouette, effective rank and neural collapse, against direct evaluations and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn.metrics import silhouette_score

from lossassay.errors import DataError
from lossassay.stats import class_separation, effective_rank, neural_collapse, silhouette


def classes(
    seed: int, *, counts: tuple[int, ...] = (12, 7, 20), width: int = 6, apart: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    means = apart * rng.normal(size=(len(counts), width))
    return means[labels] + rng.normal(size=(len(labels), width)) + 0.5, labels


def equation_11(features: np.ndarray, labels: np.ndarray) -> float:
    """Kornblith et al. 2021, equation 11, term by term."""
    names = np.unique(labels)

    def mean_distance(j: int, k: int) -> float:
        distances = [
            1 - float(x @ y) / (math.sqrt(float(x @ x)) * math.sqrt(float(y @ y)))
            for x in features[labels == j]
            for y in features[labels == k]
        ]
        return sum(distances) / len(distances)

    within = sum(mean_distance(k, k) for k in names) / len(names)
    total = sum(mean_distance(j, k) for j in names for k in names) / len(names) ** 2
    return 1 - within / total


@pytest.mark.parametrize("counts", [(12, 7, 20), (1, 5), (3, 3, 3, 3)])
def test_class_separation_equals_equation_11(counts: tuple[int, ...]) -> None:
    features, labels = classes(0, counts=counts)
    found = class_separation(features, labels)
    assert found.estimate == pytest.approx(equation_11(features, labels), abs=1e-8)
    assert (found.num_images, found.num_classes) == (sum(counts), len(counts))


@given(seed=st.integers(0, 500), scale=st.floats(1e-6, 1e6))
@settings(max_examples=25, deadline=None)
def test_class_separation_ignores_rotation_and_lengths(seed: int, scale: float) -> None:
    features, labels = classes(seed)
    lengths = np.exp(np.random.default_rng(seed).normal(size=(len(labels), 1)))
    moved = scale * lengths * features @ ortho_group.rvs(6, random_state=seed)
    one, other = class_separation(features, labels), class_separation(moved, labels)
    assert (one.estimate, one.low, one.high) == pytest.approx((other.estimate, other.low, other.high), abs=1e-9)
    assert 0 <= one.low <= one.estimate <= one.high <= 1


def test_class_separation_at_its_ends() -> None:
    labels = np.array([3, 3, 8, 8])
    apart = np.array([[1.0, 0], [2, 0], [0, 1], [0, 3]])
    assert class_separation(apart, labels).estimate == pytest.approx(1)
    same = np.array([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    assert class_separation(same, labels).estimate == pytest.approx(0, abs=1e-12)
    one_direction = class_separation(np.full((4, 3), 0.1), labels)
    assert np.isnan([one_direction.estimate, one_direction.low, one_direction.high]).all()


def test_an_image_of_zeros_has_a_cosine_of_zero_with_any() -> None:
    features, labels = np.array([[0.0, 0], [1, 0], [0, 1], [0, 1]]), np.array([0, 0, 1, 1])
    # within: class 0 (1 + 1 + 1 + 0) / 4, class 1 0; total: (3 / 4 + 2 * 1 + 0) / 4
    assert class_separation(features, labels).estimate == pytest.approx(1 - (0.75 / 2) / (2.75 / 4))


def test_class_separation_interval_equals_a_jackknife_and_widens_with_patients() -> None:
    features, labels = classes(1, counts=(150, 100))
    found = class_separation(features, labels)
    left_out = [class_separation(np.delete(features, i, 0), np.delete(labels, i)).estimate for i in range(250)]
    error = math.sqrt(249 * np.var(left_out))
    assert (found.high - found.low) / 2 == pytest.approx(1.9695 * error, rel=0.03)
    patients = np.arange(250)
    doubled = class_separation(
        np.concatenate([features, features]), np.concatenate([labels, labels]), groups=np.concatenate([patients] * 2)
    )
    assert (doubled.low, doubled.high) == pytest.approx((found.low, found.high), abs=1e-9)


def test_class_separation_interval_covers_the_truth() -> None:
    large = classes(2, counts=(40_000, 40_000), width=4)
    truth = class_separation(*large).estimate
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(500):
        rows = rng.choice(80_000, size=400, replace=False)
        found = class_separation(large[0][rows], large[1][rows])
        hits += found.low <= truth <= found.high
    assert abs(hits / 500 - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / 500) + 0.005


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("counts", [(12, 7, 20), (1, 5), (400, 300)])
def test_silhouette_equals_scikit_learn(cosine: bool, counts: tuple[int, ...]) -> None:
    features, labels = classes(4, counts=counts)
    expected = silhouette_score(features, labels, metric="cosine" if cosine else "euclidean")
    assert silhouette(features, labels, cosine=cosine).estimate == pytest.approx(expected, abs=1e-8)


def test_silhouette_of_equal_points_is_zero() -> None:
    assert silhouette(np.full((6, 2), 0.1), np.array([0, 0, 0, 1, 1, 1])).estimate == 0


def test_effective_rank_counts_equal_directions() -> None:
    hadamard = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    assert effective_rank(hadamard).estimate == pytest.approx(3)
    assert effective_rank(hadamard[:, :1] * np.array([[1.0, 5, -2]])).estimate == pytest.approx(1)
    assert np.isnan(effective_rank(np.full((5, 3), 0.1)).estimate)


def test_effective_rank_equals_the_entropy_of_the_singular_values() -> None:
    features, _ = classes(5)
    singular = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    shares = singular / singular.sum()
    expected = math.exp(-sum(float(p) * math.log(p) for p in shares))
    for scale in (1e-200, 1.0, 1e100):
        assert effective_rank(scale * features).estimate == pytest.approx(expected, abs=1e-8)
    dead = np.concatenate([features, np.full((len(features), 4), 0.1)], axis=1)
    assert effective_rank(dead).estimate == pytest.approx(expected, abs=1e-8)


def test_neural_collapse_equals_whole_covariances() -> None:
    features, labels = classes(6, counts=(9, 5, 14, 6), width=8)
    names = np.unique(labels)
    means = np.array([features[labels == k].mean(axis=0) for k in names])
    between = means - means.mean(axis=0)
    within = np.mean([np.cov(features[labels == k].T, ddof=0) for k in names], axis=0)
    expected = np.trace(within @ np.linalg.pinv(between.T @ between / 4, rcond=1e-10)) / 4
    found = neural_collapse(features, labels)
    assert found.within_by_between == pytest.approx(expected, rel=1e-8)
    lengths = np.linalg.norm(between, axis=1)
    assert found.equinorm == pytest.approx(lengths.std() / lengths.mean(), abs=1e-10)
    cosines = [between[i] @ between[j] / (lengths[i] * lengths[j]) for i in range(4) for j in range(i)]
    assert found.equiangular == pytest.approx(np.mean(np.abs(np.array(cosines) + 1 / 3)), abs=1e-10)


def test_neural_collapse_is_zero_at_a_simplex() -> None:
    labels = np.repeat(np.arange(5), 4)
    found = neural_collapse(2.0 + np.eye(5)[labels], labels)
    assert found.within_by_between == pytest.approx(0, abs=1e-20)
    assert (found.equinorm, found.equiangular) == pytest.approx((0, 0), abs=1e-12)
    skewed = neural_collapse((np.eye(5) * np.array([1, 1, 1, 1, 6.0]))[labels], labels)
    assert skewed.equinorm > 0.3


def test_neural_collapse_without_meaning_is_nan() -> None:
    features, labels = classes(7, counts=(8, 9))
    two = neural_collapse(features, labels)
    assert np.isfinite(two.within_by_between)
    assert np.isnan([two.equinorm, two.equiangular]).all()
    constant = neural_collapse(np.full((6, 2), 0.1), np.array([0, 0, 1, 1, 2, 2]))
    assert np.isnan([constant.within_by_between, constant.equinorm, constant.equiangular]).all()
    equal_but_for_rounding = np.array([[1 / 3], [0.1], [0.9], [0.9], [0.1], [1 / 3]])
    assert np.isnan(neural_collapse(equal_but_for_rounding, np.array([0, 0, 0, 1, 1, 1])).within_by_between)


@given(seed=st.integers(0, 500), scale=st.floats(1e-5, 1e5), shift=st.floats(-20, 20))
@settings(max_examples=25, deadline=None)
def test_rotation_scale_and_shift_change_nothing(seed: int, scale: float, shift: float) -> None:
    features, labels = classes(seed)
    moved = scale * (features @ ortho_group.rvs(6, random_state=seed) + shift)
    one, other = neural_collapse(features, labels), neural_collapse(moved, labels)
    assert one.within_by_between == pytest.approx(other.within_by_between, rel=1e-6)
    assert (one.equinorm, one.equiangular) == pytest.approx((other.equinorm, other.equiangular), abs=1e-7)
    assert effective_rank(features).estimate == pytest.approx(effective_rank(moved).estimate, abs=1e-7)
    assert silhouette(features, labels).estimate == pytest.approx(silhouette(moved, labels).estimate, abs=1e-7)


@pytest.mark.parametrize("function", [class_separation, silhouette, neural_collapse])
def test_bad_input_is_refused(function) -> None:
    with pytest.raises(DataError, match="All 4 images are of one class; separation needs two or more"):
        function(np.ones((4, 2)), np.zeros(4, dtype=int))
    with pytest.raises(DataError, match="4 rows of features and 3 labels came"):
        function(np.ones((4, 2)), np.zeros(3, dtype=int))
    with pytest.raises(DataError, match="2 of 8 features are nan or infinite"):
        function(np.array([[np.nan, np.inf], [0, 0], [0, 0], [0, 0]]), np.array([0, 0, 1, 1]))
