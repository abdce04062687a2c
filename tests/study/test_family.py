"""Which arms are compared, in which direction, and which of them share alpha."""

from lossassay.config import Study
from lossassay.study.analysis.family import compared_pairs, family
from tests.study.helpers import small_study

CATEGORICAL, SPARSE = "categorical_crossentropy", "sparse_categorical_crossentropy"


def study(compare: str) -> Study:
    """Three arms: the first two are one function."""
    return small_study("digits", evidence={"compare": compare})


def test_all_pairs_are_compared_in_the_order_of_the_study() -> None:
    assert compared_pairs(study("all")) == [(0, 1), (0, 2), (1, 2)]


def test_each_other_arm_is_compared_with_the_reference_behind_it() -> None:
    assert compared_pairs(study(CATEGORICAL)) == [(1, 0), (2, 0)]
    assert compared_pairs(study(SPARSE)) == [(0, 1), (2, 1)]


def test_one_function_takes_no_alpha_whichever_arm_is_the_reference() -> None:
    same = {(CATEGORICAL, SPARSE)}
    assert family(study("all"), same) == [(0, 2), (1, 2)]
    assert family(study(CATEGORICAL), same) == [(2, 0)]
    assert family(study(SPARSE), same) == [(2, 1)]
