"""Reads scores of systems that were trained elsewhere; every problem of a file is reported at once."""

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Literal

import polars as pl

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.data.names import first_few
from lossassay.errors import DataError, did_you_mean
from lossassay.study.scores.table import COLUMNS, ScoresTable, read_scores_table

Better = Literal["high", "low"]
_LARGEST = 1e100  # the square of a larger number could not be held
_FEWEST_DATA_SETS = 3  # from which on one replicate of each is enough: then the data set is the unit


def _key(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


# Other ways to write a yardstick's name, beside those with other case, spaces, hyphens or underscores.
_WRITTEN: Mapping[str, str] = {
    **{_key(name): name for name in YARDSTICKS},
    **{_key(spec.title): name for name, spec in YARDSTICKS.items()},
    "acc": "accuracy",
    "balancedacc": "balanced_accuracy",
    "mcc": "matthews_correlation",
    "kappa": "cohen_kappa",
    "auc": "macro_auroc",
    "auroc": "macro_auroc",
    "rocauc": "macro_auroc",
    "averageprecision": "macro_average_precision",
    "logloss": "nll",
    "calibrationerror": "ece",
    "expectedcalibrationerror": "ece",
}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a file of scores holds.

    Args:
        rows: Columns dataset (null where the file names none), system, replicate, metric, value and line.
        metric: The one that is judged.
        higher_is_better: Its direction.
        notes: What was read otherwise than written, in sentences.
    """

    rows: pl.DataFrame
    metric: str
    higher_is_better: bool
    notes: tuple[str, ...]


def known_metric(name: str) -> str | None:
    """Return the yardstick that a name means, whatever its case, spaces and hyphens; None if it is none of ours."""
    return _WRITTEN.get(_key(name))


def read_scores(path: str | Path, *, metric: str | None = None, better: Better | None = None) -> Scores:
    """Read and check a file of scores.

    Args:
        path: CSV, TSV or Parquet with the columns system, dataset (may be missing), replicate, metric and value.
        metric: The one to judge; None: the first in the file.
        better: The direction of a metric that is no yardstick of ours.

    Raises:
        DataError: With every problem of the file, and the lines in which they stand.
    """
    table = read_scores_table(Path(path))
    rows = _with_numbers(table)
    problems = [*table.problems, *_value_problems(table, rows)]
    chosen, of_metrics = None, list[str]()
    if "metric" in table.rows.columns:
        chosen = _chosen(rows, metric)
        of_metrics = list(_metric_problems(table, rows, (metric, chosen), better))
        problems += of_metrics
    if all(name in table.rows.columns for name in COLUMNS):
        problems += _range_problems(table, rows)
        problems += _duplicates(table, rows)
        if not table.problems:
            problems += _design_problems(rows if of_metrics else rows.filter(pl.col("metric") == chosen))
    if problems or chosen is None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise DataError(f"{table.path} has {count}:\n{listed}")
    known = YARDSTICKS.get(chosen)
    notes = (*_choice_notes(table, rows, metric, chosen), *_look_alikes(rows))
    higher = (known.best if known else better) == "high"
    return Scores(rows=rows, metric=chosen, higher_is_better=higher, notes=notes)


def _with_numbers(table: ScoresTable) -> pl.DataFrame:
    """Return the rows with metrics by their catalogue name, whole replicates without ``.0``, and values as numbers."""
    rows = table.rows
    if "metric" in rows.columns:
        names = {name: known_metric(name) or name for name in rows["metric"].drop_nulls().unique()}
        rows = rows.with_columns(pl.col("metric").replace(names))
    if "replicate" in rows.columns:
        rows = rows.with_columns(pl.col("replicate").str.replace(r"^(\d+)\.0+$", "$1"))
    if "value" in rows.columns:
        rows = rows.with_columns(pl.col("value").cast(pl.Float64, strict=False))
    return rows


def _value_problems(table: ScoresTable, rows: pl.DataFrame) -> Iterator[str]:
    if "value" not in rows.columns:
        return
    text, numbers = table.rows["value"], rows["value"]
    missing = text.str.to_lowercase().is_in(["nan", "na", "n/a", "null", "none"]) | numbers.is_nan().fill_null(False)
    comma = text.str.contains(r"^[+-]?\d*,\d+([eE][+-]?\d+)?$").fill_null(False)
    other = text.is_not_null() & numbers.is_null() & ~comma & ~missing.fill_null(False)
    if missing.any():
        yield (
            f"{_values(table, missing, 'not a number (NaN)')}. Expected a score from every run. Do not drop the runs "
            "that failed, that would favour their system: give them the score of what they are worth, such as a "
            "predictor that always says the training prior. Only a run that was never started may have no row."
        )
    if comma.any():
        yield (
            f"{_values(table, comma, 'written with a decimal comma')}. Expected a decimal point. Export the table with "
            "points, or replace the commas in this column."
        )
    if other.any():
        yield f"{_values(table, other, 'no number')}. Expected a plain number with a decimal point, such as 0.913."
    infinite = (numbers.abs() > _LARGEST).fill_null(False) & ~missing.fill_null(False)
    if infinite.any():
        yield (
            f"{_values(table, infinite, 'infinite or too large')}. Expected finite numbers of a sensible size. "
            "Correct the score or its spelling."
        )


def _values(table: ScoresTable, wrong: pl.Series, what: str) -> str:
    first, count = table.rows["value"].filter(wrong)[0], int(wrong.sum())
    if count == 1:
        return f"1 value is {what} ({table.lines(wrong)}; it is {first!r})"
    return f"{count} values are {what} ({table.lines(wrong)}; the first is {first!r})"


def _range_problems(table: ScoresTable, rows: pl.DataFrame) -> Iterator[str]:
    for name, spec in YARDSTICKS.items():
        high = float("inf") if spec.high is None else spec.high
        outside = (rows["metric"] == name) & rows["value"].is_finite() & ~rows["value"].is_between(spec.low, high)
        outside = outside.fill_null(False)
        if outside.any():
            first, count = rows["value"].filter(outside)[0], int(outside.sum())
            limits = f"{spec.low:g} or more" if spec.high is None else f"{spec.low:g} to {spec.high:g}"
            shares = " Give shares, not percent." if spec.high == 1 and 1 < first <= 100 else ""
            yield (
                f"{count} value{'s' if count > 1 else ''} of {name} {'lie' if count > 1 else 'lies'} outside its range "
                f"({table.lines(outside)}; {'the first' if count > 1 else 'it'} is {first:g}). Expected {limits}."
                f"{shares}"
            )


def _chosen(rows: pl.DataFrame, asked: str | None) -> str | None:
    """Return the metric to judge as it stands in the rows; None if it does not."""
    names = rows["metric"].drop_nulls().unique(maintain_order=True).to_list()
    if asked is None:
        return names[0] if names else None
    wanted = known_metric(asked) or asked.strip()
    return next((name for name in names if name == wanted), None) or next(
        (name for name in names if _key(name) and _key(name) == _key(asked)), None
    )


def _metric_problems(
    table: ScoresTable, rows: pl.DataFrame, which: tuple[str | None, str | None], better: Better | None
) -> Iterator[str]:
    asked, chosen = which
    names = rows["metric"].drop_nulls().unique(maintain_order=True).to_list()
    if asked is not None and chosen is None and names:
        yield f"no row has the metric {asked!r}. Its metrics: {', '.join(names)}.{_suggestion(asked, names)}"
    unknown = [name for name in names if name not in YARDSTICKS] if asked is None else [chosen]
    for name in unknown:
        if better is None and name is not None and name not in YARDSTICKS:
            yield (
                f"the metric {name!r} ({table.lines(rows['metric'] == name)}) is not known. Known: "
                f"{', '.join(YARDSTICKS)}.{_suggestion(name, YARDSTICKS)} If it is a metric of your own, say whether "
                "high or low is better (option `better`)."
            )
    best = YARDSTICKS[chosen].best if chosen in YARDSTICKS else better
    if better not in (None, best):
        yield (
            f"{better!r} was said to be better, but {chosen} is better when it is {best}. "
            "Leave `better` out: it is for metrics that are not known."
        )


def _suggestion(name: str, known: Collection[str]) -> str:
    near = get_close_matches(_key(name), _WRITTEN, n=1)
    meant = _WRITTEN[near[0]] if near else None
    return f" Did you mean {meant!r}?" if meant is not None and meant in known else did_you_mean(name, known)


def _duplicates(table: ScoresTable, rows: pl.DataFrame) -> Iterator[str]:
    place = [name for name in ("system", "dataset", "replicate", "metric") if name in rows.columns]
    doubled = rows.drop_nulls([name for name in place if name != "dataset"]).group_by(place, maintain_order=True)
    cells = doubled.agg(pl.col("line"), pl.len()).filter(pl.col("len") > 1)
    if cells.is_empty():
        return
    first = cells.row(0, named=True)
    where = ", ".join(f"{name} {first[name]!r}" for name in place if first[name] is not None)
    count = "1 score comes" if len(cells) == 1 else f"{len(cells)} scores come"
    yield (
        f"{count} more than once; {'it is' if len(cells) == 1 else 'the first is'} {where} "
        f"({table.word}s {first_few(first['line'], 5)}). Expected one value for each system, dataset, replicate and "
        "metric. If these are different runs, give each a replicate of its own."
    )


def _design_problems(rows: pl.DataFrame) -> Iterator[str]:
    """Say what no rule could compare: one system, or no two systems with two replicates in common."""
    systems = rows["system"].drop_nulls().unique(maintain_order=True).to_list()
    if len(systems) == 1:
        yield f"there is one system only ({systems[0]!r}). Expected two or more, to be compared."
    if len(systems) < 2:
        return
    common = list(_most_common(rows).values())
    if max(common) >= 2 or sum(number > 0 for number in common) >= _FEWEST_DATA_SETS:
        return
    if max(common) == 0:
        seen = rows.group_by("system", maintain_order=True).agg(
            pl.col("replicate").drop_nulls().unique(maintain_order=True)
        )
        have = "; ".join(f"{name!r} has {first_few(own)}" for name, own in seen.head(3).iter_rows())
        yield (
            f"no two systems have a replicate in common ({have}). Expected the same names of replicates in every "
            "system: what shares split and seed shares a name, and is compared within that replicate."
        )
    else:
        yield (
            "no two systems have more than one replicate in common. One replicate shows no spread, so nothing can be "
            "said: give two or more of each system (6 or more are sensible), with the same names in all systems."
        )


def _most_common(rows: pl.DataFrame) -> dict[Hashable, int]:
    """Return for each data set the largest number of replicates that two systems share."""
    most: dict[Hashable, int] = {}
    for (dataset,), part in rows.group_by(["dataset"], maintain_order=True):
        own = part.drop_nulls(["system", "replicate"]).group_by("system").agg(pl.col("replicate"))
        sets = [set(replicates) for replicates in own["replicate"].to_list()]
        most[dataset] = max((len(a & b) for a, b in combinations(sets, 2)), default=0)
    return most


def _choice_notes(table: ScoresTable, rows: pl.DataFrame, asked: str | None, chosen: str) -> Iterator[str]:
    names = rows["metric"].unique(maintain_order=True).to_list()
    if asked is None and len(names) > 1:
        yield (
            f"The file has {len(names)} metrics; the first, {chosen}, is judged. The others ({', '.join(names[1:])}) "
            "have intervals and no verdict."
        )
    elif len(names) > 1:
        others = ", ".join(name for name in names if name != chosen)
        yield f"{chosen} is judged, as asked. The other metrics of the file ({others}) have intervals and no verdict."
    written = sorted(set(table.rows["metric"].to_list()))
    for name in written:
        meant = known_metric(name)
        if meant is not None and _key(meant) != _key(name):
            yield f"{name!r} is read as {meant}, for its direction and its range."
        elif meant is None and (near := _suggestion(name, [other for other in names if other != name])):
            yield f"{name!r} is taken as a metric of its own.{near} Then correct its name."


def _look_alikes(rows: pl.DataFrame) -> Iterator[str]:
    for column in ("system", "dataset"):
        names: dict[str, list[str]] = {}
        for name in rows[column].drop_nulls().unique(maintain_order=True):
            names.setdefault(" ".join(name.casefold().split()), []).append(name)
        for alike in names.values():
            if len(alike) > 1:
                yield f"{', '.join(map(repr, alike))} are taken as different {column}s: they differ in case or spaces."
