"""Presets of preprocessing, at the size that a file has. Each is a pure function of one image; nothing is drawn.

The crops are heuristics by thresholds and connected components, and are declared as such: they find what is bright or
dark, not organs. Where nothing plausible is found the image stays whole. Look at the images before and after.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lossassay.errors import DataError, unknown_name

Image = npt.NDArray[Any]
Box = tuple[slice, ...]

_GREY = np.array([299, 587, 114]) / 1000  # ITU-R 601, as for files
_PERCENTILES = (0.5, 99.5)
_TILES = 8  # each way
_CLIP_LIMIT = 0.01
_MARGIN = 0.05  # of the box's side, added on each side
_SEARCH_PX = 256  # boxes are looked for in a copy whose longer side is below twice this
_PLAIN_BORDER = 0.1  # standard deviation of its grey values, as a share of their range
_SMALLEST_FOREGROUND = 0.05  # share of the image that the box must have, else the image stays whole
_LUNGS = (0.05, 0.70)  # share of the image that both lungs together may have
_SMALLER_LUNG = 0.15  # of the larger one


def apply(image: Image, names: Sequence[str]) -> Image:
    """Apply presets in their order.

    Args:
        image: [H W C] or [D H W C], uint8 or uint16, C of 1 or 3; it is left as it is.
        names: Of `PRESETS`.

    Returns:
        The same type; crops make it smaller.

    Raises:
        UnknownNameError: If a preset has another name.
        DataError: If a preset is for flat images only and this is a volume, or needs scikit-image and it is missing.
    """
    check(names, dimensions=image.ndim - 1)
    for name in names:
        image = PRESETS[name](image)
    return np.ascontiguousarray(image)


def check(names: Sequence[str], *, dimensions: int) -> None:
    """Refuse presets that cannot be applied, before the first image is read.

    Args:
        names: Of `PRESETS`.
        dimensions: 2, or 3 for volumes.

    Raises:
        UnknownNameError: If a preset has another name.
        DataError: If a preset is for flat images only, or needs scikit-image and it is missing.
    """
    for name in names:
        if name not in PRESETS:
            raise unknown_name("preset of preprocessing", name, PRESETS)
        if dimensions == 3 and name in _FLAT_ONLY:
            raise DataError(
                f"data.preprocess names {name!r}, and the images are volumes. It is defined for flat images only. "
                "Leave it out, or take slices. For volumes there are: "
                f"{', '.join(sorted(PRESETS.keys() - _FLAT_ONLY))}."
            )
    if "clahe" in names:
        _scikit_image_exposure()


def percentile(image: Image) -> Image:
    """Stretch the range from the 0.5th to the 99.5th percentile of all values to the whole range of the type."""
    low, high = (int(value) for value in np.percentile(image, _PERCENTILES, method="inverted_cdf"))
    if low >= high:
        return image
    top = np.iinfo(image.dtype).max
    return np.asarray(np.rint((image.clip(low, high) - float(low)) * (top / (high - low))), dtype=image.dtype)


def clahe(image: Image) -> Image:
    """Equalise contrast locally, with a limit (Zuiderveld 1994, Graphics Gems IV, VIII.5), in 8 by 8 tiles.

    Colours keep their hue: what the luminance gains or loses is added to every channel.
    """
    light = _luminance(image)
    if light.min() == light.max():
        return image
    top = np.iinfo(image.dtype).max
    tiles = tuple(max(1, side // _TILES) for side in light.shape)
    equalised = _scikit_image_exposure().equalize_adapthist(light / top, kernel_size=tiles, clip_limit=_CLIP_LIMIT)
    gained = np.asarray(equalised) * top - light
    return np.asarray(np.rint(image + gained[..., None]).clip(0, top), dtype=image.dtype)


def foreground_crop(image: Image) -> Image:
    """Cut to the largest connected part that differs from the background, with a margin of 5 %.

    Otsu's threshold (1979) parts light from dark. The dark side is background, or the light one where the border is
    light and of nearly one grey.
    """
    light, factor = _search_copy(image)
    mask = _foreground(light)
    parts, _ = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())[1:]
    if not len(sizes):
        return image
    box = _box_around(parts == 1 + int(sizes.argmax()))
    if _share(box, light.shape) < _SMALLEST_FOREGROUND:
        return image
    return image[_full_size(box, factor, image.shape[:-1])]


def lung_crop(image: Image) -> Image:
    """Cut a frontal chest image to its two largest dark parts inside the body, with a margin of 5 %.

    A heuristic: dark parts that reach a corner are air around the body. The image stays whole unless there are two
    parts, on both sides of the middle, the smaller at least 15 % of the larger, with 5 to 70 % of the image together.
    """
    light, factor = _search_copy(image)
    smooth = ndimage.gaussian_filter(light, sigma=max(light.shape) / 100)
    steps = max(1, max(light.shape) // 100)
    narrow = ndimage.binary_erosion(smooth <= _otsu(smooth), iterations=steps, border_value=1)  # parts bridges
    dark = ndimage.binary_dilation(narrow, iterations=steps)
    parts, count = ndimage.label(dark)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    sizes[[parts[row, column] for row in (0, -1) for column in (0, -1)]] = 0
    first, second = (int(part) for part in np.argsort(-sizes, kind="stable")[:2]) if count > 1 else (0, 0)
    if not _are_lungs(parts, sizes, first, second):
        return image
    return image[_full_size(_box_around((parts == first) | (parts == second)), factor, image.shape[:-1])]


PRESETS: dict[str, Callable[[Image], Image]] = {
    "percentile": percentile,
    "clahe": clahe,
    "foreground_crop": foreground_crop,
    "lung_crop": lung_crop,
}
_FLAT_ONLY = frozenset({"clahe", "lung_crop"})


def _scikit_image_exposure() -> Any:
    try:
        from skimage import exposure
    except ImportError as error:
        raise DataError(
            'data.preprocess names "clahe", and scikit-image is not installed. It is expected for this preset alone. '
            'Install it: pip install "lossassay[preprocess]"'
        ) from error
    return exposure


def _luminance(image: Image) -> Image:
    """Return float64 without the channel axis."""
    return image[..., 0].astype(float) if image.shape[-1] == 1 else image @ _GREY


def _search_copy(image: Image) -> tuple[Image, int]:
    """Return the luminance averaged in blocks, so that large images take no longer, and the side of a block."""
    light = _luminance(image)
    factor = max(1, min(max(light.shape) // _SEARCH_PX, *light.shape))
    for axis in range(light.ndim) if factor > 1 else ():
        whole = light.shape[axis] // factor
        light = light.take(range(whole * factor), axis=axis)
        light = light.reshape(*light.shape[:axis], whole, factor, *light.shape[axis + 1 :]).mean(axis=axis + 1)
    return light, factor


def _otsu(light: Image) -> float:
    """Return the threshold with the largest variance between the two sides (Otsu 1979), from 256 bins.

    Where several bins share the largest variance (an empty stretch between two peaks) it is the middle of them.
    """
    low, high = float(light.min()), float(light.max())
    if low == high:
        return low
    counts, edges = np.histogram(light, bins=256, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below, total = counts.cumsum(), counts.sum()
    sum_below, total_sum = (counts * centres).cumsum(), (counts * centres).sum()
    inner = (below > 0) & (below < total)
    gap = np.zeros(256)
    gap[inner] = sum_below[inner] / below[inner] - (total_sum - sum_below[inner]) / (total - below[inner])
    between = below * (total - below) * gap**2
    return float(edges[1:][between == between.max()].mean())


def _foreground(light: Image) -> npt.NDArray[np.bool_]:
    threshold = _otsu(light)
    bright = light > threshold
    border = np.ones(light.shape, dtype=bool)
    border[tuple(slice(1, -1) for _ in light.shape)] = False
    edge = light[border]
    plain = float(edge.std()) < _PLAIN_BORDER * float(np.ptp(light))  # paper, not tissue that fills the image
    return ~bright if plain and bright[border].mean() > 0.5 else bright


def _are_lungs(parts: Image, sizes: Image, first: int, second: int) -> bool:
    if not second or sizes[second] < _SMALLER_LUNG * sizes[first]:
        return False
    share = (sizes[first] + sizes[second]) / parts.size
    middle = (parts.shape[1] - 1) / 2
    sides = [np.flatnonzero((parts == part).any(axis=0)).mean() < middle for part in (first, second)]
    return bool(_LUNGS[0] <= share <= _LUNGS[1] and sides[0] != sides[1])


def _box_around(mask: npt.NDArray[np.bool_]) -> Box:
    box: Box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return box


def _share(box: Box, shape: tuple[int, ...]) -> float:
    return float(np.prod([side.stop - side.start for side in box]) / np.prod(shape))


def _full_size(box: Box, factor: int, extent: tuple[int, ...]) -> Box:
    """Return the box in px of the image, with its margin, cut at the border."""
    found = []
    for side, length in zip(box, extent, strict=True):
        start = side.start * factor
        stop = length if side.stop == length // factor else side.stop * factor
        margin = round(_MARGIN * (stop - start))
        found.append(slice(max(0, start - margin), min(length, stop + margin)))
    return tuple(found)
