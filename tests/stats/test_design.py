"""What a design can show, and how many more replicates a pair would take."""

import numpy as np
import pytest
from scipy.stats import nct
from scipy.stats import t as student_t

from lossassay.errors import DataError
from lossassay.stats import Looks, design, floor_in_words, more_replicates


def exact_power(effect: float, replicates: int, alpha: float) -> float:
    return float(nct.sf(student_t.isf(alpha / 2, replicates - 1), replicates - 1, effect * replicates**0.5))


def test_power_of_a_fixed_design_is_that_of_the_t_test() -> None:
    found = design(looks=Looks(kind="fixed", first=10, last=10), sd=0.02, alpha=0.05, family_size=3, margin=0.03)
    assert exact_power(found.detectable_80 / 0.02, 10, 0.05 / 3) == pytest.approx(0.8, abs=0.03)
    assert exact_power(found.detectable_90 / 0.02, 10, 0.05 / 3) == pytest.approx(0.9, abs=0.025)
    assert found.power_at_margin == pytest.approx(exact_power(1.5, 10, 0.05 / 3), abs=0.03)
    assert found.smallest_margin == pytest.approx(0.02 * student_t.isf(0.05 / 6, 9) / 10**0.5)
    assert found.equivalence_80 > found.smallest_margin
    assert found.replicates_if_equal == 10


def test_early_stopping_saves_replicates_and_costs_little_power() -> None:
    fixed = design(looks=Looks(kind="fixed", first=30, last=30), sd=1.0, alpha=0.05, family_size=1, margin=1.5)
    planned = design(looks=Looks(kind="planned", first=6, last=30), sd=1.0, alpha=0.05, family_size=1, margin=1.5)
    assert fixed.detectable_90 < planned.detectable_90 < 1.1 * fixed.detectable_90
    assert planned.replicates_if_equal <= 16
    assert planned.replicates_at_margin < 16


def test_two_arms_two_thirds_of_a_spread_apart_are_decided_by_twenty_replicates_in_the_median() -> None:
    """The reference case of Bouthillier et al. 2021: a fixed 29 replicates have a power of 0.94."""
    found = design(looks=Looks(kind="planned", first=6, last=30), sd=1.0, alpha=0.05, family_size=1, margin=0.674)
    assert found.power_at_margin >= 0.90
    half = design(looks=Looks(kind="planned", first=6, last=30), sd=1.0, alpha=0.05, family_size=1, margin=0.337)
    assert half.replicates_at_margin <= 20  # at twice the margin


@pytest.mark.parametrize("sd", [0.0, -1.0, float("nan"), float("inf")])
def test_a_spread_that_is_none_is_refused(sd: float) -> None:
    with pytest.raises(DataError, match="spread"):
        design(looks=Looks(kind="fixed", first=5, last=5), sd=sd, alpha=0.05, family_size=1, margin=None)


def test_two_replicates_that_can_hardly_find_anything_say_so() -> None:
    found = design(looks=Looks(kind="fixed", first=2, last=2), sd=1.0, alpha=0.001, family_size=66, margin=None)
    assert found.detectable_80 == float("inf")
    assert np.isnan(found.power_at_margin)


def test_more_replicates_is_a_range_that_holds_the_number_for_the_true_spread() -> None:
    found = more_replicates(estimate=0.5, sd=1.0, replicates=10, alpha=0.05, margin=None)
    needed = next(n for n in range(2, 999) if student_t.isf(0.025, n - 1) / n**0.5 < 0.5)
    assert found.low is not None
    assert found.high is not None
    assert found.low < needed - 10 < found.high


def test_a_margin_gives_a_second_way_to_a_verdict() -> None:
    without = more_replicates(estimate=0.01, sd=1.0, replicates=10, alpha=0.05, margin=None)
    with_margin = more_replicates(estimate=0.01, sd=1.0, replicates=10, alpha=0.05, margin=1.0)
    assert without.low is None
    assert not without.more_patients
    assert with_margin.low is not None


def test_where_the_patients_alone_are_too_uncertain_no_number_of_replicates_helps() -> None:
    found = more_replicates(estimate=0.01, sd=0.01, replicates=10, alpha=0.05, margin=None, patient_error=0.01)
    assert found.more_patients
    assert found.low is None


def test_methods_that_cannot_decide_at_any_effect_are_named() -> None:
    assert floor_in_words("t", 2, 0.05) is None
    assert floor_in_words("sign_flip", 6, 0.05) is None
    assert "needs 6" in str(floor_in_words("sign_flip", 5, 0.05))
    assert "one replicate" in str(floor_in_words("t", 1, 0.05))
