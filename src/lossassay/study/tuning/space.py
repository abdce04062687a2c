"""What a tuning job tries: the range of each parameter of an arm, and the parameters of every trial."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import qmc

from lossassay.config import ArmConfig, Study
from lossassay.config.tuning_space import TUNABLE, Range, asked_ranges, parse_range
from lossassay.engine.spec import Array

AUTO_FACTOR = 10.0  # "auto": from a tenth to ten times the base
_FIRST = 10  # trials of "tpe" before it learns, its usual number


def ranges_of(study: Study, arm: ArmConfig, scales: Mapping[str, float]) -> dict[str, Range]:
    """Return the ranges that an arm is tuned over: those of all arms in the order of the study file, then its own.

    Args:
        study: With its section ``[tuning]``, as checked.
        arm: One of its arms.
        scales: Norm of every arm's gradient at its first scores, by name; see `identity.gradient_scales`.
    """
    ranges = {}
    for name, value in asked_ranges(study, arm).items():
        found = _auto(study, arm, scales) if value == "auto" else parse_range(value)
        if isinstance(found, Range):  # a text would be a problem, which the study file was checked for
            ranges[name] = found
    return ranges


def _auto(study: Study, arm: ArmConfig, scales: Mapping[str, float]) -> Range:
    """Ten times less and more than the base, which for plain gradient descent is scaled by the arm's gradient.

    A gradient that is s times larger takes steps that are s times longer, but for optimisers that divide the scale
    out (Kingma and Ba 2015, arXiv:1412.6980, section 2.1). An arm that names its own learning rate is left as it is.
    """
    training = study.training_of(arm)
    base = training.learning_rate
    if training.optimizer == "sgd" and "learning_rate" not in arm.training:
        relative = scales[arm.name] / scales[study.reference] if scales[study.reference] else 0.0
        if relative > 0 and math.isfinite(relative):
            base /= relative
    low, high = (float(f"{end:.4g}") for end in (base / AUTO_FACTOR, base * AUTO_FACTOR))
    return Range(kind="log", low=low, high=high)


def own_settings(study: Study, arm: ArmConfig, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the study's own values of the parameters that are tuned; None where an optional one is left out.

    Args:
        study: The study.
        arm: One of its arms.
        names: The parameters.
    """
    training = study.training_of(arm)
    return {name: getattr(training, name) if name in TUNABLE else arm.hyper_parameters.get(name) for name in names}


def points(sampler: str, seed: int, trials: int, names: tuple[str, ...]) -> Array:
    """Return where in the unit cube the trials lie, [trials D]; the same for every arm of a replicate.

    Args:
        sampler: ``"random"``; anything else: scrambled Sobol points (Owen 1998, doi:10.1006/jcom.1998.0487).
        seed: Of study and replicate alone.
        trials: How many.
        names: Of all parameters of all arms, also of those that an arm does not have; each is one dimension.
    """
    random = np.random.default_rng(seed)
    if sampler == "random":
        return random.random((trials, len(names)))
    sobol = qmc.Sobol(len(names), scramble=True, seed=random)
    exponent = max(0, math.ceil(math.log2(max(trials, 1))))
    drawn: Array = sobol.random_base2(exponent)[:trials]
    return drawn


def trial_parameters(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of the trials that are known beforehand: all, or of ``"tpe"`` the first ones.

    Args:
        job: Entry of plan.json.
    """
    known = min(job["trials"], _FIRST) if job["sampler"] == "tpe" else job["trials"]
    names = tuple(job["parameters"])
    drawn = points(job["sampler"], job["sampler_seed"], known - 1, names)
    ranges = {name: Range.of_data(own) for name, own in job["space"].items()}
    return [
        dict(job["own"]),
        *({name: own.value_at(point[names.index(name)]) for name, own in ranges.items()} for point in drawn),
    ]


def with_parameters(arm: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return an arm's entry of plan.json with these parameters in place.

    Args:
        arm: ``loss``, ``hyper_parameters`` and ``training``.
        parameters: Of a trial; None leaves an optional one out.
    """
    recipe = {name: value for name, value in parameters.items() if name in TUNABLE}
    loss = {name: value for name, value in parameters.items() if name not in TUNABLE}
    hyper_parameters = {name: value for name, value in (arm["hyper_parameters"] | loss).items() if value is not None}
    return {**arm, "hyper_parameters": hyper_parameters, "training": arm["training"] | recipe}
