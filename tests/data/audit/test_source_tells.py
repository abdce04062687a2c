"""A source or column that names the class is found; chance, however many sources there are, is not."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay.config.schema import DataConfig
from lossassay.data.audit.features import from_categories
from lossassay.data.audit.pixels import pixel_facts
from lossassay.data.audit.shortcut_findings import target_of, tell_findings
from lossassay.data.audit.source_tells import source_tell
from lossassay.data.audit.tells import Target, find_tells
from lossassay.data.manifest import Finding
from lossassay.data.scan import scan
from tests.data.audit.conftest import Build, noise


def target(labels: np.ndarray, groups: np.ndarray | None = None) -> Target:
    hot = labels[:, None] == np.arange(labels.max() + 1)
    return Target(
        hot=hot,
        known=np.ones_like(hot),
        groups=np.arange(len(labels)) if groups is None else groups,
        names=tuple(f"class {k}" for k in range(hot.shape[1])),
    )


def found(build: Build, labels: list[Any], **of_rows: Any) -> dict[str, Finding]:
    cache = build(noise(len(labels)), labels, **of_rows)
    return {finding.code: finding for finding in tell_findings(cache, pixel_facts(cache))}


def test_one_source_for_each_class(build: Build) -> None:
    labels = [0] * 40 + [1] * 40 + [2] * 20
    finding = found(build, labels, sources=["x"] * 80 + ["y"] * 20)["source-predicts-class"]
    assert finding.severity == "issue"
    assert finding.message.startswith("The source alone tells class 2 from the rest with a Youden index of 1.00; 0.0")


def test_a_missing_source_is_a_source(build: Build) -> None:
    assert found(build, [0] * 40 + [1] * 40, sources=["x"] * 40 + [None] * 40)["source-predicts-class"]


def test_a_leaning_source_is_a_note(build: Build) -> None:
    labels = [0] * 200 + [1] * 200
    leaning = ["x"] * 140 + ["y"] * 60 + ["x"] * 60 + ["y"] * 140
    assert found(build, labels, sources=leaning)["source-predicts-class"].severity == "note"


def test_no_source_and_one_source_say_nothing(build: Build) -> None:
    assert not found(build, [0] * 40 + [1] * 40)
    assert not found(build, [0] * 40 + [1] * 40, sources=["x"] * 80)


def test_columns_are_named(build: Build) -> None:
    labels = [0] * 60 + [1] * 60
    ages = list(np.random.default_rng(0).integers(0, 10, 60)) + list(np.random.default_rng(1).integers(60, 90, 60))
    finding = found(build, labels, columns={"sex": ["f", "m"] * 60, "age": ages})["column-predicts-class"]
    assert finding.severity == "issue"
    assert finding.message.startswith("The column 'age' alone tells class 0 from the rest with a Youden index of 1.00;")


def test_several_labels_name_the_worst(build: Build) -> None:
    random = np.random.default_rng(0)
    hot = [[int(random.random() < 0.5), int(row < 50), 0] for row in range(100)]
    finding = found(build, hot, sources=["x"] * 50 + ["y"] * 50)["source-predicts-class"]
    assert finding.message.startswith("The source alone tells class 1 from the rest with a Youden index of 1.00;")


def test_unknown_labels_are_left_out(build: Build) -> None:
    """Among the known ones, the source says nothing."""
    hot = [[row % 2, row % 2] for row in range(80)] + [[-1, row % 2] for row in range(80)]
    assert not found(build, hot, sources=["x"] * 80 + ["y"] * 80)


def test_groups_count_not_images() -> None:
    """Ten patients of ten images each: their sources go with the class by chance as often as not."""
    labels, sources = np.repeat([0] * 5 + [1] * 5, 10), np.repeat([0, 0, 0, 0, 1, 1, 1, 1, 1, 0], 10)
    feature = from_categories("source", sources.tolist())
    assert find_tells([feature], target(labels))[0].tells()
    assert not find_tells([feature], target(labels, np.repeat(np.arange(10), 10)))[0].tells()


@pytest.mark.parametrize(("images", "sources"), [(10, 20), (40, 20), (300, 100), (300, 2)])
def test_false_alarms_are_rare(images: int, sources: int) -> None:
    """Youden's J alone is above 0.5 nearly always with 10 images and 20 sources."""
    alarms = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        labels = np.concatenate([[0] * 5, [1] * 5, random.integers(0, 2, images - 10)])
        features = [from_categories(f"{n}", random.integers(0, sources, images).tolist()) for n in range(5)]
        alarms += any(tell.tells() for tell in find_tells(features, target(labels)))
    assert alarms <= 2


def test_classes_in_few_groups_are_not_judged() -> None:
    feature = from_categories("source", [0] * 20 + [1] * 4)
    assert find_tells([feature], target(np.array([0] * 20 + [1] * 4))) == ()


def test_names_of_groups_and_sources_decide_nothing() -> None:
    random = np.random.default_rng(0)
    labels, groups, sources = (random.integers(0, high, 90).tolist() for high in (2, 30, 4))
    rows = pl.DataFrame({"row": range(90), "label": labels})
    tells = [
        source_tell(
            rows.with_columns(
                group=pl.Series([f"{hash((key, group))}" for group in groups]),
                source=pl.Series([f"{hash((key, source))}" for source in sources]),
            ),
            "single_label",
            ("a", "b"),
        )
        for key in (1, 2)
    ]
    assert tells[0] is not None
    assert tells[0] == tells[1]


@pytest.mark.shared_data
def test_covid_images_come_from_another_hospital(shared_data: Any) -> None:
    config = DataConfig(path=str(shared_data / "cxr" / "cxr3.csv"), group="patient_id", source="source")
    manifest = scan(config)
    tell = source_tell(manifest.rows, manifest.task, manifest.class_names)
    assert tell is not None
    assert (tell.class_name, tell.tells(excess=0.5)) == ("covid19", True)
    assert tell.youden > 0.99
    shuffled = manifest.rows.with_columns(label=pl.col("label").shuffle(seed=0))
    chance = source_tell(shuffled, manifest.task, manifest.class_names)
    assert chance is not None
    assert not chance.tells()
    assert target_of(manifest).groups.max() + 1 == 4152
