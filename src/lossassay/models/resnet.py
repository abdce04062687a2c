"""ResNet-18 for images with two or three dimensions."""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from lossassay.models.classifier import (
    AVERAGE_POOLS,
    BATCH_NORMS,
    CONVOLUTIONS,
    MAX_POOLS,
    Classifier,
    Images,
    check_input,
    linear_head,
)

Maps = Float[Tensor, "batch maps *smaller"]

_LARGE_IMAGE_PX = 96  # from here on the stem may throw three of four pixels away, twice
_STAGES = 4
_BLOCKS_PER_STAGE = 2


def resnet18(*, channels: int, image_size: int, dimensions: int, num_outputs: int, width: int = 64) -> Classifier:
    """ResNet-18 (He et al. 2016, CVPR, arXiv:1512.03385, table 1) with a stem that suits the image size.

    Below 96 px the stem is one 3x3 convolution (their section 4.2), from there on the 7x7 convolution with stride 2
    and the max pooling of table 1. Weights start by He's rule for ReLU, normal, fan-out (arXiv:1502.01852).

    Args:
        channels: Of the images, 1 or 3.
        image_size: Side of the images in px, 32 or more; all sides are equal.
        dimensions: 2 for [B C H W], 3 for [B C D H W].
        num_outputs: Scores per image.
        width: Channels of the first stage; each of the three later ones has twice as many.

    Returns:
        A model whose features are the means of the last stage's ``8 * width`` channels.

    Raises:
        ModelError: If the images are too small.
    """
    check_input("resnet18", channels=channels, image_size=image_size, dimensions=dimensions)
    layers: list[nn.Module] = [_stem(channels, width, dimensions, large=image_size >= _LARGE_IMAGE_PX)]
    before = width
    for stage in range(_STAGES):
        after = width * 2**stage
        for block in range(_BLOCKS_PER_STAGE):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(ResidualBlock(before, after, stride, dimensions))
            before = after
    features = nn.Sequential(*layers, AVERAGE_POOLS[dimensions](1), nn.Flatten())
    features.apply(_he_normal)
    return Classifier(features, linear_head(before, num_outputs))


def _stem(channels: int, width: int, dimensions: int, *, large: bool) -> nn.Sequential:
    layers: list[nn.Module] = [
        _convolution(channels, width, 7 if large else 3, 2 if large else 1, dimensions),
        BATCH_NORMS[dimensions](width),
        nn.ReLU(inplace=True),
    ]
    if large:
        layers.append(MAX_POOLS[dimensions](kernel_size=3, stride=2, padding=1))
    return nn.Sequential(*layers)


@final
class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes.

    A shortcut with a stride takes every second pixel first and then convolves without stride. That is the same
    function; the strided 1x1 convolution of oneDNN writes past its buffer when it is differentiated in single
    precision on processors without AVX-512, channels-last, with fewer than 8 channels
    (https://github.com/uxlfoundation/oneDNN/issues/6035).
    """

    def __init__(self, before: int, after: int, stride: int, dimensions: int) -> None:
        super().__init__()
        norm = BATCH_NORMS[dimensions]
        self.residual = nn.Sequential(
            _convolution(before, after, 3, stride, dimensions),
            norm(after),
            nn.ReLU(inplace=True),
            _convolution(after, after, 3, 1, dimensions),
            norm(after),
        )
        same_shape = stride == 1 and before == after
        self.shortcut = (
            nn.Identity() if same_shape else nn.Sequential(_convolution(before, after, 1, 1, dimensions), norm(after))
        )
        self.relu = nn.ReLU()
        self._kept_by_shortcut = (slice(None), slice(None), *dimensions * [slice(None, None, stride)])

    def forward(self, images: Images) -> Maps:
        """Return maps [B C *sides]."""
        activated: Tensor = self.relu(self.residual(images) + self.shortcut(images[self._kept_by_shortcut]))
        return activated


def _convolution(before: int, after: int, kernel: int, stride: int, dimensions: int) -> nn.Module:
    # no bias: the batch normalisation behind it has one
    return CONVOLUTIONS[dimensions](before, after, kernel_size=kernel, stride=stride, padding=kernel // 2, bias=False)


def _he_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
