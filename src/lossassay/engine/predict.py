"""What a model says about some rows: scores, the run's own loss, and probabilities that mean what they say."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lossassay import losses
from lossassay.catalogue.loss_spec import Task
from lossassay.engine.calibration import Calibration, fit_calibration
from lossassay.engine.feed import Feed
from lossassay.engine.inputs import LossInputs
from lossassay.engine.spec import Array, Predictions


def first_rows(rows: Array, exams: Array | None) -> Array:
    """Return the first of ``rows`` of each exam, in the order in which exams first appear.

    Args:
        rows: Row numbers, [M].
        exams: Number of the exam of every row of the data, [N]; None: each row is an exam.
    """
    if exams is None:
        return rows
    _, first = np.unique(exams[rows], return_index=True)
    return np.asarray(rows[np.sort(first)])


def by_exam(rows: Array, scores: Array, exams: Array | None) -> tuple[Array, Array]:
    """Average the raw scores of each exam, before any link; a nan stays one.

    Args:
        rows: Row numbers, [M].
        scores: float32 [M S].
        exams: Number of the exam of every row of the data, [N]; None: nothing is averaged.

    Returns:
        First rows [E], as of `first_rows`, and mean scores float32 [E S], summed in float64 in the order of ``rows``.
    """
    if exams is None:
        return rows, scores
    own = first_rows(rows, exams)
    places = np.empty(int(exams.max()) + 1, dtype=np.int64)
    places[exams[own]] = np.arange(len(own))
    place = places[exams[rows]]
    sums = np.zeros((len(own), scores.shape[1]))
    np.add.at(sums, place, scores.astype(np.float64))
    return own, (sums / np.bincount(place)[:, None]).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """How a run predicts.

    Args:
        loss: Its loss, whose link turns scores into probabilities.
        feed: Where images and labels come from.
        task: What the labels are.
        num_classes: K.
        batch_size: Of training; a loss of whole batches is computed in batches of this size here too.
    """

    loss: losses.Loss
    feed: Feed
    task: Task
    num_classes: int
    batch_size: int

    @torch.no_grad()
    def scores(self, model: Any, inputs: LossInputs, rows: Array, epoch: int) -> tuple[Array, float]:
        """Return scores in fp32 [M S], and the mean of the run's own loss.

        Args:
            model: Put into evaluation mode.
            inputs: Of the loss, from this model.
            rows: Which.
            epoch: That the loss is told.
        """
        model.eval()
        index = torch.from_numpy(rows).to(self.feed.device)
        scores, total, first = [], 0.0, 0
        for images in self.feed.evaluation(rows, self.batch_size):
            own = index[first : first + len(images)]
            scores.append(model(images).float())
            if self._by_batches:
                per_example = self.loss(scores[-1], self.feed.labels[own], **inputs.of(own, epoch))
                total += float(per_example.sum())
            first += len(images)
        found = torch.cat(scores)
        if self._by_batches:
            return found.cpu().numpy(), total / len(rows)
        return found.cpu().numpy(), float(self.loss(found, self.feed.labels[index], **inputs.of(index, epoch)).mean())

    @property
    def _by_batches(self) -> bool:
        """Whether the loss sees its batch, or needs what the model computed for it."""
        return self.loss.spec.kind == "batch" or "features" in self.loss.spec.inputs

    def calibration(self, scores: Array, labels: Array) -> Calibration | None:
        """Fit what the loss needs so that its scores become probabilities; None if they already are.

        Args:
            scores: Of the validation part, finite, [M S].
            labels: Of the same rows.
        """
        output = self.loss.spec.output
        if output == "probability":
            return None
        return fit_calibration(self._logits(scores).numpy(), labels, task=self.task, output=output)

    def predictions(self, rows: Array, scores: Array, calibration: Calibration | None) -> Predictions:
        """Put scores and their probabilities together."""
        logits = self._logits(scores)
        if calibration is not None:
            probabilities = calibration.probabilities(logits.numpy(), self.task)
        else:
            multi = self.task == "multi_label"
            probabilities = (torch.sigmoid(logits) if multi else torch.softmax(logits, dim=-1)).numpy()
        return Predictions(rows=rows, scores=scores, probabilities=probabilities)

    def _logits(self, scores: Array) -> torch.Tensor:
        return losses.class_logits(
            torch.from_numpy(np.ascontiguousarray(scores)),
            link=self.loss.spec.link,
            num_classes=self.num_classes,
            task=self.task,
            hyper_parameters=self.loss.hyper_parameters,
        )
