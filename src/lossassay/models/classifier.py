"""What every model of lossassay is made of: features, then a linear head."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lossassay.arrays import Scores
from lossassay.errors import ModelError

Images = Float[Tensor, "batch channels *sides"]  # two or three sides

SMALLEST_IMAGE_PX = 32  # five halvings leave one pixel
CHANNELS = (1, 3)

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
BATCH_NORMS = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX_POOLS = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOLS = {2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


@final
class Classifier(nn.Module):
    """Features, then a head; the penultimate layer is what `features` returns.

    Args:
        features: Images [B C H W] or [B C D H W] to numbers [B F].
        head: Numbers [B F] to scores [B K].
    """

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, images: Images) -> Scores:
        """Return raw scores [B K], before softmax or sigmoid."""
        scores: Tensor = self.head(self.features(images))
        return scores


def check_input(model: str, *, channels: int, image_size: int, dimensions: int) -> None:
    """Refuse images that a built-in model cannot take.

    Raises:
        ModelError: Saying what came, what was expected and what to do.
    """
    if image_size < SMALLEST_IMAGE_PX:
        raise ModelError(
            f"{model} halves its images five times, so they need {SMALLEST_IMAGE_PX} px a side or more; "
            f"got {image_size} px. Set data.image_size = {SMALLEST_IMAGE_PX} or larger: small images are enlarged."
        )
    if channels not in CHANNELS:
        raise ModelError(f"{model} takes images with 1 or 3 channels; got {channels}. Set data.channels to 1 or 3.")
    if dimensions not in CONVOLUTIONS:
        raise ModelError(
            f"{model} takes images with 2 or 3 dimensions; got {dimensions}. Give [H W] or [D H W] images."
        )


class Dense(nn.Linear):
    """A dense layer that computes in the precision of its weights, also under autocast.

    Its work is small beside that of the convolutions, and features and scores keep 24 instead of 8 bits.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return weight features + bias, [B F] to [B F']."""
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.to(self.weight.dtype))


def linear_head(feature_count: int, num_outputs: int) -> Dense:
    """Return a dense last layer with Glorot uniform weights and zero bias, so that training starts without a bias."""
    head = Dense(feature_count, num_outputs)
    nn.init.xavier_uniform_(head.weight)
    nn.init.zeros_(head.bias)
    return head
