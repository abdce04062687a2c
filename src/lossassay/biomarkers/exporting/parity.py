"""What a run is written out as, and how near what was written comes to it."""

from dataclasses import dataclass
from typing import Literal, get_args

Format = Literal["onnx", "torch", "safetensors"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Largest absolute differences between a written file and the run, over real images.

    Args:
        format: Which file.
        features: Of the features.
        scores: Of the scores.
        probabilities: Of the probabilities.
        images: How many images of the test part were compared.
    """

    format: Format
    features: float
    scores: float
    probabilities: float
    images: int
