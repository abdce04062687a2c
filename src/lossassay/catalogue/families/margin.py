"""Margin heads: cosine scores, which make good features."""

import math

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Margin heads and features"

_SCALE = Parameter(default=64.0, low=1.0, meaning="s, what the cosines are multiplied by")
_MARGIN_RADIANS = Parameter(
    default=0.5, low=0.0, high=math.pi / 2, meaning="m, added to the angle, in radians; 0.5 are 28.6 degrees"
)
_COSINES = "cosines = F.linear(F.normalize(features), F.normalize(weight)); "
_BEYOND = (
    "pytorch-metric-learning 2.9.0 goes on with cos(theta) - m sin(m) beyond pi - m, a step of 0.12 at "
    "m = 0.5; here the two pieces meet. Below pi - m, where nearly all angles are, they agree."
)

LOSSES: dict[str, LossSpec] = {
    "normalized_softmax": LossSpec(
        function="lossassay.losses.margin:normalized_softmax",
        title="Normalised softmax (cosine softmax)",
        formula=r"-\log\frac{e^{z_y/\tau}}{\sum_c e^{z_c/\tau}}, \quad z_c = \cos\theta_c",
        paper="Zhai and Wu 2019, BMVC, arXiv:1811.12649; Kornblith et al. 2021, NeurIPS, arXiv:2010.16402",
        when="Features that group by class, without a margin to choose.",
        encoding="integer",
        tasks=("single_label",),
        head="cosine",
        link="scaled_softmax",
        hyper_parameters={
            "temperature": Parameter(default=0.05, low=0.001, meaning="tau, what the cosines are divided by"),
        },
        equals=(
            Equals(other="cosface", other_at={"margin": 0.0, "scale": 20.0}),
            Equals(other="arcface", other_at={"margin_radians": 0.0, "scale": 20.0}),
        ),
        elsewhere={"torch": f"{_COSINES}F.cross_entropy(cosines / 0.05, labels)"},
        differs="Here the class weights are in the last layer; pytorch-metric-learning keeps them in the loss.",
        oracle="torch.nn.functional.cross_entropy of cosines over the temperature",
        aliases=("cosine_softmax",),
    ),
    "cosface": LossSpec(
        function="lossassay.losses.margin:cosface",
        title="CosFace (large margin cosine loss)",
        formula=(r"-\log\frac{e^{s(z_y - m)}}{e^{s(z_y - m)} + \sum_{c \ne y} e^{s z_c}}, \quad z_c = \cos\theta_c"),
        paper="Wang et al. 2018, CVPR, arXiv:1801.09414",
        when="Many classes or features for retrieval: the true class must lead by a margin of the cosine.",
        encoding="integer",
        tasks=("single_label",),
        head="cosine",
        link="scaled_softmax",
        output="score",
        hyper_parameters={
            "margin": Parameter(default=0.35, low=0.0, meaning="m, in cosine units; 0 is normalised softmax"),
            "scale": _SCALE,
        },
        equals=(
            Equals(other="normalized_softmax", at={"margin": 0.0}, other_at={"temperature": 1 / 64}),
            Equals(other="arcface", at={"margin": 0.0}, other_at={"margin_radians": 0.0}),
            Equals(
                other="ldam",
                at={"margin": 0.5, "scale": 30.0},
                other_at={"reweight_from": 1.0},
                only="equal_counts",
            ),
        ),
        elsewhere={"torch": f"{_COSINES}F.cross_entropy(64 * (cosines - 0.35 * F.one_hot(labels, K)), labels)"},
        differs="Later face recognition code takes a margin of 0.4; pytorch-metric-learning has the paper's 0.35.",
        oracle="keras.ops: one-hot rows times the log-softmax of lowered cosines",
        aliases=("large_margin_cosine",),
    ),
    "arcface": LossSpec(
        function="lossassay.losses.margin:arcface",
        title="ArcFace (additive angular margin)",
        formula=(
            r"-\log\frac{e^{s\psi(\theta_y)}}{e^{s\psi(\theta_y)} + \sum_{c \ne y} e^{s\cos\theta_c}}, \quad "
            r"\psi(\theta) = \begin{cases}\cos(\theta + m) & \theta < \pi - m \\ "
            r"\cos\theta + \cos m - 1 & \text{else}\end{cases}"
        ),
        paper="Deng et al. 2019, CVPR, arXiv:1801.07698",
        when="As CosFace, with a margin that is the same angle whether the image is near its class or far from it.",
        encoding="integer",
        tasks=("single_label",),
        head="cosine",
        link="scaled_softmax",
        output="score",
        hyper_parameters={"margin_radians": _MARGIN_RADIANS, "scale": _SCALE},
        equals=(
            Equals(other="cosface", at={"margin_radians": 0.0}, other_at={"margin": 0.0}),
            Equals(other="normalized_softmax", at={"margin_radians": 0.0}, other_at={"temperature": 1 / 64}),
            Equals(other="subcenter_arcface", other_at={"subcentres": 1}),
        ),
        elsewhere={
            "torch": (
                f"{_COSINES}turned = torch.cos(torch.acos(cosines) + 0.5 * F.one_hot(labels, K)); "
                "F.cross_entropy(64 * turned, labels)  # angles below pi - 0.5 alone"
            ),
        },
        differs=f"pytorch-metric-learning takes the margin in degrees (28.6), mmpretrain in radians (0.5). {_BEYOND}",
        oracle="cosine of the angle plus the margin, angle from acos, in loops",
    ),
    "subcenter_arcface": LossSpec(
        function="lossassay.losses.margin:subcenter_arcface",
        title="Sub-centre ArcFace",
        formula=(
            r"-\log\frac{e^{s\psi(\theta_y)}}{e^{s\psi(\theta_y)} + \sum_{c \ne y} e^{s\cos\theta_c}}, \quad "
            r"\theta_c = \min_j \theta_{cj}, \; \psi \text{ as for ArcFace}"
        ),
        paper="Deng et al. 2020, ECCV",
        when="As ArcFace, where a class has several kinds of images or some wrong labels.",
        encoding="integer",
        tasks=("single_label",),
        head="cosine_with_subcentres",
        link="scaled_softmax",
        output="score",
        hyper_parameters={
            "margin_radians": _MARGIN_RADIANS,
            "scale": _SCALE,
            "subcentres": Parameter(
                default=3, kind="integer", low=1, of="head", meaning="weights of each class; 1 is ArcFace"
            ),
        },
        equals=(
            Equals(other="arcface", at={"subcentres": 1}),
            Equals(other="cosface", at={"margin_radians": 0.0}, other_at={"margin": 0.0}),
        ),
        variant_of="arcface",
        differs=(
            f"Margins as for ArcFace: in degrees in pytorch-metric-learning. {_BEYOND} The authors then "
            "drop images far from the weight that most of their class are near, and train again with one weight."
        ),
        oracle="cosine of the angle plus the margin, angle from acos, in loops",
    ),
    "center_loss": LossSpec(
        function="lossassay.losses.margin:center_loss",
        title="Cross-entropy with centre loss",
        formula=r"-\log p_y + \frac{\lambda}{2}\lVert h - c_y\rVert^2",
        paper="Wen et al. 2016, ECCV",
        when="Compact features of each class, with an ordinary linear head and one more number to choose.",
        encoding="integer",
        tasks=("single_label",),
        head="linear_with_centres",
        link="softmax",
        inputs=("features", "centres"),
        hyper_parameters={
            "centre_weight": Parameter(
                default=0.003,
                low=0.0,
                meaning="lambda; 0 is cross-entropy; 0.003 is quoted for the paper's faces and was not checked there",
            ),
        },
        equals=(Equals(other="sparse_categorical_crossentropy", at={"centre_weight": 0.0}),),
        differs=(
            "The paper moves the centres by a rule of its own with rate alpha = 0.5; here, as in most libraries, they "
            "are learnt by their gradient, which is lambda times smaller. Some code leaves the half out."
        ),
        oracle="torch.nn.functional.cross_entropy and mse_loss(reduction='sum'), example by example",
        aliases=("centre_loss",),
    ),
}
