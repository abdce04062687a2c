"""Results with an assessment of features, as `lossassay biomarkers` leaves it."""

import dataclasses
from itertools import combinations
from typing import Any

import polars as pl

from lossassay.catalogue.criteria import CRITERIA
from lossassay.study.folder.columns import LATER_TABLES, column_type
from lossassay.study.folder.results import StudyResults

BASELINE = "classical baseline"


def with_biomarkers(
    results: StudyResults,
    *,
    shown: bool = False,
    intervals: bool = True,
    criterion: str = "repeatability",
    classes: int = 3,
    **facts: Any,
) -> StudyResults:
    """Add tables and facts of biomarkers.

    Args:
        results: Of a study.
        shown: Whether the first arm is shown to be best in both.
        intervals: Whether there are two replicates or more.
        criterion: That carries the verdict.
        classes: On the map; beyond eight, one source fewer than classes.
        facts: Facts that are otherwise.
    """
    arms = [arm.name for arm in results.study.arms]
    tables = {
        "features_quality": _quality(arms),
        "biomarkers": _means(arms, intervals),
        "biomarker_comparisons": _comparisons(arms, criterion, shown),
        "biomarker_pareto": _pareto(arms, shown),
        "biomarker_map": _map(arms[0], classes),
        "biomarker_changes": [],
    }
    frames = {name: _frame(name, rows) for name, rows in tables.items()}
    for name, frame in frames.items():
        (results.folder / "tables").mkdir(exist_ok=True)
        frame.write_csv(results.folder / "tables" / f"{name}.csv")
    best = {"arm": arms[0], "shown": shown and len(arms) > 1, "candidates": arms[:1] if shown else arms}
    base = {
        "criterion": criterion,
        "margin": None,
        "alpha": 0.05,
        "metric": results.facts["primary_metric"],
        "layer": "features",
        "probes": ["sex"],
        "nuisance": ["source"],
        "images_low": 90,
        "images_high": 100,
        "replicates": 8,
        "runs": results.tables["runs"]["run"].to_list(),
        "runs_diverged": 0,
        "baseline_features": 23,
        "best_predictor": best,
        "best_biomarkers": best,
        "not_beaten_in_both": arms[:1] if shown else arms,
        "front": arms[:1],
        "visits": {
            "subjects_low": 20,
            "subjects_high": 24,
            "coefficient_from": ["noisy views", "repeat images"],
            "score": "severity",
        },
    }
    return dataclasses.replace(results, tables=results.tables | frames, biomarkers=base | facts)


def _frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {column: column_type(column) for column in LATER_TABLES[name]}
    return pl.DataFrame([[row[column] for column in schema] for row in rows], schema=schema, orient="row", strict=False)


def _quality(arms: list[str]) -> list[dict[str, Any]]:
    return [
        {"run": f"run{place}", "arm": arm, "replicate": 0, "criterion": "repeatability", "probe": None, "value": 0.8}
        for place, arm in enumerate(arms)
    ]


def _means(arms: list[str], intervals: bool) -> list[dict[str, Any]]:
    rows, replicates = [], 8 if intervals else 1
    for criterion in CRITERIA:
        for place, arm in enumerate(arms):
            value = 0.9 - 0.05 * place
            limits = (value - 0.03, value + 0.03, 0.02) if intervals else (None, None, None)
            own = dict(zip(("low", "high", "sd"), limits, strict=True))
            rows.append({"arm": arm, "criterion": criterion, "estimate": value, **own, "replicates": replicates})
    none = dict.fromkeys(("low", "high", "sd"))
    own = {"low": 0.65, "high": 0.75, "sd": 0.06} if intervals else none
    return [
        *rows,
        {"arm": BASELINE, "criterion": "repeatability", "estimate": 0.7, **own, "replicates": replicates},
        {"arm": BASELINE, "criterion": "separation", "estimate": None, **none, "replicates": 1},
    ]


def _comparisons(arms: list[str], criterion: str, shown: bool) -> list[dict[str, Any]]:
    rows = []
    for a, b in combinations(arms, 2):
        first = a == arms[0]
        rows.append(
            {
                "criterion": criterion,
                "arm_a": a,
                "arm_b": b,
                "difference": 0.05,
                "low": 0.01 if shown and first else -0.02,
                "high": 0.1,
                "p_adjusted": 0.04,
                "verdict": "better" if shown and first else "undecided",
                "reason": "the interval leaves out 0",
                "replicates": 8,
                "method": "paired t over replicates",
                "primary": True,
            }
        )
    return rows


def _pareto(arms: list[str], shown: bool) -> list[dict[str, Any]]:
    return [
        {
            "arm": arm,
            "prediction": 0.9 - 0.02 * place,
            "prediction_low": 0.88 - 0.02 * place,
            "prediction_high": 0.92 - 0.02 * place,
            "biomarkers": 0.9 - 0.05 * place,
            "biomarkers_low": 0.87 - 0.05 * place,
            "biomarkers_high": 0.93 - 0.05 * place,
            "beaten_in_prediction": int(shown and place > 0),
            "beaten_in_biomarkers": int(shown and place > 0),
            "beaten_in_both_by": arms[0] if shown and place > 0 else None,
            "on_front": place == 0,
        }
        for place, arm in enumerate(arms)
    ]


def _map(arm: str, classes: int) -> list[dict[str, Any]]:
    return [
        {
            "arm": arm,
            "method": method,
            "x": float(number % 7) + (method == "pca"),
            "y": float(number % 5),
            "class": f"class {number % classes}",
            "source": f"source {number % max(2, classes - 1)}",
        }
        for method in ("pca", "tsne")
        for number in range(40)
    ]
