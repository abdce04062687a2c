"""The quick way to the last patients' part has the bits of the way through every replicate."""

from typing import Any

import numpy as np
import pytest

from lossassay.errors import DataError
from lossassay.stats.patients import PatientsOfRows, StackedInfluences, last_part, patient_parts
from lossassay.stats.population import population_difference


@pytest.mark.parametrize("seed", range(20))
def test_the_quick_way_has_the_bits_of_the_slow_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    influences = []
    for _ in range(int(random.integers(1, 40))):
        size = int(random.integers(0, 60)) if random.random() < 0.8 else 0
        influences.append((random.integers(0, 25, size), random.normal(size=size)))
    slow = patient_parts(influences)
    found = (slow.errors[-1], slow.floors[-1], slow.degrees_of_freedom[-1], slow.num_patients[-1])
    np.testing.assert_array_equal(last_part(influences), found)


def test_nothing_is_known_without_replicates() -> None:
    assert last_part([])[0] == float("inf")
    assert last_part([(np.zeros(0, dtype=int), np.zeros(0))])[3] == 0


def test_influence_values_may_be_whole_numbers() -> None:
    patients, values = np.array([4, 4, 9]), np.array([1, -3, 2])
    assert last_part([(patients, values)] * 2) == last_part([(patients, values.astype(float))] * 2)


def stacked(influences: list[tuple[Any, Any]]) -> StackedInfluences:
    names, values = (np.concatenate(parts) for parts in zip(*influences, strict=True))
    sizes = np.array([len(psi) for _, psi in influences])
    return StackedInfluences(rows=PatientsOfRows(names=names, sizes=sizes), values=values)


def test_stacked_replicates_say_what_a_list_of_them_says() -> None:
    random = np.random.default_rng(0)
    patients = [random.integers(0, 9, size) for size in (5, 30, 1, 12)]
    first, second = ([(own, random.normal(size=len(own))) for own in patients] for _ in range(2))
    listed = [(own, a - b) for (own, a), (_, b) in zip(first, second, strict=True)]
    together = stacked(first) - stacked(second)
    assert last_part(together) == last_part(listed)
    np.testing.assert_array_equal(patient_parts(together).floors, patient_parts(listed).floors)
    differences = random.normal(size=4)
    told = {"alpha": 0.05, "family_size": 3}
    found = population_difference(differences, together, **told)
    assert found == population_difference(differences, listed, **told)
    differences[1] = np.nan  # a replicate that is left out
    assert population_difference(differences, together, **told) == population_difference(differences, listed, **told)
    for place in (0, 3, -1):
        for one, other in zip(together[place], listed[place], strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(together[1:3]) == 2


def test_nan_among_stacked_values_is_refused_with_its_replicate() -> None:
    influences = stacked([(np.arange(3), np.ones(3)), (np.arange(3), np.array([1.0, np.nan, 0.0]))])
    with pytest.raises(DataError, match="1 of 3 influence values of replicate 1 are nan"):
        last_part(influences)
