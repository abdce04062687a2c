"""Why a DICOM file cannot be read, in words that hold no value of its header."""

from lossassay.data.decode import Problem

HEADER_DAMAGED = "DICOM with a damaged header"
NOT_DICOM = "called DICOM, but not DICOM inside"
NO_PIXELS = "DICOM without pixel data"
TOO_FEW_BYTES = "DICOM with fewer bytes of pixels than its header says"
TOO_MANY_BYTES = "DICOM with twice the bytes of pixels that its header says, or more"
TOO_MANY_FRAMES = "DICOM that claims more frames than its bytes can hold"
PRIVATE_SYNTAX = "DICOM with a private or unknown transfer syntax"
BOMB = "DICOM that inflates to more than is allowed"
BAD_VALUE = "DICOM with a value in its header that cannot be understood"
NO_SUCH_FRAME = "DICOM that lacks one of its frames"
TOO_FINE = "DICOM that would become too large at the common spacing"
BAD_PALETTE = "DICOM with a palette that cannot be used"


class UnreadableDicom(Exception):
    """One file, or one row, that cannot be read.

    Args:
        detail: The reason, for a finding: no name, no identifier, no value of the header.
        problem: A name of `decoding.PROBLEMS`.
    """

    def __init__(self, detail: str, problem: Problem = "cannot be read") -> None:
        super().__init__(detail)
        self.detail = detail
        self.problem: Problem = problem


def lacking(keywords: list[str]) -> str:
    """Say which attributes an image needs and lacks."""
    return f"DICOM without {', '.join(keywords)}"


def undecodable(transfer_syntax: str) -> str:
    """Say that compressed data are damaged, or of a kind that no installed decoder reads."""
    return f"DICOM whose {transfer_syntax} data cannot be decoded"
