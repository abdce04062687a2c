"""The meaning of training: one run, one straight loop."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lossassay import losses, metrics
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.engine import measure
from lossassay.engine.batches import batches, epoch_order, pixel_statistics
from lossassay.engine.calibration import Calibration
from lossassay.engine.damage import image_damage
from lossassay.engine.feed import Batch, Feed
from lossassay.engine.inputs import LossInputs, class_counts, row_weights
from lossassay.engine.isolation import isolated, seed_dropout
from lossassay.engine.new_model import new_model
from lossassay.engine.optim import flatten_state, learning_rate_at, make_optimizer, restore_state
from lossassay.engine.predict import Predictor, by_exam, first_rows
from lossassay.engine.seeds import derive
from lossassay.engine.spec import (
    Array,
    Checkpoint,
    EpochRecord,
    Partial,
    Predictions,
    RunData,
    RunResult,
    RunSpec,
)


def train(
    run: RunSpec,
    data: RunData,
    *,
    resume: Checkpoint | None = None,
    save: Callable[[Checkpoint], None] = lambda checkpoint: None,
    on_epoch: Callable[[EpochRecord], None] = lambda record: None,
) -> RunResult:
    """Train one arm in one replicate, and predict its validation and test parts.

    The result depends on the arguments alone: the same run gives the same bits, also when it is interrupted after
    any epoch and goes on from the checkpoint. The caller's random state and thread count are left as they were.

    Args:
        run: What to train.
        data: What to learn from.
        resume: Where an interrupted run goes on.
        save: Called with the state after every epoch but the last; its tensors are live, so they must be written
            or copied before it returns.
        on_epoch: Called with each line of the history.

    Raises:
        ModelError: If the model cannot be built for these images.
        LabelError: If the labels do not fit the loss.
    """
    with isolated(run):
        measure.start_counting_memory(run.engine.device)
        bench = _Bench.set_up(run, data)
        state = _State(bench) if resume is None else _State.restore(bench, resume)
        _advance(bench, state, run.training.epochs, save, on_epoch)
        return _finish(bench, state)


def train_until(
    epoch: int,
    run: RunSpec,
    data: RunData,
    *,
    resume: Checkpoint | None = None,
    save: Callable[[Checkpoint], None] = lambda checkpoint: None,
    on_epoch: Callable[[EpochRecord], None] = lambda record: None,
) -> Partial:
    """Train up to an epoch, with the bits of a whole run; nothing but the validation part is predicted.

    Args:
        epoch: From 1 to the epochs of the run, whose schedule stays that of the full length.
        run: What to train.
        data: What to learn from; its test part may be empty.
        resume: Where to go on.
        save: Called with the state after every epoch that another can follow; see `train`.
        on_epoch: Called with each line of the history.

    Raises:
        LossassayError: As of `train`.
    """
    with isolated(run):
        bench = _Bench.set_up(run, data)
        state = _State(bench) if resume is None else _State.restore(bench, resume)
        _advance(bench, state, epoch, save, on_epoch)
        return Partial(history=tuple(state.history), best_epoch=state.best_epoch, diverged=state.diverged)


def _advance(
    bench: "_Bench",
    state: "_State",
    until: int,
    save: Callable[[Checkpoint], None],
    on_epoch: Callable[[EpochRecord], None],
) -> None:
    while state.epoch < until and not state.diverged:
        record = _train_epoch(bench, state)
        on_epoch(record)
        if state.epoch < bench.run.training.epochs and not state.diverged:
            save(state.checkpoint())


def seconds_per_image(run: RunSpec, data: RunData, *, steps: int = 3) -> float:
    """Return the seconds that training takes per image, from the fastest of a few steps after one to warm up."""
    with isolated(run):
        bench = _Bench.set_up(run, data)
        state = _State(bench)
        state.model.train()
        rows = next(batches(epoch_order(data.train, run.seeds.order, 1), run.training.batch_size))
        seconds = []
        for _ in range(1 + steps):
            started = time.perf_counter()
            batch = next(_batches(bench, rows, epoch=1))
            loss, _correct_decisions = _step(bench, state, batch, run.training.learning_rate, epoch=1)
            float(loss)  # waits for the device
            seconds.append(time.perf_counter() - started)
        return min(seconds[1:]) / len(rows)


@dataclass(frozen=True, kw_only=True)
class _Bench:
    """What stays the same over the epochs of a run."""

    run: RunSpec
    data: RunData
    loss: losses.Loss
    feed: Feed
    predictor: Predictor
    pixel_mean: tuple[float, ...]
    pixel_sd: tuple[float, ...]
    total_steps: int
    init_digest: str

    @classmethod
    def set_up(cls, run: RunSpec, data: RunData) -> "_Bench":
        counts = class_counts(data.labels[data.train], data.num_classes)
        loss = losses.get(run.loss, class_counts=torch.from_numpy(counts), **run.hyper_parameters)
        labels = losses.encode_labels(torch.from_numpy(data.labels), data.num_classes, loss.spec.encoding, data.task)
        mean, sd = pixel_statistics(data.images, data.train)
        steps = sum(1 for _ in batches(data.train, run.training.batch_size))
        damage = image_damage(run.damage, data.sources, run.engine.device)
        feed = Feed(
            data.images, labels, row_weights(run, data), mean=mean, sd=sd, device=run.engine.device, damage=damage
        )
        return cls(
            run=run,
            data=data,
            loss=loss,
            feed=feed,
            predictor=Predictor(
                loss=loss,
                feed=feed,
                task=data.task,
                num_classes=data.num_classes,
                batch_size=run.training.batch_size,
            ),
            pixel_mean=mean,
            pixel_sd=sd,
            total_steps=steps * run.training.epochs,
            init_digest=measure.digest_of_tensors(new_model(run, data, loss).features.state_dict()),
        )


class _State:
    """What changes from epoch to epoch."""

    def __init__(self, bench: _Bench) -> None:
        self.model: nn.Module = new_model(bench.run, bench.data, bench.loss)
        self.inputs = LossInputs(self.model, bench.loss.spec, bench.run.training.epochs)
        self.optimizer = make_optimizer(self.model, bench.run.training, bench.run.engine.device)
        self.history: list[EpochRecord] = []
        self.best_epoch = 0
        self.best_weights: dict[str, torch.Tensor] = {}
        self.diverged = False

    @classmethod
    def restore(cls, bench: _Bench, checkpoint: Checkpoint) -> "_State":
        state = cls(bench)
        live = state.model.state_dict()
        for name, tensor in live.items():
            tensor.copy_(checkpoint.tensors[f"model.{name}"])
        restore_state(state.optimizer, checkpoint.tensors)
        state.best_weights = {name: checkpoint.tensors[f"best.{name}"].clone() for name in live}
        state.history, state.best_epoch = list(checkpoint.history), checkpoint.best_epoch
        return state

    @property
    def epoch(self) -> int:
        return len(self.history)

    def checkpoint(self) -> Checkpoint:
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best_weights.items()}
        tensors |= flatten_state(self.optimizer)
        return Checkpoint(tensors=tensors, history=tuple(self.history), best_epoch=self.best_epoch)

    def keep_if_best(self, run: RunSpec, record: EpochRecord) -> None:
        """Keep a copy of the weights (never the live tensors: those go on changing)."""
        earlier = next((old for old in self.history if old.epoch == self.best_epoch), None)
        self.history.append(record)
        if run.training.selection == "last" or earlier is None or _is_better(record, earlier, run.metric):
            self.best_epoch = record.epoch
            self.best_weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}


def _is_better(new: EpochRecord, old: EpochRecord, metric: str) -> bool:
    """Compare epochs by the validation yardstick; ties go to the smaller negative log-likelihood, then the earlier."""
    sign = 1.0 if YARDSTICKS[metric].best == "high" else -1.0
    return (sign * new.validation_yardstick, -new.validation_nll) > (
        sign * old.validation_yardstick,
        -old.validation_nll,
    )


def _train_epoch(bench: _Bench, state: _State) -> EpochRecord:
    """One pass over the training part, then the validation part; updates the state."""
    run, data, epoch = bench.run, bench.data, state.epoch + 1
    seed_dropout(derive(run.seeds.dropout, epoch), run.engine.device)
    loss_sum = torch.zeros((), device=run.engine.device)
    correct = torch.zeros((), device=run.engine.device)
    bench.feed.seconds, started = 0.0, time.perf_counter()
    state.model.train()
    step = bench.total_steps // run.training.epochs * (epoch - 1)
    for batch in _batches(bench, epoch_order(data.train, run.seeds.order, epoch), epoch):
        rate = learning_rate_at(step, bench.total_steps, run.training)
        batch_loss, batch_correct = _step(bench, state, batch, rate, epoch)
        loss_sum += batch_loss
        correct += batch_correct
        step += 1
    train_loss = float(loss_sum) / len(data.train)  # waits for the device, so the clock below is right
    train_seconds = time.perf_counter() - started
    state.diverged = not np.isfinite(train_loss)
    record = _validated(bench, state, epoch, rate, train_loss, float(correct) / len(data.train), train_seconds)
    state.diverged = state.diverged or not np.isfinite(record.validation_nll)
    state.keep_if_best(run, record)
    return record


def _batches(bench: _Bench, rows: Array, epoch: int) -> Iterator[Batch]:
    training = bench.run.training
    draws = torch.Generator().manual_seed(derive(bench.run.seeds.augmentation, epoch))
    return bench.feed.training(rows, training.batch_size, training.augment, draws)


def _step(bench: _Bench, state: _State, batch: Batch, rate: float, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One gradient step; returns the sum of the batch's losses and its number of correct decisions."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    engine = bench.run.engine
    with torch.autocast(engine.device, dtype=torch.bfloat16, enabled=engine.precision == "bf16"):
        scores = state.model(batch.images)
    scores = scores.float()
    per_example = bench.loss(scores, batch.labels, **state.inputs.of(batch.rows, epoch))
    loss = (per_example * batch.weights).sum() / len(batch.weights)  # the only reduction, for every label encoding
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
    return loss.detach() * len(batch.weights), _correct(bench, scores.detach(), batch.labels)


def _correct(bench: _Bench, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Number of examples decided right; multi-label: of label decisions, divided by their number per example."""
    data, spec = bench.data, bench.loss.spec
    if data.task == "multi_label":
        known = ~torch.isnan(labels)
        right = ((scores > 0) == (labels > 0.5)) & known
        return (right.sum(dim=-1) / known.sum(dim=-1).clamp_min(1)).sum()
    if spec.num_scores(data.num_classes) != data.num_classes:
        scores = losses.class_logits(scores, link=spec.link, num_classes=data.num_classes, task=data.task)
    truth = labels if labels.ndim == 1 else labels.argmax(dim=-1)
    return (scores.argmax(dim=-1) == truth).sum()


def _validated(
    bench: _Bench, state: _State, epoch: int, rate: float, train_loss: float, train_accuracy: float, seconds: float
) -> EpochRecord:
    """Predict the validation part and write the epoch's line."""
    started = time.perf_counter()
    scores, own_loss = bench.predictor.scores(state.model, state.inputs, bench.data.validation, epoch)
    rows, scores = by_exam(bench.data.validation, scores, bench.data.exams)
    if np.isfinite(scores).all():
        predicted = bench.predictor.predictions(rows, scores, _calibration(bench, rows, scores))
        values = metrics.yardsticks(bench.data.labels[rows], predicted.probabilities, task=bench.data.task)
    else:
        values = dict.fromkeys(YARDSTICKS, float("nan"))
    return EpochRecord(
        epoch=epoch,
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        validation_loss=own_loss,
        validation_accuracy=values["accuracy"],
        validation_yardstick=values[bench.run.metric],
        validation_nll=values["nll"],
        learning_rate=rate,
        train_seconds=seconds,
        loading_seconds=bench.feed.seconds,
        evaluation_seconds=time.perf_counter() - started,
    )


def _calibration(bench: _Bench, rows: Array, validation_scores: Array) -> Calibration | None:
    return bench.predictor.calibration(validation_scores, bench.data.labels[rows])


def _finish(bench: _Bench, state: _State) -> RunResult:
    """Predict both parts with the kept weights; the test part is touched here and nowhere else."""
    run, data, calibration = bench.run, bench.data, None
    if state.diverged:
        validation, test = _prior(bench, data.validation), _prior(bench, data.test)
        test_loss = float("nan")
    else:
        state.model.load_state_dict(state.best_weights)
        scores, _ = bench.predictor.scores(state.model, state.inputs, data.validation, state.best_epoch)
        rows, scores = by_exam(data.validation, scores, data.exams)
        calibration = _calibration(bench, rows, scores)
        validation = bench.predictor.predictions(rows, scores, calibration)
        test, test_loss = _tested(bench, state, calibration)
    return RunResult(
        status="diverged" if state.diverged else "finished",
        history=tuple(state.history),
        best_epoch=state.best_epoch,
        validation=validation,
        test=test,
        test_loss=test_loss,
        calibration=calibration,
        weights={name: tensor.detach().cpu().contiguous() for name, tensor in state.best_weights.items()},
        pixel_mean=bench.pixel_mean,
        pixel_sd=bench.pixel_sd,
        label_bytes=bench.feed.labels[torch.from_numpy(data.train).to(run.engine.device)].nbytes,
        peak_memory_bytes=measure.peak_memory_bytes(run.engine.device),
        init_digest=bench.init_digest,
        order_digest=measure.digest_of_orders(data.train, run.seeds.order, run.training.epochs),
    )


def _tested(bench: _Bench, state: _State, calibration: Calibration | None) -> tuple[Predictions, float]:
    """Predict the test part; a fit on all data has none."""
    data = bench.data
    if not len(data.test):
        width = bench.loss.spec.num_scores(data.num_classes)
        none = [np.zeros((0, columns), dtype=np.float32) for columns in (width, data.num_classes)]
        return Predictions(rows=data.test, scores=none[0], probabilities=none[1]), float("nan")
    scores, own_loss = bench.predictor.scores(state.model, state.inputs, data.test, state.best_epoch)
    return bench.predictor.predictions(*by_exam(data.test, scores, data.exams), calibration), own_loss


def _prior(bench: _Bench, rows: Array) -> Predictions:
    """What a diverged run is scored as: the class shares of the training part, for every row or exam."""
    data = bench.data
    rows = first_rows(rows, data.exams)
    if data.task == "multi_label":
        shares = np.nan_to_num(np.nanmean(data.labels[data.train], axis=0))
    else:
        shares = np.bincount(data.labels[data.train], minlength=data.num_classes) / len(data.train)
    probabilities = np.tile(shares.astype(np.float32), (len(rows), 1))
    with np.errstate(divide="ignore"):
        scores = np.log(probabilities)
    width = bench.loss.spec.num_scores(data.num_classes)
    if width != data.num_classes:
        scores = np.full((len(rows), width), np.nan, dtype=np.float32)
    return Predictions(rows=rows, scores=scores, probabilities=probabilities)
