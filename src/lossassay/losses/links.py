"""How scores become probabilities: each link gives logits, and the softmax (multi-label: sigmoid) of these is meant.

softmax             z
sigmoid             log s(z), so that single-label probabilities are s_c / sum of all s; multi-label: z
one_against_all     as sigmoid, of z - log K
scaled_softmax      scale times the cosine z
normalized_softmax  z / (temperature |z|)
tempered_softmax    log exp_t2(z - lambda), Amid et al. 2019
evidence            log(1 + softplus(z)): the mean of the Dirichlet distribution, Sensoy et al. 2018
cumulative          s(z_k) = P(y > k), from K - 1 scores
conditional         s(z_k) = P(y > k given y >= k), from K - 1 scores
grade               -(z - k)^2 / 2 for grade k, from one score
code_words          minus the squared distance of s(z) to the code words of the grades, from K - 1 scores
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from lossassay.arrays import ClassScores, Scores
from lossassay.catalogue.loss_spec import Link, Task

Hyper = Mapping[str, Any]


def class_logits(
    scores: Scores, *, link: Link, num_classes: int, task: Task, hyper_parameters: Hyper | None = None
) -> ClassScores:
    """Return logits [B K] whose softmax (multi-label: sigmoid) are the probabilities.

    Args:
        scores: As the head puts them out, [B S].
        link: Of the loss.
        num_classes: K.
        task: Single labels and grades compete for a probability of one; findings do not.
        hyper_parameters: Of the loss.
    """
    return link_function(link, task)(scores, num_classes, hyper_parameters or {})


def link_function(link: Link, task: Task) -> Callable[[torch.Tensor, int, Hyper], torch.Tensor]:
    """Return what makes logits [B K] of scores, the number of classes and the hyper-parameters of the loss."""
    return _MULTI_LABEL.get(link, _as_they_are) if task == "multi_label" else _LINKS[link]


def probabilities(
    scores: Scores, *, link: Link, num_classes: int, task: Task, hyper_parameters: Hyper | None = None
) -> ClassScores:
    """Return probabilities [B K], from 0 to 1; the arguments are those of `class_logits`.

    Example:
        >>> probabilities(torch.zeros(1, 2), link="cumulative", num_classes=3, task="ordinal")
        tensor([[0.5000, 0.0000, 0.5000]])
    """
    logits = class_logits(scores, link=link, num_classes=num_classes, task=task, hyper_parameters=hyper_parameters)
    return torch.sigmoid(logits) if task == "multi_label" else torch.softmax(logits, dim=-1)


def _as_they_are(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    return scores


def _sigmoid(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    return F.logsigmoid(scores)  # in log space: no 0 / 0 when all are near 0


def _one_against_all(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    return F.logsigmoid(scores - _log(num_classes))


def _one_against_all_findings(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    return scores - _log(num_classes)


def _scaled(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    factor: float = hyper["scale"] if "scale" in hyper else 1.0 / hyper["temperature"]
    return scores * factor


def _normalized(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    temperature: float = hyper["temperature"]
    return F.normalize(scores, dim=-1) / temperature


def _tempered(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    from lossassay.losses.tempered import log_tempered_softmax  # a cycle otherwise

    return log_tempered_softmax(scores, hyper["t2"])


def _evidence(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    return torch.log1p(F.softplus(scores))


def _cumulative(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    """P(y = k) = P(y > k - 1) - P(y > k); where the order of the thresholds is broken, a difference counts as 0.

    s(a) - s(b) = s(a) s(-b) (1 - e^(b - a)): in log space nothing is lost where both are near 0 or near 1.
    """
    zero = torch.zeros_like(scores[:, :1])
    reached = torch.cat([zero, F.logsigmoid(scores)], dim=-1)  # log P(y > k - 1)  [B K]
    stayed = torch.cat([F.logsigmoid(-scores), zero], dim=-1)  # log(1 - P(y > k))
    fall = (scores[:, :-1] - scores[:, 1:]).clamp_min(0)  # [B K-2]
    between = torch.cat([zero, torch.log(-torch.expm1(-fall)), zero], dim=-1)
    return reached + stayed + between


def _conditional(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    """P(y = k) = (product of s up to k - 1) times (1 - s_k)."""
    zero = torch.zeros_like(scores[:, :1])
    reached = torch.cat([zero, F.logsigmoid(scores).cumsum(-1)], dim=-1)
    stayed = torch.cat([F.logsigmoid(-scores), zero], dim=-1)
    return reached + stayed


def _grade(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    grades = torch.arange(num_classes, device=scores.device, dtype=scores.dtype)
    return -0.5 * (scores - grades).square()


def _code_words(scores: torch.Tensor, num_classes: int, hyper: Hyper) -> torch.Tensor:
    grades = torch.arange(num_classes, device=scores.device)
    words = (grades[:, None] > grades[None, :-1]).to(scores)  # [K K-1]: 1 where the grade is above
    return -(torch.sigmoid(scores)[:, None, :] - words).square().sum(-1)


def _log(number: int) -> float:
    return float(torch.tensor(number, dtype=torch.float64).log())


_LINKS: dict[Link, Callable[[torch.Tensor, int, Hyper], torch.Tensor]] = {
    "softmax": _as_they_are,
    "sigmoid": _sigmoid,
    "one_against_all": _one_against_all,
    "scaled_softmax": _scaled,
    "normalized_softmax": _normalized,
    "tempered_softmax": _tempered,
    "evidence": _evidence,
    "cumulative": _cumulative,
    "conditional": _conditional,
    "grade": _grade,
    "code_words": _code_words,
}
_MULTI_LABEL: dict[Link, Callable[[torch.Tensor, int, Hyper], torch.Tensor]] = {
    "one_against_all": _one_against_all_findings,
}
