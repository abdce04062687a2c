"""The fast path against the plain modules."""

import copy

import pytest
import torch
from torch import nn

from lossassay.engine.fused import FusedBlock, ReluNormPool, fuse
from lossassay.models import build
from tests.engine.helpers import SMALL


def make_block(channels: int = 24, *, seed: int = 0) -> nn.Sequential:
    """A block whose slopes have both signs."""
    torch.manual_seed(seed)
    block = nn.Sequential(
        nn.Conv2d(2, channels, 3, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(channels), nn.MaxPool2d(2)
    )
    nn.init.uniform_(block[2].weight, -1, 1)
    nn.init.uniform_(block[2].bias, -1, 1)
    return block.to(memory_format=torch.channels_last)


def run(block: nn.Module, images: torch.Tensor, gradient: torch.Tensor) -> dict[str, torch.Tensor]:
    """Everything that a training step leaves behind."""
    block.zero_grad()
    images = images.detach().clone().requires_grad_()
    pooled = block(images)
    pooled.backward(gradient.to(pooled.dtype))
    found = {"pooled": pooled.detach(), "images": images.grad}
    found |= {f"gradient of {name}": parameter.grad for name, parameter in block.named_parameters()}
    return found | {name: buffer.clone() for name, buffer in block.named_buffers()}


def images_and_gradient(side: int, channels: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(side)
    images = torch.randn(5, 2, side, side, generator=generator).to(memory_format=torch.channels_last)
    return images, torch.randn(5, channels, side // 2, side // 2, generator=generator)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("side", [2, 3, 8, 9])
def test_value_gradients_and_running_statistics_equal_the_plain_modules_in_float64(side: int, threads: int) -> None:
    plain = make_block()
    fused = FusedBlock(*copy.deepcopy(plain))
    images, gradient = images_and_gradient(side)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    found = run(fused, images, gradient)
    torch.set_num_threads(before)
    for name, expected in run(plain.double(), images.double(), gradient.double()).items():
        error = (found[name].double() - expected).norm() / expected.double().norm().clamp_min(1e-3)
        assert float(error) < 5e-6, name


@pytest.mark.parametrize("side", [8, 9])
def test_bfloat16_differs_from_the_plain_modules_by_rounding_and_ties_alone(side: int) -> None:
    plain = make_block()
    fused = FusedBlock(*copy.deepcopy(plain))
    images, gradient = images_and_gradient(side)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, expected = run(fused, images, gradient), run(plain, images, gradient)
    for name in ("pooled", "2.running_mean", "2.running_var", "2.num_batches_tracked"):
        error = (found[name].double() - expected[name].double()).norm() / expected[name].double().norm()
        assert float(error) < 2e-3, name
    for name in ("gradient of 2.weight", "gradient of 2.bias", "gradient of 0.weight"):
        error = (found[name].double() - expected[name].double()).norm() / expected[name].double().norm()
        assert float(error) < 5e-2, name


def test_the_number_of_threads_changes_no_bit() -> None:
    images, gradient = images_and_gradient(9)
    found = []
    for threads in (1, 3):
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        values = make_block()[0](images)
        torch.set_num_threads(threads)
        weight, bias = torch.linspace(-1, 1, 24, requires_grad=True), torch.zeros(24, requires_grad=True)
        values = values.detach().requires_grad_()
        pooled = ReluNormPool.apply(values + 0, weight, bias, torch.zeros(24), torch.ones(24), 0.1, 1e-5)
        pooled.backward(gradient)
        torch.set_num_threads(before)
        found.append((pooled.detach(), values.grad, weight.grad, bias.grad))
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


def test_what_is_not_a_number_stays_visible() -> None:
    images, _ = images_and_gradient(8)
    images[0, 0, 0, 0] = torch.nan
    assert torch.isnan(FusedBlock(*make_block())(images)).all()


def test_the_first_backward_pass_takes_the_memory_over() -> None:
    images, gradient = images_and_gradient(8)
    pooled = FusedBlock(*make_block())(images)
    pooled.backward(gradient, retain_graph=True)
    with pytest.raises(RuntimeError, match="took over the memory"):
        pooled.backward(gradient)


@pytest.mark.parametrize("seed", range(5))
def test_evaluation_equals_the_plain_modules_bit_for_bit(seed: int) -> None:
    plain = make_block(seed=seed)
    images, _ = images_and_gradient(9)
    plain(images)  # running statistics that are not 0 and 1
    plain.eval()
    fused = FusedBlock(*copy.deepcopy(plain)).eval()
    with torch.no_grad():
        assert torch.equal(fused(images), plain(images))
    assert torch.equal(fused(images), plain(images))  # with gradients, which only the plain modules have here


def test_fuse_finds_the_blocks_and_keeps_the_names() -> None:
    model = build("paper_cnn", SMALL, channels=1, image_size=32, dimensions=2, num_outputs=3, seed=0)
    names = list(model.state_dict())
    assert fuse(model) == 5
    assert list(model.state_dict()) == names
    assert fuse(model) == 0


def test_fuse_leaves_everything_else_alone() -> None:
    volume = build("paper_cnn", SMALL, channels=1, image_size=32, dimensions=3, num_outputs=3, seed=0)
    residual = build("resnet18", {}, channels=1, image_size=32, dimensions=2, num_outputs=3, seed=0)
    odd = nn.Sequential(make_block(), nn.Sequential(*make_block()[:3], nn.MaxPool2d(3)))
    assert (fuse(volume), fuse(residual), fuse(odd)) == (0, 0, 1)
