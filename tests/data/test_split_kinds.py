"""Folds, sites and time: disjoint and complete, groups on one side, decided by content and seeds alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossassay.config.schema import DataConfig, SplitConfig
from lossassay.data.audit import audit
from lossassay.data.manifest import Manifest, manifest_rows
from lossassay.data.scan import scan
from lossassay.data.split import Split, split
from lossassay.data.split_kinds import expected_test_counts, replicate_splits
from lossassay.errors import DataError
from tests.data.test_split import grouped_data

FOLDS = SplitConfig(kind="cross_validation", folds=3, validation=0.2)
SITES = SplitConfig(kind="leave_one_out", validation=0.2)
TIME = SplitConfig(kind="time", validation=0.2, test=0.25)


def make(
    labels: list[int] | list[list[int]],
    groups: list[str | None] | None = None,
    sources: list[str | None] | None = None,
    times: list[int | None] | None = None,
    prefix: str = "",
) -> Manifest:
    multi = isinstance(labels[0], list)
    classes = len(labels[0]) if multi else max(labels) + 1
    task = "multi_label" if multi else "single_label"
    paths = [f"{prefix}{i:05}" for i in range(len(labels))]
    return Manifest(
        kind="files",
        root=Path("x"),
        rows=manifest_rows(paths, labels, task=task, groups=groups, sources=sources, times=times),
        class_names=tuple(f"class {k}" for k in range(classes)),
        task=task,
        dimensions=2,
    )


def parts_of(found: Split, count: int) -> np.ndarray:
    parts = np.full(count, 3)
    for number, rows in enumerate((found.train, found.validation, found.test)):
        assert (np.diff(rows) > 0).all()
        assert (parts[rows] == 3).all()
        parts[rows] = number
    assert found.left_out == (parts == 3).sum()
    return parts


def same(first: tuple[Split, ...], second: tuple[Split, ...]) -> bool:
    return all(
        np.array_equal(a.train, b.train)
        and np.array_equal(a.validation, b.validation)
        and np.array_equal(a.test, b.test)
        for a, b in zip(first, second, strict=True)
    )


def assert_groups_whole(parts: np.ndarray, groups: list[str | None]) -> None:
    """No group is learnt from or chosen by in one part and met again in another."""
    for group in {name for name in groups if name is not None}:
        own = {parts[i] for i, name in enumerate(groups) if name == group} - {3}
        assert len(own) <= 1, group


def test_holdout_is_what_it_was() -> None:
    manifest = make([0, 1] * 50)
    found = replicate_splits(manifest, SplitConfig(), [5, 6, 5])
    assert same(found, tuple(split(manifest, SplitConfig(), seed=seed) for seed in (5, 6, 5)))
    assert found[0] is found[2]


@settings(max_examples=40)
@given(data=grouped_data(), seed=st.integers(0, 2**62), folds=st.integers(2, 3))
def test_folds_are_disjoint_and_hold_every_row(data: tuple[list[int], list[str | None]], seed: int, folds: int) -> None:
    labels, groups = data
    config = SplitConfig(kind="cross_validation", folds=folds, validation=0.2)
    seeds = [seed + place for place in range(2 * folds)]
    try:
        found = replicate_splits(make(labels, groups), config, seeds)
    except DataError as error:  # few whole groups: a part that would lack a class is refused, never returned
        assert any(word in str(error) for word in ("fewer groups", "Too few images", "has no image of"))  # noqa: PT017
        return
    for repetition in (found[:folds], found[folds:]):
        assert np.array_equal(np.sort(np.concatenate([own.test for own in repetition])), np.arange(len(labels)))
    for own in found:
        parts = parts_of(own, len(labels))
        assert own.left_out == 0
        assert_groups_whole(parts, groups)
        for number in range(3):
            assert {labels[i] for i in np.flatnonzero(parts == number)} == set(labels)


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_without_groups_have_equal_shares(folds: int) -> None:
    labels = [0] * 200 + [1] * 100
    config = SplitConfig(kind="cross_validation", folds=folds, validation=0.1)
    for own in replicate_splits(make(labels), config, list(range(folds))):
        assert len(own.test) == pytest.approx(300 / folds, abs=1)
        assert (np.array(labels)[own.test] == 1).sum() == pytest.approx(100 / folds, abs=1)
        assert len(own.validation) == pytest.approx(0.1 * (300 - len(own.test)), abs=2)


def test_repetitions_draw_other_folds_and_more_of_them_change_none() -> None:
    manifest = make([0, 1] * 60)
    found = replicate_splits(manifest, FOLDS, [11, 12, 13, 14, 15, 16])
    assert not np.array_equal(found[0].test, found[3].test)
    assert same(found[:3], replicate_splits(manifest, FOLDS, [11, 12, 13]))
    assert not same(found[:3], replicate_splits(manifest, FOLDS, [21, 12, 13]))
    other = replicate_splits(manifest, FOLDS, [11, 99, 13])  # the folds belong to the first seed of the repetition
    assert np.array_equal(other[1].test, found[1].test)
    assert not np.array_equal(other[1].validation, found[1].validation)


@settings(max_examples=15)
@given(data=grouped_data(), seed=st.integers(0, 1000), key=st.integers(0, 1000))
def test_names_decide_nothing(data: tuple[list[int], list[str | None]], seed: int, key: int) -> None:
    labels, groups = data
    renamed = [None if name is None else f"{hash((key, name))}" for name in groups]
    sources, times = [f"site {i % 3}" for i in range(len(labels))], [i % 7 for i in range(len(labels))]
    for config in (FOLDS, SITES, TIME):
        outcomes = []
        for names, prefix in ((groups, ""), (renamed, "other/")):
            try:
                found = replicate_splits(
                    make(labels, names, sources, times, prefix), config, [seed, seed + 1, seed + 2]
                )
                outcomes.append([parts_of(own, len(labels)).tolist() for own in found])
            except DataError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]


def sites_of_patients(seed: int) -> tuple[list[int], list[str | None], list[str | None]]:
    """Three sites with 40 patients each; some patients were seen at two of them."""
    random = np.random.default_rng(seed)
    labels: list[int] = []
    groups: list[str | None] = []
    sources: list[str | None] = []
    for patient in range(120):
        for visit in range(int(random.integers(1, 4))):
            elsewhere = visit and random.random() < 0.3
            labels.append(patient % 2)
            groups.append(f"patient {patient}")
            sources.append(f"site {(patient // 40 + int(elsewhere)) % 3}")
    return labels, groups, sources


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_a_site_is_tested_whole_and_its_patients_are_not_learnt_from(seed: int) -> None:
    labels, groups, sources = sites_of_patients(seed)
    found = replicate_splits(make(labels, groups, sources), SITES, [seed + r for r in range(6)])
    left_out = 0
    for replicate, own in enumerate(found):
        parts = parts_of(own, len(labels))
        here = np.array(sources) == f"site {replicate % 3}"
        assert np.array_equal(own.test, np.flatnonzero(here))
        assert_groups_whole(parts, groups)
        known = {groups[i] for i in own.test}
        assert {i for i in np.flatnonzero(~here) if groups[i] in known} == set(np.flatnonzero(parts == 3))
        left_out += own.left_out
        assert len(own.validation) > 0
    assert left_out > 0
    assert np.array_equal(found[0].test, found[3].test)
    assert not np.array_equal(found[0].validation, found[3].validation)


def test_sites_come_in_natural_order() -> None:
    labels, sources = [0, 1] * 60, [f"site {i // 2 % 12}" for i in range(120)]
    found = replicate_splits(make(labels, None, sources), SITES, list(range(12)))
    assert [sources[own.test[0]] for own in found] == [f"site {number}" for number in range(12)]


def test_the_newest_share_is_tested_and_the_cut_goes_around_ties() -> None:
    times = [0] * 20 + [1] * 30 + [2] * 26 + [3] * 10 + [4] * 14  # a quarter is nearest to the newest 24
    order = np.random.default_rng(0).permutation(100)
    times = [times[i] for i in order]
    found = replicate_splits(make([i % 2 for i in order], None, None, times), TIME, [1, 2, 1])
    for own in found:
        assert np.array_equal(own.test, np.flatnonzero(np.array(times) >= 3))
        assert own.left_out == 0
    assert not np.array_equal(found[0].validation, found[1].validation)
    assert found[0] is found[2]


def test_of_two_cuts_equally_near_the_one_that_tests_fewer_is_taken() -> None:
    times = [0] * 40 + [1] * 20 + [2] * 20  # 0.25 of 80 is 20; with a share of 0.375 both 20 and 40 are 10 away
    (own,) = replicate_splits(make([0, 1] * 40, None, None, times), TIME.model_copy(update={"test": 0.375}), [0])
    assert len(own.test) == 20


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_patients_who_were_seen_before_the_cut_are_not_tested(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups: list[str | None] = [f"p{random.integers(80)}" for _ in range(200)] + ["p98", "p99"]
    times = [*random.integers(0, 20, 200).tolist(), 19, 19]
    labels = [int(str(name)[1:]) % 2 for name in groups]
    (own,) = replicate_splits(make(labels, groups, None, times), TIME, [seed])
    parts = parts_of(own, 202)
    assert_groups_whole(parts, groups)
    old = np.array(times)[(parts == 0) | (parts == 1)]
    assert old.max() < np.array(times)[parts == 2].min()
    assert old.max() < np.array(times)[parts == 3].min(initial=99)
    seen = {groups[i] for i in np.flatnonzero(parts < 2)}
    assert all(groups[i] in seen for i in np.flatnonzero(parts == 3))


ERRORS = {
    "a class with too few images for the folds": (
        make([0] * 20 + [1, 1]),
        FOLDS,
        3,
        "Too few images of a class for 3 folds: class 1 2",
    ),
    "a class with too few groups for the folds": (
        make([0] * 10 + [1] * 6, [f"g{i}" for i in range(10)] + ["x", "y"] * 3),
        FOLDS,
        3,
        "A class has fewer groups than the 3 folds: class 1 2",
    ),
    "rows without a source": (
        make([0, 1] * 6, None, [None, "b"] * 3 + ["a", "c"] * 3),
        SITES,
        3,
        "3 of 12 images have no source",
    ),
    "two sources": (make([0, 1] * 6, None, ["a", "a", "b", "b"] * 3), SITES, 2, r"found 2 sources \(a, b\)"),
    "replicates that do not fit the sources": (
        make([0, 1] * 9, None, ["a"] * 6 + ["b"] * 6 + ["c"] * 6),
        SITES,
        10,
        "tests 3 sources in turn, and 10 replicates came.*replicates = 9 or 12",
    ),
    "a source without a class": (
        make([0, 1] * 6 + [0] * 6, None, ["a"] * 6 + ["b"] * 6 + ["c"] * 6),
        SITES,
        3,
        "1 of 3 lack a class, .*: c has no class 1",
    ),
    "patients everywhere": (
        make([0, 1] * 6, ["x", "y"] * 6, ["a"] * 4 + ["b"] * 4 + ["c"] * 4),
        SITES,
        3,
        "Every image outside 'a' belongs to a group that has images there too",
    ),
    "too little outside a site": (
        make([0, 1] * 6, ["x", "y"] * 4 + ["v", "w"] * 2, ["a"] * 4 + ["b"] * 4 + ["c"] * 4),
        SITES,
        3,
        "With 'a' as the test part: The 4 images belong to 2 groups|With 'a' as the test part: .*class",
    ),
    "rows without a time": (make([0, 1] * 6, None, None, [None, 1] * 6), TIME, 1, "6 of 12 images have no time"),
    "one time": (make([0, 1] * 6, None, None, [4] * 12), TIME, 1, "All 12 images have one time"),
    "known patients only": (
        make([0, 1] * 6, ["x", "y"] * 6, None, [0] * 9 + [1] * 3),
        TIME,
        1,
        "Every image of the newest part belongs to a group that was seen before",
    ),
    "a class that is not new": (
        make([0, 1] * 5 + [0, 0], None, None, [0] * 10 + [1] * 2),
        TIME,
        1,
        "The test part has no image of class 1",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    manifest, config, replicates, message = ERRORS[case]
    with pytest.raises(DataError, match=message):
        replicate_splits(manifest, config, list(range(replicates)))


def test_sources_may_lack_findings_where_images_have_several_labels() -> None:
    labels = [[i % 2, int(i < 12)] for i in range(36)]
    found = replicate_splits(make(labels, None, ["a"] * 12 + ["b"] * 12 + ["c"] * 12), SITES, [0, 1, 2])
    assert [len(own.test) for own in found] == [12, 12, 12]


def test_the_audit_says_how_many_rows_are_left_out() -> None:
    labels, groups, sources = sites_of_patients(3)
    manifest = make(labels, groups, sources)
    found = [finding for finding in audit(manifest, SITES) if finding.code == "rows-left-out"]
    out = np.zeros(len(labels), dtype=bool)
    for own in replicate_splits(manifest, SITES, [0, 1, 2]):
        out |= parts_of(own, len(labels)) == 3
    assert found[0].message.startswith(f"{out.sum()} of {len(labels)} images, in ")
    assert found[0].rows == tuple(np.flatnonzero(out).tolist())
    assert found[0].severity == "note"
    assert not [finding for finding in audit(manifest, SplitConfig()) if finding.code == "rows-left-out"]


def test_the_audit_counts_the_smallest_test_part() -> None:
    manifest = make([0] * 30 + [1] * 30, None, (["a"] * 15 + ["b"] * 10 + ["c"] * 5) * 2, [0] * 20 + [1] * 40)
    assert expected_test_counts(manifest, FOLDS).tolist() == [10, 10]
    assert expected_test_counts(manifest, SITES).tolist() == [5, 5]
    assert expected_test_counts(manifest, TIME).tolist() == [10, 30]
    assert expected_test_counts(manifest, SplitConfig()).tolist() == [6, 6]


@pytest.mark.shared_data
def test_real_patients_stay_whole_in_folds(shared_data: Path) -> None:
    manifest = scan(DataConfig(path=str(shared_data / "cxr" / "kermany3.csv"), group="patient_id"))
    found = replicate_splits(manifest, SplitConfig(kind="cross_validation", folds=5), [0, 1, 2, 3, 4])
    group = manifest.rows["group"].to_numpy()
    assert sorted(np.concatenate([own.test for own in found]).tolist()) == list(range(len(group)))
    for own in found:
        assert not set(group[own.test]) & set(group[own.train])
        assert not set(group[own.test]) & set(group[own.validation])
        assert len(own.test) == pytest.approx(5808 / 5, rel=0.02)


@pytest.mark.shared_data
def test_two_hospitals_that_share_no_class_are_refused(shared_data: Path) -> None:
    manifest = scan(DataConfig(path=str(shared_data / "cxr" / "cxr3.csv"), group="patient_id", source="source"))
    with pytest.raises(DataError, match="leave_one_out found 2 sources"):
        replicate_splits(manifest, SITES, [0, 1])
