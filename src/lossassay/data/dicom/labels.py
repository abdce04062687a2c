"""Labels of DICOM objects: from a table joined by an identifier, from a tag, or from the folders above."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossassay.catalogue.loss_spec import Task
from lossassay.config.schema import DataConfig
from lossassay.data.dicom.headers import Header
from lossassay.data.dicom.label_table import label_cells
from lossassay.data.finding_columns import findings as finding_labels
from lossassay.data.manifest import PART_NAMES, Finding
from lossassay.data.names import class_numbers, first_few, natural_order
from lossassay.data.order import cut
from lossassay.errors import DataError, did_you_mean

_HOW = (
    "Name a table of labels in data.dicom.labels (and by what it names an image in data.dicom.join), or the tag that "
    "holds the label in data.dicom.label_tag, or put the files into one folder for each class"
)


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Objects that have a label.

    Args:
        headers: [N].
        labels: [N] numbers, or multi-hot lists.
        class_names: In the order of their numbers.
        task: Whether an image has one label or several.
        columns: Further columns of the table of labels, [N] cells each.
        parts: [N] official parts; None: there are none.
        findings: What came up.
    """

    headers: list[Header]
    labels: list[Any]
    class_names: tuple[str, ...]
    task: Task
    columns: dict[str, list[str | None]] = field(default_factory=dict, repr=False)
    parts: list[str | None] | None = None
    findings: tuple[Finding, ...] = ()


def label(headers: Sequence[Header], data: DataConfig, root: Path) -> Labelled:
    """Give every object its label.

    Args:
        headers: Of the images.
        data: The study's data section.
        root: The folder, for messages.

    Raises:
        DataError: If nothing says what the labels are, the table cannot be joined, or it contradicts itself.
    """
    if data.dicom.labels is not None and data.dicom.label_tag is not None:
        raise DataError("data.dicom.labels and data.dicom.label_tag are both given. Expected one of them. Drop one.")
    if data.dicom.labels is not None:
        return _from_table(headers, data, Path(data.dicom.labels))
    if data.dicom.label_tag is not None:
        return _from_tag(headers, data, data.dicom.label_tag)
    return _from_folders(headers, root)


def _from_tag(headers: Sequence[Header], data: DataConfig, tag: str) -> Labelled:
    known = [header for header in headers if header.texts[tag] is not None]
    if not known:
        raise DataError(f"None of the {len(headers)} DICOM images has a value in {tag} (data.dicom.label_tag). {_HOW}.")
    texts = [header.texts[tag] for header in known]
    class_names, numbers, task = _numbers(texts, data, f"the tag {tag}")
    findings = (*_unlabelled(headers, known, f"no value in {tag}"), _from_tag_finding(tag, len(class_names)))
    return Labelled(headers=known, labels=numbers, class_names=class_names, task=task, findings=findings)


def _from_tag_finding(tag: str, count: int) -> Finding:
    return Finding(
        code="labels-from-tag",
        severity="note",
        message=f"Labels are the {count} values of the tag {tag}.",
        advice="Make sure that they are what the study is about; else name a table of labels in data.dicom.labels.",
    )


def _from_folders(headers: Sequence[Header], root: Path) -> Labelled:
    top = {PART_NAMES.get(header.name.split("/", 1)[0].lower()) for header in headers if "/" in header.name}
    has_parts = "train" in top and None not in top
    depth = 2 if has_parts else 1
    inside = [header for header in headers if header.name.count("/") >= depth]
    classes = [header.name.split("/")[depth - 1] for header in inside]
    if len(set(classes)) < 2:
        found = f"{len(set(classes))} folder{'' if len(set(classes)) == 1 else 's'} at the top"
        raise DataError(f"{root} holds {len(headers)} DICOM images in {found} and nothing says their labels. {_HOW}.")
    class_names, numbers = class_numbers(classes)
    return Labelled(
        headers=inside,
        labels=numbers,
        class_names=class_names,
        task="single_label",
        parts=[PART_NAMES[header.name.split("/", 1)[0].lower()] for header in inside] if has_parts else None,
        findings=tuple(_unlabelled(headers, inside, "no class folder above")),
    )


def _from_table(headers: Sequence[Header], data: DataConfig, path: Path) -> Labelled:
    if not path.is_file():
        raise DataError(f"There is no table {path} (data.dicom.labels). Expected a CSV, TSV, Excel or Parquet file.")
    cells = label_cells(path, data)
    join, join_column = data.dicom.join, data.dicom.join_column or data.dicom.join
    identifiers = _column(cells, join_column, path, "dicom.join_column")
    row_of = _rows_by_identifier(identifiers, cells, data, path)
    known = [header for header in headers if header.texts[join] in row_of]
    if not known:
        raise DataError(_no_match(headers, row_of, join, path))
    rows = [row_of[header.texts[join] or ""] for header in known]
    labels, class_names, task = _labels_of_rows(cells, rows, data, path)
    kept = [place for place, one in enumerate(labels) if one is not None]
    columns = {name: [column[rows[place]] for place in kept] for name, column in cells.items()}
    in_use = {header.texts[join] for header in headers}
    notes = [
        *_unlabelled(headers, [known[place] for place in kept], "no label in the table"),
        *_unused(sum(one not in in_use for one in row_of), len(row_of)),
        *_repeated(identifiers, len(row_of)),
    ]
    return Labelled(
        headers=[known[place] for place in kept],
        labels=[labels[place] for place in kept],
        class_names=class_names,
        task=task,
        columns=columns,
        parts=_parts(columns.get(data.part_column), data, path),
        findings=tuple(notes),
    )


def _column(cells: dict[str, list[str | None]], name: str, path: Path, key: str) -> list[str | None]:
    if name not in cells:
        raise DataError(
            f"{path} has no column {name!r} (data.{key}). Its columns: {', '.join(cells)}."
            f"{did_you_mean(name, cells)} Set data.{key} to the right one."
        )
    return cells[name]


def _rows_by_identifier(
    identifiers: Sequence[str | None], cells: dict[str, list[str | None]], data: DataConfig, path: Path
) -> dict[str, int]:
    """Return the row of each identifier; the same line twice is one, two labels for one identifier are an error."""
    names = data.finding_columns or (data.label_column,)
    columns = [_column(cells, name, path, "label_column") for name in names]
    row_of: dict[str, int] = {}
    contradicted = set()
    for row, identifier in enumerate(identifiers):
        if identifier is None:
            continue
        first = row_of.setdefault(identifier, row)
        if any(column[first] != column[row] for column in columns):
            contradicted.add(identifier)
    if contradicted:
        raise DataError(
            f"{path}: {len(contradicted)} of {len(row_of)} values of {data.dicom.join} have two different labels, such "
            f"as {first_few(sorted(contradicted))}. Expected one label for each. Correct the table, or join by an "
            "identifier that names single images."
        )
    return row_of


def _no_match(headers: Sequence[Header], row_of: dict[str, int], join: str, path: Path) -> str:
    there = sorted({text for header in headers if (text := header.texts[join])})
    near = [
        f"{mine!r} in the table beside {found[0]!r} in a file"
        for mine in sorted(row_of)[:50]
        if (found := difflib.get_close_matches(mine, there[:2_000], n=1, cutoff=0.6))
    ]
    hint = f" Near misses: {first_few(near)}." if near else f" The files have, for example, {first_few(there)}."
    return (
        f"{path}: none of its {len(row_of)} identifiers is the {join} of one of {len(headers)} DICOM images.{hint} "
        "Check data.dicom.join and data.dicom.join_column; spreadsheets drop zeros at the start of numbers."
    )


def _labels_of_rows(
    cells: dict[str, list[str | None]], rows: Sequence[int], data: DataConfig, path: Path
) -> tuple[list[Any], tuple[str, ...], Task]:
    """Return a label or None for each of the rows."""
    if data.finding_columns is not None:
        columns = [_column(cells, name, path, "finding_columns") for name in data.finding_columns]
        picked = [[column[row] for row in rows] for column in columns]
        return list(finding_labels(picked, data, str(path))), data.finding_columns, "multi_label"
    texts = [_column(cells, data.label_column, path, "label_column")[row] for row in rows]
    if data.label_separator is not None:
        names, hot, task = _numbers(texts, data, str(path))
        return hot, names, task
    known = [place for place, text in enumerate(texts) if text is not None]
    if not known:
        raise DataError(f"{path}: no image has a label in {data.label_column!r}. Check data.label_column.")
    names, numbers, task = _numbers([texts[place] for place in known], data, str(path))
    labels: list[Any] = [None] * len(texts)
    for place, number in zip(known, numbers, strict=True):
        labels[place] = number
    return labels, names, task


def _numbers(texts: Sequence[str | None], data: DataConfig, source: str) -> tuple[tuple[str, ...], list[Any], Task]:
    if data.label_separator is not None:
        pieces = [[one.strip() for one in (text or "").split(data.label_separator) if one.strip()] for text in texts]
        names = tuple(sorted({one for cell in pieces for one in cell}, key=natural_order))
        return names, [[int(name in cell) for name in names] for cell in pieces], "multi_label"
    if data.label_bins is not None:
        names, grades = cut(texts, data.label_bins, source)
        return names, list(grades), "ordinal"
    names, numbers = class_numbers([text or "" for text in texts])
    return names, list(numbers), "single_label"


def _parts(cells: list[str | None] | None, data: DataConfig, path: Path) -> list[str | None] | None:
    if cells is None:
        if data.split.official:
            raise DataError(f"{path} has no column {data.part_column!r} (data.part_column) for the official parts.")
        return None
    strange = [cell for cell in cells if cell is not None and cell.lower() not in PART_NAMES]
    if strange:
        raise DataError(
            f"{path}: {len(strange)} cells of {data.part_column!r} name no part; the first is {strange[0]!r}. "
            "Expected train, val, valid, validation or test."
        )
    return [None if cell is None else PART_NAMES[cell.lower()] for cell in cells]


def _unlabelled(headers: Sequence[Header], known: Sequence[Header], why: str) -> Iterator[Finding]:
    names = {header.name for header in known}
    missing = tuple(header.name for header in headers if header.name not in names)
    if missing:
        yield Finding(
            code="dicom-unlabelled",
            severity="issue",
            message=f"{len(missing)} of {len(headers)} DICOM images have {why}; they are left out.",
            advice="Add their labels, or move them away if they do not belong to the study.",
            paths=missing,
        )


def _unused(count: int, total: int) -> Iterator[Finding]:
    if count:
        yield Finding(
            code="dicom-labels-unused",
            severity="note",
            message=f"{count} of {total} identifiers in the table of labels belong to no image that was found.",
            advice="Check that the tree is complete.",
        )


def _repeated(identifiers: Sequence[str | None], different: int) -> Iterator[Finding]:
    more = sum(one is not None for one in identifiers) - different
    if more:
        yield Finding(
            code="duplicate-rows",
            severity="note",
            message=f"{more} lines of the table of labels repeat an identifier with the same label.",
            advice="Keep one line for each; the first is used.",
        )
