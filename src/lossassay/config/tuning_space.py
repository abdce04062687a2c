"""The ranges of `[tuning]`, `space` and `arms`: what may be written, and which arm has which parameter."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lossassay.catalogue.arm_losses import spec_of
from lossassay.catalogue.losses import LOSSES
from lossassay.catalogue.parameters import Parameter
from lossassay.config.schema import ArmConfig, Study
from lossassay.errors import did_you_mean

Kind = Literal["linear", "log", "integer", "choices"]

# The keys of `training` that may be tuned. The rest makes arms comparable, or is the budget itself.
TUNABLE: dict[str, Parameter] = {
    "learning_rate": Parameter(default=1e-3, low=1e-12, meaning="of the optimiser"),
    "weight_decay": Parameter(default=0.0, meaning="of the optimiser"),
    "momentum": Parameter(default=0.9, high=1 - 1e-9, meaning="of sgd"),
    "optimizer": Parameter(default="adam", kind="choice", choices=("adam", "adamw", "sgd"), meaning="which"),
    "schedule": Parameter(
        default="constant", kind="choice", choices=("constant", "cosine", "one_cycle"), meaning="of the learning rate"
    ),
}
_WHY_FIXED = {
    "epochs": "every trial has the epochs of the study, so that all arms spend the same",
    "class_weights": "class weights change what is learnt; write them as arms of their own",
    "precision": "it changes how a run is computed, not what is learnt",
    "kernels": "it changes how a run is computed, not what is learnt",
    "batch_size": "it cannot differ between arms; set it in [training]",
}
_FORMS = '"auto", [low, high], [low, high, "log"], [low, high, "int"] or { choices = [a, b] }'


@dataclass(frozen=True, kw_only=True)
class Range:
    """The values that a parameter may take.

    Args:
        kind: How values are spread: ``"linear"``, ``"log"``, ``"integer"`` (evenly), ``"choices"``.
        low: Smallest value; None for choices.
        high: Largest value; None for choices.
        choices: The values, in the order of the study file; else empty.
    """

    kind: Kind
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest value; nan for choices, which have none."""
        return (math.nan, math.nan) if self.low is None or self.high is None else (self.low, self.high)

    def value_at(self, place: float) -> Any:
        """Return the value at a place of the unit interval; numbers have four significant digits.

        Args:
            place: From 0 to below 1.
        """
        if self.kind == "choices":
            return self.choices[min(int(place * len(self.choices)), len(self.choices) - 1)]
        low, high = self.ends
        if self.kind == "integer":
            return int(low) + min(int(place * (high - low + 1)), int(high - low))
        if self.kind == "log":
            value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
        else:
            value = low + place * (high - low)
        return min(max(float(f"{value:.4g}"), low), high)

    def holds(self, value: Any) -> bool:
        """Return whether a value lies in the range."""
        if self.kind == "choices":
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low, high = self.ends
        return low <= value <= high and (self.kind != "integer" or float(value).is_integer())

    def as_data(self) -> dict[str, Any]:
        """Return it for plan.json."""
        if self.kind == "choices":
            return {"kind": self.kind, "choices": list(self.choices)}
        return {"kind": self.kind, "low": self.low, "high": self.high}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> "Range":
        """Read what `as_data` returned."""
        return cls(**{**data, "choices": tuple(data.get("choices", ()))})


def parse_range(value: Any) -> Range | str:
    """Read a range of the study file; a text says what is wrong with it.

    Args:
        value: Anything but ``"auto"``.
    """
    if isinstance(value, Mapping) and set(value) == {"choices"}:
        return _choices(value["choices"])
    if not isinstance(value, list | tuple) or len(value) not in (2, 3) or not all(map(_is_number, value[:2])):
        return f"got {_shown(value)}, expected {_FORMS}"
    word = value[2] if len(value) == 3 else "linear"
    if word not in ("linear", "log", "int"):
        return f'got {word!r} as the third entry, expected "log" or "int", or two numbers alone'
    low, high = value[0], value[1]
    if low >= high:
        return f"the low end {low:g} is not below the high end {high:g}; write the smaller number first"
    if word == "log" and low <= 0:
        return f'a "log" range cannot start at {low:g}; start above 0, or leave "log" out'
    if word == "int" and not all(isinstance(end, int) for end in (low, high)):
        return f'an "int" range needs whole numbers, got {low:g} and {high:g}'
    if word == "int":
        return Range(kind="integer", low=low, high=high)
    return Range(kind="log" if word == "log" else "linear", low=float(low), high=float(high))


def _choices(values: Any) -> Range | str:
    if not isinstance(values, list | tuple) or len(values) < 2:
        return f"got {_shown(values)} as choices, expected a list of two or more values"
    if any(not isinstance(value, str | int | float) for value in values):
        return "choices are numbers or texts, each a value of the parameter"
    if len(set(values)) < len(values):
        return "a choice is named twice; name each once"
    return Range(kind="choices", choices=tuple(values))


def parameters_of(study: Study, arm: ArmConfig) -> dict[str, Parameter]:
    """Return what can be tuned for an arm: parts of its recipe, then the single values of its loss.

    Args:
        study: The study.
        arm: One of its arms.
    """
    sgd = study.training_of(arm).optimizer == "sgd" or _may_be_sgd(study, arm)
    recipe = {name: own for name, own in TUNABLE.items() if name != "momentum" or sgd}
    own = spec_of(arm.loss, arm.hyper_parameters).hyper_parameters
    return recipe | {name: one for name, one in own.items() if one.kind in ("real", "integer", "choice")}


def asked_ranges(study: Study, arm: ArmConfig) -> dict[str, Any]:
    """Return the ranges of an arm as the study file has them: its own ones in place of, and beside, those of all.

    Args:
        study: The study.
        arm: One of its arms; parameters that it does not have are left out.
    """
    having = parameters_of(study, arm)
    return {name: value for name, value in _written(study, arm).items() if name in having}


def own_ranges(study: Study, arm: ArmConfig) -> dict[str, Any]:
    """Return the ranges that the study file gives for this arm alone.

    Args:
        study: The study.
        arm: One of its arms.
    """
    return {} if study.tuning is None else study.tuning.arms.get(arm.name, {})


def _written(study: Study, arm: ArmConfig) -> dict[str, Any]:
    return {} if study.tuning is None else study.tuning.space | own_ranges(study, arm)


def _may_be_sgd(study: Study, arm: ArmConfig) -> bool:
    wanted = _written(study, arm).get("optimizer")
    return isinstance(wanted, Mapping) and "sgd" in (wanted.get("choices") or ())


def space_problems(study: Study) -> Iterator[str]:
    """Name everything that is wrong with ``tuning.space`` and ``tuning.arms``, one sentence each.

    Args:
        study: With its section ``[tuning]``.
    """
    tuning = study.tuning
    if tuning is None:
        return
    if not tuning.parameters:
        yield 'tuning.space: names no parameter; name at least one, for example space = { learning_rate = "auto" }'
    for name, value in tuning.space.items():
        having = {arm.name: found[name] for arm in study.arms if name in (found := parameters_of(study, arm))}
        here = {arm: parameter for arm, parameter in having.items() if name not in tuning.arms.get(arm, {})}
        why = "" if having else _why_absent(study, study.arms, name)
        yield from (f"tuning.space.{name}: {problem}" for problem in _problems(name, value, why, here))
    known = {arm.name: arm for arm in study.arms}
    for arm_name, ranges in tuning.arms.items():
        if arm_name not in known:
            listed = ", ".join(map(repr, known))
            yield f"tuning.arms: no arm is called {arm_name!r}; known: {listed}.{did_you_mean(arm_name, known)}"
        else:
            yield from _problems_of_arm(study, known[arm_name], ranges)


def _problems_of_arm(study: Study, arm: ArmConfig, ranges: Mapping[str, Any]) -> Iterator[str]:
    where, having = f'tuning.arms."{arm.name}"', parameters_of(study, arm)
    if not ranges:
        yield f"{where}: names no parameter; name at least one, or leave this table out"
    for name, value in ranges.items():
        here = {arm.name: having[name]} if name in having else {}
        why = "" if here else _why_absent(study, (arm,), name)
        yield from (f"{where}.{name}: {problem}" for problem in _problems(name, value, why, here))


def _problems(name: str, value: Any, why_absent: str, having: Mapping[str, Parameter]) -> Iterator[str]:
    """Say what is wrong with one range, for the arms that are tuned over it."""
    if why_absent:
        yield why_absent
    elif value == "auto":
        if name != "learning_rate":
            yield f'"auto" is known for learning_rate alone; give a range: {_FORMS}'
    elif isinstance(found := parse_range(value), str):
        yield found
    else:
        yield from _range_problems(found, having)


def _range_problems(found: Range, having: Mapping[str, Parameter]) -> Iterator[str]:
    """Check the ends, or every choice, against what each arm's parameter may be."""
    values = found.choices if found.kind == "choices" else (found.low, found.high)
    for arm, parameter in having.items():
        if parameter.kind == "choice" and found.kind != "choices":
            yield f"takes names; write {{ choices = {list(parameter.choices)} }}"
            return
        if parameter.kind == "integer" and found.kind in ("linear", "log"):
            yield f'takes whole numbers; write [{found.low:g}, {found.high:g}, "int"]'
            return
        for value in values:
            if problem := parameter.problem(value):
                yield f"{problem} (arm {arm!r})"
                return


def _why_absent(study: Study, arms: Sequence[ArmConfig], name: str) -> str:
    """Say why none of these arms, all of the study or one, can be tuned over a parameter."""
    known = sorted({found for arm in arms for found in parameters_of(study, arm)})
    if name in _WHY_FIXED:
        return f"cannot be tuned: {_WHY_FIXED[name]}. These can: {', '.join(known)}"
    whole = len(arms) == len(study.arms)
    if name == "momentum":
        who = "no arm trains with" if whole else "this arm does not train with"
        return f'belongs to the optimizer "sgd", which {who}; leave it out'
    if any(name in spec_of(arm.loss, arm.hyper_parameters).hyper_parameters for arm in arms):
        return f"is a list or a table, and only single values can be tuned. These can: {', '.join(known)}"
    losses = [loss for loss, spec in LOSSES.items() if name in spec.hyper_parameters]
    if losses:
        none = "no arm of this study has" if whole else "this arm does not have"
        return f"{none} this parameter; it belongs to {', '.join(losses[:5])}. Leave it out"
    these = "these arms" if whole else "this arm"
    return f"no parameter is called {name!r}; known for {these}: {', '.join(known)}.{did_you_mean(name, known)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: Any) -> str:
    return repr(dict(value) if isinstance(value, Mapping) else value)
