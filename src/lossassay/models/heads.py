"""The last layers that losses are trained with: features [B F] in, scores [B S] out, every learnt number inside.

linear                  K scores
linear_with_dropout     K scores of features of which some are dropped in training
linear_with_centres     K scores; beside them one learnt point per class in feature space, for the centre loss
cosine                  K cosines of the angles between features and class weights
cosine_with_subcentres  K cosines, each to the nearest of several weights of the class
shared_slope            K - 1 scores that differ by a constant: one weight vector, K - 1 intercepts (CORAL)
linear_minus_one        K - 1 scores
thresholds              K - 1 scores: one number minus K - 1 learnt thresholds, always in order (proportional odds)
scalar                  one score: the grade itself
"""

from collections.abc import Callable, Mapping
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossassay.catalogue.loss_spec import Head
from lossassay.models.classifier import Dense, linear_head


def make_head(head: Head, feature_count: int, num_classes: int, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Return a last layer with fresh weights from the default generator.

    Args:
        head: Which.
        feature_count: F.
        num_classes: K, 2 or more.
        options: Of the head, as the loss declares them.
    """
    return _HEADS[head](feature_count, num_classes, **(options or {}))


@final
class LinearWithDropout(nn.Module):
    """A linear head behind dropout.

    Args:
        feature_count: F.
        num_classes: K.
        keep: Share of the features that is kept in training.
    """

    def __init__(self, feature_count: int, num_classes: int, *, keep: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(1.0 - keep)
        self.linear = linear_head(feature_count, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return scores [B K]."""
        scores: Tensor = self.linear(self.dropout(features))
        return scores


@final
class LinearWithCentres(Dense):
    """A linear head with a learnt point for each class in feature space, which the scores do not use."""

    def __init__(self, feature_count: int, num_classes: int) -> None:
        super().__init__(feature_count, num_classes)
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)
        self.centres = nn.Parameter(torch.randn(num_classes, feature_count))


@final
class Cosine(nn.Module):
    """Cosines between features and class weights; with several weights per class, the largest.

    Args:
        feature_count: F.
        num_classes: K.
        subcentres: Weights of each class.
    """

    def __init__(self, feature_count: int, num_classes: int, *, subcentres: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes * subcentres, feature_count))
        self.subcentres = subcentres
        nn.init.xavier_uniform_(self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return cosines [B K]."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.weight.dtype)
            cosines = F.linear(F.normalize(features, dim=-1), F.normalize(self.weight, dim=-1))
        # -1, not len(features): a program that is exported takes any number of images
        return cosines.reshape(-1, cosines.shape[-1] // self.subcentres, self.subcentres).amax(dim=-1)


@final
class SharedSlope(nn.Module):
    """One weight vector and K - 1 intercepts: z_k = w h + b_k (Cao et al. 2020, CORAL)."""

    def __init__(self, feature_count: int, num_classes: int) -> None:
        super().__init__()
        self.slope = linear_head(feature_count, 1)
        # spread over the scale of a unit logistic, falling: P(y > k) falls with k from the start
        share = torch.arange(1, num_classes) / num_classes
        self.intercepts = nn.Parameter(torch.logit(1 - share))

    def forward(self, features: Tensor) -> Tensor:
        """Return scores [B K-1], the logits of P(y > k)."""
        scores: Tensor = self.slope(features) + self.intercepts
        return scores


@final
class Thresholds(nn.Module):
    """One number minus ordered thresholds: z_k = f - theta_k, theta_k = theta_0 + sum of softplus(gap)."""

    def __init__(self, feature_count: int, num_classes: int) -> None:
        super().__init__()
        self.slope = linear_head(feature_count, 1)
        share = torch.arange(1, num_classes, dtype=torch.float64) / num_classes
        start = torch.logit(share)
        self.first = nn.Parameter(start[:1].float())
        gaps = start.diff()
        self.gaps = nn.Parameter(gaps.expm1().log().float())  # softplus of it gives the gap back

    def forward(self, features: Tensor) -> Tensor:
        """Return scores [B K-1], the logits of P(y > k)."""
        thresholds = torch.cat([self.first, self.first + F.softplus(self.gaps).cumsum(0)])
        scores: Tensor = self.slope(features) - thresholds
        return scores


_HEADS: dict[Head, Callable[..., nn.Module]] = {
    "linear": linear_head,
    "linear_with_dropout": LinearWithDropout,
    "linear_with_centres": LinearWithCentres,
    "cosine": Cosine,
    "cosine_with_subcentres": Cosine,
    "shared_slope": SharedSlope,
    "linear_minus_one": lambda feature_count, num_classes: linear_head(feature_count, num_classes - 1),
    "thresholds": Thresholds,
    "scalar": lambda feature_count, num_classes: linear_head(feature_count, 1),
}
