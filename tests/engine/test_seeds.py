"""The seed tree."""

from lossassay.config.schema import VARY_ALL
from lossassay.engine.seeds import derive, replicate_seeds


def test_every_source_of_every_replicate_has_its_own_seed() -> None:
    seeds = [seed for r in range(50) for seed in replicate_seeds(0, r, VARY_ALL).as_dict().values()]
    assert len(set(seeds)) == 250
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_what_does_not_vary_is_that_of_replicate_zero() -> None:
    first, second = replicate_seeds(3, 0, ("init",)), replicate_seeds(3, 1, ("init",))
    assert first.init != second.init
    assert (first.split, first.order, first.dropout) == (second.split, second.order, second.dropout)


def test_seeds_stay_the_same_over_versions() -> None:
    assert derive(0, 0, "split") == 7837330067676276347
