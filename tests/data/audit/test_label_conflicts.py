"""Confident learning as cleanlab does it, and wrong labels among the listed ones."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossassay.config.schema import DataConfig
from lossassay.data.arrays import load_digits
from lossassay.data.audit.label_conflicts import confident_suspects, label_conflicts
from lossassay.data.cache import open_cache
from tests.data.audit.images import opened, save, scene


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.2, 3.0))
def test_suspects_are_those_of_cleanlab(seed: int, classes: int, sharpness: float) -> None:
    filters = pytest.importorskip("cleanlab.filter")
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, 120)])
    truth = np.where(random.random(len(labels)) < 0.15, random.integers(0, classes, len(labels)), labels)
    scores = random.normal(size=(len(labels), classes)) * sharpness
    scores[np.arange(len(labels)), truth] += 2
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wanted = filters.find_label_issues(
        labels,
        probabilities,
        filter_by="confident_learning",
        return_indices_ranked_by="normalized_margin",
        n_jobs=1,
    )
    found = confident_suspects(labels, probabilities)
    assert found.tolist() == wanted.tolist()


def digits_with_wrong_labels(folder: Path, wrong: int) -> set[str]:
    images, labels = load_digits()
    random = np.random.default_rng(3)
    chosen = random.permutation(len(labels))[:600]
    names = set()
    for place, row in enumerate(chosen):
        label = int(labels[row])
        name = f"{place:04}.png"
        if place < wrong:
            label = (label + int(random.integers(1, 10))) % 10
            names.add(f"{label}/{name}")
        pixels = images[row][..., 0]
        save(
            np.kron((pixels.astype(float) * 255 / pixels.max()).astype(np.uint8), np.ones((8, 8), np.uint8)),
            folder / str(label) / name,
        )
    return names


def test_wrong_labels_are_listed(tmp_path: Path) -> None:
    wrong = digits_with_wrong_labels(tmp_path / "digits", 20)
    (finding,) = label_conflicts(opened(tmp_path / "digits"))
    assert (finding.code, finding.severity) == ("label-suspects", "note")
    assert len(wrong & set(finding.paths[:20])) >= 14
    assert not any(path in finding.message + finding.advice for path in finding.paths)


def test_neighbours_without_skill_say_nothing(tmp_path: Path) -> None:
    for seed in range(80):
        save(scene(seed), tmp_path / "images" / "ab"[seed % 2] / f"{seed:02}.png")
    assert list(label_conflicts(opened(tmp_path / "images"))) == []


def test_the_digits_of_scikit_learn_are_as_good_as_right() -> None:
    found = list(label_conflicts(open_cache(DataConfig(path="digits", image_size=32))))
    assert sum(len(finding.rows) for finding in found) <= 10
