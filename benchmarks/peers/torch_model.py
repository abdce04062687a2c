"""The network of Seo and Cho in plain PyTorch, with the widths that lossassay gives it."""

from itertools import pairwise

from torch import nn


def paper_cnn(size: int, classes: int) -> nn.Module:
    """Five blocks of convolution, ReLU, batch normalisation and max pooling, then two dense layers with dropout."""
    layers: list[nn.Module] = []
    for before, after in pairwise((1, 32, 64, 128, 256, 256)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after), nn.MaxPool2d(2)]
    layers.append(nn.Flatten())
    for before, after in pairwise((256 * (size // 32) ** 2, 256, 128)):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(128, classes))
