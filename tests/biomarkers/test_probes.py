"""Probes: perfect where the label is in the features, at chance where it is not, and blind to known patients."""

import numpy as np
import polars as pl
import pytest

from lossassay.biomarkers.quality.probe_labels import UNKNOWN, nuisance_labels, probe_labels
from lossassay.biomarkers.quality.probes import (
    ProbeTask,
    above_chance,
    few_shot,
    linear_probe,
    linear_probe_without,
    nearest_neighbours,
    without,
)
from lossassay.config.schema import ProbeConfig
from lossassay.data.manifest import Manifest, manifest_rows
from lossassay.errors import DataError


def task_of(labels: np.ndarray, groups: np.ndarray | None = None) -> ProbeTask:
    return ProbeTask(labels=labels, groups=np.arange(len(labels)) if groups is None else groups, seed=0)


def noise(rows: int, width: int = 8) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((rows, width)).astype(np.float32)


@pytest.mark.parametrize("probe", [linear_probe, nearest_neighbours])
def test_a_label_in_the_features_is_read(probe) -> None:
    labels = np.arange(120) % 3
    features = noise(120) * 0.05
    features[:, 0] += labels == 1
    features[:, 1] += labels == 2
    assert probe(features, task_of(labels)) > 0.97


@pytest.mark.parametrize("probe", [linear_probe, nearest_neighbours])
@pytest.mark.parametrize("features", [noise(300), np.ones((300, 8), dtype=np.float32)])
def test_nothing_is_read_where_there_is_nothing(probe, features: np.ndarray) -> None:
    assert probe(features, task_of(np.arange(300) % 2)) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("probe", [linear_probe, nearest_neighbours])
def test_a_patient_is_not_recognised(probe) -> None:
    """Features that tell patients and nothing else; a split by image would read the label perfectly."""
    patients = np.repeat(np.arange(60), 5)
    labels = patients % 2
    features = noise(60, 40)[patients] + 0.01 * noise(300, 40)
    assert probe(features, task_of(labels)) > 0.8
    assert probe(features, task_of(labels, patients)) < 0.7


def test_few_images_are_read_worse_than_many_and_too_few_not_at_all() -> None:
    labels = np.arange(200) % 2
    features = noise(200, 30)
    features[:, 0] += 1.5 * labels
    values = [few_shot(features, task_of(labels), number) for number in (5, 20)]
    assert values[0] < values[1] < linear_probe(features, task_of(labels)) + 0.02
    assert np.isnan(few_shot(features, task_of(labels), 100))


def test_one_class_or_one_patient_of_a_class_has_no_value() -> None:
    assert np.isnan(linear_probe(noise(30), task_of(np.zeros(30, dtype=int))))
    labels = np.array([0] * 29 + [1])
    assert np.isnan(nearest_neighbours(noise(30), task_of(labels)))


def test_regressing_the_nuisance_out_removes_what_it_explains() -> None:
    nuisance = np.arange(200) % 2
    labels = (np.arange(200) // 2) % 2
    features = noise(200) * 0.05
    features[:, 0] += nuisance
    features[:, 1] += labels
    assert linear_probe(features, task_of(nuisance)) == 1.0
    assert linear_probe_without(features, task_of(nuisance), nuisance) < 0.65
    assert linear_probe_without(features, task_of(labels), nuisance) == 1.0
    assert linear_probe_without(features, task_of(labels), labels) < 0.65


def confounded(rows: int, tie: float, *, seed: int, own: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class, source and features; the source is that of the class in a share ``tie``, features know it, and the class
    beyond it as far as ``own`` says."""
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    source = np.where(generator.random(rows) < tie, labels, 1 - labels)
    features = generator.standard_normal((rows, 16)).astype(np.float32)
    features[:, 0] += 3 * source
    features[:, 1] += own * labels
    return labels, source, features


@pytest.mark.parametrize("tie", [0.9, 1.0])
def test_features_that_know_only_the_source_are_at_chance_without_it(tie: float) -> None:
    """Not below it, as they would be were the means of sources taken from the rows to test as well."""
    values, before = [], []
    for seed in range(10):
        labels, source, features = confounded(400, tie, seed=seed)
        values.append(linear_probe_without(features, task_of(labels), source))
        before.append(linear_probe(features, task_of(labels)))
    assert np.mean(before) > 0.8
    assert np.mean(values) == pytest.approx(0.5, abs=0.03)
    assert tie < 1 or max(abs(value - 0.5) for value in values) < 0.05


def test_what_features_know_of_the_class_beyond_the_source_stays() -> None:
    """0.69 by arithmetic: most of the class goes with the source, whose mean is near that of its usual class."""
    values = []
    for seed in range(5):
        labels, source, features = confounded(400, 0.9, seed=seed, own=4.0)
        assert linear_probe(features, task_of(labels)) > 0.95
        values.append(linear_probe_without(features, task_of(labels), source))
    assert np.mean(values) == pytest.approx(0.69, abs=0.04)


def test_a_nuisance_class_that_is_not_learnt_from_gets_the_overall_mean() -> None:
    features = np.array([[1.0], [3.0], [10.0], [7.0], [5.0]])
    found = without(features, np.array([0, 0, 1, 2, 1]), np.array([0, 1, 2]))
    assert found[:, 0] == pytest.approx([-1, 1, 0, 7 - 14 / 3, -5])


def test_above_chance() -> None:
    assert [above_chance(value, 4) for value in (0.25, 1.0, 0.1, 0.625)] == [0.0, 1.0, 0.0, 0.5]


def manifest(columns: pl.DataFrame | None = None, sources: list[str | None] | None = None) -> Manifest:
    paths = [f"set/{folder}/{number}.png" for folder in ("bacteria", "virus", "normal") for number in range(4)]
    return Manifest(
        kind="files",
        root=None,
        rows=manifest_rows(paths, [0] * 12, task="single_label", sources=sources),
        class_names=("a",),
        task="single_label",
        dimensions=2,
        columns=columns,
    )


def test_folders_and_values_make_a_probe() -> None:
    found = probe_labels(manifest(), ProbeConfig(column="folder", values=("virus", "bacteria")))
    assert found.labels.tolist() == [0] * 4 + [1] * 4 + [UNKNOWN] * 4
    assert found.num_classes == 2
    assert probe_labels(manifest(), ProbeConfig(column="folder")).num_classes == 3


def test_columns_are_cut_or_taken_as_they_are() -> None:
    columns = pl.DataFrame(
        {"age": [float(age) for age in range(11)] + [None], "sex": ["F", "M"] * 6, "grade": [1.0, 2.0, None] * 4}
    )
    found = {name: probe_labels(manifest(columns), ProbeConfig(column=name)).labels for name in columns.columns}
    assert found["age"].tolist() == [1] * 6 + [0] * 5 + [UNKNOWN]  # "above" comes before "not above"
    assert found["sex"].tolist() == [0, 1] * 6
    assert found["grade"].tolist() == [0, 1, UNKNOWN] * 4


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (
            {"column": "foldr"},
            r"no column 'foldr' to probe.*Expected one of folder, source, one.*Did you mean 'folder'",
        ),
        ({"column": "one"}, r"'one' has one value; expected 2 to 50 classes"),
        ({"column": "source"}, r"'source' has no value; expected 2"),
        ({"column": "folder", "values": ("virus", "bacterium")}, r"the value 'bacterium', which no row has.*bacteria"),
    ],
)
def test_bad_probes(probe: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        probe_labels(manifest(pl.DataFrame({"one": ["a"] * 12})), ProbeConfig.model_validate(probe))


def test_no_source_is_no_nuisance_but_a_named_column_must_be_there() -> None:
    assert nuisance_labels(manifest(), "source") is None
    assert nuisance_labels(manifest(sources=["x"] * 12), "source") is None
    found = nuisance_labels(manifest(sources=["x", "y"] * 6), "source")
    assert found is not None
    assert found.labels.tolist() == [0, 1] * 6
    with pytest.raises(DataError, match="no column 'scanner'"):
        nuisance_labels(manifest(), "scanner")
