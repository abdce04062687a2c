"""The spherical score, a proper score beside the logarithmic and the quadratic one."""

import torch
import torch.nn.functional as F

from lossassay.arrays import IntegerLabels, PerExample, Scores


def spherical_score(scores: Scores, labels: IntegerLabels) -> PerExample:
    r"""One minus the spherical score: one minus the cosine of the angle between probabilities and the true class.

    :math:`1-p_y/\lVert p\rVert_2` with p = softmax(z) (Good 1971; Gneiting and Raftery 2007, JASA 102:359, who
    call what follows the minus sign the score). Proper: in the mean over labels it is least at their true
    probabilities. Computed in log space.

    Args:
        scores: Logits z, [B K].
        labels: Class index y, [B], from 0 to K - 1.

    Returns:
        Per example, [B], from 0 to 1.

    Example:
        >>> spherical_score(torch.zeros(1, 4), torch.tensor([0]))
        tensor([0.5000])
    """
    index = labels[:, None].long()
    others = (2 * scores).scatter(-1, index, -torch.inf).logsumexp(dim=-1)  # log of the sum of their e^2z  [B]
    # log(p_y / |p|) is -log(1 + others / e^2z_y) / 2, which keeps its digits where the true class takes all
    return -torch.expm1(0.5 * F.logsigmoid(2 * scores.gather(-1, index).squeeze(-1) - others))
