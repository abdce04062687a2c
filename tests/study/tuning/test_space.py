"""Ranges of arms, and the points that all arms share."""

from typing import Any

import numpy as np
import pytest

from lossassay.config import Study, parse_study
from lossassay.study.tuning.space import own_settings, points, ranges_of, trial_parameters, with_parameters

SCALES = {"focal": 0.5, "mean_squared_error": 0.25}


def study(space: dict[str, Any], own: dict[str, Any] | None = None, **training: Any) -> Study:
    arms = [{"loss": "focal", "name": "focal"}, {"loss": "mean_squared_error"}]
    raw = {
        "name": "s",
        "data": {"path": "digits"},
        "arms": arms,
        "training": training,
        "tuning": {"space": space, "arms": own or {}},
    }
    return parse_study(raw)


def job(own: Study, arm: int, *, trials: int = 9, sampler: str = "quasi_random") -> dict[str, Any]:
    space = ranges_of(own, own.arms[arm], SCALES)
    assert own.tuning is not None
    return {
        "trials": trials,
        "sampler": sampler,
        "sampler_seed": 7,
        "parameters": list(own.tuning.parameters),
        "space": {name: one.as_data() for name, one in space.items()},
        "own": own_settings(own, own.arms[arm], space),
    }


@pytest.mark.parametrize("sampler", ["quasi_random", "random", "tpe"])
def test_shared_parameters_have_the_same_points_in_every_arm(sampler: str) -> None:
    own = study({"gamma": [0, 5.0], "learning_rate": [1e-4, 1e-1, "log"], "weight_decay": [0, 0.1]})
    first, second = (trial_parameters(job(own, arm, sampler=sampler)) for arm in (0, 1))
    shared = ("learning_rate", "weight_decay")
    assert [[one[name] for name in shared] for one in first] == [[one[name] for name in shared] for one in second]
    assert all("gamma" in one for one in first)
    assert not any("gamma" in one for one in second)
    assert len({one["learning_rate"] for one in first}) == len(first)


@pytest.mark.parametrize("sampler", ["quasi_random", "random"])
def test_a_range_of_one_arm_moves_its_values_and_no_point(sampler: str) -> None:
    space = {"learning_rate": [0.5, 1.5], "weight_decay": [0.0, 1.0]}
    both = study(space | {"gamma": [0.0, 5.0]})
    alone = study(space, {"focal": {"gamma": [0.0, 5.0], "learning_rate": [1.0, 1.5]}})
    (before, other), (after, same) = (
        [trial_parameters(job(own, arm, sampler=sampler)) for arm in (0, 1)] for own in (both, alone)
    )
    assert other == same
    for first, second in zip(before[1:], after[1:], strict=True):
        assert (first["gamma"], first["weight_decay"]) == (second["gamma"], second["weight_decay"])
        assert second["learning_rate"] == pytest.approx(0.75 + first["learning_rate"] / 2, abs=1e-3)


def test_auto_may_stand_for_one_arm_alone() -> None:
    own = study({"learning_rate": [0.1, 0.2]}, {"mean_squared_error": {"learning_rate": "auto"}}, learning_rate=0.01)
    assert [ranges_of(own, arm, SCALES)["learning_rate"].ends for arm in own.arms] == [(0.1, 0.2), (0.001, 0.1)]


def test_the_first_trial_has_the_settings_of_the_study() -> None:
    own = study({"gamma": [3.0, 5.0], "learning_rate": [1e-5, 1e-4, "log"]}, learning_rate=0.01)
    assert trial_parameters(job(own, 0))[0] == {"gamma": own.arms[0].hyper_parameters["gamma"], "learning_rate": 0.01}


def test_one_trial_is_the_study_itself() -> None:
    assert len(trial_parameters(job(study({"gamma": [0, 5.0]}), 0, trials=1))) == 1


def test_points_fill_the_range_more_evenly_than_chance() -> None:
    own = np.sort(points("quasi_random", 3, 64, ("a",))[:, 0])
    assert (np.floor(own * 64) == np.arange(64)).all()  # one in each of 64 cells
    assert np.array_equal(points("quasi_random", 3, 10, ("a",)), points("quasi_random", 3, 16, ("a",))[:10])
    assert not np.array_equal(points("random", 3, 4, ("a",)), points("random", 4, 4, ("a",)))


def test_auto_is_scaled_for_plain_gradient_descent_alone() -> None:
    adam, sgd = (study({"learning_rate": "auto"}, optimizer=kind, learning_rate=0.01) for kind in ("adam", "sgd"))
    ends = [ranges_of(adam, arm, SCALES)["learning_rate"].ends for arm in adam.arms]
    assert ends == [(0.001, 0.1), (0.001, 0.1)]
    ends = [ranges_of(sgd, arm, SCALES)["learning_rate"].ends for arm in sgd.arms]
    assert ends == [(0.001, 0.1), (0.002, 0.2)]  # half the gradient: twice the rate


def test_auto_leaves_an_arm_that_names_its_own_rate() -> None:
    raw = {
        "name": "s",
        "data": {"path": "digits"},
        "training": {"optimizer": "sgd"},
        "arms": [
            {"loss": "focal", "name": "focal"},
            {"loss": "mean_squared_error", "training": {"learning_rate": 0.5}},
        ],
        "tuning": {},
    }
    own = parse_study(raw)
    scales = dict(zip([arm.name for arm in own.arms], SCALES.values(), strict=True))
    assert ranges_of(own, own.arms[1], scales)["learning_rate"].ends == (0.05, 5.0)


@pytest.mark.parametrize("scale", [0.0, float("nan")])
def test_auto_without_a_gradient_scales_nothing(scale: float) -> None:
    own = study({"learning_rate": "auto"}, optimizer="sgd", learning_rate=0.01)
    found = ranges_of(own, own.arms[1], {"focal": 0.5, "mean_squared_error": scale})
    assert found["learning_rate"].ends == (0.001, 0.1)


def test_parameters_go_into_the_recipe_or_the_loss() -> None:
    arm = {"loss": "focal", "hyper_parameters": {"gamma": 2.0, "alpha": 0.5}, "training": {"learning_rate": 0.1}}
    found = with_parameters(arm, {"gamma": 1.0, "learning_rate": 0.2, "alpha": None})
    assert found == {"loss": "focal", "hyper_parameters": {"gamma": 1.0}, "training": {"learning_rate": 0.2}}
    assert arm["hyper_parameters"] == {"gamma": 2.0, "alpha": 0.5}
