"""Values of a modality to grey between black (0) and white (1): look-up table, window, or full range."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lossassay.data.dicom.attributes import as_floats, as_text, item_of, of_frame

Values = npt.NDArray[Any]
Form = Literal["linear", "linear_exact", "sigmoid"]

_FORMS: dict[str, Form] = {"LINEAR": "linear", "LINEAR_EXACT": "linear_exact", "SIGMOID": "sigmoid"}


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window of DICOM PS3.3, C.11.2.1.2.

    Args:
        centre: In the units of the values.
        width: Likewise; more than 0, and at least 1 for ``"linear"``.
        form: How values between its limits become grey.
    """

    centre: float
    width: float
    form: Form = "linear_exact"

    def grey(self, values: Values) -> Values:
        """Return float64 between 0 and 1."""
        if self.form == "sigmoid":
            exponent = np.clip(-4 * (values - self.centre) / self.width, -700, 700)
            return np.asarray(1 / (1 + np.exp(exponent)))
        if self.form == "linear_exact":
            return np.clip((values - self.centre) / self.width + 0.5, 0, 1)
        if self.width == 1:
            return np.asarray(values > self.centre - 0.5, dtype=np.float64)
        return np.clip((values - (self.centre - 0.5)) / (self.width - 1) + 0.5, 0, 1)


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """A VOI look-up table: the first value it maps, and the grey of each from there on."""

    first: int
    greys: Values

    def grey(self, values: Values) -> Values:
        """Return float64 between 0 and 1; values beyond its ends become those of its ends."""
        places = np.clip(np.rint(values).astype(np.int64) - self.first, 0, len(self.greys) - 1)
        return np.asarray(self.greys[places])


@dataclass(frozen=True, kw_only=True)
class FullRange:
    """From the lowest value to the highest."""

    low: float
    high: float

    def grey(self, values: Values) -> Values:
        """Return float64 between 0 and 1; all is black where the range is empty."""
        if not self.high > self.low:
            return np.zeros(np.shape(values))
        return np.clip((values - self.low) / (self.high - self.low), 0, 1)


def linear_window(data_set: Any) -> Window | None:
    """Return the first window of a data set; None where there is none that means anything."""
    centres, widths = as_floats(data_set, "WindowCenter"), as_floats(data_set, "WindowWidth")
    form = _FORMS.get((as_text(data_set, "VOILUTFunction") or "LINEAR").upper())
    if not centres or len(centres) != len(widths) or form is None:
        return None
    least = 1.0 if form == "linear" else math.ulp(0.0)
    return Window(centre=centres[0], width=widths[0], form=form) if widths[0] >= least else None


def look_up(data_set: Any) -> LookUp | None:
    """Return the first VOI look-up table of a data set; None where there is none that can be used."""
    item = item_of(data_set, "VOILUTSequence")
    descriptor = () if item is None else as_floats(item, "LUTDescriptor", 3)
    data = None if item is None else item.get("LUTData")
    if not descriptor or data is None:
        return None
    count, first, bits = (int(number) for number in descriptor)
    greys = entries(data, count or 65_536)
    highest = 2 ** (bits if 8 <= bits <= 16 else 16) - 1
    if not len(greys):
        return None
    return LookUp(first=first, greys=np.minimum(greys, highest) / highest)


def entries(data: Any, count: int) -> Values:
    """Return the entries of a look-up table, whether they are numbers, or bytes of 8 or 16 bits."""
    if isinstance(data, bytes):
        return np.frombuffer(data[: 2 * count], "<u2") if len(data) >= 2 * count else np.frombuffer(data, np.uint8)
    numbers = [data] if isinstance(data, int) else list(data)
    return np.asarray(numbers[:count]) & 0xFFFF


def voi_of(data_set: Any, frame: int | None) -> Window | LookUp | None:
    """Return how the file wants a frame to be shown: its look-up table, else its first window, else None."""
    source = of_frame(data_set, frame, "FrameVOILUTSequence")
    return look_up(source) or linear_window(source)
