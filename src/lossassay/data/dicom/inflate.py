"""Deflated DICOM files, looked at before anything inflates them: a few kilobytes can become gigabytes."""

import zlib
from typing import BinaryIO

from lossassay.data.dicom.reasons import BOMB, HEADER_DAMAGED, UnreadableDicom

LARGEST_INFLATED_BYTES = 512 * 2**20

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_HEAD_BYTES = 65_536
_STEP_BYTES = 2**20


def refuse_bomb(file: BinaryIO) -> bool:
    """Inflate a deflated file step by step, keeping nothing, and refuse it at the limit.

    Args:
        file: Open for reading; its position is at the start afterwards.

    Returns:
        Whether the file is deflated.

    Raises:
        UnreadableDicom: If it inflates to more than `LARGEST_INFLATED_BYTES`, or not at all.
    """
    file.seek(0)
    told = _DEFLATED in file.read(_HEAD_BYTES)
    deflated = told and _is_at_deflated_data(file)
    if deflated:
        _inflate(file)
    file.seek(0)
    return deflated


def _is_at_deflated_data(file: BinaryIO) -> bool:
    """Whether the transfer syntax is the deflated one; the position is then where pydicom would inflate from."""
    from pydicom.filereader import _read_file_meta_info, read_preamble

    file.seek(0)
    read_preamble(file, True)
    syntax = _read_file_meta_info(file).get("TransferSyntaxUID")
    return str(syntax) == _DEFLATED.decode()


def _inflate(file: BinaryIO) -> None:
    inflater, inflated = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        while not inflater.eof and (chunk := inflater.unconsumed_tail or file.read(_STEP_BYTES)):
            inflated += len(inflater.decompress(chunk, _STEP_BYTES))
            if inflated > LARGEST_INFLATED_BYTES:
                raise UnreadableDicom(BOMB, "too large")
    except zlib.error:
        raise UnreadableDicom(HEADER_DAMAGED) from None
