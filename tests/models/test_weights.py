"""Weights from a file, and frozen features."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lossassay.errors import ModelError
from lossassay.models import build, freeze_features, load_weights

OPTIONS = {"widths": [4, 4, 4, 4, 4], "dense": [8, 8]}
SHAPE: dict[str, Any] = {"channels": 1, "image_size": 32, "dimensions": 2}


def model(seed: int = 0, num_outputs: int = 3) -> nn.Module:
    return build("paper_cnn", OPTIONS, **SHAPE, num_outputs=num_outputs, seed=seed)


def saved(tensors: dict[str, torch.Tensor], folder: Path) -> Path:
    save_file(tensors, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def test_weights_come_back_bit_for_bit(tmp_path: Path) -> None:
    trained, other = model(seed=1), model(seed=2)
    trained(torch.randn(4, 1, 32, 32))  # moves the statistics of batch normalisation
    load_weights(other, saved(trained.state_dict(), tmp_path))
    found = other.state_dict()
    assert all(torch.equal(tensor, found[name]) for name, tensor in trained.state_dict().items())


def test_a_file_without_a_head_starts_the_features_alone(tmp_path: Path) -> None:
    trained, other = model(seed=1, num_outputs=3), model(seed=2, num_outputs=7)
    head = other.head.weight.clone()
    features = {name: tensor for name, tensor in trained.state_dict().items() if not name.startswith("head.")}
    load_weights(other, saved(features, tmp_path))
    assert torch.equal(other.head.weight, head)
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in features.items())


def test_names_and_shapes_that_do_not_match_are_all_listed_and_nothing_is_loaded(tmp_path: Path) -> None:
    target = model(seed=1)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    tensors = dict(model(seed=2, num_outputs=5).state_dict())
    del tensors["features.0.0.bias"]
    tensors["features.9.weight"] = torch.zeros(1)
    with pytest.raises(ModelError) as caught:
        load_weights(target, saved(tensors, tmp_path))
    message = str(caught.value)
    assert "features.0.0.bias is missing" in message
    assert "features.9.weight is not in the model" in message
    assert "head.weight has shape [5, 8], expected [3, 8]" in message
    assert "head.bias has shape [5], expected [3]" in message
    assert "for other classes take every `head.` tensor out" in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())


def test_a_long_list_of_mismatches_is_cut(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"and \d+ more"):
        load_weights(model(), saved({"head.weight": torch.zeros(1)}, tmp_path))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no file .*none\.safetensors.*Check training\.weights"):
        load_weights(model(), tmp_path / "none.safetensors")


def test_a_file_that_is_no_safetensors_is_told(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"not at all weights")
    with pytest.raises(ModelError, match=r"cannot be read as weights.*Expected a safetensors file"):
        load_weights(model(), tmp_path / "weights.safetensors")


def test_frozen_features_stay_as_they_are_while_the_head_learns() -> None:
    frozen = model()
    freeze_features(frozen)
    before = {name: tensor.clone() for name, tensor in frozen.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in frozen.parameters() if p.requires_grad], lr=0.1)
    images = torch.randn(8, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        frozen.train()  # as the engine does before every epoch
        nn.functional.cross_entropy(frozen(images), torch.arange(8) % 3).backward()
        optimizer.step()
    after = frozen.state_dict()
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed == {"head.weight", "head.bias"}
