"""Simple rules find what is there, find nothing where nothing is, and say what they left out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossassay.config.schema import DataConfig
from lossassay.data.audit import shortcut_probe
from lossassay.data.audit.labels import judged
from lossassay.data.audit.nearest_rows import Votes, folds_of, nearest
from lossassay.data.audit.pixels import pixel_facts
from lossassay.data.audit.shortcut_findings import find_shortcuts, probe_findings
from lossassay.data.audit.shortcut_probe import Probe, probes
from lossassay.data.cache import ImageCache, open_cache
from tests.data.audit.conftest import Build, noise


def by_name(cache: ImageCache) -> dict[str, Probe]:
    return {probe.name: probe for probe in probes(cache)}


def codes(cache: ImageCache) -> dict[str, str]:
    return {finding.code: finding.severity for finding in probe_findings(probes(cache), cache.manifest)}


def marked(number: int, rows: slice, columns: slice) -> tuple[np.ndarray, list[int]]:
    """Noise with a bright patch in every image of class 1."""
    images, labels = noise(number), [row % 2 for row in range(number)]
    images[1::2, rows, columns] = 255
    return images, labels


def test_noise_gives_nothing(build: Build) -> None:
    missed = 0
    for seed in range(8):
        cache = build(noise(120, seed=seed), [0, 1, 1] * 40)
        found = by_name(cache)
        assert set(found) == {"thumbnails", "masked-centre"}
        missed += sum(not probe.low <= probe.chance == 0.5 <= probe.high for probe in found.values())
        assert codes(cache) == {}
    assert missed <= 2


def test_a_mark_in_the_centre_is_no_matter_of_the_rim(build: Build) -> None:
    cache = build(*marked(120, slice(8, 24), slice(8, 24)))
    found = by_name(cache)
    assert found["thumbnails"].score == 1
    assert found["masked-centre"].low <= 0.5
    assert codes(cache) == {"shortcut-thumbnails": "note"}
    assert found["thumbnails"].words == (
        "32x32 thumbnails with one nearest neighbour reach a balanced accuracy of 1.00 "
        f"({found['thumbnails'].low:.2f} to 1.00), chance 0.50."
    )


def test_a_mark_at_the_rim_is_an_issue(build: Build) -> None:
    cache = build(*marked(120, slice(0, 5), slice(0, 32)))
    assert codes(cache) == {"shortcut-thumbnails": "note", "shortcut-masked-centre": "issue"}


def test_metadata_are_tried_without_pixels(build: Build) -> None:
    labels = [0, 1] * 60
    cache = build(noise(120), labels, columns={"age": [20 + 40 * label + row % 7 for row, label in enumerate(labels)]})
    assert by_name(cache)["metadata"].score == 1
    assert codes(cache) == {"shortcut-metadata": "note"}


def test_equal_metadata_are_not_told_apart_by_order(build: Build) -> None:
    """Sorted by class, with two sizes that say nothing: neighbours in the list must not be neighbours."""
    cache = build(noise(200), [0] * 100 + [1] * 100, facts={"width_px": [64, 80] * 100})
    assert by_name(cache)["metadata"].low <= 0.5


def test_a_patient_is_no_neighbour_of_its_own(build: Build) -> None:
    """Each patient's images are copies: by image the rule is perfect, by patient it knows nothing."""
    images, labels = noise(40).repeat(3, axis=0), [row % 2 for row in range(40) for _ in range(3)]
    assert by_name(build(images, labels))["thumbnails"].score > 0.7
    grouped = build(images, labels, groups=[f"{row // 3}" for row in range(120)])
    found = by_name(grouped)["thumbnails"]
    assert found.low <= 0.5
    assert (found.num_images, found.num_groups) == (120, 40)


def test_a_small_class_is_left_out_by_name(build: Build) -> None:
    images, labels = marked(120, slice(8, 24), slice(8, 24))
    found = by_name(build(images, [*labels[:-4], 2, 2, 2, 2]))["thumbnails"]
    assert (found.score, found.chance, found.num_images) == (1, 0.5, 116)
    assert found.words.endswith("Left out, with fewer than five groups: class 2.")


def test_one_class_of_enough_groups_gives_a_reason(build: Build) -> None:
    cache = build(noise(40), [0] * 37 + [1] * 3)
    assert probes(cache) == ()
    (finding,) = find_shortcuts(cache).findings
    assert (finding.code, finding.severity) == ("no-shortcut-probe", "note")
    assert finding.message == (
        "No simple rule was tried: fewer than two classes are in enough groups (five or more) to be judged."
    )


def test_several_labels_are_judged_against_their_absence(build: Build) -> None:
    images, marks = marked(120, slice(8, 24), slice(8, 24))
    random = np.random.default_rng(0)
    hot = [[mark, int(random.random() < 0.3), int(row < 3)] for row, mark in enumerate(marks)]
    found = by_name(build(images, hot))["thumbnails"]
    assert found.chance == 0.5
    assert found.score == pytest.approx(0.75, abs=0.08)  # one label is plain, one is noise
    assert "a mean balanced accuracy over labels of" in found.words
    assert found.words.endswith("Left out, with fewer than five groups: class 2.")


def test_large_data_are_judged_on_whole_groups(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut_probe, "LARGEST_NUMBER_OF_IMAGES", 60)
    images, labels = marked(120, slice(8, 24), slice(8, 24))
    cache = build(images, labels, groups=[f"{row // 2}" for row in range(120)])
    found = by_name(cache)["thumbnails"]
    assert (found.num_images, found.num_groups) == (60, 30)
    assert found.words.endswith("Judged on 60 images of randomly drawn groups.")


def test_same_data_same_bits_whatever_groups_are_called(build: Build) -> None:
    images, labels = marked(90, slice(8, 12), slice(8, 12))
    one, two = (probes(build(images, labels, groups=[f"{name}{row // 2}" for row in range(90)])) for name in "xy")
    assert one == two


def test_neighbours_are_the_nearest_of_other_folds() -> None:
    random = np.random.default_rng(0)
    points, folds = random.normal(size=(80, 5)).astype(np.float32), random.integers(0, 5, 80)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    distances[folds[:, None] == folds[None]] = np.inf
    assert (nearest(points, folds, 1)[:, 0] == distances.argmin(axis=1)).all()
    expected = np.sort(np.argsort(distances, axis=1)[:, :4], axis=1)
    assert (np.sort(nearest(points, folds, 4), axis=1) == expected).all()


def test_votes_weigh_rare_labels_up() -> None:
    """Two of five neighbours are of a class that is a tenth of the rows: more than it should have."""
    hot = np.eye(2, dtype=bool)[np.array([1] * 2 + [0] * 18)]
    neighbours = np.tile([0, 1, 2, 3, 4], (20, 1))
    right = Votes(neighbours, np.repeat([0, 1], 10), several=False).right(hot)
    assert right[:, 0].tolist() == [True] * 2 + [False] * 18


def test_folds_keep_groups_whole(build: Build) -> None:
    labels = judged(build(noise(100), [0, 1] * 50, groups=[f"{row // 3}" for row in range(100)]).manifest)
    folds = folds_of(labels)
    assert all(len(set(folds[labels.groups == group])) == 1 for group in range(34))
    assert np.bincount(folds).min() >= 15


def _cxr(shared_data: Path, table: str, **changes: Any) -> ImageCache:
    return open_cache(DataConfig(path=str(shared_data / "cxr" / table), group="patient_id", image_size=32, **changes))


@pytest.mark.shared_data
@pytest.mark.slow
def test_chest_images_of_two_hospitals_and_of_one(shared_data: Path) -> None:
    both = find_shortcuts(_cxr(shared_data, "cxr3.csv", source="source"))
    found = {finding.code: finding.severity for finding in both.findings}
    assert found["source-predicts-class"] == found["storage-predicts-class"] == "issue"
    assert found["shortcut-masked-centre"] == "issue"
    assert both.probes[0].score == pytest.approx(0.88, abs=0.02)
    one = find_shortcuts(_cxr(shared_data, "kermany3.csv"))
    assert one.probes[0].score == pytest.approx(0.69, abs=0.02)
    assert {finding.severity for finding in one.findings} == {"note"}
    assert "source-predicts-class" not in {finding.code for finding in one.findings}


@pytest.mark.shared_data
@pytest.mark.slow
def test_permuted_labels_of_real_images_give_nothing(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut_probe, "LARGEST_NUMBER_OF_IMAGES", 1500)
    cache = _cxr(shared_data, "cxr3.csv", source="source")
    facts, findings = pixel_facts(cache), 0
    for seed in range(10):
        labels = cache.manifest.rows["label"].shuffle(seed=seed)
        manifest = replace(cache.manifest, rows=cache.manifest.rows.with_columns(label=labels))
        findings += len(find_shortcuts(replace(cache, manifest=manifest), facts).findings)
    assert findings <= 1
