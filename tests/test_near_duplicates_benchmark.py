"""The arithmetic of the benchmark of near duplicates."""

import polars as pl
import pytest

from benchmarks.near_duplicates import at_limit, recall_at, verdicts

MIXTURE = pl.DataFrame(
    {
        "source": [0, 1, 2, 3, 0, 2],
        "patient": ["p", "p", "q", "r", "p", "q"],
        "change": [None, None, None, None, "crop", "jpeg"],
    }
)


def pairs(*rows: tuple[int, int, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["a", "b", "score"], orient="row")


def test_copies_are_right_and_other_patients_wrong_and_one_patient_counts_neither_way() -> None:
    judged = verdicts(pairs((0, 1, 0.5), (0, 4, 0.9), (2, 3, 0.7), (2, 5, 0.8), (1, 4, 0.6)), MIXTURE, "cxr")
    assert judged.rows() == [(0.9, True, "crop"), (0.8, True, "jpeg"), (0.7, False, "")]
    assert at_limit(judged, copies=2) == {"pairs": 3, "wrong": 1, "recall": 1.0}


def test_recall_is_the_best_over_all_limits_of_this_precision() -> None:
    judged = verdicts(pairs((2, 3, 0.95), (0, 4, 0.9), (2, 5, 0.8)), MIXTURE, "cxr")
    assert recall_at(judged, 2, 0.99) == 0
    assert recall_at(judged, 2, 0.66) == 1
    assert recall_at(judged.filter(pl.col("right")), 4, 0.99) == pytest.approx(0.5)


def test_a_limit_takes_all_pairs_of_one_score() -> None:
    judged = verdicts(pairs((0, 4, 0.9), (2, 3, 0.9)), MIXTURE, "cxr")
    assert recall_at(judged, 2, 0.99) == 0
