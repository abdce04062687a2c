"""What a criterion needs, and the words for a study that has none of it."""

from typing import Any

from lossassay.catalogue.criteria import CRITERIA
from lossassay.config.schema import BiomarkersConfig
from lossassay.errors import DataError
from lossassay.study.analysis.context import Context

_NEEDED = {
    "features": "twenty test images or more",
    "classes": "one label per image, and two classes or more in the test part",
    "probe": "`biomarkers.probes`, and two patients or more of each of its classes in the test part",
    "nuisance": "a column of `biomarkers.nuisance` with two values or more, and two patients or more of each",
    "repeats": "ten patients or more with two images of one class in the test part",
    "visits": "`data.group` and `data.time`, and three patients or more with images of two times in the test part",
    "score": "`biomarkers.score`, and three patients or more with images of two times in the test part",
    "replicates": "two replicates or more with twenty images or more in the test parts of both",
}


def refuse_hopeless(context: Context, settings: BiomarkersConfig) -> None:
    """Refuse a criterion that can have no value in this study, before any network is asked.

    Raises:
        DataError: If it needs two replicates, a probe, a nuisance column or one label per image, and there is none.
    """
    needs, replicates = CRITERIA[settings.criterion].needs, len(context.table[0])
    came = {
        "replicates": f"the study has {replicates} replicate" if replicates < 2 else None,
        "probe": None if settings.probes else "no probe is named",
        "nuisance": None if settings.nuisance else "no nuisance column is named",
        "classes": "each image has several labels" if context.task == "multi_label" else None,
        "repeats": "each image has several labels" if context.task == "multi_label" else None,
    }.get(needs)
    if came is not None:
        raise _refusal(settings.criterion, came)


def no_value(criterion: str, values: list[dict[str, Any]]) -> DataError:
    """Return the error for a criterion that has no value in any run of the arms.

    Args:
        criterion: Its name.
        values: Rows of all runs.
    """
    dead = [row["value"] for row in values if row["criterion"] == "dead_features" and row["run"] is not None]
    if dead and min(dead) == 1.0:
        return _refusal(criterion, "all features of all runs are constant (`dead_features` is 1)")
    return _refusal(criterion, "no test part has it")


def _refusal(criterion: str, came: str) -> DataError:
    other = "" if criterion == "repeatability" else "; `repeatability` has one nearly always"
    return DataError(
        f"The criterion {criterion!r} has no value in any run: it needs {_NEEDED[CRITERIA[criterion].needs]}, and "
        f"{came}. Choose another one{other}."
    )
