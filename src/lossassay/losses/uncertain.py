"""Findings that a report calls uncertain: -1 in CheXpert and MIMIC-CXR labels."""

import torch

from lossassay.arrays import DenseLabels
from lossassay.errors import LabelError, unknown_name

POLICIES = {"ignore": float("nan"), "zeros": 0.0, "ones": 1.0}


def apply_policy(labels: DenseLabels, policy: str) -> DenseLabels:
    """Return labels in which the uncertain ones are taken as the policy says.

    The policies U-Ignore, U-Zeros and U-Ones of Irvin et al. 2019 (AAAI, arXiv:1901.07031). With U-Ignore an uncertain
    label becomes an unknown one, which every multi-label loss leaves out. Their other two are not covered:
    U-SelfTrained needs a second training with the first network's answers, U-MultiClass three outputs for each finding.
    A study file says the same by ``data.uncertain``.

    Args:
        labels: Rows of numbers from 0 to 1, -1 for uncertain and nan for unknown, [B K].
        policy: ``"ignore"``, ``"zeros"`` or ``"ones"``.

    Returns:
        Rows of numbers from 0 to 1 and nan, [B K], in the type of the labels.

    Raises:
        UnknownNameError: If there is no such policy.
        LabelError: If a label is something else.

    Example:
        >>> apply_policy(torch.tensor([[1.0, -1.0, torch.nan]]), "zeros")
        tensor([[1., 0., nan]])
    """
    if policy not in POLICIES:
        raise unknown_name("policy for uncertain labels", policy, POLICIES)
    uncertain = labels == -1
    fits = uncertain | torch.isnan(labels) | ((labels >= 0) & (labels <= 1))
    if not bool(fits.all()):
        raise LabelError(
            "Labels must be numbers from 0 to 1, -1 for uncertain or nan for unknown; "
            f"got {float(labels[~fits][0]):g}. Write 1 for present, 0 for absent."
        )
    return torch.where(uncertain, POLICIES[policy], labels)
