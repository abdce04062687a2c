"""Redundancy and stability of selection, against hand-made truth and a bootstrap of its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import f_classif

from lossassay.errors import DataError
from lossassay.stats import bootstrap_stability, correlated_clusters, stability_of_selections


def test_copies_of_a_feature_are_one_cluster_each() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 400))
    noise = 0.1 * rng.normal(size=(3, 400))
    features = np.stack([a, b, -3 * a + noise[0], np.full(400, 0.1), c, 5 + b + noise[1], a + noise[2]], axis=1)
    found = correlated_clusters(features)
    assert found.clusters.tolist() == [0, 1, 0, -1, 2, 1, 0]
    assert (found.num_clusters, found.num_constant, found.num_images) == (3, 1, 400)
    assert found.estimate == 0.5
    assert found.minimal_set.tolist()[1:] == [1, 4]
    assert found.minimal_set[0] == 0  # the middle one of three: the others differ from it by their noise alone


@given(seed=st.integers(0, 500), threshold=st.sampled_from([0.3, 0.6, 0.9]))
@settings(max_examples=30, deadline=None)
def test_every_two_of_a_cluster_are_correlated_and_the_set_stands_for_all(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(25, 4)) @ rng.normal(size=(4, 12)) + 0.2 * rng.normal(size=(25, 12))
    found = correlated_clusters(features, threshold=threshold)
    correlations = np.abs(np.corrcoef(features.T))
    for cluster in range(found.num_clusters):
        members = np.flatnonzero(found.clusters == cluster)
        assert correlations[np.ix_(members, members)].min() >= threshold - 1e-9
        assert found.minimal_set[cluster] in members
    moved = correlated_clusters(features * np.where(rng.random(12) < 0.5, -7.0, 0.3) + 1, threshold=threshold)
    assert moved.clusters.tolist() == found.clusters.tolist()
    assert moved.minimal_set.tolist() == found.minimal_set.tolist()


def test_constant_features_alone_have_no_cluster() -> None:
    found = correlated_clusters(np.full((5, 3), 0.1))
    assert np.isnan(found.estimate)
    assert (found.num_clusters, found.num_constant, found.minimal_set.tolist()) == (0, 3, [])
    one = correlated_clusters(np.arange(5.0)[:, None])
    assert (one.estimate, one.clusters.tolist(), one.minimal_set.tolist()) == (1.0, [0], [0])


def test_stability_by_hand() -> None:
    selected = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]], dtype=bool)
    # variances of 0/1 per feature: 0, 1/3, 1/3, 0; mean 1/6; by chance 1/2 * 1/2
    found = stability_of_selections(selected)
    assert found.estimate == pytest.approx(1 - (1 / 6) / (1 / 4))
    assert found.frequencies.tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])


def test_stability_interval_equals_theorem_7() -> None:
    selected = np.random.default_rng(9).random((12, 7)) < np.linspace(0.1, 0.5, 7)
    found = stability_of_selections(selected)
    frequencies, sizes = selected.mean(axis=0), selected.sum(axis=1)
    mean_size, features = sizes.mean(), 7
    own = [
        (chosen * frequencies).mean()
        - size * mean_size / features**2
        + found.estimate / 2 * (2 * size * mean_size / features**2 - size / features - mean_size / features + 1)
        for chosen, size in zip(selected, sizes, strict=True)
    ]
    own = np.array(own) / (mean_size / features * (1 - mean_size / features))
    half_width = 1.959963984540054 * np.sqrt(4 / 12**2 * ((own - own.mean()) ** 2).sum())
    assert (found.low, found.high) == pytest.approx((found.estimate - half_width, found.estimate + half_width))


def test_stability_at_its_ends() -> None:
    same = stability_of_selections(np.tile(np.array([True, False, True, False, False]), (6, 1)))
    assert (same.estimate, same.low, same.high) == pytest.approx((1, 1, 1))
    for everything in (True, False):
        nothing_chosen = stability_of_selections(np.full((4, 3), everything))
        assert np.isnan([nothing_chosen.estimate, nothing_chosen.low, nothing_chosen.high]).all()
    rng = np.random.default_rng(1)
    assert abs(stability_of_selections(rng.random((2000, 50)) < 0.3).estimate) < 0.01


def test_stability_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    shares = np.linspace(0.05, 0.95, 20)
    truth = 1 - (shares * (1 - shares)).mean() / (shares.mean() * (1 - shares.mean()))
    hits = 0
    for _ in range(1000):
        found = stability_of_selections(rng.random((100, 20)) < shares)
        hits += found.low <= truth <= found.high
    assert abs(hits / 1000 - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / 1000) + 0.01


def informative(seed: int, *, strength: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(90) % 3
    features = rng.normal(size=(90, 12))
    features[:, :3] += strength * (labels[:, None] == np.arange(3))
    return features, labels


def test_strong_features_are_chosen_always_and_noise_at_random() -> None:
    strong = bootstrap_stability(*informative(3, strength=6.0), num_selected=3)
    assert strong.estimate == 1
    assert strong.frequencies[:3].tolist() == [1, 1, 1]
    weak = bootstrap_stability(*informative(3, strength=0.3), num_selected=3)
    assert weak.estimate < 0.8
    assert weak.frequencies.sum() == pytest.approx(3)


def test_the_choice_of_each_draw_is_that_of_the_analysis_of_variance() -> None:
    features, labels = informative(4, strength=0.8)
    found = bootstrap_stability(features, labels, num_selected=4, draws=20, seed=5)
    times = np.random.default_rng(5).multinomial(90, np.full(90, 1 / 90), size=20)
    expected = np.zeros(12)
    for drawn in times:
        rows = np.repeat(np.arange(90), drawn)
        scores, _ = f_classif(features[rows], labels[rows])
        expected[np.argsort(-scores)[:4]] += 1 / 20
    assert found.frequencies == pytest.approx(expected)


def test_patients_are_drawn_whole_and_by_order() -> None:
    features, labels = informative(6, strength=0.5)
    patients = np.arange(90) // 9
    by_number = bootstrap_stability(features, labels, num_selected=3, groups=patients)
    by_name = bootstrap_stability(features, labels, num_selected=3, groups=np.array(list("kdjwexzabc"))[patients])
    assert by_number.frequencies.tolist() == by_name.frequencies.tolist()
    assert by_number.frequencies.tolist() != bootstrap_stability(features, labels, num_selected=3).frequencies.tolist()


def test_a_class_that_a_draw_leaves_out_and_a_dead_feature_do_no_harm() -> None:
    features, _ = informative(7, strength=0.5)
    features[:, 11] = 0.1
    labels = np.r_[0, np.ones(89, dtype=int)]
    assert bootstrap_stability(features, labels, num_selected=2).frequencies[11] < 0.6


def test_a_feature_that_is_constant_in_a_draw_is_not_chosen_for_its_rounding() -> None:
    features, labels = informative(7, strength=6.0)
    features[:, 4:] = 0.1
    features[np.arange(4, 12), np.arange(4, 12)] = 0.7  # each constant but for one image
    found = bootstrap_stability(features, labels, num_selected=3, draws=200)
    assert found.frequencies.tolist() == [1, 1, 1] + [0] * 9


def test_bad_input_is_refused() -> None:
    features, labels = informative(8, strength=1.0)
    with pytest.raises(DataError, match=r"A threshold of 90.0 came; it must lie between 0 and 1"):
        correlated_clusters(features, threshold=90.0)
    with pytest.raises(DataError, match="2 rows of features came; this needs 3 or more"):
        correlated_clusters(features[:2])
    with pytest.raises(DataError, match="1 selection of features came"):
        stability_of_selections(np.ones((1, 3), dtype=bool))
    with pytest.raises(DataError, match="12 features of 12 are to be selected"):
        bootstrap_stability(features, labels, num_selected=12)
    with pytest.raises(DataError, match="All images are of one class"):
        bootstrap_stability(features, np.zeros(90, dtype=int), num_selected=2)
    with pytest.raises(DataError, match="90 rows of features and 89 labels came"):
        bootstrap_stability(features, labels[1:], num_selected=2)
    with pytest.raises(DataError, match="90 rows of features and 3 groups came"):
        bootstrap_stability(features, labels, num_selected=2, groups=np.arange(3))
