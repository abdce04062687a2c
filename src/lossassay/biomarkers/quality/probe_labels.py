"""Labels that were not trained on: columns of the table, the folder of an image, its source."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import polars as pl

from lossassay.config.schema import ProbeConfig
from lossassay.data.manifest import Manifest
from lossassay.engine.spec import Array
from lossassay.errors import DataError, did_you_mean

FOLDER, SOURCE = "folder", "source"
_FEW_NUMBERS = 6  # a column of numbers with so few different ones has classes; others are cut at their median
_LARGEST_NUMBER_OF_CLASSES = 50
UNKNOWN = -1


@dataclass(frozen=True, kw_only=True)
class ProbeLabels:
    """One column of labels.

    Args:
        name: Of the column.
        labels: int [N], one for each row of the data; `UNKNOWN` where the row takes no part.
        num_classes: That occur.
    """

    name: str
    labels: Array
    num_classes: int


def probe_labels(manifest: Manifest, probe: ProbeConfig) -> ProbeLabels:
    """Return the labels of a probe.

    A column of more than six different numbers is cut at its median: above it or not.

    Raises:
        DataError: If there is no such column or value, or it has fewer than two classes, or more than fifty.
    """
    values = _column(manifest, probe.column)
    if probe.values is not None:
        missing = [value for value in probe.values if value not in set(values)]
        if missing:
            known = sorted({value for value in values if value is not None})
            raise DataError(
                f"The probe {probe.column!r} names the value {missing[0]!r}, which no row has. Its values: "
                f"{', '.join(known[:20])}.{did_you_mean(missing[0], known)}"
            )
        values = [value if value in probe.values else None for value in values]
    names = sorted({value for value in values if value is not None})
    if not 2 <= len(names) <= _LARGEST_NUMBER_OF_CLASSES:
        held = "one value" if len(names) == 1 else f"{len(names)} different values" if names else "no value"
        raise DataError(
            f"The probe {probe.column!r} has {held}; expected 2 to {_LARGEST_NUMBER_OF_CLASSES} classes to tell "
            "apart. Choose another column, or name some of its values: "
            f'probes = [{{ column = "{probe.column}", values = ["a", "b"] }}].'
        )
    places = {name: place for place, name in enumerate(names)}
    labels = np.array([UNKNOWN if value is None else places[value] for value in values], dtype=np.int64)
    return ProbeLabels(name=probe.column, labels=labels, num_classes=len(names))


def nuisance_labels(manifest: Manifest, column: str) -> ProbeLabels | None:
    """Return the labels of a nuisance column; None for ``"source"`` where the data name no source, or one.

    Raises:
        DataError: As `probe_labels`, for any other column.
    """
    if column == SOURCE and manifest.rows["source"].drop_nulls().n_unique() < 2:
        return None
    return probe_labels(manifest, ProbeConfig(column=column))


def _column(manifest: Manifest, name: str) -> list[str | None]:
    further = manifest.columns
    if further is not None and name in further.columns:
        return _as_words(further[name])
    if name == SOURCE:
        return manifest.rows["source"].to_list()
    if name == FOLDER:
        return [PurePosixPath(path).parent.name or None for path in manifest.rows["path"]]
    known = [FOLDER, SOURCE, *(further.columns if further is not None else ())]
    raise DataError(
        f"There is no column {name!r} to probe. Expected one of {', '.join(known)}. A column of the table with another "
        f'name counts when it is stated: data.columns = {{ "{name}" = "text" }}.{did_you_mean(name, known)}'
    )


def _as_words(values: pl.Series) -> list[str | None]:
    if not values.dtype.is_numeric():
        return values.cast(pl.String).to_list()
    known = values.fill_nan(None) if values.dtype.is_float() else values
    if known.n_unique() <= _FEW_NUMBERS:
        return [None if value is None else f"{value:g}" for value in known.to_list()]
    middle = known.median()
    assert isinstance(middle, int | float)  # noqa: S101 - for the type checker: the column has numbers
    return [None if value is None else "above" if value > middle else "not above" for value in known.to_list()]
