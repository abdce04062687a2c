"""Objects of a series → one volume: which files it is made of, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lossassay.data.dicom.geometry import stack_of
from lossassay.data.dicom.headers import Header
from lossassay.data.dicom.labels import Labelled
from lossassay.data.manifest import Finding
from lossassay.errors import DataError

_TOO_FEW = "a single slice"
_SIZES = "slices of different sizes"
_PLANES = "slices that are not parallel, or without position and number"
_DOUBLES = "several slices at one position"
_GAPS = "gaps between slices"
_BY_NUMBER = "no positions, so that slices are ordered by their instance number"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One volume.

    Args:
        files: Names on disk, in the order of its slices.
        places: Of its objects among the labelled ones; the first stands for all.
    """

    files: tuple[str, ...]
    places: tuple[int, ...]


def volumes(labelled: Labelled) -> tuple[list[Series], tuple[Finding, ...]]:
    """Stack the slices of every series; a multi-frame object is a volume by itself.

    Raises:
        DataError: If slices of one series have different labels.
    """
    found: list[Series] = []
    troubles: dict[str, list[tuple[str, ...]]] = {}
    for places in _by_series(labelled.headers):
        _refuse_two_labels([labelled.labels[place] for place in places])
        headers = [labelled.headers[place] for place in places]
        order, trouble = ((0,), None) if headers[0].num_frames > 1 else _ordered(headers)
        names = tuple(header.name for header in headers)
        if trouble is not None:
            troubles.setdefault(trouble, []).append(names)
        if order:
            files = tuple(names[place] for place in order)
            found.append(Series(files=files, places=tuple(places[place] for place in order)))
    return found, tuple(_irregular(troubles))


def _by_series(headers: Sequence[Header]) -> list[list[int]]:
    """Places of the objects of each series; the same object stored twice counts once."""
    series: dict[tuple[str | None, ...], list[int]] = {}
    seen: set[str] = set()
    for place, header in enumerate(headers):
        own = header.texts["SOPInstanceUID"]
        if own is not None and own in seen:
            continue
        seen |= {own} if own is not None else set()
        alone = header.name if header.num_frames > 1 or header.texts["SeriesInstanceUID"] is None else None
        series.setdefault((header.texts["SeriesInstanceUID"], alone), []).append(place)
    return list(series.values())


def _refuse_two_labels(labels: Sequence[object]) -> None:
    different = {str(label) for label in labels}
    if len(different) > 1:
        raise DataError(
            f"The slices of a DICOM series have {len(different)} different labels, and data.dicom.unit is 'volume'. "
            "Expected one label for each series. Join by SeriesInstanceUID, StudyInstanceUID or PatientID, or set "
            "data.dicom.unit = 'image'."
        )


def _ordered(headers: Sequence[Header]) -> tuple[tuple[int, ...], str | None]:
    """Return the order of slices, empty where they cannot be stacked, and what is irregular about them."""
    if len(headers) < 2:
        return (), _TOO_FEW
    if len({(header.rows_px, header.columns_px) for header in headers}) > 1:
        return (), _SIZES
    stack = stack_of([header.position_mm for header in headers], [header.orientation for header in headers])
    if stack is not None:
        if stack.doubles:
            return (), _DOUBLES
        return stack.order, _GAPS if stack.gaps else None
    numbers = [header.instance_number for header in headers]
    has_positions = all(header.position_mm and header.orientation for header in headers)
    if has_positions or None in numbers or len(set(numbers)) < len(numbers):
        return (), _PLANES
    return tuple(sorted(range(len(headers)), key=lambda place: numbers[place] or 0)), _BY_NUMBER


def _irregular(troubles: dict[str, list[tuple[str, ...]]]) -> Iterator[Finding]:
    for trouble, series in sorted(troubles.items()):
        is_kept = trouble in (_GAPS, _BY_NUMBER)
        outcome = "They are used as they are" if is_kept else "They are left out"
        yield Finding(
            code="dicom-series-irregular",
            severity="note" if is_kept else "issue",
            message=f"{len(series)} DICOM series have {trouble}. {outcome}.",
            advice="Check that the series are complete and hold one stack of slices each.",
            paths=tuple(name for names in series for name in names),
        )


def of_volumes(labelled: Labelled, series: Sequence[Series]) -> Labelled:
    """Return one labelled object for each volume: its first slice stands for it."""
    first = [one.places[0] for one in series]
    return replace(
        labelled,
        headers=[labelled.headers[place] for place in first],
        labels=[labelled.labels[place] for place in first],
        columns={name: [cells[place] for place in first] for name, cells in labelled.columns.items()},
        parts=None if labelled.parts is None else [labelled.parts[place] for place in first],
    )
