"""Verdicts for scores made elsewhere: who is better, in each data set, from a table of scores."""

from dataclasses import asdict, dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import polars as pl

from lossassay import stats
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.errors import DataError, did_you_mean
from lossassay.study.scores.file import Better, read_scores
from lossassay.study.scores.notes import notes_of
from lossassay.study.scores.tables import (
    DataSets,
    Method,
    Question,
    arm_rows,
    comparison_rows,
    families_of,
    frame_of,
    known,
    over_data_sets,
    rank_rows,
)


@dataclass(frozen=True, kw_only=True)
class ScoreComparison:
    """What a file of scores shows.

    Args:
        metric: That was judged.
        higher_is_better: Its direction.
        margin: The smallest difference that matters; None: nothing is called equivalent.
        alpha: Of each family of pairs.
        method: Of the verdicts.
        reference: The system that the others are compared with; None: all pairs.
        scope: Always ``"procedure"``: a file of scores holds no patients.
        comparisons: The columns of ``tables/comparisons`` of a study and ``dataset`` before them (null where the file
            names none); one row per data set, metric and pair. ``primary`` is true for the metric that was judged.
        arms: One row per data set, metric and system: estimate, t interval, sd, replicates.
        ranks: One row per data set and system: ranks that no verdict contradicts, and how often it is best.
        data_sets: Tests over data sets; None with fewer than three.
        notes: What a reader has to know beside the tables, in sentences.
    """

    metric: str
    higher_is_better: bool
    margin: float | None
    alpha: float
    method: Method
    reference: str | None
    scope: Literal["procedure"] = "procedure"
    comparisons: pl.DataFrame
    arms: pl.DataFrame
    ranks: pl.DataFrame
    data_sets: DataSets | None
    notes: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Return everything as lists and dictionaries that JSON can hold."""
        return {
            "comparisons": self.comparisons.to_dicts(),
            "arms": self.arms.to_dicts(),
            "ranks": self.ranks.to_dicts(),
            "notes": list(self.notes),
            "data_sets": None if self.data_sets is None else _plain(asdict(self.data_sets)),
        }


def compare_scores(
    path: str | Path,
    *,
    metric: str | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    reference: str | None = None,
    better: Better | None = None,
    method: Method = "t",
) -> ScoreComparison:
    """Compare systems by their scores in paired replicates; one family of pairs per data set and metric.

    Args:
        path: CSV, TSV or Parquet with the columns system, dataset (may be missing), replicate, metric and value.
        metric: The one to judge; None: the only one, or the first in the file.
        margin: The smallest difference that matters, in the metric's unit; None: nothing is called equivalent.
        alpha: Chance of any false verdict in one data set.
        reference: Compare the others with this system alone; None: all pairs.
        better: Direction of a metric that is no yardstick of ours.
        method: ``"t"``: Bonferroni paired t; ``"sign_flip"``: studentised max-T, which needs six replicates.

    Raises:
        DataError: With every problem of the file, or with what is wrong in the question.
    """
    alpha, margin = _checked_alpha(alpha), _checked_margin(margin)
    _check_words(better, method)
    read = read_scores(path, metric=None if metric is None else str(metric), better=better)
    _check_margin(read.metric, margin)
    reference = _checked_reference(reference, read.rows.filter(pl.col("metric") == read.metric)["system"], read.metric)
    question = Question(
        metric=read.metric,
        higher_is_better=read.higher_is_better,
        margin=margin,
        alpha=alpha,
        reference=reference,
        method=method,
    )
    families = list(families_of(read.rows, question))
    judged = [family for family in families if family.metric == question.metric]
    comparisons = frame_of("comparisons", (row for family in families for row in comparison_rows(family, question)))
    data_sets = over_data_sets(judged, question)
    return ScoreComparison(
        **asdict(question),
        comparisons=comparisons,
        arms=frame_of("arms", (row for family in families for row in arm_rows(family, question))),
        ranks=frame_of("ranks", (row for family in judged for row in rank_rows(family, question, comparisons))),
        data_sets=data_sets,
        notes=(*read.notes, *notes_of(question, judged, comparisons, data_sets)),
    )


def _checked_alpha(alpha: object) -> float:
    if not isinstance(alpha, Real):
        raise DataError(f"alpha must be a number between 0 and 1, got {alpha!r}. Use 0.05 for intervals at 95 %.")
    stats.check_alpha(float(alpha))
    return float(alpha)


def _checked_margin(margin: object) -> float | None:
    if margin is None or (isinstance(margin, Real) and 0 < float(margin) < float("inf")):
        return None if margin is None else float(margin)
    raise DataError(
        f"A margin of {margin!r} came. Expected the smallest difference that matters, a number above 0 in the metric's "
        "unit, or none at all: then nothing is called equivalent."
    )


def _check_words(better: object, method: object) -> None:
    if better not in (None, "high", "low"):
        raise DataError(f"better must be 'high' or 'low', got {better!r}. Say which values of the metric are better.")
    if method not in ("t", "sign_flip"):
        raise DataError(f"method must be 't' or 'sign_flip', got {method!r}. Leave it out for 't'.")


def _check_margin(metric: str, margin: float | None) -> None:
    spec = YARDSTICKS.get(metric)
    if margin is None or spec is None or spec.high is None or margin < spec.high - spec.low:
        return
    raise DataError(
        f"A margin of {margin:g} came, but {metric} lies from {spec.low:g} to {spec.high:g}: no difference could be "
        f"larger, and everything would be equivalent. Give the margin in the metric's unit, such as 0.02."
    )


def _checked_reference(reference: object, systems: pl.Series, metric: str) -> str | None:
    names: list[str] = systems.unique(maintain_order=True).to_list()
    asked = None if reference is None else str(reference).strip()
    if asked is None or asked in names:
        return asked
    same = next((name for name in names if name.casefold() == asked.casefold()), None)
    near = f" Did you mean {same!r}?" if same else did_you_mean(asked, names)
    raise DataError(
        f"No system with scores of {metric} is called {asked!r}. The reference must be one of: {', '.join(names)}."
        f"{near}"
    )


def _plain(value: Any) -> Any:
    """Replace what JSON cannot hold: nan and infinite numbers become None."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return known(value) if isinstance(value, float) else value
