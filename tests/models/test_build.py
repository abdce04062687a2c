"""Every model of the catalogue keeps one contract; so must the user's own."""

from typing import Any

import pytest
import torch
from torch import nn

from lossassay.catalogue.models import MODELS
from lossassay.errors import ModelError, UnknownNameError
from lossassay.models import build

SMALL: dict[str, dict[str, Any]] = {
    "paper_cnn": {"widths": [4, 8, 8, 8, 8], "dense": [16, 8]},
    "resnet18": {"width": 4},
}
OWN = "tests.models.own_models:"
SHAPE: dict[str, Any] = {"channels": 1, "image_size": 32, "dimensions": 2, "num_outputs": 3, "seed": 0}


def small(name: str, **changes: Any) -> nn.Module:
    return build(name, SMALL[name], **SHAPE | changes)


def images(count: int = 3, *, channels: int = 1, size: int = 32, dimensions: int = 2) -> torch.Tensor:
    draws = torch.Generator().manual_seed(0)
    return torch.randn(count, channels, *[size] * dimensions, generator=draws)


def test_every_model_is_built_small_here() -> None:
    assert set(SMALL) == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("size", "dimensions"), [(32, 2), (45, 2), (100, 2), (32, 3), (33, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_give_one_score_per_output(name: str, size: int, dimensions: int, channels: int) -> None:
    model = small(name, channels=channels, image_size=size, dimensions=dimensions, num_outputs=5)
    batch = images(2, channels=channels, size=size, dimensions=dimensions)
    scores = model(batch)
    assert scores.shape == (2, 5)
    assert torch.isfinite(scores).all()
    model.eval()
    torch.testing.assert_close(model(batch), model.head(model.features(batch)))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("autocast", [False, True])
def test_channels_last_and_autocast_train(name: str, dimensions: int, autocast: bool) -> None:
    memory_format = torch.channels_last if dimensions == 2 else torch.channels_last_3d
    model = small(name, dimensions=dimensions).to(memory_format=memory_format)  # type: ignore[call-overload]
    batch = images(4, dimensions=dimensions).to(memory_format=memory_format)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        scores = model(batch)
    assert scores.dtype == torch.float32  # the head computes in single precision
    nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 0])).backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", MODELS)
def test_channels_last_changes_no_result(name: str) -> None:
    model, batch = small(name).eval(), images()
    expected = model(batch)
    found = model.to(memory_format=torch.channels_last)(batch.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_first_weights_depend_on_the_seed_alone_and_leave_the_callers_random_state(name: str) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = small(name, seed=7).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second, third = small(name, seed=7).state_dict(), small(name, seed=8).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    weights = [key for key in first if key.endswith("weight") and first[key].ndim > 1]
    assert weights
    assert all(not torch.equal(first[key], third[key]) for key in weights)


@pytest.mark.parametrize("name", MODELS)
def test_features_start_equal_where_heads_differ_in_size(name: str) -> None:
    few, many = small(name, num_outputs=2), small(name, num_outputs=9)
    assert all(torch.equal(a, b) for a, b in zip(few.features.parameters(), many.features.parameters(), strict=True))
    assert (few.head.out_features, many.head.out_features) == (2, 9)


def test_the_head_draws_from_a_seed_of_its_own() -> None:
    narrow = build("paper_cnn", {**SMALL["paper_cnn"], "widths": [2, 2, 2, 2, 2]}, **SHAPE)
    wide = build("paper_cnn", {**SMALL["paper_cnn"], "widths": [3, 3, 3, 3, 3]}, **SHAPE)
    assert torch.equal(narrow.head.weight, wide.head.weight)


def test_paper_cnn_starts_as_in_keras() -> None:
    model = build("paper_cnn", {}, **SHAPE)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            kernel = parameter[0, 0].numel()
            limit = (6 / (kernel * (parameter.shape[0] + parameter.shape[1]))) ** 0.5  # Glorot and Bengio 2010, eq. 16
            assert limit * 0.9 < parameter.abs().max() <= limit, name
        elif name.endswith("bias"):
            assert (parameter == 0).all(), name


def test_resnet18_starts_by_hes_rule() -> None:
    model = build("resnet18", {"width": 16}, **SHAPE)
    convolutions = [module for module in model.features.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 17 + 3  # 17 of the 18 layers, and three shortcuts
    for convolution in convolutions:
        fan_out = convolution.out_channels * convolution.weight[0, 0].numel()
        assert convolution.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("size", [8, 9])
def test_resnet18_shortcut_is_a_strided_convolution(dimensions: int, size: int) -> None:
    model = small("resnet18", dimensions=dimensions)
    block = model.features.get_submodule("3")  # the first of the second stage, from 4 to 8 channels
    weight = block.shortcut[0].weight
    maps = torch.randn(2, 4, *dimensions * [size])
    given: list[torch.Tensor] = []
    block.shortcut[0].register_forward_hook(lambda _module, _inputs, output: given.append(output))
    block(maps)
    strided = nn.functional.conv2d if dimensions == 2 else nn.functional.conv3d
    expected = strided(maps, weight, stride=2)
    torch.testing.assert_close(given[0], expected)
    direction = torch.randn_like(expected)
    found_gradient, expected_gradient = (
        torch.autograd.grad(output, weight, direction)[0] for output in (given[0], expected)
    )
    torch.testing.assert_close(found_gradient, expected_gradient)


def test_paper_cnn_blocks_are_in_the_papers_order() -> None:
    model = build("paper_cnn", {}, **SHAPE)
    kinds = [[type(layer).__name__ for layer in block] for block in model.features if isinstance(block, nn.Sequential)]
    assert kinds == 5 * [["Conv2d", "ReLU", "BatchNorm2d", "MaxPool2d"]] + 2 * [["Dense", "ReLU", "Dropout"]]
    widths = [block[0].out_channels for block in model.features[:5]]
    assert widths == [32, 64, 128, 256, 256]
    assert [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize("name", MODELS)
def test_training_reduces_the_loss(name: str) -> None:
    model, batch, labels = small(name), images(6), torch.tensor([0, 1, 2, 0, 1, 2])
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 31}, r"need 32 px a side or more; got 31 px\. Set data\.image_size = 32 or larger"),
        ({"channels": 2}, "images with 1 or 3 channels; got 2"),
        ({"dimensions": 4}, "images with 2 or 3 dimensions; got 4"),
    ],
)
def test_images_that_do_not_fit_are_refused(name: str, changes: dict[str, int], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        small(name, **changes)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("paper_cnn", {"width": [4]}, r"no option 'width'\. Known: widths, dense, dropout\. Did you mean 'widths'\?"),
        ("paper_cnn", {"dropout": 1.5}, r"paper_cnn: dropout: got 1\.5, expected a number, from 0 to 0\.95"),
        ("paper_cnn", {"widths": [4, 8]}, r"widths must hold 5 numbers; got 2 \(\[4, 8\]\).*`module:function`"),
        ("paper_cnn", {"dense": [4, 8, 9]}, "dense must hold 2 numbers; got 3"),
        ("resnet18", {"width": 0}, "resnet18: width: got 0, expected a whole number, 1 or more"),
    ],
)
def test_options_that_do_not_fit_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build(name, options, **SHAPE)


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"No model is called 'resnet8'.*Did you mean 'resnet18'\?"):
        build("resnet8", {}, **SHAPE)


def test_a_model_of_the_users_own() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    model = build(OWN + "good", {"units": 6}, **SHAPE)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    assert model(images()).shape == (3, 3)
    assert model.head.in_features == 6
    again = build(OWN + "good", {"units": 6}, **SHAPE | {"num_outputs": 7})
    assert torch.equal(model.features[0].weight, again.features[0].weight)


def test_a_model_that_looks_at_numbers_is_tried_with_zeros() -> None:
    assert build(OWN + "looks_at_numbers", {}, **SHAPE)(images()).shape == (3, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_here:model", r"cannot be imported: No module named 'no_such_module_here'.*PYTHONPATH"),
        (OWN + "no_such_function", "has no 'no_such_function'"),
        (OWN + "not_callable", "is a int; expected a function that returns a model"),
        (OWN + "no_model", r"returned a str; expected a torch\.nn\.Module"),
        (OWN + "without_head", "has no features and no head"),
        (OWN + "wrong_outputs", r"gave scores of shape \[2, 4\] for 2 images; expected \[2, 3\]"),
        (OWN + "features_not_flat", r"gave shape \[2, 4, 30, 30\]; expected \[2, F\].*Pool or flatten"),
        (OWN + "features_not_called", "gave nothing: forward does not call it"),
        (OWN + "fails", "failed on two images of 32 px with 1 channels and 2 dimensions: RuntimeError"),
    ],
)
def test_a_model_that_breaks_the_contract_is_refused(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build(name, {}, **SHAPE)


def test_an_option_that_the_users_function_does_not_know_is_told_with_the_call() -> None:
    with pytest.raises(ModelError, match=r"could not be made from channels=1, .*depth=3.*unexpected keyword"):
        build(OWN + "good", {"depth": 3}, **SHAPE)
