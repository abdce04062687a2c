"""What `[tuning]` asks of the rest of the study file."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config.schema import UNTUNED, ArmConfig, Study, TuningConfig
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
    if tuning.trials == 1:
        yield (
            "tuning.trials: the first trial has the study's own settings, so 1 chooses nothing; write 2 or more, or "
            "leave [tuning] out"
        )
    if tuning.scope == "nested" and tuning.share != TuningConfig.model_fields["share"].default:
        yield (
            'tuning.share: a share of the patients is taken for tuning with scope = "once" alone; with "nested" every '
            'replicate tunes on its own training and validation part. Leave share out, or write scope = "once"'
        )
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


def further_tuning_problems(
    raw: Mapping[str, Any], arms: Sequence[ArmConfig], wrong: Sequence[tuple[int | str, ...]]
) -> list[str]:
    """Name what else is wrong with ``[tuning]`` where only keys of it cannot be read; values that fit stand there.

    Args:
        raw: The study file.
        arms: Its arms, as read.
        wrong: Places of the file that cannot be read.
    """
    keys = {place[1] for place in wrong if place[0] == "tuning" and len(place) > 1}
    section = raw.get("tuning")
    readable = {key: value for key, value in section.items() if key not in keys} if isinstance(section, Mapping) else {}
    stand_ins = {"pruning": "none"} if "pruning" in keys else {}  # the default does not go with every sampler
    try:
        study = Study.model_validate({**raw, "arms": arms, "tuning": readable | stand_ins})
    except ValidationError:
        return []
    return list(tuning_problems(study))
