"""Hinges, and the losses of sparse probabilities."""

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Hinges and sparse probabilities"

_CROSS_ENTROPY = "sparse_categorical_crossentropy"
_MARGIN = Parameter(default=1.0, low=0.0, meaning="by how much the true class has to be ahead, in units of the scores")
_THREE = (
    "Three functions go by the name of multi-class hinge; they count the best other class (crammer_singer, optax), "
    "the best other class or zero (categorical_hinge, keras) and all other classes (multi_margin, torch)."
)
_OWN_ZEROS = (
    "What it predicts itself has exact zeros, and a true class at zero would cost infinitely many nats; here "
    "yardsticks of probabilities take a softmax with a fitted temperature."
)

LOSSES: dict[str, LossSpec] = {
    "crammer_singer": LossSpec(
        function="lossassay.losses.hinges:crammer_singer",
        title="Multi-class hinge (Crammer and Singer)",
        formula=r"\max\left(0,\ m + \max_{c\ne y} z_c - z_y\right)",
        paper="Crammer and Singer 2001, J. Mach. Learn. Res. 2:265",
        when="Only decisions count; what is right by a margin is left alone.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={"margin": _MARGIN},
        equals=(
            Equals(other="perceptron", at={"margin": 0.0}),
            Equals(other="multi_margin", factor=2.0, only="two_classes"),
        ),
        elsewhere={"optax": "optax.losses.multiclass_hinge_loss(scores, labels)"},
        differs=_THREE,
        oracle="largest of the other scores class by class, in loops",
        aliases=("hinge", "multiclass_hinge"),
    ),
    "categorical_hinge": LossSpec(
        function="lossassay.losses.hinges:categorical_hinge",
        title="Categorical hinge (keras)",
        formula=r"\max\left(0,\ 1 + \max(0, \max_{c\ne y} z_c) - z_y\right)",
        paper="none; the documentation of Keras (Chollet et al. 2015), keras.losses.CategoricalHinge",
        when="To repeat a keras study; otherwise the hinge of Crammer and Singer.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        equals=(),
        elsewhere={"keras": "keras.losses.CategoricalHinge() on raw scores"},
        differs=f"{_THREE} The zero of this one comes of a mask: adding a constant to all scores changes the value.",
        oracle="a zero as one more class, in loops; keras.losses.categorical_hinge in single precision",
    ),
    "multi_margin": LossSpec(
        function="lossassay.losses.hinges:multi_margin",
        title="Multi-class hinge over all other classes (torch MultiMarginLoss)",
        formula=r"\frac1K\sum_{c\ne y}\max(0,\ m + z_c - z_y)^p",
        paper="Weston and Watkins 1999, ESANN, p. 219 (the sum; the mean is that of torch)",
        when="As the hinge of Crammer and Singer, but every class that comes too near counts.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "margin": _MARGIN,
            "p": Parameter(default=1, kind="integer", low=1, high=2, meaning="2 squares the hinges"),
        },
        equals=(Equals(other="crammer_singer", factor=0.5, only="two_classes"),),
        elsewhere={"torch": "F.multi_margin_loss(scores, labels)"},
        differs=f"{_THREE} The division by K makes the gradient K times smaller than in the paper.",
        oracle="torch.nn.functional.multi_margin_loss(reduction='none')",
    ),
    "perceptron": LossSpec(
        function="lossassay.losses.hinges:perceptron",
        title="Multi-class perceptron",
        formula=r"\max_c z_c - z_y",
        paper="Collins 2002, EMNLP, p. 1",
        when="As the simplest reference: only wrong decisions teach.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        equals=(Equals(other="crammer_singer", other_at={"margin": 0.0}),),
        variant_of="crammer_singer",
        elsewhere={"optax": "optax.losses.multiclass_perceptron_loss(scores, labels)"},
        oracle="largest score class by class, in loops",
    ),
    "sparsemax": LossSpec(
        function="lossassay.losses.sparse:sparsemax",
        title="Sparsemax loss",
        formula=r"-z_y + \frac12\sum_{c:p_c>0}(z_c^2-\tau^2) + \frac12, \quad p = [z-\tau]_+",
        paper="Martins and Astudillo 2016, ICML, arXiv:1602.02068",
        when="As a hinge, but smooth: examples that are right by 1 are left alone.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        equals=(Equals(other="fenchel_young", other_at={"alpha": 2.0}, tolerance=1e-10),),
        variant_of="fenchel_young",
        elsewhere={"optax": "optax.losses.multiclass_sparsemax_loss(scores, labels)"},
        differs=f"{_OWN_ZEROS} For two classes the margin is that of the scores' difference, 1.",
        oracle="the best probabilities found by scipy, held fixed (Danskin)",
    ),
    "entmax15": LossSpec(
        function="lossassay.losses.sparse:entmax15",
        title="Entmax loss, order 1.5",
        formula=(
            r"\max_q\left[\langle q,z\rangle - \tfrac43\left(\textstyle\sum_c q_c^{3/2} - 1\right)\right] - z_y, \quad "
            r"p = [z/2-\tau]_+^2"
        ),
        paper="Peters et al. 2019, ACL, arXiv:1905.05702",
        when="Between cross-entropy and sparsemax: examples that are right by 2 are left alone.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        equals=(Equals(other="fenchel_young", other_at={"alpha": 1.5}, tolerance=1e-10),),
        variant_of="fenchel_young",
        elsewhere={"torch": "entmax.entmax15_loss(scores, labels)"},
        differs=_OWN_ZEROS,
        oracle="the best probabilities found by scipy, held fixed (Danskin)",
    ),
    "fenchel_young": LossSpec(
        function="lossassay.losses.sparse:fenchel_young",
        title="Fenchel-Young loss of Tsallis entropies",
        formula=(
            r"\Omega^*(z) + \Omega(t) - \langle t, z\rangle, \quad "
            r"\Omega(q) = \frac{\sum_c q_c^\alpha - 1}{\alpha(\alpha-1)}"
        ),
        paper="Blondel et al. 2020, J. Mach. Learn. Res. 21:35, arXiv:1901.02324",
        when="One number goes from cross-entropy to sparsemax; the larger, the earlier right answers are left alone.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "alpha": Parameter(
                default=1.5,
                low=1.0,
                high=2.0,
                meaning="order of the entropy: 1 Shannon's (cross-entropy), 1.5 entmax, 2 Gini's (sparsemax); the "
                "paper has no default, 1.5 is that of Peters et al. 2019",
            ),
        },
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"alpha": 1.0}),
            Equals(other=_CROSS_ENTROPY, at={"alpha": 1 + 1e-8}, tolerance=1e-6),
            Equals(other="entmax15", at={"alpha": 1.5}, tolerance=1e-10),
            Equals(other="sparsemax", at={"alpha": 2.0}, tolerance=1e-10),
        ),
        elsewhere={
            "torch": "entmax.entmax_bisect_loss(scores, labels, alpha=1.5)",
            "optax": "optax.losses.make_fenchel_young_loss(jax.nn.logsumexp) for alpha = 1 alone",
        },
        differs=f"{_OWN_ZEROS} optax makes such a loss of any convex function; here it is this one family of them.",
        oracle="the best probabilities found by scipy, held fixed (Danskin)",
    ),
}
