"""Which files of a tree are DICOM: by their first bytes, or by their name where old files have no preamble."""

import os
from collections.abc import Sequence
from pathlib import Path

from lossassay.data.names import IMAGE_SUFFIXES, join_path

DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")

_OTHER_SUFFIXES = (
    *IMAGE_SUFFIXES,
    *(".csv", ".tsv", ".parquet", ".xlsx", ".txt", ".md", ".json", ".xml", ".html", ".pdf", ".zip", ".gz", ".toml"),
    *(".nii", ".npz", ".npy", ".py", ".yaml", ".yml", ".ini", ".exe", ".dll", ".jar", ".js", ".css", ".gif", ".ico"),
)
_PREAMBLE = 128
_LOOKED_INTO = 200  # files without a telling name, before a tree counts as something else


def is_dicom_file(path: str | Path) -> bool:
    """Whether a file is DICOM: "DICM" after the preamble, or the first element of a data set without one.

    Args:
        path: Of a file; one that is not there or cannot be opened is none.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_PREAMBLE + 4)
    except OSError:
        return False
    return head[_PREAMBLE:] == b"DICM" or _starts_like_a_data_set(head)


def _starts_like_a_data_set(head: bytes) -> bool:
    """Group 0002 or 0008, a low element, and then a known value representation or a short length."""
    group, element = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
    if len(head) < 12 or group not in (0x0002, 0x0008) or element > 0x0070:
        return False
    explicit = head[4:6] in (b"UL", b"UI", b"CS", b"DA", b"TM", b"SH", b"LO", b"OB", b"DT")
    return explicit or int.from_bytes(head[4:8], "little") <= 128


def has_dicom_name(name: str) -> bool:
    """Whether a name says that its file is DICOM."""
    return name.lower().endswith(DICOM_SUFFIXES)


def has_other_name(name: str) -> bool:
    """Whether a name says that its file is something else, so that nobody need look into it."""
    return name.lower().endswith(_OTHER_SUFFIXES)


def holds_dicom(root: Path, names: Sequence[str]) -> bool:
    """Whether a tree is one of DICOM files rather than of class folders with plain images.

    Args:
        root: The folder.
        names: Posix paths of its files, relative to it.
    """
    named = [name for name in names if has_dicom_name(name) or os.path.basename(name).upper() == "DICOMDIR"]
    images = sum(name.lower().endswith(IMAGE_SUFFIXES) for name in names)
    if images and images >= len(named):
        return False
    unclear = named or [name for name in names if not has_other_name(name)]
    return any(is_dicom_file(join_path(root, name)) for name in sorted(unclear)[:_LOOKED_INTO])
