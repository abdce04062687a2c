"""Names, hyper-parameters, encodings, and the messages for what does not fit."""

import doctest
import importlib
from typing import Any

import pytest
import torch

from lossassay import losses
from lossassay.catalogue.losses import ALIASES, LOSSES
from lossassay.errors import LabelError, LossInputError, UnknownNameError

COUNTS = (40, 30, 20)


def test_counts_are_asked_for_where_they_are_needed_and_must_be_positive() -> None:
    with pytest.raises(
        LossInputError, match=r"logit_adjustment needs to know how many images.*class_counts=\[\.\.\.\]"
    ):
        losses.get("logit_adjustment")
    with pytest.raises(
        LossInputError, match=r"must be a list of positive numbers, one for each class; got \[5\.0, 0\.0\]"
    ):
        losses.get("logit_adjustment", class_counts=[5, 0])


def test_inputs_are_asked_for_by_name() -> None:
    loss = losses.get("center_loss")
    with pytest.raises(
        LossInputError, match=r"center_loss also needs features, centres: call it as loss\(scores, labels"
    ):
        loss(torch.zeros(1, 3), torch.tensor([0]))


def test_soft_labels_must_sum_to_one() -> None:
    rows = torch.tensor([[0.5, 0.4, 0.0]])
    with pytest.raises(LabelError, match=r"Soft labels must sum to one in every row; got sums from 0\.9"):
        losses.encode_labels(rows, 3, "dense", "single_label")
    assert torch.equal(losses.encode_labels(rows, 3, "dense", "multi_label"), rows)


def test_unknown_findings_are_nan_and_allowed_for_findings_alone() -> None:
    rows = torch.tensor([[1.0, torch.nan, 0.0]])
    assert torch.isnan(losses.encode_labels(rows, 3, "dense", "multi_label")).sum() == 1


@pytest.mark.parametrize("name", LOSSES)
def test_every_name_gives_its_loss_with_every_hyper_parameter_written_out(name: str) -> None:
    loss = losses.get(name, class_counts=COUNTS)
    assert (loss.name, loss.spec) == (name, LOSSES[name])
    assert dict(loss.hyper_parameters) == {key: p.default for key, p in LOSSES[name].hyper_parameters.items()}


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_aliases_give_the_same_loss(alias: str, name: str) -> None:
    assert losses.get(alias, class_counts=COUNTS) == losses.get(name, class_counts=COUNTS)


def test_names_are_those_of_the_catalogue() -> None:
    assert losses.names() == tuple(LOSSES)


def test_an_unknown_loss_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        UnknownNameError,
        match=r"No loss is called 'focall'\. `lossassay losses` lists them all\. Near it: .*\. Did you mean 'focal'\?",
    ):
        losses.get("focall")


def test_an_unknown_hyper_parameter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"focal has no hyper-parameter 'gama'\. Known: gamma\. Did you mean"):
        losses.get("focal", gama=2.0)
    with pytest.raises(
        UnknownNameError, match=r"mean_squared_error has no hyper-parameter 'gamma'\. Known: it has none"
    ):
        losses.get("mse", gamma=2.0)


@pytest.mark.parametrize("gamma", [-0.5, float("nan"), "2", True, None])
def test_a_hyper_parameter_outside_its_range_is_refused(gamma: Any) -> None:
    with pytest.raises(ValueError, match=r"focal: gamma: got .*, expected a number, 0 or more"):
        losses.get("focal", gamma=gamma)


@pytest.mark.parametrize("classes", [2, 16, 1_000])
def test_an_encoding_takes_the_bytes_that_it_promises(classes: int) -> None:
    labels = torch.arange(50) % classes
    assert losses.encode_labels(labels, classes, "integer").nbytes == 4 * 50
    assert losses.encode_labels(labels, classes, "dense").nbytes == 4 * 50 * classes


def test_rows_and_indices_are_the_same_labels() -> None:
    labels = torch.tensor([2, 0, 1])
    rows = losses.encode_labels(labels, 3, "dense")
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert torch.equal(rows.argmax(-1), losses.encode_labels(labels, 3, "integer").long())


def test_multi_hot_rows_stay_as_they_are() -> None:
    rows = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert torch.equal(losses.encode_labels(rows, 3, "dense"), rows)


@pytest.mark.parametrize(
    ("labels", "encoding", "message"),
    [
        (torch.zeros(4, 3), "integer", r"one class index per image.*shape \(4, 3\).*Use binary_crossentropy"),
        (torch.tensor([0, 3]), "integer", r"Labels from 0 to 2 were expected; got 0 to 3\. Number the classes"),
        (torch.tensor([-1, 2]), "dense", "Labels from 0 to 2 were expected; got -1 to 2"),
        (torch.tensor([0.0, 1.0]), "integer", r"Integer labels of shape \[B\] were expected; got torch\.float32"),
        (torch.zeros(4, 2), "dense", r"Rows of shape \[B 3\] were expected; got shape \(4, 2\)"),
        (torch.tensor([[0.0, 1.5, 0.0]]), "dense", "Label rows must hold numbers from 0 to 1; got values outside"),
        (torch.tensor([[0.0, torch.nan, 0.0]]), "dense", "Label rows must hold numbers from 0 to 1"),
        (torch.tensor([[0.0, -1.0, 0.0]]), "dense", "Label rows must hold numbers from 0 to 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: torch.Tensor, encoding: Any, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        losses.encode_labels(labels, 3, encoding)


def test_check_labels_wants_the_encoding_that_it_is_told() -> None:
    losses.check_labels(torch.tensor([0, 2]), 3, "integer")
    losses.check_labels(torch.eye(3), 3, "dense")
    with pytest.raises(LabelError, match=r"Integer labels of shape \[B\] were expected.*use a dense loss"):
        losses.check_labels(torch.eye(3), 3, "integer")
    with pytest.raises(LabelError, match=r"Rows of shape \[B 3\] were expected.*use a sparse loss"):
        losses.check_labels(torch.tensor([0, 2]), 3, "dense")


@pytest.mark.parametrize(
    "module", sorted({spec.function.split(":")[0] for spec in LOSSES.values()} | {"lossassay.losses"})
)
def test_the_examples_in_the_docstrings_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("name", LOSSES)
def test_every_function_has_the_docstring_of_the_house(name: str) -> None:
    text = losses.get(name, class_counts=COUNTS).function.__doc__
    assert all(part in text for part in ("Args:", "Returns:", "Example:", ":math:"))
