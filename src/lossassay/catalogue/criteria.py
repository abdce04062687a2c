"""Every criterion of the quality of features by name: one number per run, which arms are compared by."""

from dataclasses import dataclass
from typing import Literal

Question = Literal["repeatability", "reproducibility", "separation", "transfer", "nuisance", "redundancy", "change"]


@dataclass(frozen=True, kw_only=True)
class CriterionSpec:
    """What is true of a criterion, as data.

    Args:
        question: The question that it belongs to.
        best: Which direction is better; None: neither is.
        definition: One line: what is measured, on what, and what a dead feature counts as.
        needs: ``"features"``, ``"classes"`` (one label per image), ``"probe"`` (``biomarkers.probes``), ``"nuisance"``
            (``biomarkers.nuisance``), ``"repeats"`` (patients with two images of one class in the test part),
            ``"replicates"`` (pairs of replicates), ``"visits"`` (patients seen at two times, ``data.time``) or
            ``"score"`` (these, and ``biomarkers.score``).
        one_unit: Whether it takes distances or directions over all features, as features of one layer allow. Grey
            levels beside texture have units of their own; the classical baseline has no value.
    """

    question: Question
    best: Literal["high", "low"] | None
    definition: str
    needs: Literal["features", "classes", "probe", "nuisance", "repeats", "replicates", "visits", "score"] = "features"
    one_unit: bool = False


CRITERIA: dict[str, CriterionSpec] = {
    "repeatability": CriterionSpec(
        question="repeatability",
        best="high",
        definition="median over features of ICC(2,1) between two noisy views of each test image; dead features are 0",
    ),
    "consistency": CriterionSpec(
        question="repeatability",
        best="high",
        definition="the same with ICC(3,1), which forgives a shift between the two views",
    ),
    "share_icc_above_075": CriterionSpec(
        question="repeatability", best="high", definition="share of features with ICC(2,1) above 0.75"
    ),
    "share_icc_above_090": CriterionSpec(
        question="repeatability", best="high", definition="share of features with ICC(2,1) above 0.9"
    ),
    "concordance": CriterionSpec(
        question="repeatability",
        best="high",
        definition="median over features of Lin's concordance correlation of the two views; dead features are 0",
    ),
    "within_subject_cv": CriterionSpec(
        question="repeatability",
        best="low",
        definition="median within-subject coefficient of variation, over the features for which it is defined",
    ),
    "bias": CriterionSpec(
        question="repeatability",
        best="low",
        definition="median over live features of the absolute Bland-Altman bias of the two views, by the feature's "
        "standard deviation over images",
    ),
    "repeat_images": CriterionSpec(
        question="repeatability",
        best="high",
        needs="repeats",
        definition="median over features of ICC(1,1) between two images of one patient with one label in the test "
        "part; dead features are 0",
    ),
    "reproducibility": CriterionSpec(
        question="reproducibility",
        best="high",
        needs="replicates",
        definition="unbiased linear CKA of the features of two replicates on images that neither was trained on; "
        "over pairs of replicates that have none in common",
    ),
    "procrustes": CriterionSpec(
        question="reproducibility",
        best="high",
        needs="replicates",
        definition="orthogonal Procrustes similarity on the same pairs",
    ),
    "mapped_agreement": CriterionSpec(
        question="reproducibility",
        best="high",
        needs="replicates",
        definition="share of the variance of one replicate's features that ridge regression on the other's predicts, "
        "cross-validated by patient, both ways averaged",
    ),
    "separation": CriterionSpec(
        question="separation",
        best="high",
        needs="classes",
        one_unit=True,
        definition="class separation R2 of Kornblith et al. 2021, equation 11, on the test part",
    ),
    "silhouette": CriterionSpec(
        question="separation",
        best="high",
        needs="classes",
        one_unit=True,
        definition="mean silhouette of the classes, Euclidean",
    ),
    "within_by_between": CriterionSpec(
        question="separation",
        best="low",
        needs="classes",
        one_unit=True,
        definition="neural collapse NC1: variance within classes by variance between them; 0 is full collapse",
    ),
    "effective_rank": CriterionSpec(
        question="separation",
        best=None,
        one_unit=True,
        definition="effective number of directions that the features use (Roy and Vetterli 2007)",
    ),
    "transfer": CriterionSpec(
        question="transfer",
        best="high",
        needs="probe",
        definition="balanced accuracy of a linear probe on labels that were not trained on, cross-validated by patient "
        "in the test part; mean over probes",
    ),
    "transfer_neighbours": CriterionSpec(
        question="transfer", best="high", needs="probe", definition="the same with 5 nearest neighbours"
    ),
    "transfer_5_per_class": CriterionSpec(
        question="transfer", best="high", needs="probe", definition="the same, the linear probe sees 5 images per class"
    ),
    "transfer_10_per_class": CriterionSpec(
        question="transfer", best="high", needs="probe", definition="the same with 10 images per class"
    ),
    "transfer_20_per_class": CriterionSpec(
        question="transfer", best="high", needs="probe", definition="the same with 20 images per class"
    ),
    "class_probe": CriterionSpec(
        question="transfer",
        best="high",
        needs="classes",
        definition="balanced accuracy of a linear probe on the labels that were trained on",
    ),
    "nuisance": CriterionSpec(
        question="nuisance",
        best="low",
        needs="nuisance",
        definition="how well source, view or scanner is read from the features by a linear probe: balanced accuracy, "
        "0 at chance and 1 where it is perfect; mean over the columns",
    ),
    "class_without_nuisance": CriterionSpec(
        question="nuisance",
        best="high",
        needs="nuisance",
        definition="balanced accuracy of the linear probe on the labels that were trained on, after the nuisance is "
        "regressed out of the features, in each fold by the rows to learn from",
    ),
    "independent_share": CriterionSpec(
        question="redundancy",
        best="high",
        definition="clusters of features with correlations of 0.9 or more, by features that are not constant",
    ),
    "selection_stability": CriterionSpec(
        question="redundancy",
        best="high",
        needs="classes",
        definition="stability of the 10 features that tell the classes best, over bootstraps of patients (Nogueira et "
        "al. 2018)",
    ),
    "dead_features": CriterionSpec(question="redundancy", best="low", definition="share of features that never change"),
    "change_per_year": CriterionSpec(
        question="change",
        best="high",
        needs="visits",
        definition="median over features of the size of the mean change per year over patients, in units of the "
        "feature's repeatability coefficient; dead features are 0",
    ),
    "change_beyond": CriterionSpec(
        question="change",
        best="high",
        needs="visits",
        definition="median over features of the share of patients whose change, first time to last, exceeds the "
        "smallest detectable one; about 0.05 where nobody changes",
    ),
    "score_correlation": CriterionSpec(
        question="change",
        best="high",
        needs="score",
        definition="median over features of the size of Spearman's correlation, over patients, of the change per year "
        "with that of a clinical score; dead features are 0",
    ),
    "score_level_correlation": CriterionSpec(
        question="change",
        best="high",
        needs="score",
        definition="the same of each patient's mean over visits with that of the score",
    ),
}
# Criteria that can carry the verdict: those with a direction.
PRIMARY: tuple[str, ...] = tuple(name for name, spec in CRITERIA.items() if spec.best is not None)
FEWEST_REPLICATES = {"replicates": 12}  # for a verdict, by what a criterion needs; others need two
