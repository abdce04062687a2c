"""Labels go from group to group whole, intervals cover chance, and p-values are not too small."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossassay.data.audit.chance import GroupShuffler, Score, against_chance, score
from lossassay.data.audit.labels import Judged
from lossassay.data.audit.nearest_rows import Votes, folds_of, nearest


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=20), seed=st.integers(0, 1000))
def test_every_group_gives_its_labels_to_one_group(sizes: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = GroupShuffler(groups, seed).draw()
    donors = [set(groups[rows[groups == group]].tolist()) for group in range(len(sizes))]
    assert all(len(own) == 1 for own in donors)
    assert {next(iter(own)) for own in donors} == set(range(len(sizes)))


def test_labels_keep_their_order_and_are_repeated_in_larger_groups() -> None:
    groups = np.array([0, 0, 0, 0, 1, 1])
    shuffler = GroupShuffler(groups, seed=0)
    draws = [shuffler.draw().tolist() for _ in range(50)]
    assert {tuple(draw[:4]) for draw in draws} >= {(4, 5, 4, 5), (5, 4, 5, 4), (0, 1, 2, 3), (1, 2, 3, 0)}
    assert all((b - a) % 4 == 1 for draw in draws if draw[0] < 4 for a, b in pairwise(draw[:4]))


def test_single_rows_are_permuted() -> None:
    assert sorted(GroupShuffler(np.arange(30)).draw().tolist()) == list(range(30))


def test_balanced_accuracy_and_its_error_against_a_bootstrap() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(150), random.integers(1, 5, 150))
    labels = (random.random(150) < 0.3)[groups]
    right = random.random(len(groups)) < np.where(random.random(150) < 0.5, 0.4, 0.9)[groups]
    cells = np.stack([labels, ~labels], axis=1)
    found = score(cells, right[:, None], groups)
    assert found.estimate == pytest.approx((right[labels].mean() + right[~labels].mean()) / 2)
    drawn = []
    for _ in range(800):
        rows = np.concatenate([np.flatnonzero(groups == g) for g in random.integers(0, 150, 150)])
        drawn.append((right[rows][labels[rows]].mean() + right[rows][~labels[rows]].mean()) / 2)
    assert found.error == pytest.approx(np.std(drawn), rel=0.12)


def test_a_class_that_is_always_right_is_not_certain() -> None:
    cells = np.eye(2, dtype=bool)[np.repeat([0, 1], 10)]
    found = score(cells, np.ones((20, 1), dtype=bool), np.arange(20))
    assert found.estimate == 1
    assert 0.03 < found.error < 0.1


def test_cells_without_rows_are_left_out() -> None:
    cells = np.array([[True, False], [True, False]])
    assert score(cells, np.array([[True], [False]]), np.arange(2)).estimate == 0.5


def test_dependent_predictions_stretch_the_interval() -> None:
    """All rows are right or wrong together, which no error over groups can see."""
    groups = np.arange(40)

    def scored(rows: np.ndarray) -> Score:
        return Score(estimate=0.3 if rows[0] % 2 else 0.7, error=0.01)

    found = against_chance(scored, groups, 20, 0.5)
    assert found.high - found.low > 0.5


def _simulated(seed: int, shares: list[float], neighbours: int) -> tuple[bool, bool] | None:
    """One data set without any relation: 60 groups of 1 to 5 images that look alike and have one label."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(60), random.integers(1, 6, 60))
    hot = random.choice(len(shares), 60, p=shares)[groups][:, None] == np.arange(len(shares))
    points = (random.normal(size=(60, 8))[groups] + 0.3 * random.normal(size=(len(groups), 8))).astype(np.float32)
    labels = Judged(
        rows=np.arange(len(groups)),
        hot=hot,
        known=np.ones_like(hot),
        groups=groups,
        names=tuple("abc"[: len(shares)]),
        left_out=(),
        several=False,
    )
    if labels.fewest_groups < 5:
        return None
    folds = folds_of(labels)
    votes = Votes(nearest(points, folds, neighbours), folds, several=False)

    def scored(rows: np.ndarray) -> Score:
        handed = replace(labels, hot=hot[rows])
        return score(handed.cells(), votes.right(handed.hot), groups)

    found = against_chance(scored, groups, labels.fewest_groups, labels.chance)
    return found.low <= labels.chance <= found.high, found.p <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shares", "neighbours"),
    [([0.8, 0.2], 1), ([0.8, 0.2], 4), ([0.5, 0.5], 1), ([0.8, 0.1, 0.1], 1), ([0.4, 0.3, 0.3], 4)],
)
def test_calibration_without_any_relation(shares: list[float], neighbours: int) -> None:
    """Coverage of chance is 95 % or more, and p is at most 0.05 in 5 % of the data sets, within 2.6 standard errors."""
    found = [one for one in (_simulated(seed, shares, neighbours) for seed in range(250)) if one]
    covered, small = np.mean(found, axis=0)
    error = np.sqrt(0.95 * 0.05 / len(found))
    assert covered >= 0.93
    assert small <= 0.05 + 2.6 * error
