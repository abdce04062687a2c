"""Independent values and wrong versions of cross-entropy with something added, smoothed or bent."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.losses.families.common import Tensor, clamped_log, one_hot, true_class

import keras  # isort: skip  # after its backend is chosen


def _keras_cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    return keras.losses.sparse_categorical_crossentropy(y, z, from_logits=True)


def _by_example(z: Tensor, y: Tensor, value: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Value of (probabilities of one example, its label), example by example."""
    return torch.stack([value(row.exp() / sum(row.exp()), int(label)) for row, label in zip(z, y, strict=True)])


def _in_loops(z: Tensor, value: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Value of the scores of one example, example by example."""
    return torch.stack([value(list(row)) for row in z])


def _logit_normalization(z: Tensor, y: Tensor, temperature: float) -> Tensor:
    lengths = _in_loops(z, lambda row: sum(score**2 for score in row) ** 0.5)
    return _by_example(z / (temperature * lengths[:, None]), y, lambda p, label: -p[label].log())


def _head_penalty(z: Tensor, y: Tensor, head_weight: Tensor, lambda_: float) -> Tensor:
    penalty = keras.regularizers.L2(lambda_ / 2)(head_weight) if lambda_ else 0.0
    return _keras_cross_entropy(z, y) + penalty


def _focused(p: Tensor, label: int, hard: float, easy: float, threshold: float) -> Tensor:
    gamma = hard if float(p[label].detach()) < threshold else easy
    return -((1 - p[label]) ** gamma) * p[label].log()


def _asymmetric(p: Tensor, label: int, gamma_pos: float, gamma_neg: float, epsilon: float) -> Tensor:
    total = p[0] * 0
    for c in range(len(p)):
        share = epsilon / len(p) + (1 - epsilon) * (c == label)
        focus = (1 - p[c]) ** gamma_pos if c == label else p[c] ** gamma_neg
        total = total - share * focus * p[c].log()
    return total


def _hardest(z: Tensor, y: Tensor, k: float) -> Tensor:
    values = list(_keras_cross_entropy(z, y))
    order = sorted(range(len(values)), key=lambda b: -float(values[b].detach()))
    chosen = order[: max(1, math.floor(round(k * len(values), 6)))]
    return torch.stack([values[b] * (len(values) / len(chosen) if b in chosen else 0.0) for b in range(len(values))])


def _divergence(a: list[Tensor], b: list[Tensor]) -> Tensor:
    return sum(x * (x / y).log() for x, y in zip(a, b, strict=True) if float(x.detach()) > 0)


def _jensen_shannon(p: Tensor, label: int, pi: float) -> Tensor:
    if pi == 0:
        return -p[label].log()
    t = [torch.tensor(float(c == label), dtype=p.dtype) for c in range(len(p))]
    m = [pi * a + (1 - pi) * b for a, b in zip(t, p, strict=True)]
    return (pi * _divergence(t, m) + (1 - pi) * _divergence(list(p), m)) / -((1 - pi) * math.log(1 - pi))


def _exp_t(x: Tensor, t: float) -> Tensor:
    return x.exp() if t == 1 else (1 + (1 - t) * x) ** (1 / (1 - t))


def fixed_point_softmax(z: Tensor, t2: float, iterations: int) -> Tensor:
    """Algorithm 1 of Amid et al. 2019; the gradient goes through all iterations."""
    start = z - z.max(-1, keepdim=True).values
    moved = start
    for _ in range(iterations):
        moved = _exp_t(moved, t2).sum(-1, keepdim=True) ** (1 - t2) * start
    total = _exp_t(moved, t2).sum(-1, keepdim=True)
    shift = total.log() if t2 == 1 else -((1 / total) ** (1 - t2) - 1) / (1 - t2)
    return _exp_t(start - shift, t2)


def _bi_tempered(z: Tensor, y: Tensor, t1: float, t2: float) -> Tensor:
    p, t = fixed_point_softmax(z, t2, 2000), one_hot(y, z.shape[1])
    if t1 == 1:
        return -(t * p.log()).sum(-1)
    first = t * ((1 - p ** (1 - t1)) / (1 - t1))
    return (first - (t ** (2 - t1) - p ** (2 - t1)) / (2 - t1)).sum(-1)


ORACLES: dict[str, Callable[..., Tensor]] = {
    "label_smoothing": lambda z, y, epsilon: F.cross_entropy(z, y.long(), label_smoothing=epsilon, reduction="none"),
    "confidence_penalty": lambda z, y, beta: _by_example(
        z, y, lambda p, label: -p[label].log() - beta * sum(-q * q.log() for q in p)
    ),
    "maxsup": lambda z, y, alpha: (
        _keras_cross_entropy(z, y) + alpha * _in_loops(z, lambda row: max(row) - sum(row) / len(row))
    ),
    "logit_penalty": lambda z, y, beta: (
        _keras_cross_entropy(z, y) + _in_loops(z, lambda row: sum(beta * score * score / 2 for score in row))
    ),
    "logit_normalization": _logit_normalization,
    "final_layer_penalty": _head_penalty,
    "penultimate_dropout": _keras_cross_entropy,
    "poly1": lambda z, y, epsilon: (
        _keras_cross_entropy(z, y) + epsilon * _by_example(z, y, lambda p, label: 1 - p[label])
    ),
    "taylor_cross_entropy": lambda z, y, order: _by_example(
        z, y, lambda p, label: sum((1 - p[label]) ** k / k for k in range(1, order + 1))
    ),
    "focal_sample_dependent": lambda z, y, gamma_hard, gamma_easy, threshold: _by_example(
        z, y, lambda p, label: _focused(p, label, gamma_hard, gamma_easy, threshold)
    ),
    "asymmetric_single_label": lambda z, y, gamma_pos, gamma_neg, epsilon: _by_example(
        z, y, lambda p, label: _asymmetric(p, label, gamma_pos, gamma_neg, epsilon)
    ),
    "sigmoid_one_vs_all": lambda z, t: keras.ops.binary_crossentropy(t, z - math.log(z.shape[1]), from_logits=True).sum(
        -1
    ),
    "top_k_cross_entropy": _hardest,
    "kl_divergence": lambda z, t: F.kl_div(F.log_softmax(z, -1), t, reduction="none").sum(-1),
    "jensen_shannon": lambda z, y, pi: _by_example(z, y, lambda p, label: _jensen_shannon(p, label, pi)),
    "bi_tempered": _bi_tempered,
}


def _nats(z: Tensor, y: Tensor) -> Tensor:
    return -true_class(F.log_softmax(z, -1), y)


def _p_true(z: Tensor, y: Tensor) -> Tensor:
    return true_class(F.softmax(z, -1), y)


def _entropy(z: Tensor) -> Tensor:
    return -(F.softmax(z, -1) * F.log_softmax(z, -1)).sum(-1)


def smoothed_over_the_others(z: Tensor, y: Tensor, epsilon: float) -> Tensor:
    """What is spread goes to the K - 1 other classes alone."""
    log_p = F.log_softmax(z, -1)
    others = log_p.sum(-1) - true_class(log_p, y)
    return -(1 - epsilon) * true_class(log_p, y) - epsilon / (z.shape[1] - 1) * others


def mean_of_the_batch_in_each_example(z: Tensor, y: Tensor, alpha: float) -> Tensor:
    """Defect of torch-uncertainty 0.13 with reduction='none'."""
    return _nats(z, y).mean() + alpha * (z.amax(-1) - z.mean(-1))


def few_iterations(z: Tensor, y: Tensor, t1: float, t2: float, *, iterations: int = 5) -> Tensor:
    """The authors' code stops after 5: the probabilities do not yet sum to one."""
    p, t = fixed_point_softmax(z, t2, iterations), one_hot(y, z.shape[1])
    first = t * ((1 - p ** (1 - t1)) / (1 - t1))
    return (first - (t - p ** (2 - t1)) / (2 - t1)).sum(-1)


def _bent(z: Tensor, y: Tensor, t1: float, t2: float, *, detach: bool = False, second: bool = True) -> Tensor:
    p = fixed_point_softmax(z, t2, 200)
    if detach:
        with torch.no_grad():
            shift = z - ((p ** (1 - t2) - 1) / (1 - t2))
        p = _exp_t(z - shift, t2)
    value = (1 - true_class(p, y) ** (1 - t1)) / (1 - t1)
    return value - (1 - (p ** (2 - t1)).sum(-1)) / (2 - t1) if second else value


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "label_smoothing": {
        "spread over the others alone": smoothed_over_the_others,
        "divided by 1 - epsilon, as Kornblith et al.": lambda z, y, epsilon: (
            F.cross_entropy(z, y.long(), label_smoothing=epsilon, reduction="none") / (1 - epsilon)
        ),
        "added to a whole label": lambda z, y, epsilon: _nats(z, y) - epsilon * F.log_softmax(z, -1).mean(-1),
        "sum in place of mean": lambda z, y, epsilon: (
            (1 - epsilon) * _nats(z, y) - epsilon * F.log_softmax(z, -1).sum(-1)
        ),
    },
    "confidence_penalty": {
        "entropy charged": lambda z, y, beta: _nats(z, y) + beta * _entropy(z),
        "entropy without a gradient": lambda z, y, beta: _nats(z, y) - beta * _entropy(z).detach(),
        "divergence from even to predicted, which is label smoothing": lambda z, y, beta: (
            _nats(z, y) + beta * (-F.log_softmax(z, -1).mean(-1) - math.log(z.shape[1]))
        ),
        "1e-6 in the logarithm, as torch-uncertainty": lambda z, y, beta: (
            _nats(z, y) + beta * (F.softmax(z, -1) * (F.softmax(z, -1) + 1e-6).log()).sum(-1)
        ),
    },
    "maxsup": {
        "true class in place of the largest, which is label smoothing": lambda z, y, alpha: (
            _nats(z, y) + alpha * (true_class(z, y) - z.mean(-1))
        ),
        "mean of the batch": mean_of_the_batch_in_each_example,
        "largest score alone": lambda z, y, alpha: _nats(z, y) + alpha * z.amax(-1),
        "largest probability": lambda z, y, alpha: _nats(z, y) + alpha * (F.softmax(z, -1).amax(-1) - 1 / z.shape[1]),
    },
    "logit_penalty": {
        "no half": lambda z, y, beta: _nats(z, y) + beta * z.square().sum(-1),
        "mean over classes": lambda z, y, beta: _nats(z, y) + beta / 2 * z.square().mean(-1),
        "length in place of its square": lambda z, y, beta: _nats(z, y) + beta / 2 * z.norm(dim=-1),
        "logarithms of probabilities": lambda z, y, beta: (
            _nats(z, y) + beta / 2 * F.log_softmax(z, -1).square().sum(-1)
        ),
    },
    "logit_normalization": {
        "a temperature of 1, as the code of Wei et al.": lambda z, y, temperature: _nats(F.normalize(z, dim=-1), y),
        "length without a gradient": lambda z, y, temperature: _nats(
            z / (temperature * z.norm(dim=-1, keepdim=True).detach()), y
        ),
        "length over the batch": lambda z, y, temperature: _nats(F.normalize(z, dim=0) / temperature, y),
        "multiplied by the temperature": lambda z, y, temperature: _nats(F.normalize(z, dim=-1) * temperature, y),
    },
    "final_layer_penalty": {
        "no half": lambda z, y, head_weight, lambda_: _nats(z, y) + lambda_ * head_weight.square().sum(),
        "mean of the squares": lambda z, y, head_weight, lambda_: (
            _nats(z, y) + lambda_ / 2 * head_weight.square().mean()
        ),
        "scores in place of weights": lambda z, y, head_weight, lambda_: _nats(z, y) + lambda_ / 2 * z.square().sum(-1),
    },
    "penultimate_dropout": {
        "dropped in the scores": lambda z, y: _nats(z * (torch.arange(z.shape[1]) != 1), y),
        "scaled once more": lambda z, y: _nats(z / 0.7, y),
    },
    "poly1": {
        "ludwig's default": lambda z, y, epsilon: _nats(z, y) + 1 - _p_true(z, y),
        "p in place of 1 - p": lambda z, y, epsilon: _nats(z, y) + epsilon * _p_true(z, y),
        "without a gradient": lambda z, y, epsilon: _nats(z, y) + epsilon * (1 - _p_true(z, y)).detach(),
        "probabilities before the logarithm": lambda z, y, epsilon: (
            -true_class(clamped_log(F.softmax(z, -1)), y) + epsilon * (1 - _p_true(z, y))
        ),
    },
    "taylor_cross_entropy": {
        "one term": lambda z, y, order: 1 - _p_true(z, y),
        "one term too many": lambda z, y, order: sum((1 - _p_true(z, y)) ** k / k for k in range(1, order + 2)),
        "not divided by k": lambda z, y, order: sum((1 - _p_true(z, y)) ** k for k in range(1, order + 1)),
        "divided by k factorial": lambda z, y, order: sum(
            (1 - _p_true(z, y)) ** k / math.factorial(k) for k in range(1, order + 2)
        ),
    },
    "focal_sample_dependent": {
        "hard and easy exchanged": lambda z, y, gamma_hard, gamma_easy, threshold: (
            (1 - (p := _p_true(z, y))) ** torch.where(p < threshold, gamma_easy, gamma_hard) * _nats(z, y)
        ),
        "threshold of 1 - p": lambda z, y, gamma_hard, gamma_easy, threshold: (
            (1 - (p := _p_true(z, y))) ** torch.where(1 - p < threshold, gamma_hard, gamma_easy) * _nats(z, y)
        ),
        "chosen by the batch": lambda z, y, gamma_hard, gamma_easy, threshold: (
            (1 - (p := _p_true(z, y))) ** torch.where(p.mean() < threshold, gamma_hard, gamma_easy) * _nats(z, y)
        ),
        "factor without a gradient": lambda z, y, gamma_hard, gamma_easy, threshold: (
            (1 - (p := _p_true(z, y).detach())) ** torch.where(p < threshold, gamma_hard, gamma_easy) * _nats(z, y)
        ),
    },
    "asymmetric_single_label": {
        "timm's default": lambda z, y, gamma_pos, gamma_neg, epsilon: _by_example(
            z, y, lambda p, label: _asymmetric(p, label, 1.0, gamma_neg, epsilon)
        ),
        "gammas exchanged": lambda z, y, gamma_pos, gamma_neg, epsilon: _by_example(
            z, y, lambda p, label: _asymmetric(p, label, gamma_neg, gamma_pos, epsilon)
        ),
        "spread over the others alone": lambda z, y, gamma_pos, gamma_neg, epsilon: (
            (1 - epsilon) * _nats(z, y)
            - epsilon
            / (z.shape[1] - 1)
            * (F.softmax(z, -1) ** gamma_neg * F.log_softmax(z, -1) * (1 - one_hot(y, z.shape[1]))).sum(-1)
        ),
        "no smoothing": lambda z, y, gamma_pos, gamma_neg, epsilon: (1 - _p_true(z, y)) ** gamma_pos * _nats(z, y),
    },
    "sigmoid_one_vs_all": {
        "mean over classes": lambda z, t: F.binary_cross_entropy_with_logits(
            z - math.log(z.shape[1]), t, reduction="none"
        ).mean(-1),
        "no offset": lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="none").sum(-1),
        "offset added": lambda z, t: F.binary_cross_entropy_with_logits(
            z + math.log(z.shape[1]), t, reduction="none"
        ).sum(-1),
        "the true class alone": lambda z, t: -(t * F.logsigmoid(z - math.log(z.shape[1]))).sum(-1),
    },
    "top_k_cross_entropy": {
        "the easiest": lambda z, y, k: (
            (v := _nats(z, y)) * len(v) * torch.zeros_like(v).scatter(0, v.topk(1, largest=False).indices, 1.0)
        ),
        "shares not scaled up": lambda z, y, k: (
            (v := _nats(z, y)) * torch.zeros_like(v).scatter(0, v.topk(max(1, int(k * len(v)))).indices, 1.0)
        ),
        "k is ignored": lambda z, y, k: _nats(z, y),
        "rounded down to none, as nnU-Net": lambda z, y, k: (
            (v := _nats(z, y)) * (len(v) / n if (n := int(k * len(v))) else torch.nan) * (v >= v.topk(1).values)
        ),
    },
    "kl_divergence": {
        "directions exchanged": lambda z, t: (F.softmax(z, -1) * (F.log_softmax(z, -1) - clamped_log(t))).sum(-1),
        "mean over classes, as torch's default": lambda z, t: F.kl_div(F.log_softmax(z, -1), t, reduction="none").mean(
            -1
        ),
        "clipped, as keras": lambda z, t: keras.losses.kl_divergence(t, F.softmax(z, -1)),
        "nan where the label is 0": lambda z, t: (t * (t.log() - F.log_softmax(z, -1))).sum(-1),
    },
    "jensen_shannon": {
        "not scaled": lambda z, y, pi: (
            -(1 - pi) * math.log(1 - pi) * _by_example(z, y, lambda p, label: _jensen_shannon(p, label, pi))
        ),
        "weights exchanged in the scale": lambda z, y, pi: (
            _by_example(z, y, lambda p, label: _jensen_shannon(p, label, pi))
            * ((1 - pi) * math.log(1 - pi))
            / (pi**2 * math.log(pi))
        ),
        "divergence of the label alone": lambda z, y, pi: (
            -pi * (pi + (1 - pi) * _p_true(z, y)).log() / -((1 - pi) * math.log(1 - pi))
        ),
        "mixture without a gradient": lambda z, y, pi: (
            -pi * (pi + (1 - pi) * _p_true(z, y).detach()).log() / -((1 - pi) * math.log(1 - pi)) - _entropy(z)
        ),
    },
    "bi_tempered": {
        "five iterations": few_iterations,
        "normaliser without a gradient": lambda z, y, t1, t2: _bent(z, y, t1, t2, detach=True),
        "logarithm alone": lambda z, y, t1, t2: _bent(z, y, t1, t2, second=False),
        "temperatures exchanged": lambda z, y, t1, t2: _bent(z, y, t2, t1 + 0.21),
        "plain softmax": lambda z, y, t1, t2: (
            (1 - (p := F.softmax(z, -1)).gather(-1, y[:, None].long()).squeeze(-1) ** (1 - t1)) / (1 - t1)
            - (1 - (p ** (2 - t1)).sum(-1)) / (2 - t1)
        ),
    },
}
