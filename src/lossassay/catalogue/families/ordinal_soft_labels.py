"""Cross-entropy with soft labels for grades: the part of the ordinal family that needs no head of its own."""

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

_CROSS_ENTROPY = "sparse_categorical_crossentropy"
_MIXED = r"-\sum_c[(1-\eta)1[c=y]+\eta t_c]\log p_c"
_ETA = Parameter(default=1.0, low=0.0, high=1.0, meaning="share of the soft label; 0 is cross-entropy")
_HARD = Equals(other=_CROSS_ENTROPY, at={"eta": 0.0})
_ELSEWHERE = {"torch": "F.cross_entropy(scores, soft_labels[labels], reduction='none')  # soft_labels: [K K]"}

LOSSES: dict[str, LossSpec] = {
    "sord": LossSpec(
        function="lossassay.losses.soft_grades:sord",
        title="Soft ordinal labels (SORD)",
        formula=r"-\sum_c t_c\log p_c, \quad t = \mathrm{softmax}(-\alpha\,\phi(c, y))",
        paper="Diaz and Marathe 2019, CVPR",
        when="A miss by one grade should cost little: the soft label says how little.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={
            "alpha": Parameter(default=1.0, low=0.1, meaning="sharpness of the soft labels"),
            "distance": Parameter(
                default="absolute",
                kind="choice",
                choices=("absolute", "squared"),
                meaning="phi: the number of grades between c and y, or its square; the paper leaves it open",
            ),
        },
        equals=(
            Equals(other="exponential_soft_labels"),
            Equals(other="exponential_soft_labels", at={"distance": "squared"}, other_at={"p": 2.0}),
        ),
        elsewhere={
            "torch": "F.cross_entropy(scores, (-(labels[:, None] - torch.arange(K)).abs()).to(scores).softmax(-1), "
            "reduction='none')"
        },
        differs="dlordinal has no default for alpha; it offers a proximity from class counts in place of the distance.",
        oracle="soft labels from loops, torch.nn.functional.cross_entropy with rows",
    ),
    "binomial_soft_labels": LossSpec(
        function="lossassay.losses.soft_grades:binomial_soft_labels",
        title="Binomial soft labels",
        formula=_MIXED + r", \quad t_c = \binom{K-1}{c} q^c (1-q)^{K-1-c}, \quad q = 0.1 + 0.8\,y/(K-1)",
        paper="Liu et al. 2020, Neurocomputing (unimodal-regularised stick-breaking)",
        when="Graders often differ by a grade; the soft label spreads as a binomial distribution does.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={"eta": _ETA},
        equals=(_HARD,),
        elsewhere=_ELSEWHERE,
        differs=(
            "The range of q, 0.1 to 0.9, is dlordinal's. With ten grades it leaves the outer ones a second peak, with "
            "more it moves their peak off the true grade."
        ),
        oracle="scipy.stats.binom.pmf, torch.nn.functional.cross_entropy with rows",
    ),
    "poisson_soft_labels": LossSpec(
        function="lossassay.losses.soft_grades:poisson_soft_labels",
        title="Poisson soft labels",
        formula=_MIXED + r", \quad t_c \propto \lambda^c / c!, \quad \lambda = y + \text{shift}",
        paper="Liu et al. 2020, Neurocomputing; the distribution for grades: Beckham and Pal 2017, arXiv:1705.05278",
        when="Higher grades are less certain than lower ones: the spread of the soft label grows with the grade.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={
            "shift": Parameter(
                default=0.5,
                low=0.0,
                high=1.0,
                meaning="mean of the distribution above the grade; at 0 and 1 two grades share the peak",
            ),
            "eta": _ETA,
        },
        equals=(_HARD,),
        elsewhere=_ELSEWHERE,
        differs=(
            "dlordinal 2.7.0 has mean y + 1, so that grades y and y + 1 get the same label, and takes the softmax of "
            "Poisson probabilities where Beckham and Pal take that of their logarithms: its soft labels for five "
            "grades lie between 0.16 and 0.24. The shift of 0.5 is ours."
        ),
        oracle="scipy.stats.poisson.pmf, torch.nn.functional.cross_entropy with rows",
    ),
    "beta_soft_labels": LossSpec(
        function="lossassay.losses.soft_grades:beta_soft_labels",
        title="Beta soft labels",
        formula=_MIXED + r", \quad t_c = I_{(c+1)/K}(a_y, b_y) - I_{c/K}(a_y, b_y)",
        paper="Vargas et al. 2022, Pattern Recognit. (unimodal regularisation with beta distributions)",
        when="As binomial soft labels, with nearly all of the label at the true grade and its neighbours.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={"eta": _ETA},
        equals=(_HARD,),
        elsewhere=_ELSEWHERE,
        differs=(
            "The table of shapes for 3 to 14 grades is dlordinal's; two grades are ours, by its rule for the lowest. "
            "dlordinal starts at 1e-9 and ends at 1 - 1e-9, so that its soft labels sum to a little less than 1."
        ),
        oracle="scipy.stats.beta.cdf, torch.nn.functional.cross_entropy with rows",
    ),
    "triangular_soft_labels": LossSpec(
        function="lossassay.losses.soft_grades:triangular_soft_labels",
        title="Triangular soft labels",
        formula=_MIXED + r", \quad t_{y\pm1} = \alpha_2 \text{ (inner grades)}, \; \alpha_1, \alpha_3 \text{ (ends)}",
        paper="Vargas et al. 2023, Inf. Fusion 93:258",
        when="Only neighbouring grades are ever confused: no other grade gets any of the label.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={
            "alpha2": Parameter(
                default=0.05,
                low=0.0,
                high=2 / 9,
                meaning="label of each neighbour of an inner grade; 0 is cross-entropy, up to 2/9 no other gets any",
            ),
            "eta": _ETA,
        },
        equals=(_HARD, Equals(other=_CROSS_ENTROPY, at={"alpha2": 0.0})),
        elsewhere=_ELSEWHERE,
        differs=(
            "In dlordinal the loss has alpha2 = 0.05 and the function of soft labels 0.01. The highest grade keeps "
            "more of its label than the lowest, in dlordinal as here: alpha3 has the factor ((K - 1) / K)^2."
        ),
        oracle="scipy.stats.triang.cdf with the ends of dlordinal's documentation",
    ),
    "exponential_soft_labels": LossSpec(
        function="lossassay.losses.soft_grades:exponential_soft_labels",
        title="Exponential soft labels",
        formula=_MIXED + r", \quad t = \mathrm{softmax}(-|c-y|^p/\tau)",
        paper="Liu et al. 2020, Neurocomputing; Vargas et al. 2023 (exponential regularised)",
        when="As SORD, with any power of the distance, mixed with the hard label.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={
            "p": Parameter(default=1.0, low=0.5, meaning="power of the distance"),
            "tau": Parameter(default=1.0, low=0.1, meaning="temperature of the soft labels"),
            "eta": _ETA,
        },
        equals=(_HARD, Equals(other="sord"), Equals(other="sord", at={"tau": 0.5}, other_at={"alpha": 2.0})),
        variant_of="sord",
        elsewhere=_ELSEWHERE,
        oracle="scipy.special.softmax, torch.nn.functional.cross_entropy with rows",
    ),
    "geometric_soft_labels": LossSpec(
        function="lossassay.losses.soft_grades:geometric_soft_labels",
        title="Geometric soft labels (unimodal label smoothing)",
        formula=_MIXED + r", \quad t_y = 1-\alpha, \quad t_c \propto \alpha^{|c-y|} \text{ with sum } \alpha",
        paper="Haas and Huellermeier 2023, ECML PKDD",
        when="Label smoothing for grades: what is taken from the true grade goes mostly to its neighbours.",
        encoding="integer",
        tasks=("ordinal",),
        link="softmax",
        output="score",
        hyper_parameters={
            "alpha": Parameter(
                default=0.1,
                low=0.0,
                high=0.5,
                meaning="what the true grade gives away, and the factor from grade to grade; 0 is cross-entropy",
            ),
            "eta": _ETA,
        },
        equals=(_HARD, Equals(other=_CROSS_ENTROPY, at={"alpha": 0.0})),
        elsewhere=_ELSEWHERE,
        differs="dlordinal also takes one alpha for each grade, and unequal shares below and above it.",
        oracle="geometric series in loops, torch.nn.functional.cross_entropy with rows",
    ),
}
