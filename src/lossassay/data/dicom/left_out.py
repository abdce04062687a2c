"""Objects of a tree that are no images of a study: recognised, left out and counted."""

from collections import Counter
from collections.abc import Iterator, Sequence

from lossassay.data.dicom.headers import Header
from lossassay.data.manifest import Finding

SECONDARY = "secondary captures"

_BY_CLASS = {
    "1.2.840.10008.5.1.4.1.1.7": SECONDARY,
    "1.2.840.10008.5.1.4.1.1.11.": "presentation states",
    "1.2.840.10008.5.1.4.1.1.88.": "structured reports",
    "1.2.840.10008.5.1.4.1.1.104.": "encapsulated documents",
    "1.2.840.10008.5.1.4.1.1.66.4": "segmentations",
    "1.2.840.10008.5.1.4.1.1.9.": "waveforms",
    "1.2.840.10008.5.1.4.1.1.481.": "radiotherapy objects",
}
_RADIOTHERAPY_IMAGE = "1.2.840.10008.5.1.4.1.1.481.1"
_LOCALISER_WORDS = {"LOCALIZER", "LOCALISER", "SCOUT", "TOPOGRAM", "SURVEY"}


def kind_left_out(header: Header) -> str | None:
    """Return what an object is, in the plural, if it is no image of a study; None: it is one."""
    for start, words in _BY_CLASS.items():
        is_of_class = header.sop_class == start or header.sop_class.startswith(f"{start.rstrip('.')}.")
        if is_of_class and header.sop_class != _RADIOTHERAPY_IMAGE:
            return words
    if not header.has_pixels or not header.rows_px or not header.columns_px:
        return "objects without pixel data"
    if any(word in _LOCALISER_WORDS for value in header.image_type for word in value.upper().split("_")):
        return "localisers"
    return None


def split_off(headers: Sequence[Header]) -> tuple[list[Header], tuple[Finding, ...]]:
    """Separate the images of a study from everything else.

    Secondary captures are screenshots and reports beside real images. Where a tree holds nothing but them, they are
    the images: public chest X-ray sets are stored so.

    Returns:
        The images, and a finding with the counts of what was left out.
    """
    kinds = [kind_left_out(header) for header in headers]
    only_secondary = None not in kinds and any(
        kind == SECONDARY and header.has_pixels for kind, header in zip(kinds, headers, strict=True)
    )
    if only_secondary:
        kinds = [
            None if kind == SECONDARY and header.has_pixels else kind
            for kind, header in zip(kinds, headers, strict=True)
        ]
    images = [header for header, kind in zip(headers, kinds, strict=True) if kind is None]
    findings = list(_counted([(header.name, kind) for header, kind in zip(headers, kinds, strict=True) if kind]))
    if only_secondary:
        findings.append(
            Finding(
                code="dicom-secondary-only",
                severity="note",
                message=f"All {len(images)} DICOM images are secondary captures, and there are no others: they are "
                "taken as the images.",
                advice="Check that they are the original images and no screenshots.",
            )
        )
    return images, tuple(findings)


def _counted(left_out: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    if left_out:
        counts = Counter(kind for _, kind in left_out)
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        yield Finding(
            code="dicom-left-out",
            severity="note",
            message=f"{len(left_out)} DICOM objects are no images of the study and are left out: {listed}.",
            advice="Nothing, unless some of them are meant: move those into a folder of their own.",
            paths=tuple(name for name, _ in left_out),
        )
