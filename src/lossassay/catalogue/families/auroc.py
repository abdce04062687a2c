"""Losses that train the order of examples."""

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "AUROC"

_WIDE = 20.0  # a margin that the means of no class in the tests reach: the hinge is then a square

LOSSES: dict[str, LossSpec] = {
    "pairwise_auroc": LossSpec(
        function="lossassay.losses.auroc:pairwise_auroc",
        title="Pairwise AUROC surrogate, one against rest",
        formula=(
            r"\frac{1}{|C|}\sum_{c \in C}\frac{\sum_{i,j} t_{ic}(1 - t_{jc})\,\phi(z_{ic} - z_{jc})}"
            r"{\sum_i t_{ic}\sum_j (1 - t_{jc})}, \quad C = \{c: \text{the batch has both sides of } c\}"
        ),
        paper="Gao and Zhou 2015, IJCAI, arXiv:1208.0645",
        when="The AUROC is the yardstick and one side is rare; batches must be large enough to have both sides.",
        encoding="dense",
        kind="batch",
        tasks=("single_label", "multi_label"),
        link="softmax",
        output="rank",
        hyper_parameters={
            "surrogate": Parameter(
                default="logistic",
                kind="choice",
                choices=("logistic", "squared_hinge", "hinge", "squared"),
                meaning="phi, what a pair costs; the squared one also punishes pairs that are far apart; the hinge is "
                "not consistent for the AUROC (Gao and Zhou)",
            ),
            "margin": Parameter(default=1.0, low=0.0, meaning="m of the hinges and the square; logistic has none"),
        },
        equals=(
            Equals(
                other="auc_margin",
                at={"surrogate": "squared", "margin": _WIDE},
                other_at={"version": "v2", "margin": _WIDE},
                tolerance=1e-10,
            ),
        ),
        elsewhere={"libauc": "libauc.losses.PairwiseAUCLoss('logistic', hparam=1.0)(scores, labels)  # one finding"},
        differs=(
            "LibAUC's only hyper-parameter is the margin of three surrogates and the slope of the logistic one; it "
            "stops where a batch has no positive example, here such a class is left out of the mean."
        ),
        oracle="mean over pairs in loops; the step in place of phi against sklearn.metrics.roc_auc_score",
        aliases=("pairwise_auc",),
    ),
    "auc_margin": LossSpec(
        function="lossassay.losses.auroc:auc_margin",
        title="AUC margin loss (AUCM), at its optimum over the batch",
        formula=(
            r"\frac{1}{|C|}\sum_{c \in C} w_c\left[\mathrm{Var}_+ z_c + \mathrm{Var}_- z_c + "
            r"\max(0, m + \mathbb{E}_- z_c - \mathbb{E}_+ z_c)^2\right], \quad "
            r"w_c = p_c(1 - p_c) \text{ in v1, else } 1"
        ),
        paper="Yuan et al. 2021, ICCV, arXiv:2012.03173",
        when="As the pairwise loss, without building pairs: for large batches; often after training with another loss.",
        encoding="dense",
        kind="batch",
        tasks=("single_label", "multi_label"),
        link="softmax",
        output="rank",
        hyper_parameters={
            "margin": Parameter(default=1.0, low=0.0, meaning="m, by how much the means of both sides should differ"),
            "version": Parameter(
                default="v1",
                kind="choice",
                choices=("v1", "v2"),
                meaning="v1 is p (1 - p) times v2, p the share of the class in the batch",
            ),
        },
        equals=(
            Equals(
                other="pairwise_auroc",
                at={"version": "v2", "margin": _WIDE},
                other_at={"surrogate": "squared", "margin": _WIDE},
                tolerance=1e-10,
            ),
        ),
        differs=(
            "LibAUC and MONAI learn a, b and alpha beside the network (PESG), so that their value may be negative; "
            "here they are at their best values for the batch. LibAUC 2.0.1 in v2 multiplies the mean of the negatives "
            "by 1 - p (a parenthesis, LibAUC#74) and leaves scores of exactly 0 out of means, and in v1 passes over a "
            "given imratio. Its examples take the sigmoid of the scores first; here it is the scores."
        ),
        oracle="min-max form, its a, b and alpha found one by one in loops",
        aliases=("aucm",),
    ),
}
