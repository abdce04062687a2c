"""`lossassay biomarkers`: features of every finished run, their criteria, and what a comparison of arms shows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from lossassay.biomarkers.quality import evidence
from lossassay.biomarkers.quality.classical import BASELINE, FEATURES_OF, baseline_of
from lossassay.biomarkers.quality.criteria import Subjects
from lossassay.biomarkers.quality.feature_map import map_rows
from lossassay.biomarkers.quality.jobs import Job, Setup
from lossassay.biomarkers.quality.pool import do_jobs, workers_for
from lossassay.biomarkers.quality.probe_labels import nuisance_labels, probe_labels
from lossassay.biomarkers.quality.refusals import no_value, refuse_hopeless
from lossassay.biomarkers.quality.reproducibility import replicate_pairs
from lossassay.biomarkers.quality.run_changes import visit_facts, visit_tables
from lossassay.biomarkers.quality.run_features import FeatureStore, rows_of_test
from lossassay.biomarkers.quality.table import Table, write_tables
from lossassay.biomarkers.quality.visit_rows import visits_of
from lossassay.catalogue.criteria import CRITERIA, PRIMARY
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config import CONTROL_ARMS
from lossassay.config.schema import BiomarkersConfig
from lossassay.data.cache import ImageCache, open_cache
from lossassay.data.grouping import group_numbers
from lossassay.engine.spec import Array
from lossassay.errors import OutFolderError, unknown_name
from lossassay.study.analysis.context import Context, read_context
from lossassay.study.analysis.runs import Run
from lossassay.study.folder.whole_files import explained
from lossassay.study.planning.plan import labels_of

_OF_PAIRS = tuple(name for name, spec in CRITERIA.items() if spec.needs == "replicates")


def assess(
    folder: Path,
    settings: BiomarkersConfig | None = None,
    *,
    on_decoding: Callable[[int, int], None] = lambda done, total: None,
    on_stage: Callable[[str], None] = lambda stage: None,
    on_features: Callable[[int, int], None] = lambda done, total: None,
    workers: int | None = None,
) -> dict[str, pl.DataFrame]:
    """Assess the features of every finished run of an out folder, and write the tables of biomarkers.

    Features are computed once for each run and kept in ``OUT/biomarkers/``.

    Args:
        folder: The out folder.
        settings: None: the section of the study, or the defaults where it has none.
        on_decoding: Called with the images decoded so far, and in all.
        on_stage: Called with what comes next.
        on_features: Called with the runs (pairs of runs and passes of the baseline count too) done so far, and in all.
        workers: Processes; None: as many as pay. Changes no result.

    Returns:
        The tables, by the names of `study.folder.results.LATER_TABLES`.

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
    work = _Assessment(
        folder=folder,
        settings=settings,
        context=context,
        cache=cache,
        on_stage=on_stage,
        on_features=on_features,
        workers=workers,
    )
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
    on_features: Callable[[int, int], None]
    workers: int | None

    @property
    def seed(self) -> int:
        return self.context.study.evidence.seed

    @property
    def replicates(self) -> int:
        return len(self.context.table[0])

    @property
    def baseline(self) -> str:
        dimensions = len(self.context.plan["data"]["image_shape"]) - 1
        return baseline_of(dimensions) if self.settings.baseline else "off"

    def tables(self) -> tuple[Mapping[str, Table], dict[str, Any]]:
        """Return the rows of every table, and what the page says besides."""
        refuse_hopeless(self.context, self.settings)
        subjects = self._subjects()
        store = FeatureStore(self.folder, self.settings, digest=self.cache.digest, seed=self.seed)
        values = list(self._values(store, subjects))
        scores = self._scores(values, self.context.arms)
        primary = scores.get(self.settings.criterion)
        if primary is None or not np.isfinite(primary.table).any():
            raise no_value(self.settings.criterion, values)
        comparisons = [
            row
            for one in scores.values()
            if CRITERIA[one.criterion].best is not None
            for row in evidence.comparison_rows(
                self.context, one, primary=one is primary, margin=self.settings.margin if one is primary else None
            )
        ]
        pareto = list(evidence.pareto_rows(self.context, primary, self.settings.margin))
        others = list(dict.fromkeys(row["arm"] for row in values if row["arm"] not in self.context.arms))
        beside = self._scores(values, others)  # controls and the baseline: in no comparison
        found = {
            "features_quality": values,
            "biomarkers": [
                *(row for one in scores.values() for row in evidence.arm_rows(self.context, one, self.context.arms)),
                *(row for one in beside.values() for row in evidence.arm_rows(self.context, one, others)),
            ],
            "biomarker_comparisons": comparisons,
            "biomarker_pareto": pareto,
        }
        found["biomarker_changes"] = changed = list(
            visit_tables(
                store,
                self.context.runs,
                subjects,
                baselines=self.replicates if self.baseline in FEATURES_OF else 0,
                level=1 - self.context.study.evidence.alpha,
            )
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
        setup = Setup(
            folder=self.folder,
            images=Path(str(self.cache.images.filename)),
            settings=self.settings,
            subjects=subjects,
            digest=self.cache.digest,
            device=self._device(),
            threads=int(self.context.plan["engine"]["threads"]),
        )
        single, pairs = self._jobs()
        workers = self.workers or workers_for(single, setup, self.context.plan, store)
        found = do_jobs([single, pairs], setup, workers=workers, on_done=lambda _, *counts: self.on_features(*counts))
        for job, values in zip([*single, *pairs], found, strict=True):
            for name, probe, value in values:
                own = {"run": job.other or job.run, "arm": job.arm, "replicate": job.replicate}
                yield {**own, "criterion": name, "probe": probe, "value": value}

    def _jobs(self) -> tuple[list[Job], list[Job]]:
        """Return the baseline and every run by replicate, then pairs of runs of one arm."""
        by_replicate = self._runs()
        single: list[Job] = []
        for replicate, runs in enumerate(by_replicate):
            if self.baseline in FEATURES_OF:
                single.append(Job(kind="baseline", arm=BASELINE, replicate=replicate))
            single += [Job(kind="run", arm=arm, replicate=replicate, run=run.id) for arm, run in runs.items()]
        pairs = [
            Job(kind="pair", arm=arm, replicate=first, run=run.id, other=by_replicate[second][arm].id)
            for first, second in replicate_pairs(len(by_replicate))
            for arm, run in by_replicate[first].items()
            if arm in by_replicate[second]
        ]
        return single, pairs

    def _runs(self) -> list[dict[str, Run]]:
        """Return the runs of every replicate that have features, by arm; controls behind the arms."""
        found: list[dict[str, Run]] = [{} for _ in range(self.replicates)]
        for run in [*self.context.runs, *self.context.controls]:
            if not run.diverged and run.replicate < self.replicates:
                found[run.replicate][run.arm] = run
        return found

    def _rows(self, replicate: int) -> Array:
        parts = np.load(self.folder / "splits.npy", mmap_mode="r")[replicate]
        return rows_of_test(np.asarray(parts), most=self.settings.images, seed=self.seed)

    def _device(self) -> str:
        wanted = str(self.context.plan["engine"]["device"])
        return wanted if wanted != "cuda" or torch.cuda.is_available() else "cpu"

    def _scores(self, values: list[dict[str, Any]], arms: list[str]) -> dict[str, evidence.Scores]:
        """Return the table of each criterion, a column for each arm; those without any value are left out."""
        places = {arm: place for place, arm in enumerate(arms)}
        tables: dict[str, Array] = {}
        for row in values:
            if row["probe"] is None and row["arm"] in places:
                of_pairs = row["criterion"] in _OF_PAIRS
                shape = (len(replicate_pairs(self.replicates)) if of_pairs else self.replicates, len(arms))
                table = tables.setdefault(row["criterion"], np.full(shape, np.nan))
                table[row["replicate"] // (2 if of_pairs else 1), places[row["arm"]]] = row["value"]
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
        used = {row["run"] for row in values if row["arm"] in context.arms}
        rows = [len(self._rows(replicate)) for replicate in range(self.replicates)]
        return {
            "criterion": primary.criterion,
            "margin": self.settings.margin,
            "alpha": context.study.evidence.alpha,
            "metric": context.metric,
            "layer": self.settings.layer,
            "probes": [probe.column for probe in self.settings.probes],
            "nuisance": sorted({row["probe"] for row in values if row["criterion"] == "nuisance" and row["probe"]}),
            "images_low": min(rows),
            "images_high": max(rows),
            "replicates": int(np.isfinite(primary.table).any(axis=1).sum()) * primary.replicates,
            "runs": sorted(used),
            "runs_diverged": sum(run.diverged for run in context.runs),
            "diverged_by_arm": evidence.diverged_by_arm(context),
            "if_diverged_were_worst": evidence.if_diverged_were_worst(context, primary, self.settings.margin),
            "baseline": self.baseline,
            "baseline_features": FEATURES_OF.get(self.baseline, 0),
            "controls": [arm for arm in CONTROL_ARMS.values() if any(row["arm"] == arm for row in values)],
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


def _in_words(label: Any, names: list[str]) -> str:
    if isinstance(label, list):
        return " + ".join(name for name, there in zip(names, label, strict=True) if there == 1) or "none"
    return str(names[label])
