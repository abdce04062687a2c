"""Similarity of feature sets, against direct evaluations with whole kernels and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group
from sklearn.linear_model import Ridge

from lossassay.errors import DataError
from lossassay.stats import linear_cka, mapped_agreement, procrustes_similarity

SHAPES = [(40, 5, 9), (12, 30, 8), (9, 20, 25), (60, 60, 60)]


def sets(seed: int, shape: tuple[int, int, int], *, common: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    images, one, other = shape
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(images, 3))
    return (
        3 + common * hidden @ rng.normal(size=(3, one)) + rng.normal(size=(images, one)),
        common * hidden @ rng.normal(size=(3, other)) + rng.normal(size=(images, other)) - 1,
    )


def hsic_biased(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741 - the letters of the paper
    n = len(k)
    h = np.eye(n) - 1 / n
    return float(np.trace(k @ h @ l @ h))


def hsic_unbiased(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    one = np.ones(n)
    value = (
        np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ l @ one)
    )
    return float(value / (n * (n - 3)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("unbiased", [False, True])
def test_cka_equals_whole_kernels(shape: tuple[int, int, int], unbiased: bool) -> None:
    one, other = sets(0, shape)
    kernels = one @ one.T, other @ other.T
    hsic = hsic_unbiased if unbiased else hsic_biased
    expected = hsic(*kernels) / np.sqrt(hsic(kernels[0], kernels[0]) * hsic(kernels[1], kernels[1]))
    found = linear_cka(one, other, unbiased=unbiased)
    assert found.estimate == pytest.approx(expected, abs=1e-8)
    assert (found.num_images, found.widths) == (shape[0], shape[1:])


def test_unbiased_cka_is_about_zero_for_unrelated_wide_sets_and_biased_is_not() -> None:
    rng = np.random.default_rng(1)
    pairs = [(rng.normal(size=(30, 200)), rng.normal(size=(30, 200))) for _ in range(40)]
    assert abs(np.mean([linear_cka(*pair).estimate for pair in pairs])) < 0.01
    assert np.mean([linear_cka(*pair, unbiased=False).estimate for pair in pairs]) > 0.7


@pytest.mark.parametrize("shape", SHAPES)
def test_procrustes_distance_is_what_the_best_rotation_leaves(shape: tuple[int, int, int]) -> None:
    one, other = (values - values.mean(axis=0) for values in sets(2, shape))
    one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
    width = max(shape[1:])
    one, other = (np.pad(values, ((0, 0), (0, width - values.shape[1]))) for values in (one, other))
    rotation, _ = orthogonal_procrustes(one, other)
    distance_squared = np.linalg.norm(one @ rotation - other) ** 2
    assert 2 - 2 * procrustes_similarity(*sets(2, shape)).estimate == pytest.approx(distance_squared, abs=1e-10)


@pytest.mark.parametrize(("shape", "common"), [((50, 6, 4), 0.7), ((60, 20, 30), 0.7), ((12, 7, 6), 0.5)])
def test_mapped_agreement_equals_scikit_learn(shape: tuple[int, int, int], common: float) -> None:
    one, other = sets(3, shape, common=common)
    found = mapped_agreement(one, other, folds=5, seed=4)
    fold_of_row = np.random.default_rng(4).permutation(shape[0]) % 5
    assert found.forward == pytest.approx(share_by_scikit_learn(one, other, fold_of_row), abs=1e-8)
    assert found.backward == pytest.approx(share_by_scikit_learn(other, one, fold_of_row), abs=1e-8)
    assert found.estimate == (found.forward + found.backward) / 2


def share_by_scikit_learn(features: np.ndarray, targets: np.ndarray, fold_of_row: np.ndarray) -> float:
    missed = total = 0.0
    for fold in range(5):
        fitted, tested = fold_of_row != fold, fold_of_row == fold
        model = Ridge(alpha=penalty_by_hat_matrix(features[fitted], targets[fitted])).fit(
            features[fitted], targets[fitted]
        )
        missed += ((targets[tested] - model.predict(features[tested])) ** 2).sum()
        total += ((targets[tested] - targets[fitted].mean(axis=0)) ** 2).sum()
    return float(1 - missed / total)


def penalty_by_hat_matrix(features: np.ndarray, targets: np.ndarray) -> float:
    """Generalised cross-validation as its authors write it."""
    x, n = features - features.mean(axis=0), len(features)
    penalties = 10.0 ** np.arange(-7, 3) * np.linalg.svd(x, compute_uv=False)[0] ** 2
    errors = []
    for penalty in penalties:
        hat = x @ np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T) + 1 / n
        rest = np.eye(n) - hat
        errors.append(((rest @ targets) ** 2).sum() / np.trace(rest) ** 2)
    return float(penalties[np.argmin(errors)])


def test_mapped_agreement_knows_a_linear_map_from_noise() -> None:
    rng = np.random.default_rng(5)
    one = rng.normal(size=(200, 10))
    mapped = mapped_agreement(one, one @ rng.normal(size=(10, 10)))
    unrelated = mapped_agreement(one, rng.normal(size=(200, 10)))
    assert mapped.estimate > 0.999
    assert abs(unrelated.estimate) < 0.05


def test_images_of_one_patient_stay_in_one_fold() -> None:
    rng = np.random.default_rng(6)
    patients = np.repeat(np.arange(30), 4)
    # each patient has a point of its own in both sets, and nothing else is common
    one, other = (rng.normal(size=(30, 40))[patients] + 0.01 * rng.normal(size=(120, 40)) for _ in range(2))
    apart = mapped_agreement(one, other)
    together = mapped_agreement(one, other, groups=patients)
    assert apart.estimate > 0.5
    assert together.estimate < 0.1


def test_folds_know_groups_by_their_order_and_not_by_their_names() -> None:
    one, other = sets(7, (24, 3, 3))
    patients = np.repeat(np.arange(8), 3)
    names = np.array(list("qzbxamco"))[patients]
    assert mapped_agreement(one, other, groups=patients) == mapped_agreement(one, other, groups=names)


@given(seed=st.integers(0, 500), scale=st.floats(1e-6, 1e6), shift=st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_rotation_scale_and_shift_change_nothing(seed: int, scale: float, shift: float) -> None:
    one, other = sets(seed, (20, 6, 5))
    rotation = ortho_group.rvs(6, random_state=seed)
    moved = scale * (one @ rotation) + scale * shift
    for similarity in (
        linear_cka,
        lambda a, b: linear_cka(a, b, unbiased=False),
        procrustes_similarity,
        mapped_agreement,
    ):
        assert similarity(moved, other).estimate == pytest.approx(similarity(one, other).estimate, abs=1e-7)


@given(seed=st.integers(0, 500))
@settings(max_examples=25, deadline=None)
def test_symmetric_one_with_itself_and_in_range(seed: int) -> None:
    one, other = sets(seed, (15, 4, 7))
    for similarity in (
        linear_cka,
        lambda a, b: linear_cka(a, b, unbiased=False),
        procrustes_similarity,
        mapped_agreement,
    ):
        assert similarity(one, other).estimate == pytest.approx(similarity(other, one).estimate, abs=1e-10)
        assert similarity(one, other).estimate <= 1 + 1e-12
    for similarity in (linear_cka, procrustes_similarity):
        assert similarity(one, one).estimate == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("similarity", [linear_cka, procrustes_similarity, mapped_agreement])
def test_a_constant_set_is_nan(similarity) -> None:
    one, _ = sets(8, (12, 3, 3))
    constant = np.full((12, 4), 0.1, dtype=np.float32)
    assert np.isnan(similarity(one, constant).estimate)
    assert np.isnan(similarity(constant, constant).estimate)


@pytest.mark.parametrize("similarity", [linear_cka, procrustes_similarity, mapped_agreement])
def test_dead_features_change_nothing(similarity) -> None:
    one, other = sets(9, (30, 5, 5))
    padded = np.concatenate([one, np.full((30, 3), 0.3)], axis=1)
    assert similarity(padded, other).estimate == pytest.approx(similarity(one, other).estimate, abs=1e-12)


@pytest.mark.parametrize("similarity", [linear_cka, procrustes_similarity, mapped_agreement])
def test_bad_input_is_refused(similarity) -> None:
    with pytest.raises(DataError, match="9 rows of features and 8 rows of other features came"):
        similarity(np.zeros((9, 2)), np.zeros((8, 2)))
    with pytest.raises(DataError, match="1 of 18 features are nan or infinite"):
        similarity(np.zeros((9, 2)), np.array([[np.nan, 0.0]] + [[0.0, 0.0]] * 8))
    with pytest.raises(DataError, match="1 rows of features came; this needs"):
        similarity(np.zeros((1, 2)), np.zeros((1, 2)))


def test_more_folds_than_patients_are_refused() -> None:
    with pytest.raises(DataError, match="5 folds of 3 groups came"):
        mapped_agreement(np.zeros((6, 2)), np.zeros((6, 2)), groups=np.array([0, 0, 1, 1, 2, 2]))
