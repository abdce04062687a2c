"""Distribution-balanced loss, for findings of very different frequency that occur together."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lossassay.arrays import DenseLabels, PerExample, Scores
from lossassay.losses.masks import known_and_filled, mean_over_known


def distribution_balanced(
    scores: Scores,
    labels: DenseLabels,
    *,
    class_counts: Float[Tensor, " classes"],
    map_alpha: float = 0.1,
    map_beta: float = 10.0,
    map_mu: float = 0.2,
    neg_scale: float = 2.0,
    init_bias: float = 0.05,
    gamma: float = 2.0,
    focal_scale: float = 2.0,
    num_images: int | None = None,
) -> PerExample:
    r"""Re-balanced and negative-tolerant binary cross-entropy with focusing, mean over classes.

    :math:`\frac{a}{K}\sum_c w_c [t_c(1-s_c)^\gamma\,\mathrm{softplus}(-u_c) + (1-t_c)\bar s_c^\gamma\,
    \mathrm{softplus}(\lambda u_c)/\lambda]` with :math:`u_c=z_c-\frac\kappa\lambda\log(N/n_c-1)`,
    :math:`s=\mathrm{sigmoid}(u)`, :math:`\bar s=\mathrm{sigmoid}(\lambda u)`,
    :math:`w_c=\alpha+\mathrm{sigmoid}(\beta(r_c-\mu))` and :math:`r_c=n_c^{-1}/\sum_j t_j n_j^{-1}` (Wu et al. 2020,
    ECCV, arXiv:2007.09654, eq. 3 to 7; the focusing, its scale a and the division by lambda as in the authors' code).
    r says how much more often a class-aware sampler would draw this image than this class alone asks for; where nothing
    is present it is infinite. The authors also sample by class, which a loss cannot do.

    Args:
        scores: Logits z, [B K].
        labels: Rows t of numbers from 0 to 1, [B K]; nan where nothing is known, which leaves that class out.
        class_counts: Images with each finding in the training part, [K].
        map_alpha: alpha, 0 or more: the lowest weight.
        map_beta: beta, 0 or more: how steeply the weights rise.
        map_mu: mu, 0 or more: the r at which they are half way up (0.2 for COCO, 0.3 for VOC).
        neg_scale: lambda, above 0: the higher, the sooner a negative is low enough (2 for COCO, 5 for VOC).
        init_bias: kappa, 0 or more: how far scores are lowered for rare classes.
        gamma: Focusing, 0 or more.
        focal_scale: a, above 0: what everything is multiplied by; the authors' code has 2 with focusing and 1 without.
        num_images: N, images in the training part. None takes the sum of the class counts, which is exact where each
            image has one finding; with the default kappa a factor of two in N moves the scores by 0.02.

    Returns:
        Weighted nats per known class and example, [B], 0 or more.

    Example:
        >>> counts = torch.tensor([2.0, 2.0])
        >>> distribution_balanced(torch.zeros(1, 2), torch.ones(1, 2), class_counts=counts, map_beta=0.0)
        tensor([0.2079])
    """
    precise = torch.promote_types(scores.dtype, torch.float32)  # powers of counts in half precision would be coarse
    counts = class_counts.to(precise)
    known, filled = known_and_filled(labels)
    weights = map_alpha + torch.sigmoid(map_beta * (_rebalance(filled.to(precise), counts) - map_mu))
    bias = _log_odds_against(counts, num_images) * (init_bias / neg_scale)
    moved = scores - bias.to(scores.dtype)
    present = _focused(-moved, gamma)
    absent = _focused(neg_scale * moved, gamma) / neg_scale
    per_class = focal_scale * weights.to(scores.dtype) * (filled * present + (1 - filled) * absent)
    return mean_over_known(per_class, known)


def _rebalance(labels: Tensor, counts: Tensor) -> Tensor:
    """Return r, [B K]: one over the class size, divided by the sum of these over the present classes."""
    sampled = (labels / counts).sum(-1, keepdim=True)  # [B 1]
    return 1 / counts / sampled.clamp_min(torch.finfo(sampled.dtype).tiny)


def _log_odds_against(counts: Tensor, num_images: int | None) -> Tensor:
    """Return log(N / n - 1), [K]; a finding that every image has counts as missing in one of them."""
    total = counts.sum() if num_images is None else counts.new_tensor(num_images)
    inside = counts.minimum(total - 1).clamp_min(0.5)
    return (total / inside - 1).log()


def _focused(against: Tensor, gamma: float) -> Tensor:
    """Return softplus(x) sigmoid(x)^gamma: the cost of scores x that speak against the label."""
    return -torch.exp(gamma * F.logsigmoid(against)) * F.logsigmoid(-against)
