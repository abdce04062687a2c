"""Made-up images that look like something, and caches of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from lossassay.config.schema import DataConfig
from lossassay.data.cache import ImageCache, open_cache


def scene(seed: int, side: int = 96) -> np.ndarray:
    """Draw blobs and bars, different for every seed."""
    random = np.random.default_rng(seed)
    down, right = np.mgrid[:side, :side] / side
    picture = np.zeros((side, side))
    for _ in range(12):
        y, x, width, height = random.uniform(0.1, 0.9, 4)
        ellipse = ((down - y) / (0.05 + 0.15 * width)) ** 2 + ((right - x) / (0.05 + 0.15 * height)) ** 2
        picture += random.uniform(-1, 1) * np.exp(-ellipse)
    picture = (picture - picture.min()) / (picture.max() - picture.min())
    return (40 + 160 * picture).astype(np.uint8)


def save(pixels: np.ndarray | Image.Image, path: Path) -> None:
    """Write a PNG file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path)


def opened(folder: Path, **changes: str) -> ImageCache:
    """Decode a folder at 64 px."""
    return open_cache(DataConfig(path=str(folder), image_size=64, **changes))
