"""What a scan reads of a DICOM file: a short list of attributes, kept in memory only."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lossassay.data.decode import LARGEST_IMAGE_PX
from lossassay.data.dicom.attributes import as_floats, as_int, as_text, as_texts, tag_of
from lossassay.data.dicom.extra import quietly
from lossassay.data.dicom.inflate import LARGEST_INFLATED_BYTES, refuse_bomb
from lossassay.data.dicom.reasons import HEADER_DAMAGED, TOO_FEW_BYTES, TOO_MANY_FRAMES, UnreadableDicom

# By which a table may name an image, and what makes groups and exams.
IDENTIFIERS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "AccessionNumber", "PatientID")

_READ = (
    *IDENTIFIERS,
    *("SOPClassUID", "Modality", "ImageType", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated"),
    *("BurnedInAnnotation", "WindowCenter", "WindowWidth", "VOILUTFunction", "InstanceNumber"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PhotometricInterpretation"),
)
_SMALLEST_FRAME_BYTES = 8  # an empty item of encapsulated pixel data


@dataclass(frozen=True, kw_only=True)
class Header:
    """One DICOM object, without its pixels.

    Args:
        name: Of its file on disk, relative to the root.
        texts: Identifiers and asked attributes, by keyword; an empty or absent one is None. They reach no file.
        sop_class: What kind of object it is, as a UID.
        image_type: Values of ImageType.
        rows_px: Height; 0: not an image.
        columns_px: Width.
        num_frames: At least 1.
        has_pixels: Whether something that holds pixels follows the header.
        window: None: the file names no window; else whether the one it names can be used.
        is_burned_in: Whether the file says that text stands in the pixels.
        position_mm: Of the first pixel, [3]; empty: not known.
        orientation: Direction of a row and of a column, [6]; empty: not known.
        instance_number: Place in its series; None: not known.
    """

    name: str
    texts: Mapping[str, str | None] = field(repr=False)
    sop_class: str
    image_type: tuple[str, ...]
    rows_px: int
    columns_px: int
    num_frames: int
    has_pixels: bool
    window: bool | None
    is_burned_in: bool
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    instance_number: int | None

    @property
    def is_directory(self) -> bool:
        """Whether it is a DICOMDIR, which lists other files."""
        return self.sop_class == "1.2.840.10008.1.3.10"


def read_header(path: str, name: str, asked: Collection[str] = ()) -> Header:
    """Read the header of one file.

    Args:
        path: Where the file is.
        name: What the manifest calls it.
        asked: Keywords of further attributes to keep as text.

    Raises:
        UnreadableDicom: If the header is damaged, or claims what the bytes of the file cannot hold.
    """
    try:
        with quietly(), open(path, "rb") as file:
            is_deflated = refuse_bomb(file)
            data_set = _read_before_pixels(file, [*_READ, *asked])
            size_bytes = os.fstat(file.fileno()).st_size
            left_bytes = None if is_deflated else size_bytes - file.tell()
            header = _header(data_set, name, asked, left_bytes is None or left_bytes >= _SMALLEST_FRAME_BYTES)
            if header.has_pixels and header.rows_px:
                _refuse_claims(header, data_set, left_bytes)
            return header
    except (UnreadableDicom, MemoryError):
        raise
    except OSError:
        raise UnreadableDicom("", "not readable") from None
    except Exception:  # a damaged header can raise anything inside a parser
        raise UnreadableDicom(HEADER_DAMAGED) from None


def _read_before_pixels(file: Any, keywords: list[str]) -> Any:
    from pydicom import dcmread

    return dcmread(file, force=True, stop_before_pixels=True, specific_tags=[tag_of(keyword) for keyword in keywords])


def _header(data_set: Any, name: str, asked: Collection[str], has_pixels: bool) -> Header:
    sop_class = as_text(data_set, "SOPClassUID") or as_text(data_set.file_meta, "MediaStorageSOPClassUID")
    if sop_class is None and not len(data_set):
        raise UnreadableDicom(HEADER_DAMAGED)
    return Header(
        name=name,
        texts={keyword: as_text(data_set, keyword) for keyword in (*IDENTIFIERS, *asked)},
        sop_class=sop_class or "",
        image_type=as_texts(data_set, "ImageType"),
        rows_px=max(0, as_int(data_set, "Rows") or 0),
        columns_px=max(0, as_int(data_set, "Columns") or 0),
        num_frames=max(1, as_int(data_set, "NumberOfFrames") or 1),
        has_pixels=has_pixels and "Rows" in data_set,
        window=_window(data_set),
        is_burned_in=(as_text(data_set, "BurnedInAnnotation") or "").upper() == "YES",
        position_mm=as_floats(data_set, "ImagePositionPatient", 3),
        orientation=as_floats(data_set, "ImageOrientationPatient", 6),
        instance_number=as_int(data_set, "InstanceNumber"),
    )


def _window(data_set: Any) -> bool | None:
    """Whether the window of the header can be used; None: there is none."""
    from lossassay.data.dicom.window import linear_window

    if not as_texts(data_set, "WindowCenter") and not as_texts(data_set, "WindowWidth"):
        return None
    return linear_window(data_set) is not None


def _refuse_claims(header: Header, data_set: Any, left_bytes: int | None) -> None:
    """A few bytes can claim a million frames: refuse that before there is a row for each."""
    if header.rows_px * header.columns_px > LARGEST_IMAGE_PX:
        raise UnreadableDicom("", "too large")
    samples, bits = as_int(data_set, "SamplesPerPixel") or 1, as_int(data_set, "BitsAllocated") or 8
    frame_bytes = header.rows_px * header.columns_px * samples * bits / 8
    if (as_text(data_set, "PhotometricInterpretation") or "").upper() == "YBR_FULL_422":
        frame_bytes *= 2 / 3
    if left_bytes is None:
        if header.num_frames * frame_bytes > LARGEST_INFLATED_BYTES:
            raise UnreadableDicom(TOO_MANY_FRAMES)
    elif _is_compressed(data_set):
        if header.num_frames * _SMALLEST_FRAME_BYTES > left_bytes:
            raise UnreadableDicom(TOO_MANY_FRAMES)
    elif header.num_frames * frame_bytes > left_bytes:
        raise UnreadableDicom(TOO_FEW_BYTES)


def _is_compressed(data_set: Any) -> bool:
    from pydicom.uid import UID

    syntax = as_text(data_set.file_meta, "TransferSyntaxUID")
    try:
        return syntax is not None and bool(UID(syntax).is_compressed)
    except ValueError:  # private: it says nothing of how pixels are stored
        return True
