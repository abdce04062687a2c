"""The settings that a tuning job chose, for the runs that it tunes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossassay.errors import OutFolderError
from lossassay.study.tuning.space import with_parameters
from lossassay.study.tuning.store import TuningStore


def chosen_settings(folder: Path, job_id: str) -> dict[str, Any]:
    """Return what run.json says of the tuning of a run.

    Args:
        folder: The out folder.
        job_id: The job.

    Returns:
        ``job``, ``trial``, ``value``, ``epoch`` and ``parameters``.

    Raises:
        OutFolderError: If the job is not finished.
    """
    store = TuningStore(folder)
    if job_id not in store.finished():
        raise OutFolderError(
            f"The tuning job {job_id} of this run is not finished, so its settings are not known. Give `lossassay run` "
            "again: it goes on with the tuning first."
        )
    return {"job": job_id, **store.facts(job_id)["chosen"]}


def tuned_arm(arm: Mapping[str, Any], tuned: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return an arm's entry of plan.json with the chosen parameters in place; without any, as it is.

    Args:
        arm: ``loss``, ``hyper_parameters`` and ``training``.
        tuned: As of `chosen_settings`, or ``"tuned"`` of run.json; None: the run is not tuned.
    """
    return dict(arm) if tuned is None else with_parameters(arm, tuned["parameters"])
