"""Names by which columns of tables are recognised, whatever their case and whatever joins their words."""

import re
from collections.abc import Sequence

PATIENT_NAMES = (
    "patient",
    "patient id",
    "patientid",
    "subject",
    "subject id",
    "subjectid",
    "person id",
    "personid",
    "pid",
)
CASE_NAMES = ("case id", "caseid", "case")  # proposed by `lossassay new`, but not assumed: a case can be an exam
SOURCE_NAMES = ("source", "site", "hospital", "scanner", "institution", "center", "centre")
EXAM_NAMES = ("exam", "exam id", "examid", "study id", "studyid", "accession number", "accessionnumber", "visit id")
TIME_NAMES = ("date", "exam date", "study date", "studydate", "acquisition date", "scan date", "year")
PART_NAMES = ("official split", "split", "part", "partition", "subset")
LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "diagnosis",
    "target",
    "finding",
    "findings",
    "finding labels",
    "category",
    "grade",
)
# What can tell the class without an image; used beside the stated columns.
METADATA_NAMES = (
    "age",
    "sex",
    "gender",
    "view",
    "view position",
    "projection",
    "laterality",
    "side",
    "modality",
    "manufacturer",
    "scanner",
    "device",
    "model",
    "kvp",
    "site",
    "hospital",
    "weight",
    "height",
)
_IDENTIFYING = frozenset(
    {"id", "ids", "uid", "identifier", "mrn", "accession", "name", "names", "birth", "birthdate", "dob", "path", "file"}
    | {"filename", "filepath", "url", "address", "phone", "email", "ssn", "comment", "comments", "report", "text"}
    | {"patient", "subject", "person", "pid", "case", "index", "date", "time", "datetime"}
)

_JOINED = re.compile(
    r".*(patient|subject|study|series|image|case|exam|visit|scan|person|sop|instance)u?id|.*date|.*path"
)


def normal_name(name: str) -> str:
    """Bring ``"Patient_ID"``, ``"patient-id"`` and ``"PatientID"`` to words in lower case, one space between them."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+", " ", name)
    return " ".join(words.lower().split())


def recognised(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the column that is called by the first of ``names`` that any is called by."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(normal_name(column), column)
        by_name.setdefault(normal_name(column.lower()), column)
    return next((by_name[name] for name in names if name in by_name), None)


def identifies(name: str) -> bool:
    """Whether a column's name says that it holds identifiers, dates, paths or free text."""
    words = normal_name(name).split()
    return not words or any(word in _IDENTIFYING or _JOINED.fullmatch(word) for word in words)


def is_metadata(name: str) -> bool:
    """Whether a column's name is a usual one for what is known beside the image, such as ``"Patient Age"``."""
    return normal_name(name).removeprefix("patient ") in METADATA_NAMES or normal_name(name.lower()) in METADATA_NAMES
