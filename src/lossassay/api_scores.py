"""The public functions for scores made elsewhere; `lossassay.api` has them beside the others."""

from pathlib import Path

from lossassay.errors import DataError
from lossassay.reporting.charts.critical_difference import critical_difference as diagram
from lossassay.reporting.figures import write_figures
from lossassay.reporting.messages import load_messages
from lossassay.study.scores.compare import ScoreComparison, compare_scores
from lossassay.study.scores.file import Better
from lossassay.study.scores.tables import Method

__all__ = [
    "compare",
    "critical_difference",
]


def compare(
    path: str | Path,
    *,
    metric: str | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    reference: str | None = None,
    better: Better | None = None,
    method: Method = "t",
) -> ScoreComparison:
    """Compare systems that were trained elsewhere, by their scores in paired replicates; scope is always procedure.

    Args:
        path: CSV, TSV or Parquet with the columns system, dataset (may be missing), replicate, metric and value.
        metric: The one to judge; None: the only one, or the first in the file.
        margin: The smallest difference that matters, in the metric's unit; None: nothing is called equivalent.
        alpha: Chance of any false verdict in one data set.
        reference: Compare the others with this system alone; None: all pairs.
        better: Direction of a metric that is no yardstick of ours.
        method: ``"t"`` or ``"sign_flip"``, which needs six replicates.

    Raises:
        DataError: With every problem of the file, or with what is wrong in the question.
    """
    return compare_scores(
        path, metric=metric, margin=margin, alpha=alpha, reference=reference, better=better, method=method
    )


def critical_difference(found: ScoreComparison, folder: str | Path) -> Path:
    """Draw the critical-difference diagram of a comparison over three or more data sets, as SVG and PNG.

    Args:
        found: What `compare` returned.
        folder: Where critical_difference.svg and .png go; made if it is not there.

    Returns:
        The path of the SVG file.

    Raises:
        DataError: With fewer than three data sets.
    """
    if found.data_sets is None:
        raise DataError(
            "A critical-difference diagram needs three or more data sets in which all systems have scores. "
            "Add data sets, or leave --diagram out."
        )
    level = f"{100 * found.data_sets.wilcoxon_holm.level:.4g}"
    write_figures([diagram(found.data_sets, level, load_messages())], Path(folder))
    return Path(folder) / "critical_difference.svg"
