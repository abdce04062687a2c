"""The public functions, one for each command. They return values; only the command line prints."""

from lossassay.api_data import audit, cache_entries, check_loss, clear_cache, new, schema, suggest_losses
from lossassay.api_plan import PlannedStudy, plan, plan_in_words
from lossassay.api_runs import (
    ChangeColumns,
    ExplainOptions,
    Explanation,
    change,
    explain,
    export,
    extract,
    fit,
    predict,
)
from lossassay.api_scores import compare, critical_difference
from lossassay.api_studies import Results, Sent, Trackers, biomarkers, demo, paper, report, run, track
from lossassay.config import load_study
from lossassay.executors.choice import Executor
from lossassay.study.progress import Progress
from lossassay.study.proposing.suggest import as_arms
from lossassay.study.scores.compare import ScoreComparison

__all__ = [
    "ChangeColumns",
    "Executor",
    "ExplainOptions",
    "Explanation",
    "PlannedStudy",
    "Progress",
    "Results",
    "ScoreComparison",
    "Sent",
    "Trackers",
    "as_arms",
    "audit",
    "biomarkers",
    "cache_entries",
    "change",
    "check_loss",
    "clear_cache",
    "compare",
    "critical_difference",
    "demo",
    "explain",
    "export",
    "extract",
    "fit",
    "load_study",
    "new",
    "paper",
    "plan",
    "plan_in_words",
    "predict",
    "report",
    "run",
    "schema",
    "suggest_losses",
    "track",
]
