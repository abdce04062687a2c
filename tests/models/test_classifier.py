"""What every model is made of."""

import torch

from lossassay.models import build
from lossassay.models.classifier import Dense


def test_dense_layers_keep_their_precision_under_autocast() -> None:
    torch.manual_seed(0)
    layer, features = Dense(64, 8), torch.randn(5, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = layer(features)
    assert torch.equal(scores, layer(features))
    assert layer.double()(features).dtype == torch.float64


def test_scores_and_features_are_in_single_precision_under_autocast() -> None:
    images = torch.randn(2, 1, 32, 32)
    for name in ("paper_cnn", "resnet18"):
        model = build(name, {}, channels=1, image_size=32, dimensions=2, num_outputs=3, seed=0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert model(images).dtype == torch.float32
