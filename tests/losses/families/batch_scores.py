"""Independent values and wrong versions of losses that are one minus a score of the batch."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor

import keras  # isort: skip  # after its backend is chosen

Activation = Callable[[Tensor], Tensor]
Score = Callable[[Tensor, Tensor], Tensor]  # one class: labels and probabilities of the known examples, [M] each


def softmax(z: Tensor) -> Tensor:
    return F.softmax(z, -1)


def _exact(value: Callable[[], Tensor]) -> Tensor:
    """Call keras without the 1e-7 that it adds below the fraction bar."""
    usual = keras.config.epsilon()
    keras.config.set_epsilon(0.0)
    try:
        return value()
    finally:
        keras.config.set_epsilon(usual)


def counted(t: Tensor, p: Tensor, *, both: bool) -> list[tuple[Tensor, Tensor]]:
    """Columns of the classes that the batch has (and does not have everywhere), known entries alone."""
    known = ~torch.isnan(t)
    found = [(t[known[:, c], c], p[known[:, c], c]) for c in range(t.shape[1])]
    return [(t, p) for t, p in found if len(t) and t.sum() > 0 and not (both and (1 - t).sum() == 0)]


def mean_over_classes(activation: Activation, score: Score, *, both: bool = False) -> Callable[..., Tensor]:
    """One minus the mean score, once for every example."""

    def loss(z: Tensor, t: Tensor) -> Tensor:
        values = [1 - score(*column) for column in counted(t, activation(z), both=both)]
        mean = torch.stack(values).mean() if values else 0 * z.sum()
        return mean.to(z.dtype).repeat(len(z))

    return loss


def _keras_dice(t: Tensor, p: Tensor) -> Tensor:
    return 1 - _exact(lambda: keras.losses.dice(t[:, None], p[:, None], axis=0))[0]


def _keras_tversky(t: Tensor, p: Tensor, alpha: float, beta: float) -> Tensor:
    """Keras exchanges the two: it multiplies false negatives by what it calls alpha."""
    return 1 - _exact(lambda: keras.losses.tversky(t[:, None], p[:, None], alpha=beta, beta=alpha, axis=0))[0]


def _dice(t: Tensor, p: Tensor) -> Tensor:
    above = sum(2 * a * b for a, b in zip(t, p, strict=True))
    return above / sum(a**2 + b**2 for a, b in zip(t, p, strict=True))


def _correlation_of_two_by_two(t: Tensor, p: Tensor) -> Tensor:
    tp, fp = (t * p).sum(), ((1 - t) * p).sum()
    fn, tn = (t * (1 - p)).sum(), ((1 - t) * (1 - p)).sum()
    return (tp * tn - fp * fn) / ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)).sqrt()


def _correlation_of_means(t: Tensor, p: Tensor) -> Tensor:
    """Covariance of labels and probabilities over what it is where both are 0 or 1 with these means."""
    m, q = t.mean(), p.mean()
    return ((t - m) * (p - q)).mean() / (m * (1 - m) * q * (1 - q)).sqrt()


def tversky(activation: Activation) -> Callable[..., Tensor]:
    return lambda z, t, alpha, beta: mean_over_classes(activation, lambda t, p: _keras_tversky(t, p, alpha, beta))(z, t)


ORACLES: dict[str, Callable[..., Tensor]] = {
    "soft_f1": mean_over_classes(softmax, _keras_dice),
    "sigmoid_soft_f1": mean_over_classes(torch.sigmoid, _keras_dice),
    "dice": mean_over_classes(softmax, _dice),
    "sigmoid_dice": mean_over_classes(torch.sigmoid, _dice),
    "tversky": tversky(softmax),
    "sigmoid_tversky": tversky(torch.sigmoid),
    "soft_matthews_correlation": mean_over_classes(softmax, _correlation_of_means, both=True),
    "sigmoid_matthews_correlation": mean_over_classes(torch.sigmoid, _correlation_of_two_by_two, both=True),
}


def _other(activation: Activation) -> Activation:
    return torch.sigmoid if activation is softmax else softmax


def _of_each_example(activation: Activation, score: Score) -> Callable[..., Tensor]:
    def loss(z: Tensor, t: Tensor) -> Tensor:
        return torch.stack([1 - score(row, p) for row, p in zip(t, activation(z), strict=True)])

    return loss


def _pooled(activation: Activation, score: Score) -> Callable[..., Tensor]:
    return lambda z, t: (1 - score(t.flatten(), activation(z).flatten())).repeat(len(z))


def _wrong(activation: Activation, score: Score, *, both: bool = False) -> dict[str, Callable[..., Tensor]]:
    return {
        "other probabilities": mean_over_classes(_other(activation), score, both=both),
        "score in place of one minus it": lambda z, t: 1 - mean_over_classes(activation, score, both=both)(z, t),
        "each example by itself": _of_each_example(activation, score),
        "one sum over all classes": _pooled(activation, score),
        "labels and probabilities exchanged with absence": mean_over_classes(
            activation, lambda t, p: score(1 - t, 1 - p), both=True
        )
        if not both
        else mean_over_classes(activation, lambda t, p: score(1 - t, p), both=True),
    }


def _with_hyper_parameters(group: dict[str, Callable[..., Tensor]]) -> dict[str, Callable[..., Tensor]]:
    return {
        name: lambda z, t, alpha, beta, function=function: function(z, t)  # type: ignore[misc]
        for name, function in group.items()
    }


def alpha_and_beta_exchanged(activation: Activation) -> Callable[..., Tensor]:
    """What keras 3.15.1 does under these names."""
    return lambda z, t, alpha, beta: tversky(activation)(z, t, beta, alpha)


def _smoothed(t: Tensor, p: Tensor) -> Tensor:
    return (2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1)


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    **{
        name: _wrong(activation, _keras_dice)
        | {
            "smoothed by 1": mean_over_classes(activation, _smoothed),
            "squares below the fraction bar": mean_over_classes(activation, _dice),
        }
        for name, activation in (("soft_f1", softmax), ("sigmoid_soft_f1", torch.sigmoid))
    },
    **{
        name: _wrong(activation, _dice) | {"plain sums": mean_over_classes(activation, _keras_dice)}
        for name, activation in (("dice", softmax), ("sigmoid_dice", torch.sigmoid))
    },
    **{
        name: _with_hyper_parameters(_wrong(activation, _keras_dice))
        | {
            "weights not halved": lambda z, t, alpha, beta, activation=activation: tversky(activation)(
                z, t, 2 * alpha, 2 * beta
            ),
        }
        for name, activation in (("tversky", softmax), ("sigmoid_tversky", torch.sigmoid))
    },
    **{
        name: _wrong(activation, _correlation_of_two_by_two, both=True)
        | {
            "no root": mean_over_classes(
                activation, lambda t, p: _correlation_of_two_by_two(t, p) * (t.sum() * p.sum()).sqrt(), both=True
            ),
            "Pearson's correlation": mean_over_classes(
                activation, lambda t, p: torch.corrcoef(torch.stack([t, p]))[0, 1], both=True
            ),
        }
        for name, activation in (
            ("soft_matthews_correlation", softmax),
            ("sigmoid_matthews_correlation", torch.sigmoid),
        )
    },
}
