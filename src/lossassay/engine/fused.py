"""The fast path on processors: ReLU, batch normalisation and max pooling in one pass forward and one backward.

Plain modules go through memory nine times for these three, which takes as long as the convolutions themselves. Two
facts make one pass enough. Batch normalisation is a straight line for each channel, so the maximum of a window can be
taken before it (the minimum, where the slope is negative), and only a quarter of the pixels is ever normalised. And
the gradient of everything that is not the extreme of its window follows from two sums per channel, so nothing has to
be stored but the output of the convolution, whose memory the gradient then takes over.

Works on float32 and, under autocast, on bfloat16. Everything works without this file, only slower: see
`docs/decisions/0010`. Formulas: Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.
"""
# Compiled functions have no Python types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg"

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor, nn

Array = np.ndarray[Any, np.dtype[Any]]

# No `nnan`: a network that diverged must stay visible. The order of sums inside a row of pixels is free.
_compiled = njit(nogil=True, cache=True, error_model="numpy", fastmath={"nsz", "contract", "reassoc", "arcp"})
_ZERO = np.float32(0)
_INT32, _SIXTEEN = ir.IntType(32), ir.Constant(ir.IntType(32), 16)


def fuse(model: nn.Module) -> int:
    """Replace every block of convolution, ReLU, batch normalisation and 2x2 max pooling in 2-D by a `FusedBlock`.

    Parameters, buffers and their names stay as they are.

    Args:
        model: Changed in place.

    Returns:
        The number of blocks replaced.
    """
    number = 0
    for module in list(model.modules()):
        for name, child in module.named_children():
            if _fits(child):
                setattr(module, name, FusedBlock(*child.children()).train(child.training))
                number += 1
    return number


def _fits(block: nn.Module) -> bool:
    kinds = (nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.MaxPool2d)
    if type(block) is not nn.Sequential or tuple(map(type, block)) != kinds:
        return False
    parts: Any = tuple(block)
    _, _, norm, pool = parts
    usual = norm.affine and norm.track_running_stats and norm.momentum is not None
    halves = pool.kernel_size in (2, (2, 2)) and pool.stride in (2, (2, 2)) and pool.padding in (0, (0, 0))
    return bool(usual and halves and not pool.ceil_mode and pool.dilation in (1, (1, 1)))


class FusedBlock(nn.Sequential):
    """Convolution, ReLU, batch normalisation, max pooling; evaluated to the same bits as the plain modules."""

    def forward(self, images: Tensor) -> Tensor:
        """Return what the four modules return, [B C H W] to [B C' H//2 W//2]."""
        pooled: Tensor
        parts: Any = tuple(self)
        convolution, norm = parts[0], parts[2]
        if images.device.type != "cpu" or min(images.shape[-2:]) < 2 or (torch.is_grad_enabled() and not self.training):
            pooled = super().forward(images)
        elif self.training:
            norm.num_batches_tracked.add_(1)
            statistics = (norm.running_mean, norm.running_var, norm.momentum, norm.eps)
            pooled = ReluNormPool.apply(convolution(images), norm.weight, norm.bias, *statistics)
        else:  # rounding keeps order, so the extreme of normalised values is the normalised extreme
            values = convolution(images).contiguous(memory_format=torch.channels_last)
            pooled = norm(_extremes(values, _signs(norm.weight))[0])
        return pooled


class ReluNormPool(torch.autograd.Function):
    """Max pooling of batch normalisation of ReLU.

    With v = max(x, 0), mu and s^2 mean and variance of v over a channel, h = (v - mu) / sqrt(s^2 + eps) and P the
    pixels that are the extreme of their window: y = gamma h + beta at P. Backwards, with g the gradient at P, 0
    elsewhere, and n the number of pixels of a channel: d beta = sum g, d gamma = sum g h, and
    dx = [v > 0] gamma / sqrt(s^2 + eps) (g - d beta / n - h d gamma / n).
    """

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        momentum: float,
        eps: float,
    ) -> Tensor:
        """Pool, count, normalise; moves the running statistics as `torch.nn.BatchNorm2d` does."""
        values = values.contiguous(memory_format=torch.channels_last)
        batch, _channels, height, width = values.shape
        count, sign = batch * height * width, _signs(weight)
        extremes, sums = _extremes(values, sign)
        mean, squares = sums / count
        variance = np.maximum(squares - mean * mean, 0)
        _follow(running_mean, mean, momentum)
        _follow(running_var, variance * (count / (count - 1)), momentum)
        inverse_sd = (1 / np.sqrt(variance + eps)).astype(np.float32)
        mean = mean.astype(np.float32)
        slope = weight.detach().numpy() * inverse_sd
        pooled = torch.empty_like(extremes)
        _over_images(_line, batch, _pixels(extremes), _pixels(pooled), slope, bias.detach().numpy() - mean * slope)
        ctx.save_for_backward(values, extremes)
        ctx.constants = (sign, mean, inverse_sd, slope, count)
        return pooled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Write the gradient over the values, which nobody reads again."""
        if ctx.constants is None:
            raise RuntimeError("ReluNormPool: the first backward pass took over the memory of the values")
        values, extremes = ctx.saved_tensors
        (sign, mean, inverse_sd, slope, count), ctx.constants = ctx.constants, None
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        batch, channels = values.shape[:2]
        sums = np.zeros((2, batch, channels))
        _over_images(_sums, batch, _pixels(extremes), _pixels(gradient), sums[0], sums[1], mean, inverse_sd)
        d_bias, d_weight = sums.sum(axis=1)
        tilt = (slope * inverse_sd * d_weight / count).astype(np.float32)
        shift = (slope * d_bias / count).astype(np.float32) - tilt * mean
        _over_images(_unpool, batch, _pixels(values), _pixels(gradient), slope, shift, tilt, sign)
        by_parameter = [torch.from_numpy(total.astype(np.float32)) for total in (d_weight, d_bias)]
        return values, *by_parameter, None, None, None, None


def _signs(weight: Tensor) -> Array:
    return np.where(weight.detach().numpy() < 0, np.float32(-1), np.float32(1))


def _extremes(values: Tensor, sign: Array) -> tuple[Tensor, Array]:
    """Return after ReLU the extreme of each window, and for each channel the sums of values and of squares, [2 C]."""
    batch, channels, height, width = values.shape
    shape = (batch, channels, height // 2, width // 2)
    extremes = torch.empty(shape, dtype=values.dtype, memory_format=torch.channels_last)
    sums = np.zeros((2, batch, channels))  # of each image, so that the number of threads changes no result
    _over_images(_pool, batch, _pixels(values), _pixels(extremes), sums[0], sums[1], sign)
    return extremes, sums.sum(axis=1)


def _pixels(images: Tensor) -> Array:
    """Return a view [B H W C] of a channels-last tensor; bfloat16 as its bits, which NumPy has no type for."""
    last = images.detach().permute(0, 2, 3, 1)
    view: Array = (last.view(torch.uint16) if images.dtype == torch.bfloat16 else last).numpy()
    return view


def _follow(running: Tensor, new: Array, momentum: float) -> None:
    running.mul_(1 - momentum).add_(torch.from_numpy(new.astype(np.float32)), alpha=momentum)


def _over_images(kernel: Callable[..., None], batch: int, *arrays: Array) -> None:
    """Call a kernel on equal shares of the images; the number of threads changes no result."""
    threads = min(torch.get_num_threads(), batch)
    if threads == 1:
        kernel(0, batch, *arrays)
        return
    edges = [batch * share // threads for share in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(kernel, *edges[i : i + 2], *arrays) for i in range(threads)]:
            done.result()


# ---- kernels: [B H W C], compiled by numba; the loop over channels becomes vector instructions ----


@intrinsic
def _load(_context: Any, number: Any) -> Any:
    """Widen to float32: the bits of a bfloat16 are the upper half of the same float32."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        if number == types.float32:
            return arguments[0]
        return builder.bitcast(builder.shl(builder.zext(arguments[0], _INT32), _SIXTEEN), ir.FloatType())

    return types.float32(number), generate


@intrinsic
def _as_stored(_context: Any, number: Any, like: Any) -> Any:
    """Round a float32 to the type of ``like``, to nearest, ties to even."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        if like == types.float32:
            return arguments[0]
        bits = builder.bitcast(arguments[0], _INT32)
        odd = builder.and_(builder.lshr(bits, _SIXTEEN), ir.Constant(_INT32, 1))
        bits = builder.add(bits, builder.add(odd, ir.Constant(_INT32, 0x7FFF)))
        return builder.trunc(builder.lshr(bits, _SIXTEEN), ir.IntType(16))

    return like(number, like), generate


@_compiled
def _relu(value):
    """Return max(value, 0), and NaN for NaN."""
    return _ZERO if value < _ZERO else value


@_compiled
def _pool(first, stop, values, extremes, sums, squares, sign):
    """Extreme of each 2x2 window after ReLU, and for each image the sums over all its pixels."""
    _, height, width, channels = values.shape
    total, square = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for image in range(first, stop):
        for row in range(0, height, 2):
            total[:] = 0
            square[:] = 0
            whole = 2 * (width // 2) if row + 1 < height else 0
            for column in range(0, whole, 2):
                upper, lower = values[image, row], values[image, row + 1]
                _pool_window(
                    upper[column],
                    upper[column + 1],
                    lower[column],
                    lower[column + 1],
                    extremes[image, row // 2, column // 2],
                    total,
                    square,
                    sign,
                )
            for beside in range(row, min(row + 2, height)):  # pixels of odd sides stand in no window
                for column in range(whole, width):
                    _count_pixel(values[image, beside, column], total, square)
            for channel in range(channels):
                sums[image, channel] += total[channel]
                squares[image, channel] += square[channel]


@_compiled
def _pool_window(a, b, c, d, extreme, total, square, sign):
    for k in range(extreme.shape[0]):
        va, vb, vc, vd = _relu(_load(a[k])), _relu(_load(b[k])), _relu(_load(c[k])), _relu(_load(d[k]))
        total[k] += (va + vb) + (vc + vd)
        square[k] += (va * va + vb * vb) + (vc * vc + vd * vd)
        upper = vb if vb * sign[k] > va * sign[k] else va
        lower = vd if vd * sign[k] > vc * sign[k] else vc
        extreme[k] = _as_stored(lower if lower * sign[k] > upper * sign[k] else upper, a[k])


@_compiled
def _count_pixel(pixel, total, square):
    for k in range(pixel.shape[0]):
        value = _relu(_load(pixel[k]))
        total[k] += value
        square[k] += value * value


@_compiled
def _line(first, stop, extremes, pooled, slope, shift):
    """Write slope * extreme + shift."""
    _, height, width, channels = extremes.shape
    for image in range(first, stop):
        for row in range(height):
            for column in range(width):
                old, new = extremes[image, row, column], pooled[image, row, column]
                for k in range(channels):
                    new[k] = _as_stored(slope[k] * _load(old[k]) + shift[k], old[k])


@_compiled
def _sums(first, stop, extremes, gradient, plain, weighted, mean, inverse_sd):
    """For each image the sums of the gradient, and of the gradient times the normalised extreme."""
    _, height, width, channels = extremes.shape
    total, product = np.empty(channels, np.float32), np.empty(channels, np.float32)
    for image in range(first, stop):
        for row in range(height):
            total[:] = 0
            product[:] = 0
            for column in range(width):
                value, slope = extremes[image, row, column], gradient[image, row, column]
                for k in range(channels):
                    total[k] += _load(slope[k])
                    product[k] += _load(slope[k]) * ((_load(value[k]) - mean[k]) * inverse_sd[k])
            for channel in range(channels):
                plain[image, channel] += total[channel]
                weighted[image, channel] += product[channel]


@_compiled
def _unpool(first, stop, values, gradient, slope, shift, tilt, sign):
    """Write over each value its gradient: [v > 0] ([extreme] slope * gradient - shift - tilt * v)."""
    _, height, width, _channels = values.shape
    for image in range(first, stop):
        for row in range(0, height, 2):
            whole = 2 * (width // 2) if row + 1 < height else 0
            for column in range(0, whole, 2):
                upper, lower = values[image, row], values[image, row + 1]
                _unpool_window(
                    upper[column],
                    upper[column + 1],
                    lower[column],
                    lower[column + 1],
                    gradient[image, row // 2, column // 2],
                    slope,
                    shift,
                    tilt,
                    sign,
                )
            for beside in range(row, min(row + 2, height)):
                for column in range(whole, width):
                    _unpool_pixel(values[image, beside, column], shift, tilt)


@_compiled
def _unpool_window(a, b, c, d, gradient, slope, shift, tilt, sign):
    for k in range(gradient.shape[0]):
        va, vb, vc, vd = _relu(_load(a[k])), _relu(_load(b[k])), _relu(_load(c[k])), _relu(_load(d[k]))
        ua, ub, uc, ud = va * sign[k], vb * sign[k], vc * sign[k], vd * sign[k]
        own = _load(gradient[k]) * slope[k]
        below = max(uc, ud) > max(ua, ub)  # the first of equals is the extreme, as in torch
        above = _ZERO if below else own
        own = own if below else _ZERO
        a[k] = _gradient(va, _ZERO if ub > ua else above, shift[k], tilt[k], a[k])
        b[k] = _gradient(vb, above if ub > ua else _ZERO, shift[k], tilt[k], b[k])
        c[k] = _gradient(vc, _ZERO if ud > uc else own, shift[k], tilt[k], c[k])
        d[k] = _gradient(vd, own if ud > uc else _ZERO, shift[k], tilt[k], d[k])


@_compiled
def _unpool_pixel(pixel, shift, tilt):
    for k in range(pixel.shape[0]):
        pixel[k] = _gradient(_relu(_load(pixel[k])), _ZERO, shift[k], tilt[k], pixel[k])


@_compiled
def _gradient(value, own, shift, tilt, like):
    return _as_stored(_ZERO if value <= _ZERO else own - (shift + tilt * value), like)
