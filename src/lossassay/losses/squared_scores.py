"""Squared errors of the raw scores: no softmax in training."""

from lossassay.arrays import IntegerLabels, PerExample, Scores


def squared_error_on_logits(scores: Scores, labels: IntegerLabels, *, kappa: float = 1.0, m: float = 1.0) -> PerExample:
    r"""Squared error of the scores themselves: the true class's should be M, all others 0.

    :math:`\kappa(z_y-M)^2+\sum_{c\ne y}z_c^2` (Hui and Belkin 2021, ICLR, arXiv:2006.07322, who write k for kappa).
    With kappa = M = 1 it is the squared distance to the one-hot row; they keep these values for few classes, and raise
    them from 42 classes on.

    Args:
        scores: z, [B K]; the largest decides.
        labels: Class index y, [B], from 0 to K - 1.
        kappa: Weight of the true class, 0 or more.
        m: M, 0 or more: what the true class's score should be.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> import torch
        >>> squared_error_on_logits(torch.tensor([[0.5, 1.0, 0.0]]), torch.tensor([0]))
        tensor([1.2500])
    """
    index = labels[:, None].long()
    true = scores.gather(-1, index).squeeze(-1)
    others = scores.scatter(-1, index, 0.0)  # not sum - z_y^2, which cancels where z_y is large
    return kappa * (true - m).square() + others.square().sum(-1)


def squared_error_kornblith(
    scores: Scores, labels: IntegerLabels, *, kappa: float = 9.0, m: float = 60.0, loss_scale: float = 10.0
) -> PerExample:
    r"""Squared error of the scores with the values tuned for a thousand classes.

    :math:`L\,[\kappa(z_y-M)^2+\sum_{c\ne y}z_c^2]` (Kornblith et al. 2021, NeurIPS, arXiv:2010.16402; values as in
    their code, tuned on ImageNet). It is L times `squared_error_on_logits`.

    Args:
        scores: z, [B K]; the largest decides.
        labels: Class index y, [B], from 0 to K - 1.
        kappa: Weight of the true class, 0 or more.
        m: M, 0 or more: what the true class's score should be.
        loss_scale: L, above 0: what everything is multiplied by.

    Returns:
        Per example, [B], 0 or more.

    Example:
        >>> import torch
        >>> squared_error_kornblith(torch.tensor([[60.0, 1.0, 0.0]]), torch.tensor([0]))
        tensor([10.])
    """
    return loss_scale * squared_error_on_logits(scores, labels, kappa=kappa, m=m)
