"""Losses with other last layers, inputs and outputs, trained by the engine."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lossassay.catalogue.losses import LOSSES
from lossassay.engine.one import train
from lossassay.engine.spec import Checkpoint, RunData
from lossassay.errors import LossInputError
from tests.engine.helpers import make_data, make_spec

CASES = [
    (name, task)
    for name, spec in LOSSES.items()
    for task in ("single_label", "ordinal", "multi_label")
    if spec.trains(task) and (task != "ordinal" or spec.tasks == ("ordinal",))  # type: ignore[arg-type]
]


def data_of(task: str) -> RunData:
    data = make_data(task=task if task == "multi_label" else "single_label")
    return replace(data, task=task)  # type: ignore[arg-type]


def spec_of(loss: str, task: str, **training: Any) -> Any:
    metric = {"single_label": "balanced_accuracy", "ordinal": "quadratic_weighted_kappa", "multi_label": "macro_auroc"}
    spec = make_spec(loss, **{"epochs": 1, **training})
    defaults = {key: parameter.default for key, parameter in LOSSES[loss].hyper_parameters.items()}
    return replace(spec, metric=metric[task], hyper_parameters=defaults)


@pytest.mark.parametrize(("loss", "task"), CASES)
def test_every_loss_trains_and_gives_probabilities(loss: str, task: str) -> None:
    data, spec = data_of(task), LOSSES[loss]
    result = train(spec_of(loss, task), data)
    assert result.status == "finished"
    assert result.test.scores.shape == (25, spec.num_scores(3))
    assert result.test.probabilities.shape == (25, 3)
    assert np.isfinite(result.test.probabilities).all()
    assert (result.calibration is None) == (spec.output == "probability")
    if task != "multi_label":
        np.testing.assert_allclose(result.test.probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("loss", ["ldam", "center_loss", "negative_learning", "evidential_log", "cumulative_link"])
def test_interrupted_and_resumed_gives_the_same_bits_for_losses_with_inputs_and_heads(loss: str) -> None:
    task = LOSSES[loss].tasks[0]
    data, spec = data_of(task), spec_of(loss, task, epochs=3)
    saved: list[Checkpoint] = []

    def keep(checkpoint: Checkpoint) -> None:
        saved.append(replace(checkpoint, tensors={k: v.clone() for k, v in checkpoint.tensors.items()}))

    whole = train(spec, data, save=keep)
    again = train(spec, data, resume=saved[0])
    assert np.array_equal(whole.test.probabilities, again.test.probabilities)
    assert np.array_equal(whole.test.scores, again.test.scores)


def test_features_start_equal_whatever_the_head() -> None:
    digests = {train(spec_of(loss, "ordinal"), data_of("ordinal")).init_digest for loss in ("coral", "cumulative_link")}
    digests.add(train(spec_of("cosface", "single_label"), data_of("single_label")).init_digest)
    digests.add(train(spec_of("focal", "single_label"), data_of("single_label")).init_digest)
    assert len(digests) == 1


def test_a_class_without_a_training_image_is_refused_where_counts_matter() -> None:
    data = data_of("single_label")
    data = replace(data, train=data.train[data.labels[data.train] != 1])
    with pytest.raises(LossInputError, match="class counts must be a list of positive numbers"):
        train(spec_of("logit_adjustment", "single_label"), data)
    assert train(spec_of("focal", "single_label"), data).status == "finished"


def test_unknown_findings_are_neither_learnt_nor_scored() -> None:
    data = data_of("multi_label")
    labels = data.labels.copy()
    labels[::4, 1] = np.nan
    result = train(spec_of("binary_crossentropy", "multi_label"), replace(data, labels=labels))
    assert result.status == "finished"
    assert all(np.isfinite(record.validation_yardstick) for record in result.history)
