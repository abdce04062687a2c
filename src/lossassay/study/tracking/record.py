"""What of a stored study may go to a tracker, as plain records. Whatever is not named here stays in the out folder.

No file name of the data, no path of the machine, no group (hashed or not), no row and no user name is read into them.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay import metrics
from lossassay.config import Study, load_study
from lossassay.study.folder.columns import LATER_TABLES, TABLES, TUNING_TABLES
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store

# Column of history.parquet → name of its curve; the yardstick gets the name of the primary metric.
_CURVES = {
    "train_loss": "train/loss",
    "train_accuracy": "train/accuracy",
    "validation_loss": "validation/loss",
    "validation_accuracy": "validation/accuracy",
    "validation_yardstick": "validation/{metric}",
    "validation_nll": "validation/negative_log_likelihood",
    "learning_rate": "learning_rate",
    "train_seconds": "train_seconds",
}
_PATH_KEYS = ("weights",)  # of the training recipe: paths of this machine
_OWN_CLOCKS = ("device", "threads")  # of the training recipe: said once, by the study


@dataclass(frozen=True, kw_only=True)
class RunKey:
    """Which run.

    Args:
        id: Its name in the out folder.
        arm: Its arm, or its control.
        replicate: Its replicate, from 0.
    """

    id: str
    arm: str
    replicate: int


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """One stored run.

    Args:
        key: Which run.
        status: ``"finished"`` or ``"diverged"``.
        params: Loss, hyper-parameters and training, as text.
        curves: Name → (epoch, value) for every epoch whose value is finite.
        epoch_seconds: What each epoch took.
        yardsticks: Name → value on the test part; only finite ones.
        written_seconds: When the run was written, seconds since 1970.
    """

    key: RunKey
    status: str
    params: dict[str, str]
    curves: dict[str, tuple[tuple[int, float], ...]]
    epoch_seconds: tuple[float, ...]
    yardsticks: dict[str, float]
    written_seconds: float

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.key.arm}, replicate {self.key.replicate}"

    def epoch_ends(self) -> list[float]:
        """Return when each epoch ended, seconds since 1970, from what the epochs took."""
        ends = np.cumsum(self.epoch_seconds)
        return (self.written_seconds - ends[-1] + ends).tolist() if len(ends) else []


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a study says of two arms, in one line."""

    arm_a: str
    arm_b: str
    text: str


@dataclass(frozen=True, kw_only=True)
class TrackedStudy:
    """A study without its runs.

    Args:
        name: As in the study file.
        digest: Of the data; name and digest together tell one study from another.
        params: What was decided, as text.
        arms: Names of arms and controls, in the order of the plan.
        analysed: Whether tables and facts are there.
        verdicts: Of every primary comparison; empty before the analysis.
        artefacts: Name at the tracker → file.
    """

    name: str
    digest: str
    params: dict[str, str]
    arms: tuple[str, ...]
    analysed: bool
    verdicts: tuple[Verdict, ...]
    artefacts: dict[str, Path]

    def artefact_digest(self) -> str:
        """Return a hash over names and contents of the artefacts."""
        digest = hashlib.blake2b(digest_size=16)
        for name, path in self.artefacts.items():
            digest.update(name.encode() + b"\0" + hashlib.blake2b(path.read_bytes()).digest())
        return digest.hexdigest()


class StoredStudy:
    """Reads the records of one out folder; each run is read when it is asked for, and not kept.

    Args:
        folder: The out folder.

    Raises:
        OutFolderError: If the folder holds no study.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plan = read_plan(folder)
        self._store = Store(folder)
        self._entries = {entry["id"]: entry for entry in self._plan["runs"]}

    def keys(self) -> list[RunKey]:
        """Return the planned runs that are there, in the order of the plan."""
        there = self._store.finished()
        return [self.key(run_id) for run_id in self._entries if run_id in there]

    def plans(self, run_id: str) -> bool:
        """Return whether a run is one of the study; a trial of tuning is none."""
        return run_id in self._entries

    def key(self, run_id: str) -> RunKey:
        """Return which arm and replicate a planned run is."""
        entry = self._entries[run_id]
        return RunKey(id=run_id, arm=entry["arm"], replicate=entry["replicate"])

    def study(self, *, with_report: bool) -> TrackedStudy:
        """Return the study as it stands now.

        Args:
            with_report: Whether report.html is an artefact; it shows small images of the data.
        """
        analysed = (self._folder / "facts.json").is_file()
        return TrackedStudy(
            name=self._plan["name"],
            digest=self._plan["data"]["digest"],
            params=_study_params(self._plan, load_study(self._folder / "study.toml")),
            arms=tuple(dict.fromkeys(entry["arm"] for entry in self._plan["runs"])),
            analysed=analysed,
            verdicts=_verdicts(self._folder / "tables" / "comparisons.parquet") if analysed else (),
            artefacts=_artefacts(self._folder, with_report) if analysed else {},
        )

    def run(self, run_id: str) -> TrackedRun:
        """Return a run that is there."""
        facts, key, history = self._store.facts(run_id), self.key(run_id), self._store.history(run_id)
        return TrackedRun(
            key=key,
            status=facts["status"],
            params=_run_params(key, facts),
            curves=_curves(history, self._plan["metric"]),
            epoch_seconds=tuple((history["train_seconds"] + history["evaluation_seconds"]).to_list()),
            yardsticks=self._yardsticks(run_id, facts["test_loss"]),
            written_seconds=(self._folder / "runs" / run_id / "run.json").stat().st_mtime,
        )

    def _yardsticks(self, run_id: str, own_loss: float | None) -> dict[str, float]:
        test = self._store.predictions(run_id, "test")
        labels, probabilities = test["label"].to_numpy(), test["probabilities"].to_numpy()
        values = metrics.yardsticks(labels, probabilities, task=self._plan["data"]["task"])
        if own_loss is not None:
            values = values | {"own_loss": own_loss}
        return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def _run_params(key: RunKey, facts: dict[str, Any]) -> dict[str, str]:
    """Return what the run was trained with, from run.json: after tuning that is not what the plan says of its arm."""
    training = {
        name: value is not None if name in _PATH_KEYS else value
        for name, value in facts["training"].items()
        if name not in _OWN_CLOCKS
    }
    params = {"arm": key.arm, "replicate": key.replicate, "loss": facts["loss"]}
    params |= {f"loss/{name}": value for name, value in facts["hyper_parameters"].items()}
    params |= {f"training/{name}": value for name, value in training.items()}
    params |= {"damage": facts.get("damage"), "tuned": True if "tuned" in facts else None}
    return _as_text(params)


def _study_params(plan: dict[str, Any], study: Study) -> dict[str, str]:
    data, evidence = plan["data"], study.evidence
    return _as_text(
        {
            "metric": plan["metric"],
            "margin": evidence.margin,
            "alpha": evidence.alpha,
            "scope": evidence.scope,
            "replicates": evidence.most,
            "arms": len(plan["arms"]),
            "seed": evidence.seed,
            "data/digest": data["digest"],
            "data/images": data["rows"],
            "data/groups": data["groups"],
            "data/classes": len(data["class_names"]),
            "data/task": data["task"],
            "data/image_shape": data["image_shape"],
            "data/split": data["split"]["kind"],
            "model": plan["model"]["name"],
            "model/parameters": plan["model"]["parameters"],
            "engine/device": plan["engine"]["device"],
            "engine/precision": plan["engine"]["precision"],
            "engine/kernels": plan["engine"]["kernels"],
            "lossassay_version": plan["lossassay_version"],
            "results_version": plan["results_version"],
        }
    )


def _as_text(values: dict[str, Any]) -> dict[str, str]:
    """Write every value as text: words as they are, the rest as JSON; None is left out."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
        if value is not None
    }


def _curves(history: pl.DataFrame, metric: str) -> dict[str, tuple[tuple[int, float], ...]]:
    epochs = history["epoch"].to_list()
    curves = {
        name.format(metric=metric): tuple(
            (epoch, float(value))
            for epoch, value in zip(epochs, history[column].to_list(), strict=True)
            if value is not None and np.isfinite(value)
        )
        for column, name in _CURVES.items()
    }
    return {name: points for name, points in curves.items() if points}


def _verdicts(comparisons: Path) -> tuple[Verdict, ...]:
    rows = pl.read_parquet(comparisons).filter(pl.col("primary")).iter_rows(named=True)
    return tuple(Verdict(arm_a=row["arm_a"], arm_b=row["arm_b"], text=_in_words(row)) for row in rows)


def _in_words(row: dict[str, Any]) -> str:
    """Return one comparison as a line: ``focal minus dice: better; auroc +0.0120 (+0.0030 to +0.0210)``."""
    numbers = [row["difference"], row["low"], row["high"]]
    interval = "" if any(number is None for number in numbers) else "{:+.4f} ({:+.4f} to {:+.4f}), ".format(*numbers)
    return f"{row['arm_a']} minus {row['arm_b']}: {row['verdict']}; {row['metric']} {interval}n = {row['replicates']:g}"


def _artefacts(folder: Path, with_report: bool) -> dict[str, Path]:
    """Return the files that may leave: known tables and the report. study.toml and audit.json name places and files."""
    names = [f"tables/{name}.csv" for name in (*TABLES, *LATER_TABLES, *TUNING_TABLES)]
    if with_report:
        names.append("report.html")
    return {name: folder / name for name in names if (folder / name).is_file()}
