"""The meaning of training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lossassay import losses
from lossassay.engine import one
from lossassay.engine.new_model import new_model
from lossassay.engine.spec import Checkpoint, EpochRecord, RunResult
from tests.engine.helpers import make_data, make_spec, with_engine


def same_bits(a: RunResult, b: RunResult) -> bool:
    return (
        np.array_equal(a.test.scores, b.test.scores)
        and np.array_equal(a.validation.scores, b.validation.scores)
        and all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)
        and a.best_epoch == b.best_epoch
    )


def frozen(checkpoint: Checkpoint) -> Checkpoint:
    """What the store keeps: copies, contiguous."""
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in checkpoint.tensors.items()}
    return replace(checkpoint, tensors=tensors)


def test_the_same_run_gives_the_same_bits_and_leaves_the_callers_state_alone() -> None:
    torch.manual_seed(1)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = one.train(make_spec(), make_data())
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    torch.manual_seed(2)
    assert same_bits(first, one.train(make_spec(), make_data()))


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"optimizer": "sgd", "schedule": "one_cycle"},
        {"optimizer": "adamw", "augment": {"flip": True, "shift": 0.1}},
    ],
)
def test_resumed_after_any_epoch_equals_uninterrupted_bit_for_bit(training: dict[str, object]) -> None:
    spec, saved = make_spec(epochs=4, **training), []
    straight = one.train(spec, make_data(), save=lambda checkpoint: saved.append(frozen(checkpoint)))
    assert len(saved) == 3
    for checkpoint in saved:
        resumed = one.train(spec, make_data(), resume=checkpoint)
        assert same_bits(straight, resumed)
        assert [r.train_loss for r in resumed.history] == [r.train_loss for r in straight.history]


@pytest.mark.parametrize(("precision", "kernels"), [("bf16", "plain"), ("bf16", "fused"), ("fp32", "fused")])
def test_the_fast_ways_resume_with_the_same_bits_too(precision: str, kernels: str) -> None:
    spec, saved = with_engine(make_spec(epochs=3), precision=precision, kernels=kernels), []
    straight = one.train(spec, make_data(), save=lambda checkpoint: saved.append(frozen(checkpoint)))
    assert same_bits(straight, one.train(spec, make_data(), resume=saved[0]))


@pytest.mark.parametrize("engine", [{"precision": "fp32"}, {"precision": "bf16"}, {"kernels": "fused"}])
@pytest.mark.parametrize("weights", ["none", "balanced", (1.0, 2.0, 3.0)])
def test_categorical_equals_sparse_bit_for_bit_over_a_whole_run(engine: dict[str, str], weights: object) -> None:
    data = make_data()
    dense = one.train(with_engine(make_spec("categorical_crossentropy", class_weights=weights), **engine), data)
    sparse = one.train(with_engine(make_spec("sparse_categorical_crossentropy", class_weights=weights), **engine), data)
    assert same_bits(dense, sparse)
    assert dense.test_loss == sparse.test_loss
    assert dense.init_digest == sparse.init_digest
    assert dense.order_digest == sparse.order_digest
    assert (dense.label_bytes, sparse.label_bytes) == (50 * 3 * 4, 50 * 4)


def test_fused_kernels_learn_what_plain_ones_do() -> None:
    plain = one.train(make_spec(epochs=1), make_data())
    fused = one.train(with_engine(make_spec(epochs=1), kernels="fused"), make_data())
    assert list(fused.weights) == list(plain.weights)
    assert fused.init_digest == plain.init_digest
    assert fused.history[0].train_loss == pytest.approx(plain.history[0].train_loss, rel=1e-3)
    assert not same_bits(plain, fused)


def test_loading_is_a_part_of_training_time() -> None:
    record = one.train(make_spec(epochs=1), make_data()).history[0]
    assert 0 < record.loading_seconds < record.train_seconds


def test_another_seed_gives_another_run() -> None:
    spec = make_spec()
    for source in ("init", "order", "dropout"):
        other = replace(spec, seeds=replace(spec.seeds, **{source: 12345}))
        assert not same_bits(one.train(spec, make_data()), one.train(other, make_data())), source


def test_class_weights_divide_by_the_number_of_examples() -> None:
    """Twice the weight of every class is exactly twice the loss: nothing is divided by the sum of weights."""
    single = one.train(make_spec(epochs=1, optimizer="sgd", learning_rate=1e-8), make_data())
    double = one.train(
        make_spec(epochs=1, optimizer="sgd", learning_rate=1e-8, class_weights=(2.0, 2.0, 2.0)), make_data()
    )
    assert double.history[0].train_loss == pytest.approx(2 * single.history[0].train_loss, rel=1e-5)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "binary_crossentropy", "mean_squared_error", "rmse"])
def test_every_loss_learns_what_is_easy(loss: str) -> None:
    result = one.train(make_spec(loss, epochs=12, learning_rate=3e-3), make_data())
    assert result.status == "finished"
    labels = make_data().labels[result.test.rows]
    assert (result.test.probabilities.argmax(axis=1) == labels).mean() > 0.7
    np.testing.assert_allclose(result.test.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_multi_label_volumes_and_colour() -> None:
    result = one.train(
        replace(make_spec("binary_crossentropy", epochs=1), metric="macro_auroc"), make_data(task="multi_label")
    )
    assert result.test.probabilities.shape == (25, 3)
    assert one.train(make_spec(epochs=1), make_data(dimensions=3)).status == "finished"
    assert one.train(make_spec(epochs=1), make_data(channels=3)).status == "finished"


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_diverges_stops_and_is_scored_as_the_training_prior() -> None:
    records: list[EpochRecord] = []
    spec = make_spec("mean_squared_error", epochs=9, optimizer="sgd", learning_rate=1e38)
    result = one.train(spec, make_data(), on_epoch=records.append)
    assert result.status == "diverged"
    assert len(records) < 9
    shares = np.bincount(make_data().labels[:50], minlength=3) / 50
    np.testing.assert_allclose(result.test.probabilities, np.tile(shares, (25, 1)), rtol=1e-6)
    assert np.isnan(result.test_loss)


def test_the_best_epochs_weights_are_kept_not_the_last_ones() -> None:
    """The kept weights give the validation yardstick of the best epoch (others' code aliases the live tensors)."""
    spec = make_spec(epochs=8, learning_rate=2e-2)
    result = one.train(spec, make_data())
    best = max(result.history, key=lambda r: (r.validation_yardstick, -r.validation_nll))
    assert result.best_epoch == best.epoch
    predicted = result.validation.probabilities.argmax(axis=1)
    truth = make_data().labels[result.validation.rows]
    balanced = np.mean([(predicted[truth == c] == c).mean() for c in range(3)])
    assert balanced == pytest.approx(best.validation_yardstick)


def test_the_last_epoch_is_kept_on_request() -> None:
    assert one.train(make_spec(epochs=3, selection="last"), make_data()).best_epoch == 3


def test_the_test_part_changes_nothing_but_its_predictions() -> None:
    data = make_data()
    other = replace(data, test=data.test[:3])
    a, b = one.train(make_spec(), data), one.train(make_spec(), other)
    assert all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)


def test_frozen_features_stay_as_they_start() -> None:
    result = one.train(make_spec(freeze_features=True, learning_rate=0.1), make_data())
    fresh = new_model(make_spec(), make_data(), losses.get("categorical_crossentropy")).state_dict()
    convolutions = [name for name in fresh if name.startswith("features") and fresh[name].ndim == 4]
    assert convolutions
    assert all(torch.equal(fresh[name], result.weights[name]) for name in convolutions)
    heads = [name for name in fresh if name.startswith("head")]
    assert not all(torch.equal(fresh[name], result.weights[name]) for name in heads)


def test_seconds_per_image_is_a_time() -> None:
    assert 0 < one.seconds_per_image(make_spec(), make_data()) < 1


def test_without_a_test_part_the_rest_has_the_same_bits() -> None:
    data = make_data()
    whole, without = (one.train(make_spec(), own) for own in (data, replace(data, test=np.zeros(0, dtype=np.int64))))
    assert without.test.scores.shape == without.test.probabilities.shape == (0, 3)
    assert len(without.test.rows) == 0
    assert np.isnan(without.test_loss)
    assert np.array_equal(whole.validation.scores, without.validation.scores)
    assert all(torch.equal(whole.weights[name], without.weights[name]) for name in whole.weights)
