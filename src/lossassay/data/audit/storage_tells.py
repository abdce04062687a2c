"""Whether the way in which an image is stored gives its class away: format, size, depth, border, compression."""

from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from lossassay.data.audit.features import Feature, from_categories, from_numbers
from lossassay.data.audit.pixels import PixelFacts
from lossassay.data.audit.source_tells import described, severity
from lossassay.data.audit.tells import Tell
from lossassay.data.cache import ImageCache, file_facts
from lossassay.data.manifest import Finding

FORMAT = "file format"
BORDER = "border"
BYTES = "bytes per pixel"

_CONTENT_TOO = (BORDER, BYTES)  # what an image shows decides these as well: a plain one compresses better


def file_features(cache: ImageCache) -> tuple[Feature, ...]:
    """Return how the files of all rows are stored; arrays say nothing and give nothing."""
    facts = file_facts(cache)
    if cache.manifest.kind in ("npz", "digits"):
        return ()
    area = (pl.col("width_px") * pl.col("height_px")).clip(1)
    facts = facts.with_columns(
        area=area,
        aspect=(pl.col("width_px") / pl.col("height_px").clip(1)).round(2),
        bytes_per_pixel=(pl.col("file_bytes") / area).round(3),
    )
    quality, spacing = (facts[name].cast(pl.Float64).replace(0.0, None) for name in ("jpeg_quality", "spacing_mm"))
    return (
        from_categories(FORMAT, facts["format"].to_list()),
        from_numbers("image size", facts["area"].to_numpy()),
        from_numbers("aspect", facts["aspect"].to_numpy()),
        from_categories("pixel mode", facts["mode"].to_list()),
        from_numbers("bit depth", facts["bits"].to_numpy()),
        from_numbers("JPEG quality", quality.to_numpy()),
        from_numbers("pixel spacing", spacing.to_numpy()),
        from_numbers(BYTES, facts["bytes_per_pixel"].to_numpy()),
    )


def border_feature(facts: PixelFacts) -> Feature:
    """Return how bright the outermost pixels are."""
    return from_numbers(BORDER, facts.borders.round(3))


def storage_findings(tells: Sequence[Tell]) -> Iterator[Finding]:
    """Say which ways of storing tell the class: the format in a finding of its own, the rest in one.

    What the border and the bytes per pixel say can be the disease itself, so that they alone are never an issue.
    """
    telling = [tell for tell in tells if tell.tells()]
    for tell in telling:
        if tell.feature == FORMAT:
            yield Finding(
                code="format-predicts-class",
                severity=severity(tell),
                message=f"The file format alone tells {described(tell)}.",
                advice="Classes that were stored differently were collected or treated differently. Get the originals, "
                "or store all of them the same way from the same stage.",
            )
    others = sorted((tell for tell in telling if tell.feature != FORMAT), key=lambda tell: -tell.excess)
    if others:
        listed = "; ".join(f"the {tell.feature} tells {described(tell)}" for tell in others)
        yield Finding(
            code="storage-predicts-class",
            severity=_worst_severity(others),
            message=f"How images are stored or framed gives classes away: {listed}.",
            advice="A network can learn what storage leaves in the pixels: borders, blur, compression. Find out why "
            "the classes differ, and bring all images to the same form.",
        )


def _worst_severity(tells: Sequence[Tell]) -> Literal["issue", "note"]:
    of_storage = [severity(tell) for tell in tells if tell.feature not in _CONTENT_TOO]
    return "issue" if "issue" in of_storage else "note"
