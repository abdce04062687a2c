"""What a model card says of a run, gathered from what is stored; `reporting.model_card` writes it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from lossassay import metrics
from lossassay.biomarkers.decisions.operating_points import OperatingPoint, operating_points
from lossassay.biomarkers.fit import read_expected
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.engine.spec import Array
from lossassay.study.folder.results import read_findings
from lossassay.study.folder.store import Store
from lossassay.study.tuning.chosen import tuned_arm
from lossassay.study.tuning.store import TuningStore


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """One yardstick of a model card; None: not known.

    Args:
        metric: Its name.
        of_run: What this run reaches on its test part.
        estimate: Mean of its arm over replicates.
        low: Lower limit of the mean's interval.
        high: Upper limit of the mean's interval.
        replicates: How many.
    """

    metric: str
    of_run: float | None
    estimate: float | None
    low: float | None
    high: float | None
    replicates: int


@dataclass(frozen=True, kw_only=True)
class CardTuning:
    """How the settings of a tuned run were chosen.

    Args:
        settings_from: ``"nested"``: in its replicate; ``"once"``: once, for all replicates and fits of the arm; of a
            fit also ``"replicate"``: in the first replicate of the study, and ``"again"``: once more, on all data.
        trials: How many, the study's own settings included.
        epochs: That they spent.
        metric: That chose, on validation images.
        trial: The one that was chosen, from 0.
        parameters: Of that trial.
    """

    settings_from: Literal["nested", "once", "replicate", "again"]
    trials: int
    epochs: int
    metric: str
    trial: int
    parameters: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """Everything that a model card says; no path and no file name.

    Args:
        study: Name of the study.
        run: Name of the run.
        arm: Of the run.
        replicate: Of the run.
        is_fit: Whether it is the last training of an arm, on all data.
        expected_from: The study whose yardsticks stand for those of a fit; None: there is none.
        plan: plan.json.
        parts: Rows of the training, validation and test part.
        arm_facts: Loss, hyper-parameters and training of the arm.
        run_facts: run.json.
        preprocessing: The study's data section without paths and column names.
        yardsticks: The primary one first.
        level: Of their intervals.
        points: Operating points.
        findings: Of the audit: code, severity, message.
        weights_digest: BLAKE2b of the file of weights.
        tuning: How its settings were chosen; None: they stand in the study file.
    """

    study: str
    run: str
    arm: str
    replicate: int
    is_fit: bool
    expected_from: str | None
    plan: dict[str, Any]
    parts: tuple[int, int, int]
    arm_facts: dict[str, Any]
    run_facts: dict[str, Any]
    preprocessing: dict[str, Any]
    yardsticks: tuple[Yardstick, ...]
    level: float
    points: tuple[OperatingPoint, ...]
    findings: tuple[tuple[str, str, str], ...]
    weights_digest: str
    tuning: CardTuning | None = None


_PREPROCESSING = ("image_size", "channels", "resize", "padding", "background", "preprocess", "spacing_mm")


def card_facts(run: LoadedRun) -> CardFacts:
    """Gather what a model card says of a run.

    Args:
        run: The run.
    """
    expected = read_expected(run.folder)
    parts = run.parts()
    is_fit = bool(run.plan.get("fit"))
    weights = run.folder / "runs" / run.id / "weights.safetensors"
    return CardFacts(
        study=run.plan["name"],
        run=run.id,
        arm=run.arm,
        replicate=run.replicate,
        is_fit=is_fit,
        expected_from=expected["study"] if expected else None,
        plan=run.plan,
        parts=tuple(int((parts == part).sum()) for part in (0, 1, 2)),  # type: ignore[arg-type]
        arm_facts=tuned_arm(run.plan["arms"][run.arm], run.facts.get("tuned")),
        run_facts=run.facts,
        preprocessing=_preprocessing(run),
        yardsticks=tuple(_yardsticks(run, expected)),
        level=1 - (expected["alpha"] if expected else run.study.evidence.alpha),
        points=tuple(operating_points(run)),
        findings=tuple(_findings(run.folder)),
        weights_digest=hashlib.blake2b(weights.read_bytes(), digest_size=16).hexdigest(),
        tuning=_tuning(run),
    )


def _tuning(run: LoadedRun) -> CardTuning | None:
    store, tuned = TuningStore(run.folder), run.facts.get("tuned")
    if tuned is None or tuned["job"] not in store.finished():
        return None
    job = store.facts(tuned["job"])
    return CardTuning(
        settings_from=run.plan.get("tuned_from") or job["scope"],
        trials=job["trials"],
        epochs=job["epochs_spent"],
        metric=job["metric"],
        trial=tuned["trial"],
        parameters=tuned["parameters"],
    )


def _preprocessing(run: LoadedRun) -> dict[str, Any]:
    data = run.study.data
    found = {name: getattr(data, name) for name in _PREPROCESSING}
    if run.plan["data"].get("kind") == "dicom":
        found |= {"dicom.unit": data.dicom.unit, "dicom.window": data.dicom.window}
    if len(run.image_shape) == 4 or data.volume.form != "volume":
        found |= {f"volume.{name}": value for name, value in data.volume.model_dump().items()}
    return {name: value for name, value in found.items() if value not in (None, ())}


def _yardsticks(run: LoadedRun, expected: dict[str, Any] | None) -> list[Yardstick]:
    """Return what this run reached on its test part beside the mean of its arm."""
    own = _own_yardsticks(run)
    table = run.folder / "tables" / "arms.parquet"
    rows: list[dict[str, Any]] = []
    if expected is not None:
        rows = expected["yardsticks"]
    elif table.is_file() and not run.plan.get("fit"):
        rows = pl.read_parquet(table).filter(pl.col("arm") == run.arm).fill_nan(None).to_dicts()
    by_metric = {row["metric"]: row for row in rows if row["metric"] != "own_loss"}
    names = dict.fromkeys([run.plan["metric"], *by_metric, *own])
    return [
        Yardstick(
            metric=name,
            of_run=own.get(name),
            **{key: by_metric.get(name, {}).get(key) for key in ("estimate", "low", "high")},
            replicates=int(by_metric.get(name, {}).get("replicates") or 0),
        )
        for name in names
        if name in own or name in by_metric
    ]


def _own_yardsticks(run: LoadedRun) -> dict[str, float | None]:
    test = Store(run.folder).predictions(run.id, "test")
    if not len(test):
        return {}
    labels: Array = test["label"].to_numpy()
    found = metrics.yardsticks(labels, test["probabilities"].to_numpy(), task=run.task)
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def _findings(folder: Path) -> list[tuple[str, str, str]]:
    """Return the audit's findings without paths and rows; none where there was no audit."""
    stored = read_findings(folder) if (folder / "audit.json").is_file() else ()
    return [(one["code"], one["severity"], one["message"]) for one in stored]
