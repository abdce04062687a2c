"""Models: images in, one score per output out; each has `features` (down to the last layer but one) and a `head`.

>>> import torch
>>> model = build("paper_cnn", {}, channels=1, image_size=32, dimensions=2, num_outputs=3, seed=0)
>>> model(torch.zeros(2, 1, 32, 32)).shape
torch.Size([2, 3])
"""

from lossassay.models.build import build
from lossassay.models.classifier import Classifier, Images
from lossassay.models.measure import ModelDescription, activation_bytes, describe
from lossassay.models.weights import freeze_features, load_weights

__all__ = [
    "Classifier",
    "Images",
    "ModelDescription",
    "activation_bytes",
    "build",
    "describe",
    "freeze_features",
    "load_weights",
]
