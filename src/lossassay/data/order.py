"""Classes with an order: grades that the study names from the lowest to the highest, or numbers cut into bands."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl

from lossassay.data.manifest import Manifest
from lossassay.errors import DataError, did_you_mean


def in_order(manifest: Manifest, order: Sequence[str]) -> Manifest:
    """Number the classes by their place in ``order``, and call the task ordinal.

    Args:
        manifest: Of single labels.
        order: Every class name once, from the lowest grade to the highest.

    Raises:
        DataError: If the labels are no single labels, or the names are not those of the classes.
    """
    if manifest.task == "multi_label":
        raise DataError(
            "data.order was given, but an image here can have several labels or none, so they are no grades. "
            "Leave data.order out, or leave data.label_separator out."
        )
    known = set(manifest.class_names)
    unknown = [name for name in order if name not in known]
    missing = [name for name in manifest.class_names if name not in order]
    if unknown or missing or len(set(order)) != len(order):
        hint = did_you_mean(unknown[0], missing) if unknown else ""
        raise DataError(
            f"data.order must name every class once, from the lowest grade to the highest; got {', '.join(order)}. "
            f"The classes are {', '.join(manifest.class_names)}.{hint}"
        )
    place = np.array([order.index(name) for name in manifest.class_names])
    labels = pl.Series("label", place[manifest.rows["label"].to_numpy()], dtype=pl.Int64)
    return replace(manifest, rows=manifest.rows.with_columns(labels), class_names=tuple(order), task="ordinal")


def cut(labels: Sequence[str | None], limits: Sequence[float], where: str) -> tuple[tuple[str, ...], list[int]]:
    """Turn numbers into grades.

    Args:
        labels: Numbers as text.
        limits: Rising; a number equal to a limit belongs to the band above it.
        where: What to call the labels in messages.

    Returns:
        Names of the bands, such as ``"below 40"``, ``"40 to 60"``, ``"60 and above"``, and the band of each label.

    Raises:
        DataError: If a label is no number, the limits do not rise, or a band is empty.
    """
    if not limits or any(low >= high for low, high in pairwise(limits)):
        raise DataError(f"data.label_bins must be rising numbers, for example [40, 60]; got {list(limits)}.")
    numbers = [_number(label) for label in labels]
    strange = [row for row, number in enumerate(numbers) if number is None]
    if strange:
        raise DataError(
            f"{where}: {len(strange)} of {len(labels)} labels are no numbers (the first is {labels[strange[0]]!r}), "
            "and data.label_bins cuts numbers into bands. Correct them, or leave data.label_bins out."
        )
    bands = np.searchsorted(np.asarray(limits), np.asarray(numbers, dtype=float), side="right")
    counts = np.bincount(bands, minlength=len(limits) + 1)
    names = _names(limits)
    if not counts.all():
        raise DataError(
            f"{where}: no label lies in the band {names[int(np.flatnonzero(counts == 0)[0])]!r}. The labels reach from "
            f"{min(n for n in numbers if n is not None):g} to {max(n for n in numbers if n is not None):g}: "
            "choose other data.label_bins."
        )
    return names, bands.tolist()


def _number(label: str | None) -> float | None:
    try:
        number = float(label or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _names(limits: Sequence[float]) -> tuple[str, ...]:
    between = (f"{low:g} to {high:g}" for low, high in pairwise(limits))
    return (f"below {limits[0]:g}", *between, f"{limits[-1]:g} and above")
