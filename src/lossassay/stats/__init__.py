"""Statistics over replicates: arrays in, named records out. Needs numpy and scipy alone.

>>> import numpy as np
>>> scores = np.array([[0.90, 0.85], [0.92, 0.88], [0.91, 0.87], [0.93, 0.88]])
>>> (difference,) = paired_differences(scores, [(0, 1)], alpha=0.05, family_size=1)
>>> verdict(difference, margin=0.01, same_function=False, higher_is_better=True)[0]
'better'
"""

from lossassay.stats.agreement import FORMS, MeanSquares, concordance_correlation, intraclass_correlation, mean_squares
from lossassay.stats.auroc import AurocDifference, AurocInterval, auroc_interval, paired_auroc_difference
from lossassay.stats.best import probability_best
from lossassay.stats.boundaries import anytime_critical_values, planned_critical_values
from lossassay.stats.change import (
    SharesBeyond,
    SubjectChanges,
    mean_change,
    share_beyond,
    smallest_detectable_changes,
    spearman,
    subject_changes,
)
from lossassay.stats.cluster_bootstrap import BootstrapInterval, bca_shares, cluster_bootstrap
from lossassay.stats.crossed_bootstrap import (
    BootstrapDifference,
    CrossedBootstrap,
    crossed_bootstrap,
)
from lossassay.stats.data_sets import FriedmanTest, RankGroups, SystemDifference, friedman, nemenyi, wilcoxon_holm
from lossassay.stats.design import Design, MoreReplicates, design, floor_in_words, more_replicates
from lossassay.stats.feature_arrays import FeatureIntervals
from lossassay.stats.intervals import MeanInterval, mean_interval, sd_interval
from lossassay.stats.max_t import max_t
from lossassay.stats.multiplicity import bonferroni, holm
from lossassay.stats.noise import NoiseFloor, noise_floor, share_of_pairs_at_least
from lossassay.stats.obuchowski_rockette import (
    FixedTestEstimate,
    ObuchowskiRockette,
    delong_covariance,
    jackknife_covariance,
    obuchowski_rockette,
)
from lossassay.stats.paired import PairedDifference, check_alpha, paired_differences
from lossassay.stats.patients import Influences, PatientErrors, PatientsOfRows, StackedInfluences, patient_parts
from lossassay.stats.population import (
    CorrectedDifference,
    PopulationDifference,
    PopulationMean,
    nadeau_bengio,
    population_difference,
    population_mean,
)
from lossassay.stats.proportions import Proportion, clopper_pearson, wilson
from lossassay.stats.ratio import RatioInterval, paired_ratio
from lossassay.stats.redundancy import (
    CorrelatedClusters,
    SelectionStability,
    bootstrap_stability,
    correlated_clusters,
    stability_of_selections,
)
from lossassay.stats.repeatability import (
    LimitsOfAgreement,
    limits_of_agreement,
    repeatability_coefficient,
    within_subject_cv,
    within_subject_sd,
)
from lossassay.stats.separation import (
    FeatureSpaceMeasure,
    NeuralCollapse,
    class_separation,
    effective_rank,
    neural_collapse,
    silhouette,
)
from lossassay.stats.sequences import (
    Looks,
    PatientPart,
    Race,
    adjusted_p_values,
    intervals_at_last_look,
    race,
)
from lossassay.stats.sign_flip import SymmetryTest, fewest_replicates, sign_flip_test, wilcoxon_test
from lossassay.stats.similarity import MappedAgreement, Similarity, linear_cka, mapped_agreement, procrustes_similarity
from lossassay.stats.verdicts import CODES, Reason, Verdict, classify, rank_ranges, reason, verdict

__all__ = [
    "CODES",
    "FORMS",
    "AurocDifference",
    "AurocInterval",
    "BootstrapDifference",
    "BootstrapInterval",
    "CorrectedDifference",
    "CorrelatedClusters",
    "CrossedBootstrap",
    "Design",
    "FeatureIntervals",
    "FeatureSpaceMeasure",
    "FixedTestEstimate",
    "FriedmanTest",
    "Influences",
    "LimitsOfAgreement",
    "Looks",
    "MappedAgreement",
    "MeanInterval",
    "MeanSquares",
    "MoreReplicates",
    "NeuralCollapse",
    "NoiseFloor",
    "ObuchowskiRockette",
    "PairedDifference",
    "PatientErrors",
    "PatientPart",
    "PatientsOfRows",
    "PopulationDifference",
    "PopulationMean",
    "Proportion",
    "Race",
    "RankGroups",
    "RatioInterval",
    "Reason",
    "SelectionStability",
    "SharesBeyond",
    "Similarity",
    "StackedInfluences",
    "SubjectChanges",
    "SymmetryTest",
    "SystemDifference",
    "Verdict",
    "adjusted_p_values",
    "anytime_critical_values",
    "auroc_interval",
    "bca_shares",
    "bonferroni",
    "bootstrap_stability",
    "check_alpha",
    "class_separation",
    "classify",
    "clopper_pearson",
    "cluster_bootstrap",
    "concordance_correlation",
    "correlated_clusters",
    "crossed_bootstrap",
    "delong_covariance",
    "design",
    "effective_rank",
    "fewest_replicates",
    "floor_in_words",
    "friedman",
    "holm",
    "intervals_at_last_look",
    "intraclass_correlation",
    "jackknife_covariance",
    "limits_of_agreement",
    "linear_cka",
    "mapped_agreement",
    "max_t",
    "mean_change",
    "mean_interval",
    "mean_squares",
    "more_replicates",
    "nadeau_bengio",
    "nemenyi",
    "neural_collapse",
    "noise_floor",
    "obuchowski_rockette",
    "paired_auroc_difference",
    "paired_differences",
    "paired_ratio",
    "patient_parts",
    "planned_critical_values",
    "population_difference",
    "population_mean",
    "probability_best",
    "procrustes_similarity",
    "race",
    "rank_ranges",
    "reason",
    "repeatability_coefficient",
    "sd_interval",
    "share_beyond",
    "share_of_pairs_at_least",
    "sign_flip_test",
    "silhouette",
    "smallest_detectable_changes",
    "spearman",
    "stability_of_selections",
    "subject_changes",
    "verdict",
    "wilcoxon_holm",
    "wilcoxon_test",
    "wilson",
    "within_subject_cv",
    "within_subject_sd",
]
