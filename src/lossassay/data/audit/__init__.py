"""Checks of the data before any training: each part of the audit has its own module here."""

from lossassay.data.audit.basics import audit

__all__ = ["audit"]
