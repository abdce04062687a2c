"""What is said of the worth of maps: against maps and networks whose worth is known."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from lossassay.biomarkers.heatmaps.map_statistics import mean_over_images, random_maps, rank_correlation
from lossassay.biomarkers.heatmaps.regions import region_worth
from lossassay.biomarkers.heatmaps.sanity import randomisation, replicate_agreement, stages
from lossassay.biomarkers.heatmaps.worth import area, curve_of, worth
from lossassay.biomarkers.loaded_run import LoadedRun, finished_runs, load_run
from lossassay.data.cache import open_cache
from lossassay.engine.spec import Array
from lossassay.errors import DataError


@pytest.fixture(scope="module")
def run(finished_study: Path) -> LoadedRun:
    return load_run(finished_study)


@pytest.fixture(scope="module")
def images(run: LoadedRun) -> Array:
    return np.asarray(open_cache(run.study.data).images[:6])


class OneCorner(torch.nn.Module):
    """A network that looks at the upper left corner alone."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = images[:, 0, :8, :8].mean(dim=(1, 2))
        return torch.stack([seen, *(torch.zeros_like(seen) for _ in range(9))], dim=1)


@pytest.fixture
def corner(run: LoadedRun) -> LoadedRun:
    return dataclasses.replace(run, model=OneCorner())


def bright(count: int) -> Array:
    return np.full((count, 32, 32, 1), 255, dtype=np.uint8)


def test_a_curve_goes_from_one_image_to_the_other(run: LoadedRun, images: Array) -> None:
    heatmap = np.random.default_rng(0).random((32, 32))
    probability = run.probabilities(run.model(run.normalised(images[:1])).detach().numpy())[0, 3]
    empty = run.probabilities(run.model(torch.zeros(1, 1, 32, 32)).detach().numpy())[0, 3]
    taken = curve_of(run, images[0], heatmap, 3, curve="deletion", steps=4)
    assert taken.shape == (5,)
    np.testing.assert_allclose(taken[[0, -1]], [probability, empty], rtol=1e-4)
    given = curve_of(run, images[0], heatmap, 3, curve="insertion", steps=4)
    np.testing.assert_allclose(given[-1], probability, rtol=1e-4)
    assert abs(given[0] - empty) > 1e-4  # blurred, not empty
    mean = (taken[:-1] + taken[1:]).mean() / 2
    assert area(run, images[0], heatmap, 3, curve="deletion", steps=4) == pytest.approx(mean)


def test_the_strongest_places_go_first(corner: LoadedRun) -> None:
    heatmap = np.zeros((32, 32))
    heatmap[:8, :8] = np.linspace(2, 1, 64).reshape(8, 8)
    taken = curve_of(corner, bright(1)[0], heatmap, 0, curve="deletion", steps=32)  # 32 places in each step
    empty = curve_of(corner, bright(1)[0], heatmap, 0, curve="deletion", steps=2)[-1]
    assert taken[0] > taken[1] > taken[2]
    np.testing.assert_allclose(taken[2:], empty, rtol=1e-5)


def test_a_map_that_knows_is_better_than_maps_that_do_not(corner: LoadedRun) -> None:
    right = np.zeros((6, 32, 32))
    right[:, :8, :8] = 1
    deletion, insertion = worth(corner, bright(6), right, np.zeros(6, dtype=int))
    assert (deletion.curve, insertion.curve) == ("deletion", "insertion")
    assert deletion.gain_over_random.low > 0
    assert deletion.gain_over_moved.low > 0
    wrong, _ = worth(corner, bright(6), -right, np.zeros(6, dtype=int))
    assert wrong.gain_over_random.high < 0
    again = worth(corner, bright(6), right, np.zeros(6, dtype=int))
    assert again == (deletion, insertion)


def test_equal_places_come_in_no_order_of_rows(corner: LoadedRun) -> None:
    """A map that is 0 everywhere is a random map, not one that starts in the upper left corner."""
    nothing, by_rows = np.zeros((32, 32)), -np.arange(1024.0).reshape(32, 32)
    areas = [area(corner, bright(1)[0], one, 0, curve="deletion") for one in (nothing, by_rows)]
    assert areas[0] > 1.2 * areas[1]


def test_nothing_to_measure_is_refused(run: LoadedRun, images: Array) -> None:
    with pytest.raises(DataError, match=r"over 0 images with 32 steps"):
        worth(run, images[:0], np.zeros((0, 32, 32)), np.zeros(0, dtype=int))


@pytest.mark.parametrize("method", ["grad_cam", "integrated_gradients"])
def test_random_weights_change_the_map_and_leave_the_run_alone(run: LoadedRun, images: Array, method: str) -> None:
    before = copy.deepcopy(run.model.state_dict())
    found = randomisation(run, images, np.arange(6), method=method)
    assert [one.layer for one in found] == [name for name, _ in reversed(stages(run.model))]
    assert found[0].layer == "head"
    assert found[-1].layer == "features.0"
    assert found[-1].likeness.estimate < 0.7
    assert (found[0].likeness_absolute is None) == (method == "grad_cam")
    for name, weights in run.model.state_dict().items():
        torch.testing.assert_close(weights, before[name], rtol=0, atol=0)


def test_a_run_agrees_with_itself_and_less_with_another(finished_study: Path) -> None:
    arm = "label_smoothing"
    runs = [load_run(finished_study / "runs" / run_id) for run_id, _ in finished_runs(finished_study, arm)]
    cache = open_cache(runs[0].study.data)
    labels = cache.manifest.rows["label"].to_numpy()
    options = {"method": "integrated_gradients", "most_images": 8}
    other = replicate_agreement(runs, cache.images, labels, **options)
    itself = replicate_agreement([runs[0], runs[0]], cache.images, labels, **options)
    assert itself.estimate == pytest.approx(1)
    assert itself.n == other.n == 8
    assert other.high < 0.95
    with pytest.raises(DataError, match=r"1 run of the arm is there\. Expected two or more"):
        replicate_agreement(runs[:1], cache.images, labels, **options)


def test_regions_of_known_overlap() -> None:
    maps = np.zeros((4, 8, 8), dtype=np.float32)
    maps[0, 2, 2] = 3  # inside
    maps[0, 7, 7] = 1
    maps[1, 7, 7] = 5  # outside
    maps[1, 2, 2] = -9  # what speaks against does not count
    maps[3, 2, 2] = 1  # nothing marked: left out
    regions = np.zeros((4, 8, 8), dtype=bool)
    regions[:3, 2:4, 2:4] = True  # maps[2] is empty: a miss without energy
    found = region_worth(maps, regions)
    assert found.pointing.estimate == pytest.approx(1 / 3)
    assert found.pointing.n == 3
    assert (found.energy.estimate, found.energy.n) == (pytest.approx((0.75 + 0) / 2), 2)
    assert found.region_share.estimate == pytest.approx(4 / 64)
    assert found.energy_gain.estimate == pytest.approx(0.375 - 4 / 64)
    with pytest.raises(DataError, match=r"No region covers a place"):
        region_worth(maps[3:], regions[3:])
    with pytest.raises(DataError, match=r"Expected one shape"):
        region_worth(maps, regions[:, :4])


def test_a_map_without_knowledge_points_by_the_share_of_the_region() -> None:
    generator = np.random.default_rng(3)
    maps = generator.random((400, 8, 8))
    regions = np.zeros((400, 8, 8), dtype=bool)
    regions[:, :4, :4] = True
    found = region_worth(maps, regions)
    assert found.pointing_gain.low < 0 < found.pointing_gain.high
    assert abs(found.energy_gain.estimate) < 0.02


def test_rank_correlation_is_spearmans() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.random((2, 6, 7)).round(1)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    assert np.isnan(rank_correlation(first, np.zeros_like(first)))


def test_intervals_draw_whole_patients() -> None:
    values = np.repeat([0.0, 1.0, 0.2, 0.7], 25)
    alone = mean_over_images(np.append(values, np.nan))
    together = mean_over_images(values, np.repeat(np.arange(4), 25))
    assert (alone.n, alone.patients, together.patients) == (100, 100, 4)
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert mean_over_images(np.array([np.nan])).n == 0


def test_moved_maps_keep_their_values_and_none_stays_in_place() -> None:
    maps = np.random.default_rng(0).random((5, 16, 16))
    moved = random_maps(maps, np.random.default_rng(0))["moved"]
    for before, after in zip(maps, moved, strict=True):
        np.testing.assert_array_equal(np.sort(before.ravel()), np.sort(after.ravel()))
        assert np.unravel_index(before.argmax(), (16, 16)) != np.unravel_index(after.argmax(), (16, 16))
