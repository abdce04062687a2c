"""Criteria of feature sets whose truth is known."""

import dataclasses
import sys

import numpy as np
import pytest

from lossassay.biomarkers.quality.classical import (
    FEATURE_NAMES,
    FEATURES_OF,
    FIRST_ORDER_NAMES,
    baseline_of,
    classical_features,
)
from lossassay.biomarkers.quality.criteria import FeatureSet, Subjects, quality
from lossassay.biomarkers.quality.probe_labels import UNKNOWN, ProbeLabels
from lossassay.biomarkers.quality.reproducibility import agreement, replicate_pairs
from lossassay.catalogue.criteria import CRITERIA
from lossassay.errors import DataError

ROWS, WIDTH = 200, 12
GENERATOR = np.random.default_rng(0)
LABELS = np.arange(ROWS) % 2
SIGNAL = GENERATOR.standard_normal((ROWS, WIDTH)) + 2 * LABELS[:, None]


def feature_set(*, error: float = 0.1, dead: int = 0, rows: int = ROWS) -> FeatureSet:
    generator = np.random.default_rng(1)
    views = SIGNAL[:, None] + error * generator.standard_normal((ROWS, 2, WIDTH))
    clean = SIGNAL.copy()
    clean[:, :dead], views[:, :, :dead] = 0.0, 0.0
    return FeatureSet(rows=np.arange(rows), clean=clean[:rows], views=views[:rows])


def subjects(**changes: object) -> Subjects:
    base = Subjects(labels=LABELS, patients=np.arange(ROWS) // 2, probes=(), nuisance=(), seed=0)
    return dataclasses.replace(base, **changes)


def values_of(found: FeatureSet, **changes: object) -> dict[tuple[str, str | None], float]:
    values = list(quality(found, subjects(**changes), replicate=0))
    assert len({(name, probe) for name, probe, _ in values}) == len(values)
    return {(name, probe): value for name, probe, value in values}


def overall(found: FeatureSet, **changes: object) -> dict[str, float]:
    return {name: value for (name, probe), value in values_of(found, **changes).items() if probe is None}


def test_every_value_is_a_criterion_of_the_catalogue() -> None:
    probe = ProbeLabels(name="half", labels=(np.arange(ROWS) // 4) % 2, num_classes=2)
    found = overall(feature_set(), probes=(probe,), nuisance=(probe,))
    elsewhere = {name for name, spec in CRITERIA.items() if spec.needs in ("replicates", "visits", "score")}
    assert set(found) | {"repeat_images"} == set(CRITERIA) - elsewhere | {"repeat_images"}


@pytest.mark.parametrize("error", [0.1, 0.5, 2.0])
def test_repeatability_is_the_share_of_variance_that_is_no_error(error: float) -> None:
    found = overall(feature_set(error=error))
    variance = SIGNAL.var(axis=0).mean()
    expected = variance / (variance + error**2)
    for name in ("repeatability", "consistency", "concordance"):
        assert found[name] == pytest.approx(expected, abs=0.06), name
    assert found["share_icc_above_090"] == 1.0 if error < 0.4 else found["share_icc_above_090"] < 0.2


def test_dead_features_count_as_zero_and_are_counted() -> None:
    found = overall(feature_set(dead=7))
    assert found["repeatability"] == 0.0  # more than half are dead
    assert found["share_icc_above_075"] == pytest.approx(5 / 12)
    assert found["dead_features"] == pytest.approx(7 / 12)
    assert overall(feature_set(dead=2))["repeatability"] > 0.9


def test_all_features_constant() -> None:
    constant = FeatureSet(rows=np.arange(ROWS), clean=np.ones((ROWS, 3)), views=np.ones((ROWS, 2, 3)))
    found = overall(constant)
    assert found["repeatability"] == 0.0
    assert found["dead_features"] == 1.0
    assert found["class_probe"] == 0.5
    assert np.isnan(found["separation"])


def test_a_test_part_that_is_too_small_has_no_value() -> None:
    assert values_of(feature_set(rows=19)) == {}
    assert values_of(feature_set(rows=20)) != {}


def test_images_of_a_patient_with_one_label_are_repeat_images() -> None:
    assert "repeat_images" not in overall(feature_set())  # both images of a patient differ in the label
    of_one_label = overall(feature_set(), patients=np.arange(ROWS) // 4)
    assert abs(of_one_label["repeat_images"]) < 0.7
    same = feature_set()
    doubled = dataclasses.replace(same, clean=np.repeat(same.clean[::2], 2, axis=0))
    assert overall(doubled, labels=np.repeat(LABELS[::2], 2))["repeat_images"] == pytest.approx(1.0)


def test_data_with_several_labels_have_no_criteria_of_classes() -> None:
    found = overall(feature_set(), labels=None)
    assert "repeatability" in found
    assert {name for name in found if CRITERIA[name].needs == "classes"} == set()


def test_probe_and_nuisance_by_name_and_overall() -> None:
    readable = ProbeLabels(name="class again", labels=LABELS, num_classes=2)
    hidden = ProbeLabels(name="hidden", labels=(np.arange(ROWS) // 4) % 2, num_classes=2)
    partly = ProbeLabels(name="part", labels=np.where(np.arange(ROWS) < 80, LABELS, UNKNOWN), num_classes=2)
    found = values_of(feature_set(), probes=(readable, hidden, partly), nuisance=(readable, hidden))
    assert found["transfer", "class again"] > 0.95
    assert found["transfer", "hidden"] == pytest.approx(0.5, abs=0.15)
    assert found["transfer", "part"] > 0.9
    names = ("class again", "hidden", "part")
    assert found["transfer", None] == pytest.approx(np.mean([found["transfer", name] for name in names]))
    assert found["nuisance", "class again"] > 0.9
    assert found["nuisance", "hidden"] < 0.3
    assert found["class_without_nuisance", "hidden"] > 0.9
    assert found["class_without_nuisance", "class again"] < 0.65


def test_two_trainings_are_compared_on_what_both_tested() -> None:
    first = feature_set()
    turned = np.linalg.qr(GENERATOR.standard_normal((WIDTH, WIDTH)))[0]
    rows = np.arange(50, ROWS)
    second = FeatureSet(rows=rows, clean=first.clean[rows] @ turned, views=first.views[rows])
    found = dict(agreement(first, second, np.arange(ROWS), seed=0))
    for name in ("reproducibility", "procrustes", "mapped_agreement"):
        assert found[name] == pytest.approx(1.0, abs=1e-3), name
    other = dataclasses.replace(second, clean=GENERATOR.standard_normal((len(rows), WIDTH)))
    assert dict(agreement(first, other, np.arange(ROWS), seed=0))["reproducibility"] < 0.2
    apart = dataclasses.replace(second, rows=rows + ROWS)
    assert list(agreement(first, apart, np.arange(2 * ROWS), seed=0)) == []


def test_pairs_of_replicates_have_none_in_common() -> None:
    assert [replicate_pairs(number) for number in (1, 2, 5)] == [[], [(0, 1)], [(0, 1), (2, 3)]]


def test_classical_features_know_grey_and_texture() -> None:
    flat = np.full((40, 40, 1), 100, dtype=np.uint8)
    stripes = flat.copy()
    stripes[:, ::2] = 200
    found = dict(zip(FEATURE_NAMES, classical_features(np.stack([flat, stripes])).T, strict=True))
    assert found["mean"] == pytest.approx([100 / 255, 150 / 255], abs=1e-3)
    assert found["standard deviation"] == pytest.approx([0, 50 / 255], abs=1e-3)
    assert found["entropy"] == pytest.approx([0, 1], abs=1e-6)
    assert found["co-occurrence contrast at 1 px"][0] == 0
    assert found["co-occurrence contrast at 1 px"][1] > 50
    assert found["co-occurrence homogeneity at 1 px"][0] == 1


def test_volumes_have_first_order_features_alone() -> None:
    volume = GENERATOR.integers(0, 256, (40, 40, 1), dtype=np.uint8)
    flat, deep = (classical_features(one[None])[0] for one in (volume, volume.reshape(10, 4, 40, 1)))
    assert len(deep) == len(FIRST_ORDER_NAMES) == FEATURES_OF[baseline_of(3)]
    assert deep == pytest.approx(flat[: len(deep)], rel=1e-6)
    assert len(flat) == FEATURES_OF[baseline_of(2)]


def test_without_scikit_image_there_is_no_texture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert [baseline_of(2), baseline_of(3)] == ["no_scikit_image", "first_order"]
    with pytest.raises(DataError, match="classical baseline needs scikit-image"):
        classical_features(np.zeros((1, 8, 8, 1), dtype=np.uint8))


def test_many_constant_features() -> None:
    constant = FeatureSet(rows=np.arange(ROWS), clean=np.ones((ROWS, 12)), views=np.ones((ROWS, 2, 12)))
    found = overall(constant)
    assert (found["repeatability"], found["dead_features"], found["class_probe"]) == (0.0, 1.0, 0.5)
    for name in ("separation", "silhouette", "effective_rank", "independent_share"):
        assert np.isnan(found[name]) or found[name] == 0.0, name


def test_a_probe_with_one_class_or_no_image_in_the_test_part_has_no_value() -> None:
    one = ProbeLabels(name="one", labels=np.where(np.arange(ROWS) < 40, 1, UNKNOWN), num_classes=2)
    none = ProbeLabels(name="none", labels=np.full(ROWS, UNKNOWN), num_classes=2)
    found = values_of(feature_set(), probes=(one, none), nuisance=(one, none))
    for name in ("transfer", "transfer_neighbours", "nuisance"):
        assert np.isnan([found[name, "one"], found[name, "none"], found[name, None]]).all(), name
