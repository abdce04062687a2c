"""Losses that know how many images each class has."""

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Imbalance"

_CROSS_ENTROPY = "sparse_categorical_crossentropy"
_LOG_SHARES = "(counts / counts.sum()).log()"

LOSSES: dict[str, LossSpec] = {
    "class_weighted_crossentropy": LossSpec(
        function="lossassay.losses.imbalance:class_weighted_crossentropy",
        title="Class-weighted cross-entropy",
        formula=r"-w_y\log p_y, \quad w_c = N n_c^{-a} / \sum_j n_j^{1-a}",
        paper="King and Zeng 2001, Polit. Anal. 9:137 (weights one over the class size)",
        when="The first thing to try when one class is rare; its probabilities are for a balanced population.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        inputs=("class_counts",),
        hyper_parameters={
            "power": Parameter(
                default=1.0, low=0.0, meaning="a: weights fall with the class size to this power; 0 is cross-entropy"
            ),
        },
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"power": 0.0}),
            Equals(other=_CROSS_ENTROPY, only="equal_counts"),
        ),
        elsewhere={
            "torch": "F.cross_entropy(scores, labels, weight=counts.sum() / (len(counts) * counts), reduction='none')",
            "keras": "model.fit(..., class_weight={c: total / (num_classes * n) for c, n in enumerate(counts)})",
        },
        differs=(
            "torch with class indices divides the mean by the sum of the batch's weights, with rows by the number of "
            "examples (pytorch#107680: 0.8705 against 54.4052 for the same labels); here and in keras it is always the "
            "number of examples."
        ),
        oracle="torch.nn.functional.cross_entropy(weight=..., reduction='none'), weights from loops",
        aliases=("weighted_cross_entropy", "wce"),
    ),
    "class_balanced": LossSpec(
        function="lossassay.losses.imbalance:class_balanced",
        title="Class-balanced cross-entropy (effective number of images)",
        formula=(r"-w_y\log p_y, \quad w_c = K\,\frac{(1-\beta)/(1-\beta^{n_c})}{\sum_j (1-\beta)/(1-\beta^{n_j})}"),
        paper="Cui et al. 2019, CVPR, arXiv:1901.05555",
        when="As class weights, but all large classes are weighted alike: more of the same adds little.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        inputs=("class_counts",),
        hyper_parameters={
            "beta": Parameter(
                default=0.999,
                low=0.0,
                high=1.0,
                meaning="0 is cross-entropy, 1 is one over the class size; the paper tries 0.9, 0.99, 0.999 and 0.9999",
            ),
        },
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"beta": 0.0}),
            Equals(other=_CROSS_ENTROPY, only="equal_counts"),
        ),
        differs=(
            "The weights sum to K over the classes, as in the paper's code, so their mean over images depends on the "
            "counts; those of class_weighted_crossentropy have mean 1 over images. A much copied torch version applies "
            "binary cross-entropy to softmax outputs in its softmax mode."
        ),
        oracle="effective numbers as sums of a geometric series, in loops",
        aliases=("cb",),
    ),
    "ldam": LossSpec(
        function="lossassay.losses.imbalance:ldam",
        title="Label-distribution-aware margins with deferred re-weighting (LDAM-DRW)",
        formula=(
            r"-w_y\log\frac{e^{s(z_y-\Delta_y)}}{e^{s(z_y-\Delta_y)}+\sum_{c\ne y}e^{sz_c}}, \quad "
            r"\Delta_c = m\left(\frac{n_c}{\min_j n_j}\right)^{-1/4}"
        ),
        paper="Cao et al. 2019, NeurIPS, arXiv:1906.07413",
        when="Very few images of some classes: these get a wider margin, and weights only late in training.",
        encoding="integer",
        tasks=("single_label",),
        head="cosine",
        link="scaled_softmax",
        output="score",
        inputs=("class_counts", "epoch", "epochs"),
        hyper_parameters={
            "max_margin": Parameter(default=0.5, low=0.0, meaning="m, margin of the smallest class, in cosine units"),
            "scale": Parameter(default=30.0, low=1.0, meaning="s, what the cosines are multiplied by"),
            "beta": Parameter(default=0.9999, low=0.0, high=1.0, meaning="of the effective numbers in the weights"),
            "reweight_from": Parameter(
                default=0.8,
                low=0.0,
                high=1.0,
                meaning="share of the epochs without weights (the paper: 160 of 200); 1 is never any weights",
            ),
        },
        equals=(
            Equals(
                other="cosface",
                at={"reweight_from": 1.0},
                other_at={"margin": 0.5, "scale": 30.0},
                only="equal_counts",
            ),
        ),
        differs=(
            "Once the weights join, the authors' code divides by their sum over the batch (torch's default); here it "
            "is the number of examples."
        ),
        oracle="closed form in probabilities, in loops",
    ),
    "logit_adjustment": LossSpec(
        function="lossassay.losses.imbalance:logit_adjustment",
        title="Logit adjustment",
        formula=r"-\log\mathrm{softmax}(z + \tau\log\pi)_y",
        paper="Menon et al. 2021, ICLR, arXiv:2007.07314",
        when=(
            "Rare classes, judged by balanced accuracy: consistent for it, as weights are too, whose effect "
            "fades once the training images are fitted."
        ),
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        inputs=("class_counts",),
        hyper_parameters={
            "tau": Parameter(default=1.0, low=0.0, meaning="strength; 0 is cross-entropy, 1 is balanced softmax"),
        },
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"tau": 0.0}),
            Equals(other="balanced_softmax"),
            Equals(other=_CROSS_ENTROPY, only="equal_counts"),
        ),
        elsewhere={"torch": f"F.cross_entropy(scores + tau * {_LOG_SHARES}, labels)"},
        oracle="closed form in probabilities, in loops",
        aliases=("la",),
    ),
    "balanced_softmax": LossSpec(
        function="lossassay.losses.imbalance:balanced_softmax",
        title="Balanced softmax",
        formula=r"-\log\frac{n_y e^{z_y}}{\sum_c n_c e^{z_c}}",
        paper="Ren et al. 2020, NeurIPS, arXiv:2007.10740",
        when="Logit adjustment at its natural strength, with nothing to tune.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        inputs=("class_counts",),
        equals=(
            Equals(other="logit_adjustment", other_at={"tau": 1.0}),
            Equals(other=_CROSS_ENTROPY, only="equal_counts"),
        ),
        variant_of="logit_adjustment",
        elsewhere={"torch": "F.cross_entropy(scores + counts.log(), labels)"},
        oracle="closed form in probabilities, in loops",
    ),
    "vs_loss": LossSpec(
        function="lossassay.losses.imbalance:vs_loss",
        title="Vector-scaling loss",
        formula=(
            r"-\log\mathrm{softmax}(\Delta z + \iota)_y, \quad \Delta_c = (n_c/\max_j n_j)^\gamma, \; "
            r"\iota_c = \tau\log\pi_c"
        ),
        paper="Kini et al. 2021, NeurIPS, arXiv:2103.01550",
        when="Rare classes and a network that fits its training images perfectly, where offsets alone stop acting.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        inputs=("class_counts",),
        hyper_parameters={
            "gamma": Parameter(default=0.3, low=0.0, meaning="strength of the factors; 0 is logit adjustment"),
            "tau": Parameter(default=1.0, low=0.0, meaning="strength of the offsets"),
        },
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"gamma": 0.0, "tau": 0.0}),
            Equals(other="logit_adjustment", at={"gamma": 0.0}),
            Equals(other=_CROSS_ENTROPY, only="equal_counts"),
        ),
        differs=(
            "The paper tunes gamma and tau for each data set; the defaults here are those of the authors' code "
            "(0.3 and 1), whose example for CIFAR-10 at 1:100 is 0.2 and 1.2."
        ),
        oracle="closed form in probabilities, in loops",
        aliases=("vector_scaling",),
    ),
}
