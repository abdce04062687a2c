"""Features that nobody trains: grey levels and co-occurrence, the baseline that learnt features have to beat."""

from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from lossassay.engine.spec import Array
from lossassay.errors import DataError

BASELINE = "classical baseline"
_LEVELS = 32
_DISTANCES_PX = (1, 2)
_ANGLES = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_TEXTURES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation", "ASM")
_PERCENTILES = (10, 25, 50, 75, 90)
FIRST_ORDER_NAMES: tuple[str, ...] = (
    "mean",
    "standard deviation",
    "skewness",
    "kurtosis",
    "entropy",
    "energy",
    *(f"percentile {share}" for share in _PERCENTILES),
)
FEATURE_NAMES: tuple[str, ...] = (
    *FIRST_ORDER_NAMES,
    *(f"co-occurrence {name} at {distance} px" for name in _TEXTURES for distance in _DISTANCES_PX),
)


# How many features there are, by what is made; "off" and "no_scikit_image": none.
FEATURES_OF = {"first_order_and_texture": len(FEATURE_NAMES), "first_order": len(FIRST_ORDER_NAMES)}
Baseline = Literal["first_order_and_texture", "first_order", "no_scikit_image"]


def baseline_of(dimensions: int) -> Baseline:
    """Return which classical features can be made here: volumes have no co-occurrence; it needs scikit-image.

    Args:
        dimensions: 2 for images, 3 for volumes.
    """
    if dimensions == 3:
        return "first_order"
    return "first_order_and_texture" if find_spec("skimage") is not None else "no_scikit_image"


def classical_features(images: Array) -> Array:
    """Return first-order features and, for flat images, those of the grey-level co-occurrence matrix, float32 [N F].

    The names are as in the Image Biomarker Standardisation Initiative (Zwanenburg et al. 2020, Radiology 295:328),
    over the whole image, with 32 levels of fixed width; co-occurrence is averaged over four directions.

    Args:
        images: [N H W C] or [N D H W C]; channels are averaged.

    Raises:
        DataError: For flat images where scikit-image is not installed.
    """
    return np.stack([_of_image(image) for image in images]).astype(np.float32)


def _of_image(image: Array) -> Array:
    grey = image.mean(axis=-1) / np.iinfo(image.dtype).max
    return _first_order(grey) if grey.ndim == 3 else np.concatenate([_first_order(grey), _texture(grey)])


def _first_order(grey: Array) -> Array:
    centred = grey - grey.mean()
    sd = float(centred.std())
    scaled = centred / sd if sd > 0 else centred
    shares = np.bincount(_levels(grey).ravel(), minlength=_LEVELS) / grey.size
    present = shares[shares > 0]
    return np.array(
        [
            grey.mean(),
            sd,
            (scaled**3).mean(),
            (scaled**4).mean(),
            -(present * np.log2(present)).sum(),
            (grey**2).mean(),
            *np.percentile(grey, _PERCENTILES),
        ]
    )


def _texture(grey: Array) -> Array:
    try:
        from skimage import feature
    except ImportError:
        raise DataError(
            "The classical baseline needs scikit-image, which is not installed. "
            'Install it with: pip install "lossassay[preprocess]", or set biomarkers.baseline = false.'
        ) from None
    texture: Any = feature  # its functions have no types
    matrix = texture.graycomatrix(_levels(grey), _DISTANCES_PX, _ANGLES, levels=_LEVELS, symmetric=True, normed=True)
    return np.concatenate([texture.graycoprops(matrix, name).mean(axis=1) for name in _TEXTURES])


def _levels(grey: Array) -> Array:
    found: Array = np.minimum(grey * _LEVELS, _LEVELS - 1).astype(np.uint8)
    return found
