"""With which quality a JPEG file was written, told from its tables. Needs nothing but the bytes."""

import struct
from bisect import bisect_left

_START = b"\xff\xd8"
_TABLES, _SCAN = 0xDB, 0xDA
# Luminance table of ITU-T T.81, annex K.1; the order of its values does not matter here.
_ANNEX_K = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


def _sum_at(quality: int) -> int:
    """Sum of the luminance table that the Independent JPEG Group's library writes at a quality from 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(255, max(1, (value * scale + 50) // 100)) for value in _ANNEX_K)


_SUMS = [_sum_at(quality) for quality in range(100, 0, -1)]  # from the lowest sum, which is quality 100, upwards


def jpeg_quality(content: bytes) -> int:
    """Estimate the quality, on the scale of the Independent JPEG Group's library, from the luminance table.

    The quality is that whose table has the nearest sum. Files of other programs with tables of their own get the
    quality that is as coarse as theirs.

    Args:
        content: The bytes of a file.

    Returns:
        1 to 100; 0 if it is no JPEG file or has no table before its first scan.
    """
    if content[:2] != _START:
        return 0
    position = 2
    while position + 4 <= len(content):
        start, marker, length = struct.unpack_from(">BBH", content, position)
        if start != 0xFF or marker == _SCAN:
            return 0
        if marker == _TABLES:
            total = _sum_of_first_table(content[position + 4 : position + 2 + length])
            if total:
                return _nearest_quality(total)
        position += 2 + length
    return 0


def _sum_of_first_table(segment: bytes) -> int:
    """Sum the table number 0, which is that of luminance; 0 if the segment does not hold it."""
    position = 0
    while position < len(segment):
        wide, number = segment[position] >> 4, segment[position] & 15
        size = 128 if wide else 64
        values = segment[position + 1 : position + 1 + size]
        if len(values) < size:
            return 0
        if number == 0:
            return sum(struct.unpack(">64H", values)) if wide else sum(values)
        position += 1 + size
    return 0


def _nearest_quality(total: int) -> int:
    at = min(bisect_left(_SUMS, total), len(_SUMS) - 1)
    if at and total - _SUMS[at - 1] < _SUMS[at] - total:
        at -= 1
    return 100 - at
