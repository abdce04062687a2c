"""Lists the images of any path for a run: labels are read where they are there and asked for nowhere."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.config.schema import DataConfig, SplitConfig
from lossassay.data.arrays import is_npz_folder
from lossassay.data.dicom.extra import require_pydicom
from lossassay.data.dicom.files import holds_dicom, is_dicom_file
from lossassay.data.dicom.headers import Header
from lossassay.data.dicom.labels import Labelled, label
from lossassay.data.dicom.scan import scan_dicom
from lossassay.data.dicom.table import as_dicom
from lossassay.data.finding_columns import UNKNOWN, findings
from lossassay.data.folder_files import files_below
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import PART_NAMES, Manifest, manifest_rows
from lossassay.data.names import READ_SUFFIXES
from lossassay.data.nifti.scan import as_nifti
from lossassay.data.order import cut
from lossassay.data.scan import scan
from lossassay.data.table import TABLE_SUFFIXES, read_table
from lossassay.data.table_columns import Table
from lossassay.data.table_groups import belonging
from lossassay.data.table_paths import image_paths, kind_of
from lossassay.data.volume_rows import refuse_volume_settings
from lossassay.errors import DataError

_FORMS = "a folder of images, one image, a table of paths, an .npz file, or a tree of DICOM files"
_OF_TABLES: dict[str, Any] = {
    "group": None,
    "source": None,
    "exam": None,
    "path_columns": None,
    "path_separator": None,
    "sheet": None,
    "encoding": None,
    "label_separator": None,
    "label_bins": None,
    "finding_columns": None,
}


def new_rows(run: LoadedRun, path: str | Path) -> Manifest:
    """List images for a run.

    Args:
        run: Says how they are read, and what its classes are called.
        path: As for `open_new_images`.

    Returns:
        A manifest whose labels are numbers in the run's order of classes (multi-label: lists with -1 for what is not
        known), or null.

    Raises:
        DataError: If there is nothing to read.
    """
    data = _without_design(run.study.data, str(path))
    found = as_nifti(_any_rows(run, data), data)
    if not len(found.rows):
        raise DataError(f"{path} holds no image. Expected {_FORMS}. Check the path.")
    refuse_volume_settings(found, data)
    return found


def _without_design(data: DataConfig, path: str) -> DataConfig:
    """Keep how images are read, drop how a study is made of them."""
    own = path if path == "digits" else str(Path(path).expanduser().absolute())
    return data.model_copy(
        update={"path": own, "order": None, "split": SplitConfig(), "time": None, "columns": {}, "source": None}
    )


def _any_rows(run: LoadedRun, data: DataConfig) -> Manifest:
    if data.path == "digits":
        return _of_arrays(run, data)
    path = Path(data.path)
    if not path.exists():
        raise DataError(f"There is no {path}. Expected {_FORMS}. Check the path.")
    if path.is_dir():
        names = list(files_below(path))
        if is_npz_folder(path):
            return _of_arrays(run, data)
        if holds_dicom(path, names):
            return _of_dicom(run, data, path, names)
        return _of_files(run, data, path, names)
    if path.suffix.lower() in TABLE_SUFFIXES:
        return as_dicom(_of_table(run, data, path), data)
    if path.suffix.lower() == ".npz":
        return _of_arrays(run, data)
    if path.name.lower().endswith(READ_SUFFIXES):
        return _of_files(run, data, path.parent, [path.name])
    if is_dicom_file(path):
        return _of_dicom(run, data, path.parent, [path.name])
    raise DataError(f"{path} is a {path.suffix or 'nameless kind of'} file. Expected {_FORMS}.")


def _of_arrays(run: LoadedRun, data: DataConfig) -> Manifest:
    found = scan(data.model_copy(update=_OF_TABLES | {"group_pattern": None}))
    names, task = found.class_names, found.task
    labels = [_in_run_order(one, names, task, run) for one in found.rows["label"].to_list()]
    return _with_labels(found, labels, run)


def _in_run_order(found: Any, names: Sequence[str], task: str, run: LoadedRun) -> Any:
    """Translate one label from the order of these data to that of the run; None where the run has no such class."""
    if (task == "multi_label") != (run.task == "multi_label"):
        return None
    if task != "multi_label":
        return _number(names[found], run)
    by_name = dict(zip(names, found, strict=True))
    return [by_name.get(name, UNKNOWN) for name in run.class_names]


def _number(name: str | None, run: LoadedRun) -> int | None:
    return run.class_names.index(name) if name in run.class_names else None


def _with_labels(manifest: Manifest, labels: Sequence[Any], run: LoadedRun) -> Manifest:
    kind = pl.List(pl.Int64) if run.task == "multi_label" else pl.Int64()
    rows = manifest.rows.with_columns(label=pl.Series(labels, dtype=kind))
    return replace(manifest, rows=rows, class_names=run.class_names, task=run.task)


def _of_files(run: LoadedRun, data: DataConfig, root: Path, names: Sequence[str]) -> Manifest:
    found = [name for name in names if name.lower().endswith(READ_SUFFIXES)]
    on_disk = {unicodedata.normalize("NFC", name): name for name in found}
    if len(on_disk) < len(found):
        raise DataError(
            f"{root} holds {len(found) - len(on_disk)} names twice, in two Unicode encodings of the same characters. "
            "Expected one file for each name. Rename one of each."
        )
    paths = sorted(on_disk)
    top = {PART_NAMES.get(path.split("/", 1)[0].lower()) for path in paths if "/" in path}
    depth = 2 if "train" in top and None not in top else 1
    folders = [path.split("/")[depth - 1] if path.count("/") >= depth else None for path in paths]
    known = [_number(folder, run) for folder in folders]
    return Manifest(
        kind="files",
        root=root,
        rows=manifest_rows(
            paths,
            [None] * len(paths) if run.task == "multi_label" else known,  # type: ignore[arg-type]
            task=run.task,
            groups=_groups_of(data.group_pattern, paths),
        ),
        class_names=run.class_names,
        task=run.task,
        dimensions=2,
        names_on_disk={path: name for path, name in on_disk.items() if path != name},
    )


def _groups_of(pattern: str | None, paths: Sequence[str]) -> list[str | None] | None:
    """Read patients from paths with the study's pattern, where it fits."""
    if pattern is None:
        return None
    found = [match.group(1) if (match := re.search(pattern, path)) else None for path in paths]
    return hash_groups(found)


def _of_table(run: LoadedRun, data: DataConfig, path: Path) -> Manifest:
    table = read_table(path, encoding=data.encoding, sheet=data.sheet)
    data = _with_columns_of(table, data)
    images = sorted(image_paths(table, data), key=lambda image: image.path)
    images = list({image.path: image for image in images}.values())
    if data.group_pattern is not None and not any(re.search(data.group_pattern, image.path) for image in images):
        data = data.model_copy(update={"group_pattern": None})
    own, labels = belonging(table, data, images), _table_labels(run, table, data)
    return Manifest(
        kind=kind_of(images, path.parent),
        root=path.parent,
        rows=manifest_rows(
            [image.path for image in images],
            [labels[image.line] for image in images],
            task=run.task,
            groups=None if own.groups is None else hash_groups(own.groups),
            exams=None if own.exams is None else hash_groups(own.exams),
        ),
        class_names=run.class_names,
        task=run.task,
        dimensions=2,
        names_on_disk={image.path: image.name for image in images if image.path != image.name},
    )


def _with_columns_of(table: Table, data: DataConfig) -> DataConfig:
    """Drop the columns that this table does not have and can do without."""
    there = set(table.frame.columns)
    named = (data.group,) if isinstance(data.group, str) else data.group or ()
    changes: dict[str, Any] = {}
    if any(name not in there for name in named):
        changes["group"] = None
    if data.exam is not None and data.exam not in there:
        changes["exam"] = None
    if data.path_columns is not None and any(name not in there for name in data.path_columns):
        changes["path_columns"] = None
    return data.model_copy(update=changes)


def _table_labels(run: LoadedRun, table: Table, data: DataConfig) -> list[Any]:
    """Read the label of each line, None where there is none that the run knows."""
    lines, there = len(table.lines), set(table.frame.columns)
    if data.finding_columns is not None:
        if any(name not in there for name in data.finding_columns):
            return [None] * lines
        cells = [table.names(name, "finding_columns") for name in data.finding_columns]
        return list(findings(cells, data, str(table.path)))
    if data.label_column not in there:
        return [None] * lines
    texts = table.names(data.label_column, "label_column")
    if data.label_separator is not None:
        pieces = [None if text is None else {one.strip() for one in text.split(data.label_separator)} for text in texts]
        return [None if own is None else [int(name in own) for name in run.class_names] for own in pieces]
    if data.label_bins is not None:
        known = [line for line, text in enumerate(texts) if text is not None]
        grades = iter(cut([texts[line] for line in known], data.label_bins, str(table.path))[1])
        return [None if text is None else next(grades) for text in texts]
    return [_number(text, run) for text in texts]


def _of_dicom(run: LoadedRun, data: DataConfig, root: Path, names: Sequence[str]) -> Manifest:
    def label_what_is_known(headers: Sequence[Header], own: DataConfig, folder: Path) -> Labelled:
        return _dicom_labels(run, headers, own, folder)

    require_pydicom()
    group = data.group if _is_attribute(data.group) else None
    known = data.model_copy(update={"group": group, "exam": _exam(data), "group_pattern": None})
    return scan_dicom(root, known, names, label_with=label_what_is_known)


def _is_attribute(group: Any) -> bool:
    """Whether patients are known by attributes alone, without a table of labels."""
    from pydicom.datadict import tag_for_keyword

    named = (group,) if isinstance(group, str) else group or ()
    return group is False or all(tag_for_keyword(name) is not None for name in named)


def _exam(data: DataConfig) -> str | None:
    return data.exam if data.exam in ("series", "study") or (data.exam and _is_attribute(data.exam)) else None


def _dicom_labels(run: LoadedRun, headers: Sequence[Header], data: DataConfig, root: Path) -> Labelled:
    """Keep every image, and give those a label that have one of the run's classes."""
    try:
        found = label(headers, data, root)
        own = [_in_run_order(one, found.class_names, found.task, run) for one in found.labels]
        known = dict(zip((header.name for header in found.headers), own, strict=True))
    except DataError:
        known = {}
    return Labelled(
        headers=list(headers),
        labels=[known.get(header.name) for header in headers],
        class_names=run.class_names,
        task=run.task,
    )
