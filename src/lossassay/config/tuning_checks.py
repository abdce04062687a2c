"""What `[tuning]` asks of the rest of the study file."""

from collections.abc import Iterator

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config.schema import UNTUNED, Study
from lossassay.config.tuning_space import space_problems
from lossassay.errors import unknown_name


def tuning_problems(study: Study) -> Iterator[str]:
    """Name what is wrong with ``[tuning]``, one sentence each.

    Args:
        study: As read.
    """
    tuning, split = study.tuning, study.data.split
    if tuning is None:
        return
    yield from space_problems(study)
    if tuning.metric is not None and tuning.metric not in YARDSTICKS:
        yield f"tuning.metric: {unknown_name('yardstick', tuning.metric, YARDSTICKS)}"
    if tuning.sampler == "tpe" and tuning.pruning == "halving":
        yield (
            'tuning.sampler: "tpe" learns from trials that are finished, and pruning = "halving" stops most of them; '
            'write pruning = "none", or sampler = "quasi_random"'
        )
    if tuning.scope == "once" and (split.official or split.kind != "holdout"):
        kind = "official" if split.official else split.kind
        yield (
            'tuning.scope: "once" takes the patients that it tunes on out of every test part, and the test parts of a '
            f'{kind} split are fixed; write scope = "nested", or split = {{ validation = 0.1, test = 0.2 }}'
        )
    yield from (
        f"arms: {arm.name!r} begins like the name of an untuned arm ({UNTUNED!r}); give the arm another"
        for arm in study.arms
        if arm.name.startswith(UNTUNED)
    )
