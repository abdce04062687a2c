"""Numbers as people read them."""

import pytest

from lossassay.reporting import formatting


@pytest.mark.parametrize(
    ("metric", "stored", "shown"),
    [
        ("balanced_accuracy", 0.9731, "97.3\u202f%"),
        ("nll", 0.11249, "0.112"),
        ("matthews_correlation", -0.25, "−0.250"),
        ("accuracy", -0.0001, "0.0\u202f%"),
        ("brier", None, "–"),
    ],
)
def test_values(metric: str, stored: float | None, shown: str) -> None:
    assert formatting.value(metric, stored) == shown


@pytest.mark.parametrize(
    ("metric", "stored", "shown"),
    [
        ("accuracy", 0.0078, "+0.78"),
        ("accuracy", -0.0078, "−0.78"),
        ("accuracy", 0.0, "0"),
        ("accuracy", 1e-9, "+0.00"),
        ("macro_auroc", -0.00123, "−0.0012"),
        ("accuracy", None, "–"),
    ],
)
def test_differences_show_their_sign_and_exact_zero_alone_is_plain(
    metric: str, stored: float | None, shown: str
) -> None:
    assert formatting.difference(metric, stored) == shown
    assert formatting.size_of_difference(metric, stored) == shown.lstrip("+−")


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0\u202fB"), (1023, "1,023\u202fB"), (1536, "1.5\u202fKiB"), (25_276_502_016, "23.5\u202fGiB")],
)
def test_bytes(number: int, shown: str) -> None:
    assert formatting.size_in_bytes(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0421, "0.042\u202fs"), (61.2, "61.2\u202fs"), (200, "3\u202fmin 20\u202fs"), (7500, "2\u202fh 5\u202fmin")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert formatting.duration(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(1043.4, "1,043"), (0.5, "0.500"), (12.345, "12.3"), (1.2e-7, "1.20e−07"), (0, "0.00")]
)
def test_significant_digits(number: float, shown: str) -> None:
    assert formatting.significant(number) == shown


def test_small_p_values_and_probabilities_never_round_to_zero() -> None:
    assert formatting.p_value(0.00004) == "<\u202f0.001"
    assert formatting.p_value(0.0214) == "0.021"
    assert formatting.probability(1e-5) == "<0.1\u202f%"
    assert formatting.probability(0.0) == "0.0\u202f%"
