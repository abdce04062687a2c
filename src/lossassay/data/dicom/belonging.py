"""Which patient, exam, source and time an object belongs to; identifiers leave here as keyed hashes only."""

from collections.abc import Iterator, Sequence

from lossassay.config.schema import DataConfig
from lossassay.data.dicom.headers import IDENTIFIERS, Header
from lossassay.data.dicom.labels import Labelled
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import Finding
from lossassay.data.names import natural_order
from lossassay.errors import DataError, did_you_mean

# Attributes whose values say nothing of a person; all others are stored as keyed hashes.
STORED_AS_TEXT = (
    "Manufacturer",
    "ManufacturerModelName",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "PhotometricInterpretation",
    "Laterality",
    "ImageLaterality",
    "PatientPosition",
    "MagneticFieldStrength",
    "KVP",
    "ConvolutionKernel",
    "ScanningSequence",
    "SequenceVariant",
    "SliceThickness",
)
EXAM_NAMES = {"series": "SeriesInstanceUID", "study": "StudyInstanceUID"}

# What is written where a patient's identifier was taken out; in lower case, letters and digits only.
_PLACEHOLDERS = {
    *("anonymous", "anonymized", "anonymised", "anon", "unknown", "none", "null", "nan", "na", "patient", "patientid"),
    *("removed", "deleted", "deidentified", "id", "noid", "notavailable", "test", "xxx", "xxxx"),
}


def asked_keywords(data: DataConfig) -> tuple[str, ...]:
    """Return the attributes that the study's data section names, to be read with the headers.

    Raises:
        DataError: If the label's tag is no DICOM keyword.
    """
    groups = (data.group,) if isinstance(data.group, str) else data.group or ()
    named = [*groups, data.source, EXAM_NAMES.get(data.exam or "", data.exam), data.time]
    asked = [name for name in named if name and _is_keyword(name)]
    if data.dicom.label_tag is not None:
        if not _is_keyword(data.dicom.label_tag):
            raise DataError(_unknown(data.dicom.label_tag, "dicom.label_tag", ()))
        asked.append(data.dicom.label_tag)
    return tuple(dict.fromkeys(asked))


def _is_keyword(name: str) -> bool:
    from pydicom.datadict import tag_for_keyword

    return tag_for_keyword(name) is not None


def _unknown(name: str, key: str, columns: Sequence[str]) -> str:
    from pydicom.datadict import keyword_dict

    table = f" and no column of the table of labels ({', '.join(columns)})" if columns else ""
    near = did_you_mean(name, [*columns, *IDENTIFIERS, *STORED_AS_TEXT]) or did_you_mean(name, keyword_dict)
    return (
        f"data.{key} = {name!r} is no keyword of DICOM{table}.{near} Expected a keyword such as PatientID, "
        "SeriesInstanceUID or Manufacturer."
    )


def values_of(labelled: Labelled, name: str, key: str) -> list[str | None]:
    """Return the cells of a column of the table of labels, or else the values of an attribute.

    Raises:
        DataError: If there is neither.
    """
    if name in labelled.columns:
        return labelled.columns[name]
    if not _is_keyword(name):
        raise DataError(_unknown(name, key, list(labelled.columns)))
    return [header.texts.get(name) for header in labelled.headers]


def patients(labelled: Labelled, data: DataConfig) -> tuple[list[str | None], tuple[Finding, ...]]:
    """Return the identifier of each object's patient, or of what `data.group` names; not hashed yet.

    Several names are joined, the outer one first: the same patient number of two sites is two patients.
    """
    if data.group is False:
        return [None] * len(labelled.headers), ()
    names = (data.group or "PatientID",) if not isinstance(data.group, tuple) else data.group
    columns = [
        [None if cell is None or is_placeholder(cell) else cell for cell in values_of(labelled, name, "group")]
        for name in names
    ]
    cells = [None if row[-1] is None else "\0".join(cell or "" for cell in row) for row in zip(*columns, strict=True)]
    findings = tuple(_patients_unknown(cells))
    return [cell or _of_one_study(header) for cell, header in zip(cells, labelled.headers, strict=True)], findings


def _of_one_study(header: Header) -> str | None:
    """What stands for an unknown patient: images of one study are of one person, whoever it is."""
    study = header.texts["StudyInstanceUID"]
    return None if study is None else f"study {study}"


def is_placeholder(identifier: str) -> bool:
    """Whether an identifier stands where a patient's was taken out: no two such images are known to be of one."""
    plain = "".join(sign for sign in identifier.lower() if sign.isalnum())
    return not plain.strip("0") or plain in _PLACEHOLDERS


def _patients_unknown(cells: Sequence[str | None]) -> Iterator[Finding]:
    missing = sum(cell is None for cell in cells)
    if missing:
        yield Finding(
            code="patients-unknown",
            severity="issue",
            message=f"{missing} of {len(cells)} DICOM images have no patient identifier, or a placeholder such as "
            "ANONYMOUS; each study among them counts as a patient of its own.",
            advice="Name another attribute or a column of the table of labels in data.group.",
        )


def exams(labelled: Labelled, data: DataConfig) -> list[str | None]:
    """Return what is predicted together with each object; not hashed yet.

    Without `data.exam` the frames of multi-frame objects are predicted together: those of a series, or of one object
    where the objects of a series have different labels.
    """
    if data.exam is not None:
        return values_of(labelled, EXAM_NAMES.get(data.exam, data.exam), "exam")
    labels_of: dict[str | None, set[str]] = {}
    for header, label in zip(labelled.headers, labelled.labels, strict=True):
        if header.num_frames > 1:
            labels_of.setdefault(header.texts["SeriesInstanceUID"], set()).add(str(label))
    return [_own_exam(header, labels_of) for header in labelled.headers]


def _own_exam(header: Header, labels_of: dict[str | None, set[str]]) -> str | None:
    if header.num_frames == 1:
        return None
    series = header.texts["SeriesInstanceUID"]
    if series is None or len(labels_of[series]) > 1:
        return f"object {header.texts['SOPInstanceUID'] or header.name}"
    return f"series {series}"


def sources(labelled: Labelled, data: DataConfig) -> list[str | None] | None:
    """Return what `data.source` names: as text if it is a harmless attribute or a column, else hashed."""
    if data.source is None:
        return None
    cells = values_of(labelled, data.source, "source")
    return cells if data.source in labelled.columns or data.source in STORED_AS_TEXT else hash_groups(cells)


def times(labelled: Labelled, data: DataConfig) -> list[int | None] | None:
    """Return the rank of each object's date, from 0; never the date itself."""
    if data.time is None:
        return None
    cells = values_of(labelled, data.time, "time")
    known = {cell for cell in cells if cell is not None}
    rank = {cell: place for place, cell in enumerate(sorted(known, key=natural_order))}
    return [None if cell is None else rank[cell] for cell in cells]
