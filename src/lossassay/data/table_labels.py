"""Labels of a table: one in a cell, several in a cell, a column for each finding, or a number cut into grades."""

from collections.abc import Sequence

from lossassay.catalogue.loss_spec import Task
from lossassay.config.schema import DataConfig
from lossassay.data.finding_columns import findings
from lossassay.data.names import class_numbers, first_few, natural_order
from lossassay.data.order import cut
from lossassay.data.table_columns import Table, is_placeholder
from lossassay.errors import DataError

Labels = tuple[tuple[str, ...], list[int] | list[list[int]], Task]


def table_labels(table: Table, data: DataConfig) -> Labels:
    """Return class names, a number or a multi-hot list for each row, and what they are.

    Args:
        table: The table.
        data: Says which columns hold labels, and how.

    Raises:
        DataError: If a column is missing, or a cell cannot be used.
    """
    if data.finding_columns is not None:
        cells = [table.with_points(table.column(name, "finding_columns")) for name in data.finding_columns]
        return (data.finding_columns, findings(cells, data, str(table.path), table.where), "multi_label")
    labels = table.column(data.label_column, "label_column")
    if data.label_separator is not None:
        return (*_multi_hot(table, labels, data.label_separator), "multi_label")
    _refuse_missing(table, labels, data)
    if data.label_bins is not None:
        numbers = table.with_points(labels)
        return (*cut(numbers, data.label_bins, f"{table.path}: {data.label_column!r}"), "ordinal")
    return (*class_numbers([label or "" for label in labels]), "single_label")


def _refuse_missing(table: Table, labels: Sequence[str | None], data: DataConfig) -> None:
    missing = [row for row, label in enumerate(labels) if is_placeholder(label)]
    if missing:
        words = sorted({label for row in missing if (label := labels[row])})
        what = f"empty or placeholders ({first_few(map(repr, words))})" if words else "empty"
        raise DataError(
            f"{table.path}: {len(missing)} of {len(labels)} labels in {data.label_column!r} are {what} "
            f"({table.where(missing)}). Expected a label for each image. Fill them in, drop those lines, set "
            "data.label_separator if an image can have no label, or write a class of this name in other words, "
            "for example 'no finding'."
        )


def _multi_hot(table: Table, labels: Sequence[str | None], separator: str) -> tuple[tuple[str, ...], list[list[int]]]:
    cells = [[piece.strip() for piece in (label or "").split(separator) if piece.strip()] for label in labels]
    strange = [row for row, cell in enumerate(cells) if any(is_placeholder(piece) for piece in cell)]
    if strange:
        words = sorted({piece for row in strange for piece in cells[row] if is_placeholder(piece)})
        raise DataError(
            f"{table.path}: {len(strange)} labels are placeholders, {first_few(map(repr, words))} "
            f"({table.where(strange)}). Leave the cell empty where an image has none of the labels."
        )
    class_names = tuple(sorted({piece for cell in cells for piece in cell}, key=natural_order))
    if not class_names:
        raise DataError(f"{table.path}: no image has a label. Check data.label_column and data.label_separator.")
    return class_names, [[int(name in cell) for name in class_names] for cell in cells]
