"""Viridis, computed: ordered in lightness, the same order for every kind of colour vision and in black and white."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# A polynomial of degree 6 for each channel, fitted to the table of viridis (van der Walt and Smith 2015, CC0; the fit
# is Zucker's, CC0). Rows are powers, columns red, green, blue.
_VIRIDIS = np.array(
    [
        [0.2777273272234177, 0.005407344544966578, 0.3340998053353061],
        [0.1050930431085774, 1.404613529898575, 1.384590162594685],
        [-0.3308618287255563, 0.214847559468213, 0.09509516302823659],
        [-4.634230498983486, -5.799100973351585, -19.33244095627987],
        [6.228269936347081, 14.17993336680509, 56.69055260068105],
        [4.776384997670288, -13.74514537774601, -65.35303263337234],
        [-5.435455855934631, 4.645852612178535, 26.3124352495832],
    ]
)


def viridis(values: Array) -> Array:
    """Return a colour for each value from 0 (dark violet) to 1 (yellow), uint8 [... 3]; others are clipped."""
    clipped = np.clip(np.asarray(values, dtype=np.float64), 0, 1)[..., None]
    colours = np.zeros((*clipped.shape[:-1], 3))
    for coefficients in _VIRIDIS[::-1]:
        colours = colours * clipped + coefficients
    found: Array = np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)
    return found
