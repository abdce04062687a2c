"""What is wrong with the data before anything is trained."""

from lossassay.data.audit.basics import audit

__all__ = ["audit"]
