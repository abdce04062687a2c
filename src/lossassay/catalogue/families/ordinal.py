"""Grades and stages: classes with an order."""

from lossassay.catalogue.families.ordinal_soft_labels import LOSSES as SOFT_LABELS
from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Ordinal"

_CROSS_ENTROPY = "sparse_categorical_crossentropy"
_LOG_LOSS = r"-\sum_{c\ne y} |c-y|^\alpha \log(1-p_c)"
_MEDIAN = (
    "The decision here is the most probable grade, as for every loss; in the paper it is the number of steps with a "
    "probability above one half, which is the median grade."
)
_KAPPA = r"1-\kappa = \frac{\sum_b\sum_c w_{cy_b}p_{bc}}{\frac{1}{B}\sum_{b,b'}\sum_c w_{cy_{b'}}p_{bc}}"
_ALPHA_MEANING = "how fast the weight of a wrong grade grows with its distance"

LOSSES: dict[str, LossSpec] = {
    "coral": LossSpec(
        function="lossassay.losses.ordinal_steps:coral",
        title="Consistent rank logits (CORAL)",
        formula=r"-\sum_{k=0}^{K-2}[1[y>k]\log\sigma(z_k)+1[y\le k]\log(1-\sigma(z_k))], \quad P(y>k)=\sigma(z_k)",
        paper="Cao et al. 2020, Pattern Recognit. Lett. 140:325, arXiv:1901.07884",
        when="Grades that one number explains: asks at each step whether the grade is above, with one slope for all.",
        encoding="integer",
        tasks=("ordinal",),
        head="shared_slope",
        link="cumulative",
        equals=(Equals(other="cumulative_link", only="two_classes"),),
        elsewhere={
            "coral-pytorch": "coral_loss(scores, levels_from_labelbatch(labels, num_classes=K), reduction=None)",
            "torch": "F.binary_cross_entropy_with_logits(scores, (labels[:, None] > torch.arange(K - 1)).to(scores), "
            "reduction='none').sum(-1)",
        },
        differs=(
            "The sum over steps is the paper's; versions that average over steps are K - 1 times smaller. " + _MEDIAN
        ),
        oracle="probabilities and their logarithms in loops; recorded values of coral-pytorch 1.4.0",
    ),
    "corn": LossSpec(
        function="lossassay.losses.ordinal_steps:corn",
        title="Conditional ordinal regression (CORN)",
        formula=r"-\sum_{k\le y}[1[y>k]\log\sigma(z_k)+1[y\le k]\log(1-\sigma(z_k))], \; P(y>k\mid y\ge k)=\sigma(z_k)",
        paper="Shi et al. 2023, Pattern Anal. Appl. 26:941, arXiv:2111.08851",
        when="Grades whose steps look different from each other: each step has weights of its own.",
        encoding="integer",
        tasks=("ordinal",),
        head="linear_minus_one",
        link="conditional",
        equals=(Equals(other="coral", only="two_classes"),),
        differs=(
            "The paper and coral-pytorch divide the batch's sum by its number of pairs of example and step; here it is "
            "the number of examples. Theirs is smaller by a factor from 1 to K - 1, by the grades in the batch. "
            + _MEDIAN
        ),
        oracle="products of conditional probabilities in loops; recorded values of coral-pytorch 1.4.0",
    ),
    "condor": LossSpec(
        function="lossassay.losses.ordinal_steps:condor",
        title="Conditional ordinal regression by cumulative probabilities (CONDOR)",
        formula=r"-\sum_{k=0}^{K-2}[1[y>k]\log q_k+1[y\le k]\log(1-q_k)], \quad q_k=P(y>k)=\prod_{j\le k}\sigma(z_j)",
        paper="Jenkinson et al. 2022, arXiv:2110.07470",
        when="As CORN, but every step is judged by all grades, and a miss by several grades is paid at several steps.",
        encoding="integer",
        tasks=("ordinal",),
        head="linear_minus_one",
        link="conditional",
        equals=(Equals(other="coral", only="two_classes"),),
        differs=(
            "This is CondorOrdinalCrossEntropy of condor-pytorch; its condor_negloglikeloss is corn. It adds 1e-7 "
            "inside log(1 - q), which limits the cost of a surely wrong step to 16 nats and ends its gradient. "
            + _MEDIAN
        ),
        oracle="products of conditional probabilities in loops; recorded values of condor-pytorch 1.1.0",
    ),
    "cumulative_link": LossSpec(
        function="lossassay.losses.ordinal_steps:cumulative_link",
        title="Cumulative link, logistic (proportional odds)",
        formula=r"-\log(\sigma(f-\theta_{y-1})-\sigma(f-\theta_y))",
        paper="McCullagh 1980, J. R. Stat. Soc. B 42:109",
        when="One hidden severity with thresholds: the classical model, whose thresholds stay in order here.",
        encoding="integer",
        tasks=("ordinal",),
        head="thresholds",
        link="cumulative",
        equals=(Equals(other="coral", only="two_classes"),),
        differs=(
            "spacecutter clamps the probability at 1e-15: a surely wrong grade costs 34.5 nats without gradient. Its "
            "thresholds are free and are put in order after each step; those of the head here cannot leave it."
        ),
        oracle="differences of sigmoids in loops; statsmodels OrderedModel; recorded values of spacecutter 0.2.1",
        aliases=("proportional_odds", "ordinal_logistic"),
    ),
    "ordinal_ecoc": LossSpec(
        function="lossassay.losses.ordinal_steps:ordinal_ecoc",
        title="Distance to ordinal code words (ECOC)",
        formula=r"\sum_{k=0}^{K-2}(\sigma(z_k)-1[y>k])^2",
        paper="Barbero-Gomez et al. 2023 (error-correcting output codes for deep ordinal classification)",
        when="Steps with weights of their own, and a loss with an upper limit where some grades are wrong.",
        encoding="integer",
        tasks=("ordinal",),
        head="linear_minus_one",
        link="code_words",
        output="score",
        bounded=True,
        equals=(),
        differs="dlordinal sums over the batch in place of averaging.",
        oracle="code words in loops; recorded values of dlordinal 2.7.0",
    ),
    "earth_mover_distance": LossSpec(
        function="lossassay.losses.ordinal_distances:earth_mover_distance",
        title="Squared earth mover's distance (ranked probability score)",
        formula=r"\sum_{k=0}^{K-2}(\sum_{c\le k}p_c-1[y\le k])^2",
        paper="Hou et al. 2016, arXiv:1611.05916; Epstein 1969, J. Appl. Meteorol. 8:985",
        when="The first thing to try for grades: an ordinary head, a proper score, far misses cost more.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        bounded=True,
        equals=(Equals(other="brier", factor=0.5, only="two_classes"),),
        differs=(
            "As in dlordinal. Some divide by K or K - 1; NIMA (Talebi and Milanfar 2018) takes the root of the mean "
            "over classes, whose gradient is not finite at an exact fit."
        ),
        oracle="expected distances, E|X - y| - E|X - X'| / 2, in loops; recorded values of dlordinal 2.7.0",
        aliases=("emd", "rps", "ranked_probability_score"),
    ),
    "class_distance_weighted_cross_entropy": LossSpec(
        function="lossassay.losses.ordinal_distances:class_distance_weighted_cross_entropy",
        title="Class-distance-weighted cross-entropy (CDW-CE)",
        formula=_LOG_LOSS,
        paper="Polat et al. 2022, MIUA, arXiv:2202.05167",
        when="Far misses must be rare: every wrong grade is paid for, the farther the more.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={"alpha": Parameter(default=2.0, low=0.0, meaning=_ALPHA_MEANING)},
        equals=(
            Equals(other="ordinal_log_loss", at={"alpha": 1.5}),
            Equals(other=_CROSS_ENTROPY, only="two_classes"),
        ),
        differs=(
            "alpha is 2 in the authors' code, 0.5 in dlordinal; the authors tune it, 5 to 7 are reported to do best. "
            "Size and step grow with alpha: a miss by three grades weighs 3^alpha. dlordinal has log(1 - p) of "
            "exponentials, which is nan at scores of 100, and counts the true grade at alpha = 0."
        ),
        oracle="log(1 - p) in loops; recorded values of dlordinal 2.7.0",
        aliases=("cdw_ce",),
    ),
    "ordinal_log_loss": LossSpec(
        function="lossassay.losses.ordinal_distances:ordinal_log_loss",
        title="Ordinal log loss (OLL)",
        formula=_LOG_LOSS,
        paper="Castagnos et al. 2022, COLING",
        when="As class-distance-weighted cross-entropy, with weights that grow more slowly.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={"alpha": Parameter(default=1.5, low=0.0, meaning=_ALPHA_MEANING)},
        equals=(
            Equals(other="class_distance_weighted_cross_entropy", other_at={"alpha": 1.5}),
            Equals(other=_CROSS_ENTROPY, only="two_classes"),
        ),
        variant_of="class_distance_weighted_cross_entropy",
        differs="The authors' code has alpha = 1, 1.5 and 2, also with distances divided by their sum.",
        oracle="log(1 - p) in loops",
        aliases=("oll",),
    ),
    "slace": LossSpec(
        function="lossassay.losses.ordinal_distances:slace",
        title="Soft labels accumulating cross-entropy (SLACE)",
        formula=r"-\sum_c t_c\log\sum_{j:m_j\le m_c}p_j, \quad t_c\propto m_c^{-\alpha}, \quad m_c=n_y/2+|M_c-M_y|",
        paper="Nachmani et al. 2025, AAAI",
        when="Grades of unequal size: how far two grades are apart is counted in the images between them.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        inputs=("class_counts",),
        hyper_parameters={"alpha": Parameter(default=1.0, low=0.1, meaning="sharpness of the soft labels")},
        equals=(),
        differs=(
            "As the authors' code for their main result (accumulated SORD, largest proximity minus proximity), which "
            "tries alpha from 0.3 to 25. dlordinal's SLACELoss measures by |c - y| and has no class counts: the "
            "authors' comparison without balance. Grades equally near count as one here and in dlordinal; the "
            "authors' code ranks them by sort order."
        ),
        oracle="class counts summed grade by grade, in loops",
    ),
    "weighted_kappa": LossSpec(
        function="lossassay.losses.ordinal_distances:weighted_kappa",
        title="Weighted kappa of soft decisions",
        formula=r"\log(1-\kappa), \quad " + _KAPPA + r", \quad w_{cy}=(c-y)^2",
        paper="de la Torre et al. 2018, Pattern Recognit. Lett. 105:144; as a ratio: Vargas et al. 2020",
        when="The study is judged by weighted kappa and batches are large: it exists only for a batch.",
        encoding="integer",
        kind="batch",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={
            "form": Parameter(
                default="log",
                kind="choice",
                choices=("log", "ratio"),
                meaning="log(1 - kappa), which pulls the more the better the fit, or 1 - kappa, from 0",
            ),
            "penalization": Parameter(
                default="quadratic",
                kind="choice",
                choices=("quadratic", "linear"),
                meaning="weight of a mistake: its squared distance, or its distance",
            ),
        },
        low=None,
        bounded=True,
        equals=(),
        differs=(
            "TensorFlow Addons: log(ratio + 1e-6); dlordinal: the ratio, or log(ratio + 1e-10). Both add to "
            "avoid log 0, which ends the gradient at a good fit. A batch of one grade has ratio 1 and no gradient "
            "here; dlordinal gives 0 for it where all is predicted exactly."
        ),
        oracle="confusion matrix of probabilities in loops; sklearn; recorded values of dlordinal 2.7.0",
        aliases=("quadratic_weighted_kappa_loss", "qwk_loss"),
    ),
    "mean_class_error_and_kappa": LossSpec(
        function="lossassay.losses.ordinal_distances:mean_class_error_and_kappa",
        title="Mean squared error and weighted kappa (MCE&WK)",
        formula=r"C(1-\kappa)+(1-C)\frac{1}{BK}\sum_b\sum_c(p_{bc}-t_{bc})^2",
        paper="Berchez-Moreno et al. 2025, Neurocomputing, arXiv:2407.17163 (dlordinal, MCEAndWKLoss)",
        when="As weighted kappa, but no grade is left out of the decisions, which kappa alone allows.",
        encoding="integer",
        kind="batch",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={
            "c": Parameter(
                default=0.5, low=0.1, high=1.0, meaning="C, weight of 1 - kappa; the squared error gets 1 - C"
            ),
        },
        bounded=True,
        equals=(Equals(other="weighted_kappa", at={"c": 1.0}, other_at={"form": "ratio"}),),
        differs=(
            "As dlordinal, whose mean over classes of each class's mean squared error is the mean squared error. Its "
            "range for C, from 0, would hold a loss that does not see its batch."
        ),
        oracle="confusion matrix of probabilities and squared errors in loops; recorded values of dlordinal 2.7.0",
        aliases=("mce_and_wk",),
    ),
    **SOFT_LABELS,
    "ordinal_squared_error": LossSpec(
        function="lossassay.losses.ordinal_grade:ordinal_squared_error",
        title="Squared error of the grade (regression)",
        formula=r"(f-y)^2",
        paper="Gauss 1809",
        when="Many grades of equal steps: one number is fitted, and rounded for a decision.",
        encoding="integer",
        tasks=("ordinal",),
        head="scalar",
        link="grade",
        output="score",
        equals=(Equals(other="ordinal_huber", factor=2.0, other_at={"delta": 1e6}),),
        elsewhere={
            "torch": "F.mse_loss(scores[:, 0], labels.to(scores), reduction='none')",
            "keras": "keras.losses.MeanSquaredError(reduction=None)(labels[:, None], scores)",
            "optax": "optax.losses.squared_error(scores[:, 0], labels)",
        },
        differs="Decisions round the score to the nearest grade; thresholds fitted afterwards are common elsewhere.",
        oracle="closed form in loops",
    ),
    "ordinal_huber": LossSpec(
        function="lossassay.losses.ordinal_grade:ordinal_huber",
        title="Huber's error of the grade (regression)",
        formula=r"\frac{1}{2}(f-y)^2 \text{ if } |f-y|\le\delta, \text{ else } \delta(|f-y|-\delta/2)",
        paper="Huber 1964, Ann. Math. Stat. 35:73",
        when="As squared error, but some grades are badly wrong.",
        encoding="integer",
        tasks=("ordinal",),
        head="scalar",
        link="grade",
        output="score",
        hyper_parameters={
            "delta": Parameter(
                default=1.0, low=0.1, meaning="error, in grades, from which on the cost grows with its first power"
            ),
        },
        equals=(Equals(other="ordinal_squared_error", factor=0.5, at={"delta": 1e6}),),
        elsewhere={
            "torch": "F.huber_loss(scores[:, 0], labels.to(scores), delta=1.0, reduction='none')",
            "keras": "keras.losses.Huber(delta=1.0, reduction=None)(labels[:, None], scores)",
            "optax": "optax.losses.huber_loss(scores[:, 0], labels, delta=1.0)",
        },
        differs="torch's smooth_l1_loss is this divided by delta.",
        oracle="closed form in loops",
    ),
    "ordinal_absolute_error": LossSpec(
        function="lossassay.losses.ordinal_grade:ordinal_absolute_error",
        title="Absolute error of the grade (regression)",
        formula=r"|f-y|",
        paper="Laplace 1774",
        when="As squared error; the fit is the median grade, and a far grade pulls no harder than a near one.",
        encoding="integer",
        tasks=("ordinal",),
        head="scalar",
        link="grade",
        output="score",
        equals=(),
        elsewhere={
            "torch": "F.l1_loss(scores[:, 0], labels.to(scores), reduction='none')",
            "keras": "keras.losses.MeanAbsoluteError(reduction=None)(labels[:, None], scores)",
        },
        oracle="closed form in loops",
    ),
}
