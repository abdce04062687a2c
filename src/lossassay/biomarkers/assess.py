"""`lossassay biomarkers`: features of every finished run, their criteria, and what a comparison of arms shows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from threadpoolctl import threadpool_limits

from lossassay.biomarkers import evidence
from lossassay.biomarkers.classical import BASELINE, FEATURE_NAMES
from lossassay.biomarkers.feature_map import map_rows
from lossassay.biomarkers.probe_labels import nuisance_labels, probe_labels
from lossassay.biomarkers.quality import FeatureSet, Subjects, quality
from lossassay.biomarkers.quality_table import Table, write_tables
from lossassay.biomarkers.reproducibility import agreement, replicate_pairs
from lossassay.biomarkers.run_changes import change_values, visit_facts, visit_tables
from lossassay.biomarkers.run_features import Acquisitions, FeatureStore, images_of_test, rows_of_test
from lossassay.biomarkers.visit_rows import visits_of
from lossassay.catalogue.criteria import CRITERIA, PRIMARY
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config.schema import BiomarkersConfig
from lossassay.data.cache import ImageCache, open_cache
from lossassay.data.grouping import group_numbers
from lossassay.engine.spec import Array
from lossassay.errors import DataError, OutFolderError, unknown_name
from lossassay.study.context import Context, read_context
from lossassay.study.plan import labels_of
from lossassay.study.runs import Run
from lossassay.study.store import explained

_OF_PAIRS = tuple(name for name, spec in CRITERIA.items() if spec.needs == "replicates")


def assess(
    folder: Path,
    settings: BiomarkersConfig | None = None,
    *,
    on_decoding: Callable[[int, int], None] = lambda done, total: None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> dict[str, pl.DataFrame]:
    """Assess the features of every finished run of an out folder, and write the tables of biomarkers.

    Features are computed once for each run and kept in ``OUT/biomarkers/``.

    Args:
        folder: The out folder.
        settings: None: the section of the study, or the defaults where it has none.
        on_decoding: Called with the images decoded so far, and in all.
        on_stage: Called with what comes next.

    Returns:
        The tables, by the names of `study.results.LATER_TABLES`.

    Raises:
        OutFolderError: If there is no finished run, or the data are not those that it was trained on.
        DataError: If a probe, a nuisance column or a criterion cannot be used.
    """
    context = read_context(folder)
    settings = settings or context.study.biomarkers or BiomarkersConfig()
    if settings.criterion not in PRIMARY:
        raise unknown_name("criterion", settings.criterion, PRIMARY)
    if not context.runs:
        raise OutFolderError(f"{folder} holds no finished run of this study. Run the study first.")
    cache = open_cache(context.study.data, on_progress=on_decoding)
    if cache.digest != context.plan["data"]["digest"]:
        raise OutFolderError(
            f"The images or labels in {context.study.data.path} are not those that the runs in {folder} were trained "
            "on. Expected the same files: restore them, or run the study again in another folder."
        )
    work = _Assessment(folder=folder, settings=settings, context=context, cache=cache, on_stage=on_stage)
    tables, facts = work.tables()
    on_stage("biomarkers: tables")
    with explained(folder):
        return write_tables(folder, tables, facts)


@dataclass(frozen=True, kw_only=True)
class _Assessment:
    """One pass over all runs."""

    folder: Path
    settings: BiomarkersConfig
    context: Context
    cache: ImageCache
    on_stage: Callable[[str], None]

    @property
    def seed(self) -> int:
        return self.context.study.evidence.seed

    def tables(self) -> tuple[Mapping[str, Table], dict[str, Any]]:
        """Return the rows of every table, and what the page says besides."""
        subjects = self._subjects()
        store = FeatureStore(self.folder, self.settings, digest=self.cache.digest, seed=self.seed)
        values = list(self._values(store, subjects))
        scores = self._scores(values)
        primary = scores.get(self.settings.criterion)
        if primary is None or not np.isfinite(primary.table).any():
            raise DataError(
                f"The criterion {self.settings.criterion!r} has no value in any run: it needs "
                f"{_NEEDED[CRITERIA[self.settings.criterion].needs]}. Choose another one; `repeatability` always has."
            )
        comparisons = [
            row
            for one in scores.values()
            if CRITERIA[one.criterion].best is not None
            for row in evidence.comparison_rows(
                self.context, one, primary=one is primary, margin=self.settings.margin if one is primary else None
            )
        ]
        pareto = list(evidence.pareto_rows(self.context, primary, self.settings.margin))
        found = {
            "features_quality": values,
            "biomarkers": [
                *(row for one in scores.values() for row in evidence.arm_rows(self.context, one)),
                *_baseline_rows(values),
            ],
            "biomarker_comparisons": comparisons,
            "biomarker_pareto": pareto,
        }
        found["biomarker_changes"] = changed = list(
            visit_tables(store, self.context.runs, subjects, baseline=self.settings.baseline)
        )
        facts = self._facts(primary, pareto, values) | {"visits": visit_facts(changed, subjects)}
        shown = facts["best_biomarkers"]["arm"] or self.context.arms[0]
        self.on_stage("biomarkers: map")
        found["biomarker_map"] = list(self._map(store, shown))
        return found, facts

    def _subjects(self) -> Subjects:
        manifest, task = self.cache.manifest, self.context.plan["data"]["task"]
        labels = None if task == "multi_label" else labels_of(manifest.rows["label"], task)
        columns = [nuisance_labels(manifest, name) for name in self.settings.nuisance]
        return Subjects(
            labels=labels,
            patients=group_numbers(manifest),
            probes=tuple(probe_labels(manifest, probe) for probe in self.settings.probes),
            nuisance=tuple(column for column in columns if column is not None),
            seed=self.seed,
            visits=visits_of(manifest, self.settings),
        )

    def _values(self, store: FeatureStore, subjects: Subjects) -> Iterator[dict[str, Any]]:
        """Yield every value of every run, replicate by replicate: all arms see the same images."""
        before: dict[str, FeatureSet] = {}
        runs_in_all = sum(not run.diverged for run in self.context.runs)
        done, pairs = 0, dict(replicate_pairs(len(self.context.table[0])))
        for replicate, runs in enumerate(zip(*self.context.table, strict=True)):
            images = _Lazy(self.cache.images, self._rows(replicate), self.seed, replicate)
            if replicate == 0 and self.settings.baseline:
                yield from self._baseline(store, images, subjects)
            now: dict[str, FeatureSet] = {}
            for run in runs:
                if run is None or run.diverged:
                    continue
                done += 1
                self.on_stage(f"biomarkers: run {done} of {runs_in_all}")
                found = store.read(run.id) or store.compute(run.id, images(), device=self._device())
                now[run.arm] = found
                with threadpool_limits(1):  # the same bits on any number of cores; small products are no slower
                    values = [*quality(found, subjects, replicate=replicate), *change_values(found, subjects)]
                    alike = []
                    if replicate - 1 in pairs and run.arm in before:
                        alike = list(agreement(before[run.arm], found, subjects.patients, seed=self.seed))
                for name, probe, value in values:
                    yield _value(run, name, probe, value)
                for name, value in alike:
                    yield _value(run, name, None, value) | {"replicate": replicate - 1}
            before = now

    def _baseline(self, store: FeatureStore, images: "_Lazy", subjects: Subjects) -> Iterator[dict[str, Any]]:
        if len(self.cache.images.shape) != 4:
            return
        self.on_stage(f"biomarkers: {BASELINE}")
        try:
            found = store.read(BASELINE) or store.compute_baseline(images())
        except DataError:  # without scikit-image the baseline is left out, and the page has no row for it
            return
        for name, probe, value in (*quality(found, subjects, replicate=0), *change_values(found, subjects)):
            yield {"run": None, "arm": BASELINE, "replicate": 0, "criterion": name, "probe": probe, "value": value}

    def _rows(self, replicate: int) -> Array:
        parts = np.load(self.folder / "splits.npy", mmap_mode="r")[replicate]
        return rows_of_test(np.asarray(parts), most=self.settings.images, seed=self.seed)

    def _device(self) -> str:
        wanted = str(self.context.plan["engine"]["device"])
        return wanted if wanted != "cuda" or torch.cuda.is_available() else "cpu"

    def _scores(self, values: list[dict[str, Any]]) -> dict[str, evidence.Scores]:
        """Return the table of each criterion; those without any value are left out."""
        arms = {arm: place for place, arm in enumerate(self.context.arms)}
        replicates = len(self.context.table[0])
        tables: dict[str, Array] = {}
        for row in values:
            if row["probe"] is None and row["arm"] in arms:
                of_pairs = row["criterion"] in _OF_PAIRS
                shape = (len(replicate_pairs(replicates)) if of_pairs else replicates, len(arms))
                table = tables.setdefault(row["criterion"], np.full(shape, np.nan))
                table[row["replicate"] // (2 if of_pairs else 1), arms[row["arm"]]] = row["value"]
        return {
            name: evidence.Scores(criterion=name, table=tables[name], replicates=2 if name in _OF_PAIRS else 1)
            for name in CRITERIA
            if name in tables
        }

    def _facts(
        self, primary: evidence.Scores, pareto: list[dict[str, Any]], values: list[dict[str, Any]]
    ) -> dict[str, Any]:
        context = self.context
        words = {pair: word for pair, (word, _) in evidence.judged(context, primary, self.settings.margin).items()}
        predicted, assessed = (np.array([row[name] for row in pareto]) for name in ("prediction", "biomarkers"))
        used = {row["run"] for row in values if row["run"] is not None}
        return {
            "criterion": primary.criterion,
            "margin": self.settings.margin,
            "alpha": context.study.evidence.alpha,
            "metric": context.metric,
            "layer": self.settings.layer,
            "probes": [probe.column for probe in self.settings.probes],
            "nuisance": sorted({row["probe"] for row in values if row["criterion"] == "nuisance" and row["probe"]}),
            "images_low": min(len(self._rows(replicate)) for replicate in range(len(context.table[0]))),
            "images_high": max(len(self._rows(replicate)) for replicate in range(len(context.table[0]))),
            "replicates": int(np.isfinite(primary.table).any(axis=1).sum()) * primary.replicates,
            "runs": sorted(used),
            "runs_diverged": sum(run.diverged for run in context.runs),
            "baseline_features": len(FEATURE_NAMES) if any(row["arm"] == BASELINE for row in values) else 0,
            "best_predictor": evidence.best_arm(
                context.arms,
                evidence.prediction_words(context),
                predicted,
                best_is_high=YARDSTICKS[context.metric].best == "high",
            ),
            "best_biomarkers": evidence.best_arm(context.arms, words, assessed, best_is_high=primary.best_is_high),
            "not_beaten_in_both": [row["arm"] for row in pareto if row["beaten_in_both_by"] is None],
            "front": [row["arm"] for row in pareto if row["on_front"]],
        }

    def _map(self, store: FeatureStore, arm: str) -> Iterator[dict[str, Any]]:
        found = next((store.read(run.id) for run in self.context.of(arm) if not run.diverged), None)
        if found is None:
            return
        manifest, names = self.cache.manifest, self.context.classes
        classes = [_in_words(label, names) for label in manifest.rows["label"].to_list()]
        yield from map_rows(found, arm, classes, manifest.rows["source"].to_list(), seed=self.seed)


class _Lazy:
    """Test images of a replicate, read and measured again only when some run needs them."""

    def __init__(self, images: Array, rows: Array, seed: int, replicate: int) -> None:
        self._of = (images, rows, seed, replicate)
        self._made: Acquisitions | None = None

    def __call__(self) -> Acquisitions:
        """Return them."""
        if self._made is None:
            images, rows, seed, replicate = self._of
            self._made = images_of_test(images, rows, seed=seed, replicate=replicate)
        return self._made


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


def _value(run: Run, criterion: str, probe: str | None, value: float) -> dict[str, Any]:
    own = {"run": run.id, "arm": run.arm, "replicate": run.replicate}
    return {**own, "criterion": criterion, "probe": probe, "value": value}


def _baseline_rows(values: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the baseline as an arm with one replicate, which has no interval."""
    for row in values:
        if row["arm"] == BASELINE and row["probe"] is None:
            none = dict.fromkeys(("low", "high", "sd"))
            yield {"arm": BASELINE, "criterion": row["criterion"], "estimate": row["value"], **none, "replicates": 1}


def _in_words(label: Any, names: list[str]) -> str:
    if isinstance(label, list):
        return " + ".join(name for name, there in zip(names, label, strict=True) if there == 1) or "none"
    return str(names[label])
