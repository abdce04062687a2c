"""The quick way to the last patients' part has the bits of the way through every replicate."""

import numpy as np
import pytest

from lossassay.stats.patients import last_part, patient_parts


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
