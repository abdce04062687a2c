"""Which run a path stands for: one that is named, or the typical run of the arm that validates best."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import polars as pl

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.errors import OutFolderError, did_you_mean
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store

Replicate: TypeAlias = int | str  # a number from 0, "median" or "best"
Validated: TypeAlias = tuple[float, float, str]  # yardstick (higher is better), minus log-likelihood, name of the run


def find_run(path: Path, arm: str | None = None, replicate: Replicate = "median") -> tuple[Path, str]:
    """Return the out folder and the name of the run that a path stands for.

    The test part takes no part in the choice. Of several arms the one is taken whose mean yardstick on the validation
    part is best over replicates; an arm with a diverged run comes after all that have none.

    Args:
        path: The folder of a run (``OUT/runs/ID``), or an out folder.
        arm: With an out folder: only runs of this arm.
        replicate: With an out folder: which run of the arm. ``"median"``: the middle one on the validation part, of two
            middle ones the better; ``"best"``: the best one there; a number: that replicate, from 0 as in the tables.

    Raises:
        OutFolderError: If there is no such run.
    """
    _refuse_strange(replicate)
    if (path / "run.json").is_file():
        if arm is not None or replicate != "median":
            named = f"an arm ({arm!r})" if arm is not None else f"a replicate ({replicate!r})"
            raise OutFolderError(f"{path} is one run, and {named} was named too. Name the out folder instead.")
        return path.resolve().parents[1], path.resolve().name
    if not (path / "plan.json").is_file():
        raise OutFolderError(
            f"{path} is no run and no out folder (there is neither run.json nor plan.json in it). "
            "Expected OUT/runs/ID, or the folder that was given as --out."
        )
    return path, _chosen(path, arm, replicate)


def finished_runs(folder: Path, arm: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the entry of plan.json and run.json of every finished run of an out folder, controls left out.

    Raises:
        OutFolderError: If the folder holds no study, or has no such arm.
    """
    plan, store = read_plan(folder), Store(folder)
    if arm is not None and arm not in plan["arms"]:
        raise OutFolderError(
            f"The study in {folder} has no arm {arm!r}. Its arms: {', '.join(plan['arms'])}."
            f"{did_you_mean(arm, plan['arms'])}"
        )
    there = store.finished()
    for entry in plan["runs"]:
        if entry["id"] in there and entry["arm"] in plan["arms"] and arm in (None, entry["arm"]):
            yield entry["id"], store.facts(entry["id"])


def _refuse_strange(replicate: Replicate) -> None:
    if replicate not in ("median", "best") and not str(replicate).isdecimal():
        raise OutFolderError(
            f"The replicate {replicate!r} was named. Expected median, best, or a number from 0 as in tables/runs.csv. "
            "Name one of them."
        )


def _chosen(folder: Path, arm: str | None, replicate: Replicate) -> str:
    own = _best_arm(folder, arm)
    if replicate not in ("median", "best"):
        return _of_replicate(folder, [run_id for _, _, run_id in own], int(replicate))
    return own[-1][2] if replicate == "best" else own[len(own) // 2][2]


def _best_arm(folder: Path, arm: str | None) -> list[Validated]:
    """Return what the runs of the best arm reach on the validation part, the worst first; diverged ones left out."""
    entries = {run["id"]: run for run in read_plan(folder)["runs"]}
    runs = list(finished_runs(folder, arm))
    of_arm = f" of arm {arm!r}" if arm else ""
    if not runs:
        raise OutFolderError(
            f"{folder} holds no finished run{of_arm}. Expected one or more. Run the study first with `lossassay run`."
        )
    by_arm: dict[str, list[Validated]] = {}
    diverged: set[str] = set()
    for run_id, facts in runs:
        if facts["status"] == "diverged":
            diverged.add(entries[run_id]["arm"])
        else:
            by_arm.setdefault(entries[run_id]["arm"], []).append(_validated(folder, run_id, facts))
    if not by_arm:
        raise OutFolderError(
            f"Every finished run{of_arm} in {folder} diverged: weights are not finite and features mean nothing. "
            "Expected a run that finished. Choose another arm, or train with a smaller training.learning_rate."
        )
    best = max(by_arm, key=lambda name: (name not in diverged, _mean(by_arm[name], 0), _mean(by_arm[name], 1)))
    return sorted(by_arm[best])


def _mean(found: Sequence[Validated], place: Literal[0, 1]) -> float:
    return sum(one[place] for one in found) / len(found)


def _validated(folder: Path, run_id: str, facts: dict[str, Any]) -> Validated:
    sign = 1.0 if YARDSTICKS[read_plan(folder)["metric"]].best == "high" else -1.0
    kept = Store(folder).history(run_id).filter(pl.col("epoch") == facts["best_epoch"])
    return sign * kept["validation_yardstick"][0], -kept["validation_nll"][0], run_id


def _of_replicate(folder: Path, usable: Sequence[str], replicate: int) -> str:
    entries = {run["id"]: run for run in read_plan(folder)["runs"]}
    there = {entries[run_id]["replicate"]: run_id for run_id in usable}
    if replicate not in there:
        arm = entries[usable[0]]["arm"]
        raise OutFolderError(
            f"The arm {arm!r} in {folder} has no replicate {replicate} that finished without diverging. Expected one "
            f"of {', '.join(str(one) for one in sorted(there))}, as in tables/runs.csv, or median, or best."
        )
    return there[replicate]
