"""Losses on cosines with a margin for the true class, and one that pulls features to the centre of their class."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lossassay.arrays import IntegerLabels, PerExample, Scores
from lossassay.losses.cross_entropy import sparse_categorical_crossentropy

Features = Float[Tensor, "batch features"]
Centres = Float[Tensor, "classes features"]


def normalized_softmax(scores: Scores, labels: IntegerLabels, *, temperature: float = 0.05) -> PerExample:
    r"""Cross-entropy of cosines divided by a temperature.

    :math:`-\log\mathrm{softmax}(z/\tau)_y` with z the cosines of the angles between features and class weights (Zhai
    and Wu 2019, BMVC, arXiv:1811.12649; Kornblith et al. 2021, arXiv:2010.16402, call it cosine softmax; both
    take tau = 0.05).

    Args:
        scores: Cosines z, [B K], from -1 to 1.
        labels: Class index y, [B], from 0 to K - 1.
        temperature: tau, above 0.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> normalized_softmax(torch.zeros(1, 4), torch.tensor([0]))
        tensor([1.3863])
    """
    return sparse_categorical_crossentropy(_precise(scores) / temperature, labels).to(scores.dtype)


def cosface(scores: Scores, labels: IntegerLabels, *, margin: float = 0.35, scale: float = 64.0) -> PerExample:
    r"""Cross-entropy of scaled cosines, of which the true one is lowered by a margin.

    :math:`-\log\frac{e^{s(z_y-m)}}{e^{s(z_y-m)}+\sum_{c\ne y}e^{sz_c}}` with z the cosines of the angles between
    features and class weights (Wang et al. 2018, CVPR, arXiv:1801.09414, eq. 4). Decisions are taken without margin.

    Args:
        scores: Cosines z, [B K], from -1 to 1.
        labels: Class index y, [B], from 0 to K - 1.
        margin: m, 0 or more, in units of the cosine.
        scale: s, what the cosines are multiplied by.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> cosface(torch.zeros(1, 4), torch.tensor([0]), margin=0.5, scale=2.0)
        tensor([2.2143])
    """
    cosines, index = _precise(scores), labels[:, None].long()
    lowered = cosines.scatter(-1, index, cosines.gather(-1, index) - margin)
    return sparse_categorical_crossentropy(scale * lowered, labels).to(scores.dtype)


def arcface(scores: Scores, labels: IntegerLabels, *, margin_radians: float = 0.5, scale: float = 64.0) -> PerExample:
    r"""Cross-entropy of scaled cosines, the angle to the true class widened by a margin.

    :math:`-\log\frac{e^{s\psi(\theta_y)}}{e^{s\psi(\theta_y)}+\sum_{c\ne y}e^{s\cos\theta_c}}` with
    :math:`\psi(\theta)=\cos(\theta+m)` (Deng et al. 2019, CVPR, arXiv:1801.07698, eq. 3). Beyond
    :math:`\theta=\pi-m` that would rise again, and pull features to the wrong side; there
    :math:`\psi(\theta)=\cos\theta+\cos m-1`, which joins without a step and keeps falling. The angle is never computed:
    its derivative is infinite at cosines of 1 and -1, where ours is that of the first term of
    :math:`\cos\theta\cos m-\sin\theta\sin m`. Decisions are taken without margin.

    Args:
        scores: Cosines of theta, [B K], from -1 to 1.
        labels: Class index y, [B], from 0 to K - 1.
        margin_radians: m, from 0 to pi / 2; 0.5 radians are 28.6 degrees.
        scale: s, what the cosines are multiplied by.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> arcface(torch.zeros(1, 4), torch.tensor([0]), margin_radians=0.5, scale=2.0)
        tensor([2.1777])
    """
    cosines, index = _precise(scores), labels[:, None].long()
    widened = cosines.scatter(-1, index, _cosine_of_wider_angle(cosines.gather(-1, index), margin_radians))
    return sparse_categorical_crossentropy(scale * widened, labels).to(scores.dtype)


def subcenter_arcface(
    scores: Scores, labels: IntegerLabels, *, margin_radians: float = 0.5, scale: float = 64.0
) -> PerExample:
    r"""ArcFace with several weights for each class, of which the nearest counts.

    :math:`-\log\frac{e^{s\psi(\theta_y)}}{e^{s\psi(\theta_y)}+\sum_{c\ne y}e^{s\cos\theta_c}}` with
    :math:`\theta_c=\min_j\theta_{cj}` over the weights j of class c and :math:`\psi` as in `arcface` (Deng et al. 2020,
    ECCV). A class may then consist of several kinds of images, and wrong labels gather at one of the weights.

    Args:
        scores: Cosines of the smallest angle to each class, [B K], from -1 to 1, as the head gives them.
        labels: Class index y, [B], from 0 to K - 1.
        margin_radians: m, from 0 to pi / 2; 0.5 radians are 28.6 degrees.
        scale: s, what the cosines are multiplied by.

    Returns:
        Nats per example, [B], 0 or more.

    Example:
        >>> subcenter_arcface(torch.zeros(1, 4), torch.tensor([0]), margin_radians=0.5, scale=2.0)
        tensor([2.1777])
    """
    return arcface(scores, labels, margin_radians=margin_radians, scale=scale)


def center_loss(
    scores: Scores, labels: IntegerLabels, *, features: Features, centres: Centres, centre_weight: float = 0.003
) -> PerExample:
    r"""Cross-entropy, and half the squared distance of the features to the centre of their class.

    :math:`-\log p_y+\frac\lambda2\lVert h-c_y\rVert^2` with p = softmax(z) (Wen et al. 2016, ECCV, eq. 2 and 5). The
    centres are learnt by their gradient like all other weights. The paper moves them by a rule of its own, eq. 4:
    towards the batch's features of their class by alpha = 0.5 times the sum of the differences over one more than their
    number, whatever lambda and the learning rate.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.
        features: h, what the last layer was given, [B F].
        centres: c, one point for each class, [K F].
        centre_weight: lambda, 0 or more; 0 is cross-entropy.

    Returns:
        Nats and squared distance per example, [B], 0 or more.

    Example:
        >>> center_loss(torch.zeros(1, 4), torch.tensor([0]), features=torch.ones(1, 2), centres=-torch.ones(4, 2))
        tensor([1.3983])
    """
    distance = (features - centres[labels.long()]).square().sum(-1)
    return sparse_categorical_crossentropy(scores, labels) + (0.5 * centre_weight * distance).to(scores.dtype)


def _cosine_of_wider_angle(cosine: Tensor, margin: float) -> Tensor:
    """Return psi of `arcface` from cos(theta)."""
    square = (1 - cosine) * (1 + cosine)
    inside = square > 0  # cosines of the head may be 1 and a rounding error
    sine = torch.where(inside, torch.where(inside, square, 1.0).sqrt(), 0.0)
    turned = cosine * math.cos(margin) - sine * math.sin(margin)
    return torch.where(cosine > -math.cos(margin), turned, cosine + (math.cos(margin) - 1))


def _precise(scores: Tensor) -> Tensor:
    """Return scores in single precision at least: 64 times the rounding error of a cosine in half precision is 0.1."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
