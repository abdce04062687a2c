"""What a run or a tuning job is called: the hash of everything that determines it."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import torch

from lossassay.catalogue.own_losses import is_own, own_source
from lossassay.config import Study
from lossassay.config.schema import SplitConfig
from lossassay.data.split import Split
from lossassay.engine.spec import RunSpec

_TRAINING_VERSION = 3  # the part of RESULTS_VERSION that alters trained runs, and with them their names


def run_facts(spec: RunSpec, study: Study, data_digest: str, parts: Split) -> dict[str, Any]:
    """Return everything that determines a run; the name of an arm or a study is no part of it.

    Args:
        spec: The run.
        study: Its split, and whether patients were taken out of the test parts.
        data_digest: Of the data.
        parts: The rows.
    """
    training = spec.training.model_dump(mode="json", exclude={"device", "precision", "kernels", "threads"})
    once = study.tuning is not None and study.tuning.scope == "once"
    return {
        "results_version": _TRAINING_VERSION,
        "torch": torch.__version__,
        "data": data_digest,
        "split": _split_facts(study.data.split, parts),
        "loss": spec.loss,
        "hyper_parameters": spec.hyper_parameters,
        **({"source": own_source(spec.loss)} if is_own(spec.loss) else {}),
        "training": training,
        "seeds": spec.seeds.as_dict(),
        "engine": asdict(spec.engine),
        "metric": spec.metric if spec.training.selection == "best" else None,
        **({} if spec.damage is None else {"damage": spec.damage}),
        **({"rows": _rows_digest(parts)} if once else {}),
    }


def name_of(facts: dict[str, Any]) -> str:
    """Return the name that facts give.

    Args:
        facts: Plain data.
    """
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=10).hexdigest()


def run_id(spec: RunSpec, study: Study, data_digest: str, parts: Split, tuned_by: str | None = None) -> str:
    """Return the name of a run.

    Args:
        spec: The run, with the study's own settings.
        study: Its study.
        data_digest: Of the data.
        parts: The rows.
        tuned_by: The tuning job that chooses its settings; its name stands for them, so that a plan is known before
            any trial.
    """
    tuned = {} if tuned_by is None else {"tuned_by": tuned_by}
    return name_of(run_facts(spec, study, data_digest, parts) | tuned)


def _split_facts(split: SplitConfig, parts: Split) -> dict[str, Any]:
    """Return what names a split; a plain hold-out is named as it was before there were other kinds.

    Of the other kinds the rows themselves are part of the name: they depend on sources and times, which the digest of
    the data leaves out.
    """
    if split.kind == "holdout":
        return split.model_dump(mode="json", exclude={"kind", "folds", "by"})
    return split.model_dump(mode="json", exclude={"by"}) | {"rows": _rows_digest(parts)}


def _rows_digest(parts: Split) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for rows in (parts.train, parts.validation, parts.test):
        digest.update(len(rows).to_bytes(8, "little") + rows.astype("<i8").tobytes())
    return digest.hexdigest()
