"""Groups stay whole, parts are disjoint and complete, shares are right, and nothing but seed and content decides."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossassay.config.schema import DataConfig, SplitConfig
from lossassay.data.manifest import Manifest, manifest_rows
from lossassay.data.scan import scan
from lossassay.data.split import Split, split
from lossassay.errors import DataError


def make(
    labels: list[int] | list[list[int]], groups: list[str | None] | None = None, parts: list[str | None] | None = None
) -> Manifest:
    multi = isinstance(labels[0], list)
    classes = len(labels[0]) if multi else max(labels) + 1
    task = "multi_label" if multi else "single_label"
    return Manifest(
        kind="files",
        root=Path("x"),
        rows=manifest_rows([f"{i:05}" for i in range(len(labels))], labels, task=task, groups=groups, parts=parts),
        class_names=tuple(f"class {k}" for k in range(classes)),
        task=task,
        dimensions=2,
    )


def parts_of(result: Split, count: int) -> np.ndarray:
    parts = np.full(count, -1)
    for number, rows in enumerate((result.train, result.validation, result.test)):
        assert rows.dtype == np.int64
        assert (np.diff(rows) > 0).all()
        assert (parts[rows] == -1).all()
        parts[rows] = number
    assert (parts >= 0).all()
    return parts


@st.composite
def grouped_data(draw: st.DrawFn) -> tuple[list[int], list[str | None]]:
    """Some classes with three groups or more each; groups of one class or of several; rows without a group."""
    seed, classes = draw(st.integers(0, 10_000)), draw(st.integers(2, 4))
    random = np.random.default_rng(seed)
    labels: list[int] = []
    groups: list[str | None] = []
    for k in range(classes):
        for g in range(draw(st.integers(3, 12))):
            size = int(random.integers(1, 6))
            labels += [k] * size
            groups += [f"{k}-{g}"] * size
    for _ in range(draw(st.integers(0, 10))):
        labels.append(int(random.integers(0, classes)))
        groups.append(draw(st.sampled_from([None, "0-0", "1-1"])))
    order = random.permutation(len(labels))
    return [labels[i] for i in order], [groups[i] for i in order]


@settings(max_examples=60, deadline=None)
@given(data=grouped_data(), seed=st.integers(0, 2**63 - 1))
def test_groups_whole_parts_complete_every_class_everywhere(
    data: tuple[list[int], list[str | None]], seed: int
) -> None:
    labels, groups = data
    parts = parts_of(split(make(labels, groups), SplitConfig(), seed=seed), len(labels))
    for group in {g for g in groups if g is not None}:
        assert len({parts[i] for i, g in enumerate(groups) if g == group}) == 1
    for number in range(3):
        assert {labels[i] for i in np.flatnonzero(parts == number)} == set(labels)


@settings(max_examples=20, deadline=None)
@given(data=grouped_data(), seed=st.integers(0, 1000), key=st.integers(0, 1000))
def test_names_of_groups_decide_nothing(data: tuple[list[int], list[str | None]], seed: int, key: int) -> None:
    labels, groups = data
    renamed = [None if g is None else f"{hash((key, g))}" for g in groups]
    first, second = (split(make(labels, names), SplitConfig(), seed=seed) for names in (groups, renamed))
    assert np.array_equal(first.test, second.test)
    assert np.array_equal(first.validation, second.validation)


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.integers(3, 200), min_size=2, max_size=5),
    validation=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
    seed=st.integers(0, 1000),
)
def test_without_groups_every_class_has_its_share_to_one_image(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts).tolist()
    result = split(make(labels), SplitConfig(validation=validation, test=test), seed=seed)
    parts = parts_of(result, len(labels))
    for k, count in enumerate(counts):
        for number, share in ((1, validation), (2, test)):
            found = int(((parts == number) & (np.array(labels) == k)).sum())
            assert found >= 1
            assert abs(found - count * share) < 1 or found <= 1 or count < 6


def test_same_seed_same_split_other_seed_other_split() -> None:
    manifest = make([0, 1] * 100)
    first, again, other = (split(manifest, SplitConfig(), seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)
    assert np.array_equal(first.test, split(manifest, SplitConfig(), seed=7).test)
    assert first.largest_share_error == 0


def test_any_group_can_land_in_test_about_as_often_as_its_share() -> None:
    random = np.random.default_rng(1)
    sizes = random.integers(1, 8, 150)
    groups = np.repeat([f"g{i}" for i in range(150)], sizes).tolist()
    labels = np.repeat(np.arange(150) % 2, sizes).tolist()
    manifest = make(labels, groups)
    seeds = 300
    tested = np.zeros(150)
    for seed in range(seeds):
        rows = split(manifest, SplitConfig(), seed=seed).test
        tested[sorted({int(groups[i][1:]) for i in rows})] += 1
    share = tested / seeds
    assert share.min() > 0.05  # no group is never tested; 0.2 is expected, its standard error is 0.023
    for size in range(1, 8):
        assert share[sizes == size].mean() == pytest.approx(0.2, abs=0.06)


def test_shares_are_nearly_exact_with_single_rows_among_groups() -> None:
    random = np.random.default_rng(0)
    groups = [f"g{i}" for i in random.integers(0, 900, 1500)]
    labels = random.choice(3, 1500, p=[0.7, 0.26, 0.04]).tolist()
    result = split(make(labels, groups), SplitConfig(), seed=3)
    assert result.largest_share_error < 0.005
    assert abs(len(result.test) - 300) < 6


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_multi_label_rows_keep_the_share_of_each_label(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = (random.random((400, 5)) < [0.3, 0.2, 0.1, 0.1, 0.05]).astype(int)
    result = split(make(labels.tolist()), SplitConfig(), seed=seed)
    parts_of(result, 400)
    assert abs(len(result.test) - 80) <= 10  # labels come first; of all 10,001 seeds ten give 9 or 10
    assert np.abs(labels[result.test].sum(axis=0) - 0.2 * labels.sum(axis=0)).max() <= 2.5


def test_a_label_of_two_patients_does_not_stop_multi_label_data() -> None:
    labels = [[1, 0]] * 2 + [[0, 1]] * 30
    groups = ["a", "b"] + [f"g{i}" for i in range(30)]
    result = split(make(labels, groups), SplitConfig(), seed=0)
    assert sum(row in (0, 1) for row in result.train) == 1  # the largest parts first
    assert sum(row in (0, 1) for row in result.test) == 1


def test_official_parts_stay_and_validation_comes_from_training() -> None:
    labels = [0, 1] * 50
    groups = [f"g{i // 4}" for i in range(80)] + [None] * 20
    parts = ["train"] * 80 + ["test"] * 20
    result = split(make(labels, groups, parts), SplitConfig(official=True, validation=0.25), seed=2)
    assert result.test.tolist() == list(range(80, 100))
    assert len(result.validation) == 20
    assert not {groups[i] for i in result.validation} & {groups[i] for i in result.train}
    complete = make(labels, None, ["train"] * 60 + ["validation"] * 20 + ["test"] * 20)
    assert split(complete, SplitConfig(official=True), seed=0).validation.tolist() == list(range(60, 80))


ERRORS = {
    "one class": (make([0] * 10), SplitConfig(), "All 10 images are of one class, 'class 0'"),
    "one image": (
        make([0] * 10 + [1]),
        SplitConfig(),
        r"Too few images of a class for 3 parts \(training, validation, test\): class 1 1\. Expected 3 or more",
    ),
    "groups": (make([0, 1] * 5, ["a", "b"] * 5), SplitConfig(), "The 10 images belong to 2 groups, and 3 parts need"),
    "groups of a class": (
        make([0] * 10 + [1] * 6, [f"g{i}" for i in range(10)] + ["x", "y"] * 3),
        SplitConfig(),
        "A class has fewer groups than the 3 parts: class 1 2",
    ),
    "shares": (make([0, 1] * 5), SplitConfig(validation=0.5, test=0.5), "leaves nothing to train with"),
    "no parts": (make([0, 1] * 5), SplitConfig(official=True), '"official", but no row of 10 has an official part'),
    "no test": (make([0, 1] * 5, None, ["train"] * 10), SplitConfig(official=True), "no row is in the test part"),
    "class not in test": (
        make([0, 1] * 5 + [0], None, ["train"] * 10 + ["test"]),
        SplitConfig(official=True, validation=0.4),
        "The test part has no image of class 1",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    manifest, config, message = ERRORS[case]
    with pytest.raises(DataError, match=message):
        split(manifest, config, seed=0)


@pytest.mark.shared_data
def test_real_patients_stay_whole(shared_data: Path) -> None:
    manifest = scan(DataConfig(path=str(shared_data / "cxr" / "kermany3.csv"), group="patient_id"))
    result = split(manifest, SplitConfig(), seed=0)
    group = manifest.rows["group"].to_numpy()
    seen = [set(group[rows]) for rows in (result.train, result.validation, result.test)]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    assert result.largest_share_error < 0.002
    assert len(result.test) == pytest.approx(0.2 * 5808, abs=3)
