"""plan.json: what was decided, in plain data, for workers, for the report and for people."""

from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from lossassay.data.cache import ImageCache, file_facts
from lossassay.data.sites import site_names
from lossassay.study.planning.machine import environment
from lossassay.study.planning.plan import RESULTS_VERSION, Plan
from lossassay.study.tuning.jobs import job_entry


def plan_as_data(plan: Plan, cache: ImageCache, command: str) -> dict[str, Any]:
    """Return plan.json.

    Args:
        plan: The plan.
        cache: Its images.
        command: How to get the same study again.
    """
    study = plan.study
    return {
        "name": study.name,
        "lossassay_version": version("lossassay"),
        "results_version": RESULTS_VERSION,
        "command": command,
        "metric": plan.metric,
        "data": _data(plan, cache),
        "model": {"name": study.training.model, "options": study.training.model_options, **asdict(plan.model)},
        "engine": asdict(plan.engine),
        "environment": environment(),
        "run_memory_bytes": plan.run_memory_bytes,
        "arms": {
            arm.name: {
                "loss": arm.loss,
                "hyper_parameters": arm.hyper_parameters,
                "training": study.training_of(arm).model_dump(mode="json"),
            }
            for arm in study.arms
        },
        "control": study.reference if study.evidence.controls else None,
        "identities": [asdict(identity) for identity in plan.identities],
        "gradient_scales": plan.gradient_scales,
        "runs": [
            {"id": run.id, "arm": run.arm, "replicate": run.replicate, "seeds": run.spec.seeds.as_dict()}
            | ({} if run.spec.damage is None else {"damage": run.spec.damage})
            | ({} if run.tuned_by is None else {"tuned_by": run.tuned_by})
            | ({"untuned": True} if run.untuned else {})
            for run in plan.runs
        ],
        **({"tuning": [job_entry(job, study) for job in plan.jobs]} if plan.jobs else {}),
    }


def _data(plan: Plan, cache: ImageCache) -> dict[str, Any]:
    manifest = plan.manifest
    if manifest.task == "multi_label":
        counts = np.nansum(plan.labels, axis=0).astype(int).tolist()
    else:
        counts = np.bincount(plan.labels, minlength=len(manifest.class_names)).tolist()
    groups = manifest.rows["group"]
    sites = len(site_names(manifest)) if plan.study.data.split.kind == "leave_one_out" else None
    return {
        "rows": len(manifest.rows),
        "exams": None if plan.exams is None else len(np.unique(plan.exams)),
        "class_names": list(manifest.class_names),
        "class_counts": counts,
        "task": manifest.task,
        "kind": manifest.kind,
        "stored": stored_facts(cache),
        "dimensions": manifest.dimensions,
        "image_shape": list(cache.images.shape[1:]),
        "pixel_type": str(cache.images.dtype),
        "groups": None if groups.null_count() == len(groups) else groups.n_unique(),
        "sources": dict(Counter(s for s in manifest.rows["source"].to_list() if s is not None)),
        "split": {"kind": plan.study.data.split.kind, "official": plan.study.data.split.official, "sites": sites},
        "cache_bytes": cache.images.nbytes,
        "digest": cache.digest,
        "parts": [
            {
                "replicate": replicate,
                "train": len(own.train),
                "validation": len(own.validation),
                "test": len(own.test),
                "largest_share_error": own.largest_share_error,
                **({"left_out": own.left_out} if own.left_out else {}),
            }
            for replicate, own in enumerate(plan.splits)
        ],
    }


def stored_facts(*caches: ImageCache) -> dict[str, Any]:
    """Say how images are stored, as a whole: so that new images can be set beside them.

    Args:
        caches: Decoded images.

    Returns:
        ``modes`` with their counts, and smallest, median and largest ``longer_side_px``; empty for arrays, which are
        stored in one way.
    """
    facts = pl.concat([file_facts(cache) for cache in caches]).filter(pl.col("mode") != "")
    if not len(facts):
        return {}
    sides = facts.select(pl.max_horizontal("width_px", "height_px")).to_series()
    quantiles = [sides.min(), sides.quantile(0.5, interpolation="nearest"), sides.max()]
    return {
        "modes": dict(Counter(facts["mode"].to_list())),
        "longer_side_px": [int(side) for side in quantiles],  # type: ignore[arg-type]
    }
