"""A finished study that never ran: plausible tables for 1 to 10 arms, written like those of a real one."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import Study, parse_study
from lossassay.study.folder.columns import TABLES
from lossassay.study.folder.results import Gallery, StudyResults

LOSSES = (
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "mean_squared_error",
    "focal",
    "binary_crossentropy",
)
# How much worse than the first two each arm is, in balanced accuracy.
_PENALTY = (0.0, 0.0, 0.021, 0.002, 0.006, 0.009, 0.012, 0.03, 0.015, 0.001)


def fake_results(
    folder: Path,
    *,
    arms: int = 4,
    classes: tuple[str, ...] = ("covid-19", "normal", "pneumonia"),
    replicates: int = 8,
    epochs: int = 15,
    margin: float | None = 0.02,
    multi_label: bool = False,
    arm_names: tuple[str, ...] | None = None,
    pictures: bool = True,
    verdicts: dict[int, str] | None = None,
    stopping: str = "fixed",
) -> StudyResults:
    """Build results for a page.

    Args:
        folder: The out folder; tables are written into it.
        arms: Number of arms; the first two are one function.
        classes: Class names, as hostile as you like.
        replicates: Per arm.
        epochs: Per run.
        margin: Of the primary metric, or None.
        multi_label: Several labels per image; no confusion matrix and no worst errors.
        arm_names: Other names for the arms.
        pictures: Whether there is a gallery.
        verdicts: Comparison number → verdict, instead of what its interval says.
        stopping: How replicates were looked at.
    """
    study = _study(arms, arm_names, multi_label, replicates, epochs, margin)
    builder = _Builder(study, classes, replicates, epochs, multi_label, verdicts or {}, stopping)
    tables = builder.tables()
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.write_csv(folder / "tables" / f"{name}.csv")
    return StudyResults(
        folder=folder,
        study=study,
        plan=builder.plan(),
        tables=tables,
        facts=builder.facts(),
        findings=_FINDINGS,
        gallery=builder.gallery() if pictures else None,
    )


def empty_tables(*, but: tuple[str, ...] = ()) -> dict[str, pl.DataFrame]:
    """Return every table without rows, as analysis leaves those that do not apply."""
    return {
        name: pl.DataFrame({column: [] for column in columns}) for name, columns in TABLES.items() if name not in but
    }


_FINDINGS: tuple[dict[str, Any], ...] = (
    {
        "code": "source-predicts-class",
        "severity": "issue",
        "message": "The source of an image tells its class in 99.2 % of the images.",
        "advice": "A network can learn the hospital instead of the disease. Add a source that has all classes.",
        "rows": [],
    },
    {
        "code": "exact-duplicate",
        "severity": "note",
        "message": "12 images are equal to another one, bit for bit.",
        "advice": "Remove them, or give both the same group.",
        "rows": [4, 81],
    },
)


def _study(
    arms: int, names: tuple[str, ...] | None, multi_label: bool, replicates: int, epochs: int, margin: float | None
) -> Study:
    entries: list[dict[str, Any]] = []
    for index in range(arms):
        if multi_label:
            entry: dict[str, Any] = {"loss": "binary_crossentropy", "name": f"binary_{index}"}
            entry["training"] = {"learning_rate": 1e-3 / (1 + index)}
        elif index < len(LOSSES):
            entry = {"loss": LOSSES[index]}
        else:
            entry = {"loss": "focal", "gamma": 0.5 * index, "name": f"focal_gamma_{0.5 * index:g}"}
        if names is not None:
            entry["name"] = names[index]
        entries.append(entry)
    return parse_study(
        {
            "name": "cxr3",
            "data": {"path": "digits", "image_size": 64, "group": "patient_id"},
            "arms": entries,
            "training": {"epochs": epochs, "schedule": "one_cycle"},
            "evidence": {"replicates": replicates} | ({} if margin is None else {"margin": margin}),
        }
    )


class _Builder:
    def __init__(
        self,
        study: Study,
        classes: tuple[str, ...],
        replicates: int,
        epochs: int,
        multi_label: bool,
        verdicts: dict[int, str],
        stopping: str,
    ) -> None:
        self.stopping = stopping
        self.study, self.classes, self.replicates, self.epochs = study, classes, replicates, epochs
        self.multi_label, self.verdicts = multi_label, verdicts
        self.names = [arm.name for arm in study.arms]
        self.task = "multi_label" if multi_label else "single_label"
        self.primary = "macro_auroc" if multi_label else "balanced_accuracy"
        self.metrics = [name for name, spec in YARDSTICKS.items() if self.task in spec.tasks]
        self.random = np.random.default_rng(7)
        self.same = not multi_label and len(self.names) > 1
        noise = self.random.normal(0, 0.008, (replicates, len(self.names)))
        if self.same:
            noise[:, 1] = noise[:, 0]
        self.skill = 0.955 + noise - np.array([_PENALTY[i % 10] for i in range(len(self.names))])  # [R A]

    def tables(self) -> dict[str, pl.DataFrame]:
        tables = empty_tables()
        for name in TABLES:
            rows = getattr(self, name)()
            if rows:
                tables[name] = pl.DataFrame(rows, infer_schema_length=None)
        return tables

    def value(self, metric: str, skill: float) -> float:
        if YARDSTICKS[metric].best == "low":
            return float((1 - skill) * {"nll": 3.1, "brier": 1.6, "ece": 0.4}[metric])
        return float(1 - (1 - skill) * (0.3 if "auroc" in metric else 1.2 if metric == "cohen_kappa" else 1.0))

    def _interval(self, values: np.ndarray[Any, Any]) -> dict[str, float | None]:
        if len(values) < 2:
            return {"estimate": float(values.mean()), "low": None, "high": None}
        half = 2.3 * float(values.std(ddof=1)) / math.sqrt(len(values))
        return {
            "estimate": float(values.mean()),
            "low": float(values.mean() - half),
            "high": float(values.mean() + half),
        }

    def runs(self) -> list[dict[str, Any]]:
        return [
            {
                "run": f"{replicate:02x}{index:02x}5d1e8b",
                "arm": arm,
                "replicate": replicate,
                "status": "finished",
                "train_seconds": 61.2 + index,
                "epoch_seconds": 4.08 + 0.05 * index,
                "images_per_second": 1043.0,
                "peak_memory_bytes": 812_000_000 + index * 9_000_000,
                "label_bytes": 4236 * 4 * (1 if "sparse" in arm else 3),
                "best_epoch": self.epochs - 2,
                "epochs": self.epochs,
                "own_loss": 0.13 / (1 + index),
                "init_digest": f"{replicate:08x}",
                "order_digest": f"{replicate + 77:08x}",
                **{metric: self.value(metric, self.skill[replicate, index]) for metric in self.metrics},
            }
            for replicate in range(self.replicates)
            for index, arm in enumerate(self.names)
        ]

    def arms(self) -> list[dict[str, Any]]:
        rows = []
        for index, arm in enumerate(self.names):
            for metric in self.metrics:
                values = np.array([self.value(metric, skill) for skill in self.skill[:, index]])
                sd = float(values.std(ddof=1)) if len(values) > 1 else None
                rows.append(
                    {
                        "arm": arm,
                        "metric": metric,
                        **self._interval(values),
                        "sd": sd,
                        "replicates": len(values),
                        "population_low": 0.9,
                        "population_high": 0.99,
                    }
                )
            rows.append(
                {
                    "arm": arm,
                    "metric": "own_loss",
                    "estimate": 0.13 / (1 + index),
                    "low": 0.1 / (1 + index),
                    "high": 0.16 / (1 + index),
                    "sd": 0.02,
                    "replicates": self.replicates,
                    "population_low": None,
                    "population_high": None,
                }
            )
        return rows

    def comparisons(self) -> list[dict[str, Any]]:
        rows = []
        pairs = list(itertools.combinations(range(len(self.names)), 2))
        for metric, scope in itertools.product(self.metrics, ("procedure", "population")):
            for number, (a, b) in enumerate(pairs):
                values = np.array([self.value(metric, x) - self.value(metric, y) for x, y in self.skill[:, [a, b]]])
                found = self._interval(values)
                if scope == "population" and found["low"] is not None:
                    found |= {"low": found["low"] - 0.01, "high": found["high"] + 0.01}
                word, reason = self._verdict(number, (a, b), found)
                primary = metric == self.primary and scope == "procedure"
                p = None if found["low"] is None else min(1.0, abs(0.0003 / (found["estimate"] or 1)))
                beside = metric == self.primary and scope == "population"
                rows.append(
                    {
                        "metric": metric,
                        "scope": scope,
                        "arm_a": self.names[a],
                        "arm_b": self.names[b],
                        "difference": found["estimate"],
                        "low": found["low"],
                        "high": found["high"],
                        "p_adjusted": p,
                        "verdict": word if primary else None,
                        "replicates": self.replicates,
                        "method": "paired t, Bonferroni over 6 pairs",
                        "primary": primary,
                        "reason": reason if primary else None,
                        "p_holm": p if self.stopping == "fixed" else None,
                        "p_max_t": p if self.stopping == "fixed" else None,
                        "smallest_margin": 0.011,
                        "decided_at": None if self.stopping == "fixed" else self.replicates,
                        **self._more(number, word, primary),
                        "notes": _NOTES[number % len(_NOTES)] if primary else None,
                        "bootstrap_low": found["low"] if beside else None,
                        "bootstrap_high": found["high"] if beside else None,
                        "nadeau_bengio_low": found["low"] if beside and number else None,
                        "nadeau_bengio_high": found["high"] if beside and number else None,
                    }
                )
        return rows

    def _more(self, number: int, word: str, primary: bool) -> dict[str, Any]:
        if not primary or word != "undecided":
            return {"more_low": None, "more_high": None, "more_patients": None}
        low, high, patients = _MORE[number % len(_MORE)]
        return {"more_low": low, "more_high": high, "more_patients": patients}

    def ranks(self) -> list[dict[str, Any]]:
        last = len(self.names)
        return [
            {"arm": arm, "rank_low": 1 if i < last - 1 else last, "rank_high": last, "probability_best": 1 / last}
            for i, arm in enumerate(self.names)
        ]

    def looks(self) -> list[dict[str, Any]]:
        if self.stopping == "fixed" or self.replicates < 4:
            return []
        return [
            {
                "arm_a": self.names[a],
                "arm_b": self.names[b],
                "replicates": n,
                "difference": 0.01,
                "low": 0.01 - 0.1 / n,
                "high": 0.01 + 0.1 / n,
                "verdict": "equivalent" if n > 6 else "undecided",
            }
            for a, b in itertools.combinations(range(len(self.names)), 2)
            for n in range(3, self.replicates + 1)
        ]

    def divergence(self) -> list[dict[str, Any]]:
        return [
            {"arm": arm, "diverged": i % 2, "runs": 8, "rate": (i % 2) / 8, "low": 0.0, "high": 0.37}
            for i, arm in enumerate(self.names)
        ]

    def control(self) -> list[dict[str, Any]]:
        if self.stopping == "fixed":
            return []
        numbers = {"difference": 0.002, "low": -0.004, "high": 0.008, "sd": 0.009, "sd_low": 0.006, "sd_high": 0.02}
        return [{"metric": metric, "replicates": self.replicates, **numbers} for metric in self.metrics]

    def controls(self) -> list[dict[str, Any]]:
        if self.stopping == "fixed":
            return []
        known = {"balanced_accuracy": 1 / len(self.classes), "macro_auroc": 0.5}
        rows = []
        for metric in self.metrics:
            for control, kept in (("masked_centre", 0.7), ("source_only", 0.4), ("permuted_labels", None)):
                share = None if metric not in known else kept
                rows.append(
                    {
                        "control": control,
                        "metric": metric,
                        "replicates": self.replicates,
                        "estimate": 0.81,
                        "low": 0.79,
                        "high": 0.83,
                        "chance": known.get(metric),
                        "reference": 0.955,
                        "difference": -0.145,
                        "difference_low": -0.17,
                        "difference_high": -0.12,
                        "surviving": share,
                        "surviving_low": None if share is None else share - 0.05,
                        "surviving_high": None if share is None else share + 0.05,
                    }
                )
        return rows

    def checks(self) -> list[dict[str, Any]]:
        return [
            {"code": code, "status": _STATUS[(i + (self.stopping != "fixed")) % 2], "fields": json.dumps(fields)}
            for i, (code, fields) in enumerate(_CHECKS.items())
        ] + [{"code": "group-overlap", "status": "not applicable", "fields": "{}"}]

    def _verdict(self, number: int, pair: tuple[int, int], found: dict[str, float | None]) -> tuple[str, str]:
        low, high, margin = found["low"], found["high"], self.study.evidence.margin
        if number in self.verdicts:
            return self.verdicts[number], "the interval leaves out 0"
        if self.same and pair == (0, 1):
            return "same function", "value and gradient are equal for every label"
        if low is None or high is None:
            return "undecided", "fewer than two replicates"
        if margin is not None and -margin < low and high < margin:
            return "equivalent", "the interval lies inside the margin"
        if low > 0 or high < 0:
            return "better" if low > 0 else "worse", "the interval leaves out 0"
        if margin is None:
            return "undecided", "the interval contains 0, and no margin was stated"
        return "undecided", "the interval contains 0 and reaches past the margin"

    def per_class(self) -> list[dict[str, Any]]:
        metrics = (
            ("auroc", "average_precision", "f1")
            if self.multi_label
            else ("sensitivity", "specificity", "precision", "auroc")
        )
        return [
            {
                "arm": arm,
                "class": name,
                "metric": metric,
                "estimate": 0.97 - 0.01 * k,
                "low": 0.95 - 0.01 * k,
                "high": 0.98 - 0.01 * k,
                "replicates": self.replicates,
            }
            for arm in self.names
            for metric in metrics
            for k, name in enumerate(self.classes)
        ]

    def identities(self) -> list[dict[str, Any]]:
        return [
            {
                "arm_a": self.names[a],
                "arm_b": self.names[b],
                "relation": "same function"
                if self.same and (a, b) == (0, 1)
                else "proportional"
                if b == 2
                else "different",
                "factor": 1.0 if self.same and (a, b) == (0, 1) else 2.5 if b == 2 else None,
                "largest_difference": 0.0 if self.same and (a, b) == (0, 1) else 0.7,
            }
            for a, b in itertools.combinations(range(len(self.names)), 2)
        ]

    def gradient_scales(self) -> list[dict[str, Any]]:
        scales = [0.816, 0.816, 0.18, 0.54, 0.33, *[0.4] * 9][: len(self.names)]
        return [
            {"arm": arm, "gradient_norm": scale, "ratio_to_smallest": scale / min(scales)}
            for arm, scale in zip(self.names, scales, strict=True)
        ]

    def noise_floor(self) -> list[dict[str, Any]]:
        rows = []
        for index, arm in enumerate(self.names):
            for metric in self.metrics:
                values = [self.value(metric, skill) for skill in self.skill[:, index]]
                gaps = [abs(x - y) for x, y in itertools.combinations(values, 2)]
                quantiles = np.quantile(gaps, [0.5, 0.95, 1]).tolist() if gaps else [None] * 3
                rows.append(
                    {
                        "arm": arm,
                        "metric": metric,
                        "median": quantiles[0],
                        "p95": quantiles[1],
                        "largest": quantiles[2],
                        "pairs": len(gaps),
                        "replicates": len(values),
                    }
                )
        return rows

    def curves(self) -> list[dict[str, Any]]:
        rows = []
        for index, arm in enumerate(self.names):
            for epoch in range(1, self.epochs + 1):
                fall = math.exp(-epoch / (2 + index % 3))
                values = {
                    "train_loss": 0.05 + 0.9 * fall,
                    "validation_loss": 0.12 + 0.8 * fall + 0.01 * (epoch % 3),
                    "train_accuracy": 0.985 - 0.4 * fall,
                    "validation_accuracy": 0.955 - 0.35 * fall,
                    "validation_yardstick": 0.95 - 0.35 * fall,
                }
                for quantity, mean in values.items():
                    mean *= 1 / (1 + index) if "loss" in quantity else 1
                    rows.append(
                        {
                            "arm": arm,
                            "epoch": epoch,
                            "quantity": quantity,
                            "mean": mean,
                            "low": mean * 0.97,
                            "high": mean * 1.02,
                            "replicates": self.replicates,
                        }
                    )
        return rows

    def confusion(self) -> list[dict[str, Any]]:
        if self.multi_label:
            return []
        rows = []
        for arm in self.names:
            for t, true in enumerate(self.classes):
                for p, predicted in enumerate(self.classes):
                    share = 0.95 if t == p else 0.05 / max(1, len(self.classes) - 1)
                    rows.append(
                        {"arm": arm, "true": true, "predicted": predicted, "count": int(share * 3210), "share": share}
                    )
        return rows

    def roc(self) -> list[dict[str, Any]]:
        return [
            {
                "arm": arm,
                "class": name,
                "false_positive_rate": x,
                "true_positive_rate": min(1.0, x ** (0.06 + 0.02 * k + 0.008 * index)),
            }
            for index, arm in enumerate(self.names)
            for k, name in enumerate(self.classes)
            for x in np.linspace(0, 1, 101).tolist()
        ]

    def reliability(self) -> list[dict[str, Any]]:
        return [
            {
                "arm": arm,
                "bin": b,
                "confidence": c,
                "frequency": max(0.0, min(1.0, c - 0.05 * (1 - c) * (index + 1))),
                "count": 640,
            }
            for index, arm in enumerate(self.names)
            for b, c in enumerate(np.linspace(0.45, 0.999, 15).tolist())
        ]

    def costs(self) -> list[dict[str, Any]]:
        return [
            {
                "arm": arm,
                "epoch_seconds": 4.08 + 0.05 * index,
                "train_seconds": 61.2 + index,
                "images_per_second": 1043.0 - 9 * index,
                "peak_memory_bytes": 812_000_000 + index * 9_000_000,
                "label_bytes_per_image": 4.0 if "sparse" in arm else 4.0 * len(self.classes),
            }
            for index, arm in enumerate(self.names)
        ]

    def label_memory(self) -> list[dict[str, Any]]:
        return [
            {"classes": k, "images": 4236, "integer_bytes": 4 * 4236, "dense_bytes": 4 * 4236 * k, "ratio": float(k)}
            for k in sorted({2, 3, 10, 16, 100, 1000, 10000, len(self.classes)})
        ]

    def worst_errors(self) -> list[dict[str, Any]]:
        if self.multi_label:
            return []
        return [
            {
                "arm": arm,
                "replicate": i % self.replicates,
                "row": 100 + i,
                "label": self.classes[i % len(self.classes)],
                "predicted": self.classes[(i + 1) % len(self.classes)],
                "probability_of_truth": 1e-5 * (i + 1),
            }
            for arm in self.names
            for i in range(12)
        ]

    def gallery(self) -> Gallery:
        grid = np.hypot(*np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 64)))
        kinds = ["class"] * (8 * len(self.classes)) + ([] if self.multi_label else ["error"] * 12)
        labels = [name for name in self.classes for _ in range(8)] + [
            self.classes[i % len(self.classes)] for i in range(12)
        ]
        noise = self.random.normal(0, 25, (len(kinds), 64, 64))
        images = np.clip(210 - 150 * grid + noise, 0, 255).astype(np.uint8)
        rows = [*range(8 * len(self.classes)), *range(100, 112)][: len(kinds)]
        return Gallery(rows=np.array(rows), images=images, kinds=tuple(kinds), labels=tuple(labels[: len(kinds)]))

    def plan(self) -> dict[str, Any]:
        return {
            "name": "cxr3",
            "lossassay_version": "0.1.0",
            "results_version": 1,
            "command": "lossassay run cxr3.toml --out cxr3",
            "data": {
                "rows": 6051,
                "class_names": list(self.classes),
                "class_counts": [576 + 1000 * k for k in range(len(self.classes))],
                "task": self.task,
                "dimensions": 2,
                "image_shape": [64, 64, 1],
                "pixel_type": "uint8",
                "groups": 3482,
                "cache_bytes": 6051 * 64 * 64,
                "digest": "8a1f0c22d97b4e6f",
                "parts": [
                    {
                        "replicate": r,
                        "train": 4236 + r,
                        "validation": 605,
                        "test": 1210 - r,
                        "largest_share_error": 0.004,
                    }
                    for r in range(self.replicates)
                ],
            },
            "model": {
                "name": "paper_cnn",
                "parameters": 1_245_571,
                "multiply_accumulates": 25_312_000,
                "feature_count": 128,
            },
            "engine": {"device": "cpu", "precision": "bf16", "threads": 1},
            "environment": {
                "python": "3.11.2",
                "torch": "2.13.0+cpu",
                "platform": "Linux x86_64",
                "processor": "Intel(R) Xeon(R) Processor",
                "cores": 2,
                "memory_bytes": 25_276_502_016,
                "gpu": None,
                "packages": {"lossassay": "0.1.0", "numpy": "2.4.6", "polars": "2.1.0"},
            },
            "runs": [
                {
                    "id": f"{r:02x}{i:02x}5d1e8b",
                    "arm": arm,
                    "replicate": r,
                    "seeds": dict.fromkeys(
                        ("split", "init", "order", "augmentation", "dropout"), 4_611_686_018_427_387_903 - r
                    ),
                }
                for r in range(self.replicates)
                for i, arm in enumerate(self.names)
            ],
        }

    def facts(self) -> dict[str, Any]:
        same = {"arm_a": self.names[0], "arm_b": self.names[-1 if len(self.names) < 2 else 1]}
        numbers = dict.fromkeys(("init_equal", "order_equal", "replicates"), self.replicates)
        runs = self.replicates * len(self.names)
        return {
            "primary_metric": self.primary,
            "scope": "procedure",
            "alpha": 0.05,
            "margin": self.study.evidence.margin,
            "replicates_planned": self.replicates,
            "runs_planned": runs,
            "runs_finished": runs,
            "runs_diverged": 0,
            "runs_failed": 0,
            "failures": [],
            "same_function_pairs": [same | numbers | {"largest_score_difference": 0.0}] if self.same else [],
            "label_encodings": {name: "integer" if "sparse" in name else "dense" for name in self.names},
            "train_seconds_total": 61.2 * runs,
            "started": "2026-03-01T10:00:00+00:00",
            "finished": "2026-03-01T10:41:00+00:00",
            "wall_seconds": 2460.0,
            **self._evidence(),
            "pixel_mean": [0.482],
            "pixel_sd": [0.231],
        }

    def _evidence(self) -> dict[str, Any]:
        sequential = self.stopping != "fixed"
        replicates: Any = {"min": 3, "max": 30} if sequential else self.replicates
        return {
            "method": "t",
            "stopping": {
                "rule": self.stopping,
                "min": 3 if sequential else self.replicates,
                "max": 30 if sequential else self.replicates,
                "reached": self.replicates,
                "looks": 5 if sequential else 1,
            },
            "arms_stopped_at": {self.names[-1]: 5} if sequential else {},
            "runs_saved": 40 if sequential else 0,
            "reference": self.names[0] if sequential else None,
            "patients": 1200,
            "patient_unit": "patient" if sequential else "image",
            "official_split": False,
            "registered": {
                "metric": self.primary,
                "margin": self.study.evidence.margin,
                "scope": "procedure",
                "alpha": 0.05,
                "replicates": replicates,
                "stopping": self.stopping if sequential else "planned",
                "compare": "all",
            },
            "changes": ["margin: 0.02, later 0.03"] if sequential else [],
            "exploratory": sequential,
            "resolution": 0.012,
            "smallest_margin_population": 0.015,
        }


_STATUS = ("failed", "passed")
_NOTES = ("", "stopped_early", "exploratory;margin_below_resolution")
_MORE = ((3, 17, False), (4, 4, False), (12, None, False), (None, None, False), (None, None, True))
_CHECKS: dict[str, dict[str, Any]] = {
    "same-function": {"pairs": [["a_loss", "<b>"]]},
    "gradient-scales": {"ratio": 4.5, "arm_low": "a_loss", "arm_high": "<b>"},
    "too-few-replicates": {"replicates": 3, "needed": 6, "method": "sign_flip"},
    "margin-below-resolution": {"margin": 0.01, "resolution": 0.02, "metric": "balanced_accuracy"},
    "no-margin": {"resolution": 0.02, "metric": "balanced_accuracy"},
    "best-epoch-last": {"runs": 5, "of": 8},
    "none-above-chance": {"arm_best": "<b>", "low": 0.3, "high": 0.4, "chance": 1 / 3},
    "small-class": {"classes": [["<i>covid</i>", 4]]},
    "group-overlap": {"groups": 3},
    "source-predicts-class": {"class": "covid-19", "youden": 0.98},
    "survives-without-anatomy": {"kept": [["masked_centre", 0.7], ["source_only", 0.4]]},
    "permuted-labels-at-chance": {"low": 0.4, "high": 0.5, "chance": 1 / 3},
    "tuned-at-edge": {"edges": [["<b>", "gamma", "high", 5.0, 2, 3], ["a_loss", "learning_rate", "low", 1e-4, 1, 1]]},
    "tuning-cut-at-chance": {"cuts": [["<b>", 2, 6, 8, 1, 3], ["a_loss", 1, 4, 4, 1, 1]]},
    "diverged-runs": {"runs": 2, "of": 8},
    "changed-after-start": {"changes": ["margin: 0.02, later 0.03"]},
}


PAPER: dict[str, Any] = {
    "title": "Chest X-rays",
    "columns": ["", "sparse, here", "categorical, here", "sparse, paper", "categorical, paper"],
    "rows": [
        ["training time, s", "61.20", "62.20", "5,964.00", "5,939.00"],
        ["test accuracy", "95.5%", "95.5%", "89.78%", "89.00%"],
    ],
    "notes": ["The two losses are one function of two label encodings.", "The paper's gap is 0.78 points."],
}
