"""What is wrong with the data before anything is trained, one kind of look per file."""

from lossassay.data.audit.basics import audit

__all__ = ["audit"]
