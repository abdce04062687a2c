"""What the extra ``dicom`` brings, or a clear word where it is missing."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from lossassay.errors import DataError


def require_pydicom() -> None:
    """Refuse DICOM files where pydicom is not installed.

    Raises:
        DataError: With the command that installs it.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError:
        raise DataError(
            "These are DICOM files, and pydicom is not installed. Expected the extra 'dicom'. "
            'Run: pip install "lossassay[dicom]"'
        ) from None


@contextmanager
def quietly() -> Iterator[None]:
    """Keep what pydicom warns of to itself: it names values of the header, and findings say what matters."""
    import logging

    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before
