"""Finds what a path holds and lists it as one manifest."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lossassay.config.schema import DataConfig
from lossassay.data.arrays import is_npz_folder, npz_rows, scan_digits, scan_npz
from lossassay.data.dicom.files import holds_dicom
from lossassay.data.dicom.scan import scan_dicom
from lossassay.data.dicom.table import as_dicom
from lossassay.data.folder_files import files_below
from lossassay.data.groups import groups_from_paths, hash_groups, missing_group_findings
from lossassay.data.manifest import PART_NAMES, Finding, Manifest, manifest_rows
from lossassay.data.names import READ_SUFFIXES, class_numbers, first_few
from lossassay.data.nifti.scan import as_nifti
from lossassay.data.order import in_order
from lossassay.data.table import TABLE_SUFFIXES, scan_table
from lossassay.data.volume_rows import refuse_volume_settings
from lossassay.errors import DataError

_FORMS = (
    "class folders, a .csv, .tsv, .parquet or .xlsx table, a MedMNIST-layout .npz file, a tree of DICOM files, "
    "or 'digits'"
)


def scan(data: DataConfig) -> Manifest:
    """List every image that ``data.path`` names, with its label, group, source and official part.

    Args:
        data: The study's data section. `path` is a folder of class folders (also with train, val(idation) and test
            above them), a tree of DICOM files, a CSV, TSV, Parquet or Excel table, an .npz file in the layout of
            MedMNIST (or the folder that holds exactly one), or ``"digits"``: the 1,797 images that ship with
            scikit-learn. Folders and tables can hold NIfTI volumes in place of images.

    Returns:
        A manifest whose rows do not depend on the order of files or of table rows.

    Raises:
        DataError: If there is no such path, nothing to read in it, or something wrong with its labels.
    """
    found = as_nifti(_scan_any(data), data)
    refuse_volume_settings(found, data)
    return found if data.order is None else in_order(found, data.order)


def _scan_any(data: DataConfig) -> Manifest:
    if data.path == "digits":
        _refuse_columns(data, "digits")
        return scan_digits()
    path = Path(data.path)
    if path.is_dir():
        archive = is_npz_folder(path)
        return _scan_array(archive, data) if archive else _scan_tree(path, data)
    if not path.exists():
        raise DataError(f"There is no {path}. Expected {_FORMS}. Check data.path.")
    if path.suffix.lower() in TABLE_SUFFIXES:
        return as_dicom(scan_table(path, data), data)
    if path.suffix.lower() == ".npz":
        return _scan_array(path, data)
    raise DataError(f"{path} is a {path.suffix or 'nameless kind of'} file. Expected {_FORMS}.")


def _scan_tree(root: Path, data: DataConfig) -> Manifest:
    names = list(files_below(root))
    if holds_dicom(root, names):
        return scan_dicom(root, data, names)
    return _scan_folders(root, data)


def _scan_array(path: Path, data: DataConfig) -> Manifest:
    _refuse_columns(data, "an .npz file")
    return npz_rows(scan_npz(path), data.volume)


def _refuse_columns(data: DataConfig, what: str) -> None:
    """Columns and patterns that the form of the data cannot have must not be ignored silently."""
    keys = ("group", "source", "exam", "time", "path_columns", "path_separator", "sheet", "encoding") + (
        ("columns", "label_separator", "label_bins", "finding_columns")
        + (() if what == "class folders" else ("group_pattern",))
    )
    given = [f"data.{key}" for key in keys if getattr(data, key) not in (None, False, {})]
    if given:
        hint = " Use data.group_pattern to read groups from paths." if what == "class folders" else ""
        raise DataError(f"{' and '.join(given)} cannot be used with {what}: it has no such column.{hint}")


def _scan_folders(root: Path, data: DataConfig) -> Manifest:
    _refuse_columns(data, "class folders")
    files = sorted((unicodedata.normalize("NFC", name), name) for name in files_below(root))
    images = [(path, name) for path, name in files if path.lower().endswith(READ_SUFFIXES)]
    above = _official_parts(path for path, _ in images)
    depth = 2 if above else 1
    labelled = [(path, name) for path, name in images if path.count("/") >= depth]
    if not labelled:
        raise DataError(_nothing_found(root, [path for path, _ in files], len(images)))
    paths = [path for path, _ in labelled]
    _refuse_doubles(root, paths)
    folders = [path.split("/", depth)[:depth] for path in paths]
    class_names, numbers = class_numbers([folder[-1] for folder in folders])
    groups = groups_from_paths(data.group_pattern, paths) if data.group_pattern else None
    return Manifest(
        kind="files",
        root=root,
        rows=manifest_rows(
            paths,
            numbers,
            task="single_label",
            groups=hash_groups(groups) if groups else None,
            parts=[PART_NAMES[folder[0].lower()] for folder in folders] if above else None,
        ),
        class_names=class_names,
        task="single_label",
        dimensions=2,
        findings=(*_folder_findings([path for path, _ in files], depth), *missing_group_findings(groups or [])),
        names_on_disk={path: name for path, name in labelled if path != name},
    )


def _official_parts(paths: Iterator[str]) -> bool:
    """Whether the uppermost folders are the official parts: all of them are called so, and one is for training."""
    top = {PART_NAMES.get(path.split("/", 1)[0].lower()) for path in paths if "/" in path}
    return "train" in top and None not in top


def _nothing_found(root: Path, files: Sequence[str], loose: int) -> str:
    expected = "Expected one folder for each class with PNG, JPEG, BMP, TIFF or WebP images, or NIfTI volumes in it"
    if loose:
        return f"{root} holds {loose} images but no class folders above them. {expected}, or a table of their labels."
    if not files:
        return f"{root} is empty. {expected}. Check data.path."
    endings = Counter(os.path.splitext(path)[1].lower() or "no ending" for path in files)
    found = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(4))
    tables = [path for path in files if "/" not in path and path.lower().endswith(TABLE_SUFFIXES)]
    advice = f"Name its table: {root / tables[0]}." if tables else "Check data.path."
    return f"{root} holds no images ({found}). {expected}. {advice}"


def _refuse_doubles(root: Path, paths: Sequence[str]) -> None:
    """Two names that differ only in how accents are encoded would be one path."""
    doubles = [path for path, count in Counter(paths).items() if count > 1]
    if doubles:
        raise DataError(
            f"{root} holds {len(doubles)} names twice, in two Unicode encodings of the same characters: "
            f"{first_few(doubles)}. Rename one of each."
        )


def _folder_findings(files: Sequence[str], depth: int) -> Iterator[Finding]:
    """Say what was left out; ``depth`` is the number of folders above an image that is taken in."""
    others = [path for path in files if "/" in path and not path.lower().endswith(READ_SUFFIXES)]
    loose = [path for path in files if path.count("/") < depth and path.lower().endswith(READ_SUFFIXES)]
    tables = [path for path in files if "/" not in path and path.lower().endswith(TABLE_SUFFIXES)]
    if others:
        yield Finding(
            code="ignored-files",
            severity="note",
            message=f"{len(others)} files in the class folders have no image ending and are ignored.",
            advice="Nothing, unless they are images: PNG, JPEG, BMP, TIFF, WebP and NIfTI are read.",
            paths=tuple(others),
        )
    if loose:
        yield Finding(
            code="loose-images",
            severity="note",
            message=f"{len(loose)} images lie outside the class folders and are ignored.",
            advice="Move them into the folder of their class if they belong to the study.",
            paths=tuple(loose),
        )
    if tables:
        yield Finding(
            code="table-beside",
            severity="note",
            message=f"The folder also holds {len(tables)} tables; labels were read from the folder names.",
            advice="Name the table itself in data.path to use its labels and groups.",
            paths=tuple(tables),
        )
