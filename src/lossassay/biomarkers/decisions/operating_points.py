"""Where to cut a probability: thresholds chosen on the validation part, judged on the test part."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.engine.spec import Array
from lossassay.stats.proportions import Proportion, clopper_pearson
from lossassay.study.folder.store import Store

Rule = Literal["youden", "sensitive", "specific"]
RULES: dict[Rule, str] = {
    "youden": "largest sum of sensitivity and specificity (Youden's J)",
    "sensitive": "sensitivity of 0.95 or more, at the largest specificity that leaves",
    "specific": "specificity of 0.95 or more, at the largest sensitivity that leaves",
}
_WANTED = 0.95


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """One way to decide whether an image is of a class: its probability is the threshold or more.

    Args:
        class_name: The class, against all others.
        rule: How the threshold was chosen.
        threshold: Above 1 where only "never" keeps the rule.
        validation_sensitivity: On the part on which it was chosen.
        validation_specificity: On the part on which it was chosen.
        sensitivity: On the test part, with its exact interval; None: the run has no test part.
        specificity: On the test part, with its exact interval; None: the run has no test part.
    """

    class_name: str
    rule: Rule
    threshold: float
    validation_sensitivity: float
    validation_specificity: float
    sensitivity: Proportion | None
    specificity: Proportion | None


def operating_points(run: LoadedRun) -> list[OperatingPoint]:
    """Choose the operating points of a run on its validation part and judge them on its test part.

    Intervals are those of Clopper and Pearson over images, or over exams where a study has them.

    Args:
        run: The run.

    Returns:
        Three for each class of which the validation part has images, and others beside them.
    """
    return list(_points(run))


def _points(run: LoadedRun) -> Iterator[OperatingPoint]:
    store = Store(run.folder)
    chosen_on, judged_on = (store.predictions(run.id, part) for part in ("validation", "test"))
    for place, name in enumerate(run.class_names):
        truth, probability = _against_rest(chosen_on, place)
        if truth.all() or not truth.any():
            continue
        other_truth, other_probability = _against_rest(judged_on, place)
        for rule in RULES:
            threshold = choose_threshold(truth, probability, rule)
            said = probability >= threshold
            there = len(other_truth) > 0
            other_said = other_probability >= threshold
            yield OperatingPoint(
                class_name=name,
                rule=rule,
                threshold=threshold,
                validation_sensitivity=float(said[truth].mean()),
                validation_specificity=float((~said)[~truth].mean()),
                sensitivity=_share(other_said[other_truth]) if there else None,
                specificity=_share(~other_said[~other_truth]) if there else None,
            )


def choose_threshold(truth: Array, probability: Array, rule: Rule) -> float:
    """Choose a threshold by a rule; of equally good ones the highest.

    Youden 1950, Cancer 3:32.

    Args:
        truth: Whether each is of the class, bool [N]; both occur.
        probability: [N].
        rule: Of `RULES`.

    Returns:
        One of the probabilities, or the next number above the largest: then nothing is said to be of the class.
    """
    never = np.nextafter(probability.max(), np.float32(np.inf))
    thresholds = np.concatenate([[never], np.unique(probability)[::-1]])  # from the highest
    positive, negative = np.sort(probability[truth]), np.sort(probability[~truth])
    sensitivity = 1 - np.searchsorted(positive, thresholds, side="left") / len(positive)
    specificity = np.searchsorted(negative, thresholds, side="left") / len(negative)
    if rule == "youden":
        worth = sensitivity + specificity
    elif rule == "sensitive":
        worth = np.where(sensitivity >= _WANTED, specificity, -1.0)
    else:
        worth = np.where(specificity >= _WANTED, sensitivity, -1.0)
    return float(thresholds[int(worth.argmax())])


def as_table(points: list[OperatingPoint]) -> pl.DataFrame:
    """Return operating points as a table, one row each."""
    columns = {
        "class": [one.class_name for one in points],
        "rule": [one.rule for one in points],
        "threshold": [one.threshold for one in points],
        "validation_sensitivity": [one.validation_sensitivity for one in points],
        "validation_specificity": [one.validation_specificity for one in points],
    }
    for name in ("sensitivity", "specificity"):
        found = [getattr(one, name) for one in points]
        for column, field in ((name, "estimate"), (f"{name}_low", "low"), (f"{name}_high", "high")):
            columns[column] = [None if one is None else getattr(one, field) for one in found]
        columns[f"{name}_trials"] = [None if one is None else one.trials for one in found]
    return pl.DataFrame(columns, schema={name: _kind(name) for name in columns}, strict=False)


def _kind(column: str) -> pl.DataType:
    if column in ("class", "rule"):
        return pl.String()
    return pl.Int64() if column.endswith("_trials") else pl.Float64()


def _against_rest(predictions: pl.DataFrame, place: int) -> tuple[Array, Array]:
    """Truth and probability of one class; rows of which it is not known are left out."""
    probability = predictions["probabilities"].to_numpy()[:, place] if len(predictions) else np.zeros(0, np.float32)
    labels = predictions["label"]
    if labels.dtype == pl.Int64():
        return labels.to_numpy() == place, probability
    hot = labels.to_numpy()[:, place] if len(labels) else np.zeros(0, np.float32)
    known = ~np.isnan(hot)
    return hot[known] > 0.5, probability[known]


def _share(right: Array) -> Proportion:
    return clopper_pearson(int(right.sum()), len(right))
