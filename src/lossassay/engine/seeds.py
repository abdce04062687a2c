"""One seed tree per replicate. All arms of a replicate share it, so that arms are paired by construction."""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass

from lossassay.config.schema import VARY_ALL


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """The seeds of one replicate, one for each source of noise; each from 0 to 2^63 - 1."""

    split: int
    init: int
    order: int
    augmentation: int
    dropout: int

    def as_dict(self) -> dict[str, int]:
        """Return the seeds by name."""
        return asdict(self)


def derive(*parts: int | str) -> int:
    """Return a seed from 0 to 2^63 - 1 that depends on every part and on nothing else."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def replicate_seeds(study_seed: int, replicate: int, vary: Collection[str]) -> Seeds:
    """Return the seeds of a replicate.

    Args:
        study_seed: ``evidence.seed``.
        replicate: Number of the replicate, from 0.
        vary: The sources of noise that differ between replicates; the others have replicate 0's seed in all.
    """
    return Seeds(**{source: derive(study_seed, replicate if source in vary else 0, source) for source in VARY_ALL})


def control_seeds(study_seed: int, replicate: int, seeds: Seeds) -> Seeds:
    """Return seeds of the control: the replicate's split, and everything else drawn for the control alone.

    Args:
        study_seed: ``evidence.seed``.
        replicate: Number of the replicate, from 0.
        seeds: Of the replicate.
    """
    own = {source: derive(study_seed, replicate, "control", source) for source in VARY_ALL if source != "split"}
    return Seeds(split=seeds.split, **own)
