"""The tables of an out folder and their columns."""

import polars as pl

# Table → its columns with the unit in the name. Written to tables/<name>.csv and .parquet.
TABLES: dict[str, tuple[str, ...]] = {
    # one row per run; then one column per yardstick on the test part (names of catalogue.yardsticks)
    "runs": (
        "run",
        "arm",
        "replicate",
        "status",
        "train_seconds",
        "epoch_seconds",
        "images_per_second",
        "peak_memory_bytes",
        "label_bytes",
        "best_epoch",
        "epochs",
        "own_loss",
        "init_digest",
        "order_digest",
    ),
    # long: one row per arm and yardstick (also own_loss); t interval over replicates; population: for new patients
    "arms": ("arm", "metric", "estimate", "low", "high", "sd", "replicates", "population_low", "population_high"),
    # one row per pair, yardstick and scope; difference = arm_a minus arm_b; verdict only where primary is true;
    # docs/tables.md says what each column holds
    "comparisons": (
        "metric",
        "scope",
        "arm_a",
        "arm_b",
        "difference",
        "low",
        "high",
        "p_adjusted",
        "verdict",
        "replicates",
        "method",
        "primary",
        "reason",
        "p_holm",
        "p_max_t",
        "smallest_margin",
        "decided_at",
        "more_low",
        "more_high",
        "more_patients",
        "notes",
        "bootstrap_low",
        "bootstrap_high",
        "nadeau_bengio_low",
        "nadeau_bengio_high",
    ),
    # ranks that no verdict contradicts, and the share of bootstrap draws in which the arm's mean is best
    "ranks": ("arm", "rank_low", "rank_high", "probability_best"),
    # early stopping: one row per pair and look, with the intersection of all intervals so far
    "looks": ("arm_a", "arm_b", "replicates", "difference", "low", "high", "verdict"),
    # exact interval of the share of runs that diverged
    "divergence": ("arm", "diverged", "runs", "rate", "low", "high"),
    # the reference arm against itself, on the same splits
    "control": ("metric", "replicates", "difference", "low", "high", "sd", "sd_low", "sd_high"),
    # the reference arm on a damaged input, beside chance and beside itself; surviving: share of the gain over chance
    "controls": (
        "control",
        "metric",
        "replicates",
        "estimate",
        "low",
        "high",
        "chance",
        "reference",
        "difference",
        "difference_low",
        "difference_high",
        "surviving",
        "surviving_low",
        "surviving_high",
    ),
    # coded checks of the study; status: passed, failed, not applicable; fields: JSON for the sentence
    "checks": ("code", "status", "fields"),
    # metric: sensitivity, specificity, precision, auroc (single label); auroc, average_precision, f1 (multi-label)
    "per_class": ("arm", "class", "metric", "estimate", "low", "high", "replicates"),
    # relation: "same function", "same loss, other training", "proportional", "different"
    "identities": ("arm_a", "arm_b", "relation", "factor", "largest_difference"),
    "gradient_scales": ("arm", "gradient_norm", "ratio_to_smallest"),
    # distribution of |difference| between two single runs of one arm, over pairs of replicates
    "noise_floor": ("arm", "metric", "median", "p95", "largest", "pairs", "replicates"),
    # quantity: train_loss, validation_loss, train_accuracy, validation_accuracy, validation_yardstick
    "curves": ("arm", "epoch", "quantity", "mean", "low", "high", "replicates"),
    # counts summed over replicates, share of the true class (single label only)
    "confusion": ("arm", "true", "predicted", "count", "share"),
    # mean over replicates on a grid of false positive rates
    "roc": ("arm", "class", "false_positive_rate", "true_positive_rate"),
    # 15 equal-mass bins over all replicates
    "reliability": ("arm", "bin", "confidence", "frequency", "count"),
    "costs": (
        "arm",
        "epoch_seconds",
        "train_seconds",
        "images_per_second",
        "peak_memory_bytes",
        "label_bytes_per_image",
    ),
    # the paper's memory argument: bytes of the labels of the training part at other class counts
    "label_memory": ("classes", "images", "integer_bytes", "dense_bytes", "ratio"),
    # the most surely wrong test predictions of each arm; row ids, no file names
    "worst_errors": ("arm", "replicate", "row", "label", "predicted", "probability_of_truth"),
}

# Tables that `lossassay biomarkers` writes later; a study without them is whole. docs/biomarkers.md explains each.
LATER_TABLES: dict[str, tuple[str, ...]] = {
    # one row per run and criterion; probe: column that was probed, empty for the criterion itself
    "features_quality": ("run", "arm", "replicate", "criterion", "probe", "value"),
    # t interval over replicates
    "biomarkers": ("arm", "criterion", "estimate", "low", "high", "sd", "replicates"),
    # difference = arm_a minus arm_b; verdict only where primary is true
    "biomarker_comparisons": (
        "criterion",
        "arm_a",
        "arm_b",
        "difference",
        "low",
        "high",
        "p_adjusted",
        "verdict",
        "reason",
        "replicates",
        "method",
        "primary",
    ),
    # where each arm stands in prediction and in biomarkers; on_front: no other arm's means reach both and pass one
    "biomarker_pareto": (
        "arm",
        "prediction",
        "prediction_low",
        "prediction_high",
        "biomarkers",
        "biomarkers_low",
        "biomarkers_high",
        "beaten_in_prediction",
        "beaten_in_biomarkers",
        "beaten_in_both_by",
        "on_front",
    ),
    # some test images of one run in the plane; method: pca, tsne
    "biomarker_map": ("arm", "method", "x", "y", "class", "source"),
    # change over visits, one row per run and feature; no rows where no patient was seen at two times
    "biomarker_changes": (
        "run",
        "arm",
        "replicate",
        "feature",
        "subjects",
        "change_per_year",
        "change_per_year_low",
        "change_per_year_high",
        "coefficient",
        "coefficient_low",
        "coefficient_high",
        "coefficient_from",
        "change_in_coefficients",
        "share_beyond",
        "share_beyond_low",
        "share_beyond_high",
        "score_correlation",
        "score_correlation_low",
        "score_correlation_high",
        "score_level_correlation",
        "score_level_correlation_low",
        "score_level_correlation_high",
        "level",  # of all intervals: 1 - alpha
    ),
}

# Tables of a study with [tuning]; docs/tables.md says what each column holds.
TUNING_TABLES: dict[str, tuple[str, ...]] = {
    # every trial of every job; replicate: none where tuned once; value: validation yardstick; parameters: JSON
    "tuning_trials": (
        "job",
        "arm",
        "replicate",
        "trial",
        "status",
        "epochs",
        "value",
        "epoch_of_value",
        "train_seconds",
        "chosen",
        "own_settings",
        "parameters",
    ),
    # what each arm spent; gain: primary yardstick on the test part, tuned minus untuned, paired over replicates
    "tuning_budget": (
        "arm",
        "jobs",
        "trials",
        "finished",
        "pruned",
        "diverged",
        "epochs",
        "train_seconds",
        "gain",
        "gain_low",
        "gain_high",
        "replicates",
    ),
    # mean over jobs of the best value of the first `trial` trials; t interval
    "tuning_best_so_far": ("arm", "trial", "mean", "low", "high", "jobs"),
    # best trial of each job by learning rate, all at the same epoch; shortfall: how far below the best trial of its
    # job, 0 or more
    "tuning_sensitivity": (
        "arm",
        "learning_rate_low",
        "learning_rate",
        "learning_rate_high",
        "value",
        "value_low",
        "value_high",
        "shortfall",
        "shortfall_low",
        "shortfall_high",
        "trials",
        "jobs",
    ),
    # difference of these best trials = arm_a minus arm_b, paired within replicates, in every range of learning rates;
    # simultaneous intervals
    "tuning_rate_differences": (
        "arm_a",
        "arm_b",
        "learning_rate_low",
        "learning_rate",
        "learning_rate_high",
        "difference",
        "low",
        "high",
        "jobs",
    ),
    # at_edge: "low" or "high" within 5 % of an end of the range that something lies beyond
    "tuning_choices": ("arm", "replicate", "parameter", "text", "value", "low", "high", "scale", "position", "at_edge"),
    # primary yardstick and scope of the study; difference = arm_a minus arm_b; changed: the words differ; shift: tuned
    # minus untuned difference, paired over replicates, moved: its interval leaves out 0
    "tuning_verdicts": (
        "arm_a",
        "arm_b",
        "untuned_difference",
        "untuned_low",
        "untuned_high",
        "untuned_verdict",
        "untuned_replicates",
        "tuned_difference",
        "tuned_low",
        "tuned_high",
        "tuned_verdict",
        "tuned_replicates",
        "changed",
        "shift",
        "shift_low",
        "shift_high",
        "moved",
    ),
}

_TEXT_COLUMNS = frozenset(
    "code fields notes control run arm arm_a arm_b status metric scope verdict method reason class relation quantity "
    "true predicted label init_digest order_digest criterion probe source beaten_in_both_by feature coefficient_from "
    "job parameters parameter text scale at_edge untuned_verdict tuned_verdict".split()
)
_FLAGS = frozenset(("primary", "more_patients", "on_front", "chosen", "own_settings", "changed", "moved"))


def column_type(column: str) -> pl.DataType:
    """Return the type of a table's column where no row shows it."""
    if column in _FLAGS:
        return pl.Boolean()
    return pl.String() if column in _TEXT_COLUMNS else pl.Float64()
