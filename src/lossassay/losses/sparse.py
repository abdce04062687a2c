"""Fenchel-Young losses of Tsallis entropies: what they predict has exact zeros.

Each belongs to a map from scores to probabilities in the way in which cross-entropy belongs to softmax: the gradient is
the map's prediction minus the label. Where the true class is ahead by enough, value and gradient are exactly 0.
"""

import torch

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.losses.cross_entropy import sparse_categorical_crossentropy

_HALVINGS = 54  # as many as float64 has digits


def sparsemax(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Loss of the Euclidean projection onto the probabilities.

    :math:`-z_y+\frac12\sum_{c:p_c>0}(z_c^2-\tau^2)+\frac12` with :math:`p=[z-\tau]_+` that sums to one (Martins and
    Astudillo 2016, ICML). Computed as :math:`\frac12\lVert p-t\rVert^2+[\tau-z_y]_+`, which is the same and
    loses no digits.

    Args:
        scores: Scores z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], 0 or more; 0 where the true class is ahead by 1.

    Example:
        >>> sparsemax(torch.tensor([[0.5, 0.0], [3.0, 0.0]]), torch.tensor([0, 0]))
        tensor([0.0625, 0.0000])
    """
    index = labels[:, None].long()
    shifted = _shifted(scores)  # [B K]
    ordered = shifted.sort(dim=-1, descending=True).values
    size = _sizes(ordered)  # 1 .. K
    taus = (ordered.cumsum(dim=-1) - 1) / size  # tau if the first 1, 2, ... classes have p > 0
    tau = _at_support(taus, ordered > taus)  # [B 1]
    p = torch.relu(shifted - tau)
    error = p.scatter_add(-1, index, -torch.ones_like(tau))
    missing = torch.relu(tau - shifted.gather(-1, index)).squeeze(-1)
    return (0.5 * error.square().sum(dim=-1) + missing).to(scores.dtype)


def entmax15(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""Loss half-way between those of softmax and sparsemax.

    :math:`\max_q\left[\langle q,z\rangle-\frac43\left(\sum_cq_c^{3/2}-1\right)\right]-z_y` over probabilities q; the
    best one is :math:`p=[z/2-\tau]_+^2` (Peters et al. 2019, ACL). Computed as
    :math:`\frac23\left[\sum_{c\ne y}u_c^3+(1-u_y)^2(2+u_y)\right]+[2\tau-z_y]_+` with :math:`u=\sqrt p`.

    Args:
        scores: Scores z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], 0 or more; 0 where the true class is ahead by 2.

    Example:
        >>> entmax15(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 0]))
        tensor([0.3905, 0.0000])
    """
    index = labels[:, None].long()
    half = _shifted(scores) / 2  # [B K]
    ordered = half.sort(dim=-1, descending=True).values
    size = _sizes(ordered)  # 1 .. K
    mean = ordered.cumsum(dim=-1) / size
    spread = ordered.square().cumsum(dim=-1) - size * mean.square()
    room = (1 - spread) / size  # squared distance of tau to the mean of the first 1, 2, ... classes
    taus = mean - torch.where(room > 0, room, 1.0).sqrt() * (room > 0)
    tau = _at_support(taus, (ordered > taus) & (room > 0))  # [B 1]
    root = torch.relu(half - tau)  # u
    root_true = root.gather(-1, index).squeeze(-1)
    others = (root**3).scatter(-1, index, 0.0).sum(dim=-1)
    missing = torch.relu(2 * (tau - half.gather(-1, index))).squeeze(-1)
    return (2 / 3 * (others + (1 - root_true).square() * (2 + root_true)) + missing).to(scores.dtype)


def fenchel_young(scores: Scores, labels: IntegerLabels, *, alpha: float = 1.5) -> PerExample:
    r"""Fenchel-Young loss of the Tsallis entropy of any order from 1 to 2.

    :math:`\Omega^*(z)+\Omega(t)-\langle t,z\rangle` with :math:`\Omega(q)=\frac{\sum_cq_c^\alpha-1}{\alpha(\alpha-1)}`
    over probabilities q (Blondel et al. 2020, JMLR). For :math:`\alpha\to1` Omega is minus Shannon's
    entropy and the loss cross-entropy; 1.5 is `entmax15`, 2 is `sparsemax`.

    Args:
        scores: Scores z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        alpha: Order of the entropy, from 1 to 2; the larger, the more zeros.

    Returns:
        Per example, [B], 0 or more; 0 where the true class is ahead by 1 / (alpha - 1).

    Example:
        >>> fenchel_young(torch.tensor([[0.5, 0.0]]), torch.tensor([0]), alpha=2.0)
        tensor([0.0625])
    """
    if alpha == 1:
        return sparse_categorical_crossentropy(scores, labels)
    power, index = alpha - 1, labels[:, None].long()
    shifted = _shifted(scores)  # [B K]
    theta = _threshold(shifted, power)  # [B 1]; p = [1 + power (z - theta)]^(1 / power)
    log_p, inside = _log_tsallis(shifted - theta, power)
    behind = (theta - shifted.gather(-1, index)).squeeze(-1)  # [B]
    minus_log = behind.clamp_max(1 / power)  # of the true class, in the entropy's own logarithm: (1 - p^power) / power
    others = torch.where(inside, torch.exp(alpha * log_p), 0.0).scatter(-1, index, 0.0).sum(dim=-1)
    p_true = torch.where(inside, log_p.exp(), 0.0).gather(-1, index).squeeze(-1)
    missing = torch.relu(behind - 1 / power)
    below_one = p_true * (1 - power * minus_log) - 1  # p_y^alpha - 1
    return ((others + below_one) / alpha + minus_log + missing).to(scores.dtype)


def _threshold(shifted: torch.Tensor, power: float) -> torch.Tensor:
    """Return theta, [B 1]: halvings, then a Newton step whose gradient is that of the root, p^(1 - power) / its sum."""
    fixed = shifted.detach()
    low = torch.zeros_like(fixed[..., :1])  # there p of the largest score is 1, so that the sum is 1 or more
    high = low + (1 - shifted.shape[-1] ** -power) / power  # there no p is above 1 / K
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        log_p, inside = _log_tsallis(fixed - middle, power)
        too_much = torch.where(inside, log_p.exp(), 0.0).sum(dim=-1, keepdim=True) > 1
        low, high = torch.where(too_much, middle, low), torch.where(too_much, high, middle)
    log_p, inside = _log_tsallis(shifted - low, power)
    total = torch.where(inside, log_p.exp(), 0.0).sum(dim=-1, keepdim=True)
    slope = torch.where(inside, torch.exp((1 - power) * log_p), 0.0).sum(dim=-1, keepdim=True).detach()
    return low + (total - 1) / slope


def _log_tsallis(distance: torch.Tensor, power: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log p, 0 where p is 0, and where it is not; p = (1 + power distance)^(1 / power)."""
    inside = power * distance > -1
    return torch.log1p(torch.where(inside, power * distance, 0.0)) / power, inside


def _shifted(scores: torch.Tensor) -> torch.Tensor:
    """Return scores minus the largest, in single precision at least; what is subtracted cancels in the result."""
    precise = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return precise - precise.amax(dim=-1, keepdim=True).detach()


def _sizes(ordered: torch.Tensor) -> torch.Tensor:
    return torch.arange(1, ordered.shape[-1] + 1, dtype=ordered.dtype, device=ordered.device)


def _at_support(values: torch.Tensor, holds: torch.Tensor) -> torch.Tensor:
    """Return the value of the largest support; ``holds`` is true for the first ones and false for the rest."""
    return values.gather(-1, holds.sum(dim=-1, keepdim=True) - 1)
