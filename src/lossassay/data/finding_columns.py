"""Tables with one column for each finding, as CheXpert and MIMIC-CXR have them: 1, 0, -1 for uncertain, or empty."""

from collections.abc import Callable, Sequence

from lossassay.config.schema import DataConfig
from lossassay.data.table_columns import MISSING
from lossassay.errors import DataError

UNKNOWN = -1  # in a manifest: nothing is known of this finding, so it is neither learnt nor scored
_UNCERTAIN = {"ignore": UNKNOWN, "zeros": 0, "ones": 1}
_BOOLEANS = {"true": 1.0, "false": 0.0}  # as spreadsheets have them
_UNMENTIONED = {"unknown": UNKNOWN, "absent": 0}


def findings(
    columns: Sequence[Sequence[str | None]],
    data: DataConfig,
    where: str,
    lines: Callable[[Sequence[int]], str] | None = None,
) -> list[list[int]]:
    """Return 1, 0 or `UNKNOWN` for each row and finding.

    Uncertain findings follow the policies U-Ignore, U-Zeros and U-Ones of Irvin et al. 2019, AAAI, arXiv:1901.07031.
    U-SelfTrained and U-MultiClass, which need a second training or three outputs for each finding, are not covered.

    Args:
        columns: Cells of each finding, as text.
        data: Says what -1 and empty cells stand for.
        where: What to call the table in messages.
        lines: Names the lines of some rows; None: they are not named.

    Raises:
        DataError: If a cell is something else, or a finding is never there.
    """
    names = data.finding_columns or ()
    meaning: dict[float | str | None, int] = {
        None: _UNMENTIONED[data.unmentioned],
        1.0: 1,
        0.0: 0,
        -1.0: _UNCERTAIN[data.uncertain],
    }
    found = []
    for name, cells in zip(names, columns, strict=True):
        numbers = [_number(cell) for cell in cells]
        strange = [row for row, number in enumerate(numbers) if number not in meaning]
        if strange:
            place = f"{lines(strange)}; " if lines else ""
            raise DataError(
                f"{where}: {len(strange)} cells of the finding {name!r} are neither 1, 0, -1 nor empty "
                f"({place}the first is {cells[strange[0]]!r}). Write 1 for present, 0 for absent and "
                "-1 for uncertain."
            )
        found.append([meaning[number] for number in numbers])
        if 1 not in found[-1]:
            raise DataError(
                f"{where}: no image has the finding {name!r}. Leave it out of data.finding_columns: "
                "nothing can be learnt about it."
            )
    return [list(row) for row in zip(*found, strict=True)]


def _number(cell: str | None) -> float | str | None:
    if cell is None or cell.lower() in MISSING:
        return None
    if cell.lower() in _BOOLEANS:
        return _BOOLEANS[cell.lower()]
    try:
        return float(cell)
    except ValueError:
        return cell
