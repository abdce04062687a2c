"""Extracted features beside what a table says of the same images."""

import posixpath
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lossassay.biomarkers.new_images.images import image_ids
from lossassay.biomarkers.quality.run_changes import feature_names
from lossassay.data.table_columns import is_placeholder
from lossassay.data.table_file import read_table
from lossassay.engine.spec import Array
from lossassay.errors import DataError, did_you_mean

ID, _START = "id", "feature_"


@dataclass(frozen=True, kw_only=True)
class ReadFeatures:
    """A table of `lossassay extract`.

    Args:
        path: The file.
        names: Of its features.
        values: [N F].
        frame: Its other columns.
    """

    path: Path
    names: list[str]
    values: Array
    frame: pl.DataFrame


def read_features(path: Path) -> ReadFeatures:
    """Read a table of `lossassay extract`, .parquet, .csv or .npz; further columns may have been joined to it.

    Raises:
        DataError: If it is none, or holds a feature that is no number.
    """
    frame = _read(path)
    names = [name for name in frame.columns if name.startswith(_START) and frame[name].dtype.is_numeric()]
    if not names:
        raise DataError(
            f"{path} has no feature: no column of numbers starts with {_START!r}. Expected a table that "
            "`lossassay extract` wrote, .parquet, .csv or .npz. Check the path."
        )
    values = frame.select(names).cast(pl.Float64).to_numpy()
    if not len(values) or not np.isfinite(values).all():
        raise DataError(
            f"{path} has {len(values)} rows, and {int((~np.isfinite(values)).sum())} of its features are empty, nan or "
            "infinite. Expected a number in each cell. Extract the features again."
        )
    return ReadFeatures(path=path, names=names, values=values, frame=frame.drop(names))


def join_table(features: ReadFeatures, path: Path, *, path_column: str) -> pl.DataFrame:
    """Return the columns of a table for each row of features, beside the features' own; a row without a line is empty.

    Images are found by ``id`` where the table has such a column, else by their path.

    Args:
        features: The features.
        path: The table.
        path_column: Of the table: paths, spelled as in the table or folder that was extracted.

    Raises:
        DataError: If no line or two different lines belong to an image.
    """
    if ID not in features.frame.columns:
        raise DataError(
            f"{features.path} has no column {ID!r}, by which images of {path} are found. Expected a table that "
            "`lossassay extract` wrote. Or join the columns to it yourself, and leave --table out."
        )
    table = read_table(path)
    lines = table.frame.select(pl.all().cast(pl.String))
    if ID not in lines.columns:
        cells = id_cells(lines, path_column, "--path-column")
        above = path.parent.absolute().as_posix().rstrip("/") + "/"
        lines = lines.with_columns(pl.Series(ID, image_ids([_normal(cell or "", above) for cell in cells])))
    wanted = features.frame[ID].cast(pl.String)
    lines = lines.filter(pl.col(ID).is_in(wanted.to_list())).unique(maintain_order=True)
    if lines.is_empty():
        raise DataError(
            f"No line of {path} is about an image of {features.path}. Expected paths as in the table or folder that "
            "was extracted, relative to it, on this user's account: ids are hashed with a key of the user. Check "
            "--path-column, or join the columns to the features yourself."
        )
    if lines[ID].n_unique() < len(lines):
        raise DataError(
            f"{path} has different lines for {len(lines) - lines[ID].n_unique()} images. Expected one line for each "
            "image. Keep one."
        )
    own = features.frame.with_columns(wanted.alias(ID))
    further = lines.drop([name for name in own.columns if name != ID and name in lines.columns])
    return own.join(further, on=ID, how="left", maintain_order="left")


def id_cells(frame: pl.DataFrame, name: str, option: str) -> list[str | None]:
    """Return a column as text, None where it says nothing.

    Raises:
        DataError: If there is no such column.
    """
    if name not in frame.columns:
        known = [column for column in frame.columns if not column.startswith("probability_")]
        raise DataError(
            f"There is no column {name!r} ({option}). Columns: {', '.join(known)}.{did_you_mean(name, known)} Name one "
            "of them, or give the table that has it with --table."
        )
    cells = frame[name].cast(pl.String).str.strip_chars().to_list()
    return [None if is_placeholder(cell or None) else cell for cell in cells]


def _read(path: Path) -> pl.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        if path.suffix.lower() == ".csv":
            return pl.read_csv(path, infer_schema_length=None)
        if path.suffix.lower() == ".npz":
            return _read_arrays(path)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read: {reason}. Expected a table of `lossassay extract`.") from None
    raise DataError(
        f"{path.name} ends with {path.suffix!r}. Expected .parquet, .csv or .npz, as `lossassay extract -o` writes "
        "them. Extract the features to one of them."
    )


def _read_arrays(path: Path) -> pl.DataFrame:
    """Turn the arrays of `lossassay extract` back into columns; probabilities, whose classes have no name, stay out.

    Raises:
        KeyError: If there are no features.
    """
    with np.load(path, allow_pickle=False) as stored:
        features = stored["features"]
        alone = {name: stored[name] for name in stored.files if name not in ("features", "probabilities")}
    columns = {name: _as_written(values) for name, values in alone.items()}
    named = zip(feature_names(features.shape[1]), features.T, strict=True)
    return pl.DataFrame(columns | {name: np.ascontiguousarray(values) for name, values in named})


def _as_written(values: Array) -> pl.Series:
    """Return a column whose missing texts and whole numbers are null again: see `FeatureTable`."""
    if values.dtype.kind == "U":
        return pl.Series(values.tolist(), dtype=pl.String).replace("", None)
    return pl.Series(values).replace(-1, None) if values.dtype.kind == "i" else pl.Series(values)


def _normal(cell: str, above: str) -> str:
    """Spell a path as the manifest does: posix, relative to the table's folder, Unicode normal form C."""
    return unicodedata.normalize("NFC", posixpath.normpath(cell.replace("\\", "/")).removeprefix(above))
