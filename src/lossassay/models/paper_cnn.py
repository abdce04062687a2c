"""The network of Seo and Cho: five convolution blocks and two dense layers."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from lossassay.errors import ModelError
from lossassay.models.classifier import (
    BATCH_NORMS,
    CONVOLUTIONS,
    MAX_POOLS,
    Classifier,
    Dense,
    check_input,
    linear_head,
)

_NUM_BLOCKS = 5
_NUM_DENSE = 2


def paper_cnn(
    *,
    channels: int,
    image_size: int,
    dimensions: int,
    num_outputs: int,
    widths: Sequence[int] = (32, 64, 128, 256, 256),
    dense: Sequence[int] = (256, 128),
    dropout: float = 0.5,
) -> Classifier:
    """Five blocks of convolution, ReLU, batch normalisation and max pooling, then two dense layers with dropout.

    Seo and Cho do not give the widths, the dense sizes or the dropout rate: the defaults are ours. Weights start as
    in Keras, which the paper used: Glorot uniform with zero bias. The factor that He's rule adds for ReLU would
    change little here, because every block ends in batch normalisation. Batch normalisation itself keeps PyTorch's
    momentum (its average follows the last 10 batches, that of Keras the last 100): on small data an epoch has only
    some tens of batches, and a slower average would make the first epochs look worse than they are.

    Args:
        channels: Of the images, 1 or 3.
        image_size: Side of the images in px, 32 or more; all sides are equal.
        dimensions: 2 for [B C H W], 3 for [B C D H W].
        num_outputs: Scores per image.
        widths: Channels of the five blocks.
        dense: Units of the two dense layers.
        dropout: Share of dense units dropped in training, from 0 to below 1.

    Returns:
        A model whose features are the ``dense[-1]`` units of the last dense layer.

    Raises:
        ModelError: If the images are too small, or the options name another number of blocks or layers.
    """
    check_input("paper_cnn", channels=channels, image_size=image_size, dimensions=dimensions)
    _check_length("widths", widths, _NUM_BLOCKS)
    _check_length("dense", dense, _NUM_DENSE)
    blocks = [_block(before, after, dimensions) for before, after in pairwise((channels, *widths))]
    pixels_left = (image_size // 2**_NUM_BLOCKS) ** dimensions  # of each channel after the last pooling
    sizes = (widths[-1] * pixels_left, *dense)
    layers = [_dense(before, after, dropout) for before, after in pairwise(sizes)]
    features = nn.Sequential(*blocks, nn.Flatten(), *layers)
    features.apply(_glorot_uniform)
    return Classifier(features, linear_head(dense[-1], num_outputs))


def _check_length(option: str, sizes: Sequence[int], expected: int) -> None:
    if len(sizes) != expected:
        raise ModelError(
            f"paper_cnn: {option} must hold {expected} numbers; got {len(sizes)} ({list(sizes)}). "
            "For another depth give a model of your own as `module:function`."
        )


def _block(before: int, after: int, dimensions: int) -> nn.Sequential:
    return nn.Sequential(
        CONVOLUTIONS[dimensions](before, after, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        BATCH_NORMS[dimensions](after),
        MAX_POOLS[dimensions](2),
    )


def _dense(before: int, after: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(Dense(before, after), nn.ReLU(inplace=True), nn.Dropout(dropout))


def _glorot_uniform(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
