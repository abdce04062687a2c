"""Losses that wrong labels harm less."""

import math

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Noisy labels"

_CROSS_ENTROPY = "sparse_categorical_crossentropy"
_ABSOLUTE_ERROR = "mean_absolute_error_probability"
_MA = "Ma et al. 2020, ICML, arXiv:2006.13554"
_ALPHA = Parameter(default=1.0, low=0.0, meaning="weight of the active part; the paper: 1 (CIFAR-10), 10 (CIFAR-100)")
_BETA = Parameter(default=1.0, low=0.0, meaning="weight of the passive part; the paper: 1 (CIFAR-10), 0.1 (CIFAR-100)")
_BETA_MAE = Parameter(default=1.0, low=0.0, meaning="weight of the passive part; the authors' settings are 0.5 here")
_GAMMA = Parameter(default=0.5, low=0.0, meaning="focusing; 0 gives normalised cross-entropy")
_LOG_ZERO = Parameter(
    default=math.log(1e-4),
    low=-100.0,
    high=0.0,
    meaning="A, what stands for log 0: the logarithm of 1e-4 in the authors' code; Ma et al. 2020 write -4",
)
_NOISE_RATE = Parameter(
    default=0.2,
    low=0.0,
    high=1.0,
    meaning="share of wrong labels, all other classes equally likely; 0 is cross-entropy",
)
_TRANSITION = Parameter(
    default=None,
    kind="matrix",
    low=0.0,
    high=1.0,
    optional=True,
    per_class=True,
    meaning="in place of the noise rate: row i, column j is how often class i is labelled j; rows sum to one",
)
_HALF = (
    "The authors' code takes 1 - p_y for the absolute error, half of what the paper writes: its beta is twice this one."
)
_STOP = (
    "The authors' code lets no gradient through the focusing factor of the label given, and none through those in the "
    "sum; here it goes through all."
)

LOSSES: dict[str, LossSpec] = {
    "mean_absolute_error_probability": LossSpec(
        function="lossassay.losses.bounded:mean_absolute_error_probability",
        title="Mean absolute error on probabilities",
        formula=r"\sum_c |p_c - t_c| = 2(1 - p_y)",
        paper="Ghosh et al. 2017, AAAI, arXiv:1712.09482",
        when="Many wrong labels and few classes; with many classes it hardly learns.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        bounded=True,
        equals=(
            Equals(other="reverse_cross_entropy", other_at={"log_zero": -2.0}),
            Equals(other="generalized_cross_entropy", other_at={"q": 1.0}, factor=2.0),
        ),
        elsewhere={"torch": "2 * (1 - scores.softmax(-1).gather(-1, labels[:, None])[:, 0])"},
        differs=(
            "The sum over classes is 2 (1 - p_y); the code of Ma et al. 2020 takes half of it, and keras "
            "MeanAbsoluteError on one-hot rows the mean over classes."
        ),
        oracle="keras.ops.abs on softmax probabilities and one-hot rows, summed",
        aliases=("mae",),
    ),
    "generalized_cross_entropy": LossSpec(
        function="lossassay.losses.bounded:generalized_cross_entropy",
        title="Generalised cross-entropy",
        formula=r"(1 - p_y^q) / q",
        paper="Zhang and Sabuncu 2018, NeurIPS, arXiv:1805.07836",
        when="Some wrong labels: one number goes from cross-entropy to absolute error.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "q": Parameter(default=0.7, low=0.0, high=1.0, meaning="0 is cross-entropy, 1 is half the absolute error"),
        },
        bounded=True,
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"q": 0.0}),
            Equals(other=_CROSS_ENTROPY, at={"q": 1e-8}, tolerance=1e-6),
            Equals(other=_ABSOLUTE_ERROR, at={"q": 1.0}, factor=0.5),
        ),
        elsewhere={
            "keras": "keras.losses.CategoricalGeneralizedCrossEntropy(q=0.7) after a softmax layer",
        },
        differs=(
            "keras has q = 0.5 as default, and takes class indices although its name says categorical; the paper has "
            "0.7, and so has the code of Ma et al."
        ),
        oracle="keras.losses.categorical_generalized_cross_entropy on softmax probabilities",
        aliases=("gce",),
    ),
    "reverse_cross_entropy": LossSpec(
        function="lossassay.losses.bounded:reverse_cross_entropy",
        title="Reverse cross-entropy",
        formula=r"-\sum_c p_c\log t_c = -A(1 - p_y), \quad \log 0 := A",
        paper="Wang et al. 2019, ICCV, arXiv:1908.06112",
        when="As part of symmetric cross-entropy; alone it is absolute error with another step size.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={"log_zero": _LOG_ZERO},
        bounded=True,
        equals=(
            Equals(other=_ABSOLUTE_ERROR, at={"log_zero": -2.0}),
            Equals(other=_ABSOLUTE_ERROR, at={"log_zero": -4.0}, factor=2.0),
        ),
        variant_of=_ABSOLUTE_ERROR,
        differs="A is -4 in the text of Ma et al. 2020, but log 1e-4 = -9.21 in the code of both papers.",
        oracle="as the papers' code: one-hot rows clamped from below before the logarithm",
        aliases=("rce",),
    ),
    "symmetric_cross_entropy": LossSpec(
        function="lossassay.losses.bounded:symmetric_cross_entropy",
        title="Symmetric cross-entropy",
        formula=r"-\alpha\log p_y - \beta A(1 - p_y)",
        paper="Wang et al. 2019, ICCV, arXiv:1908.06112",
        when="Some wrong labels: a tenth of cross-entropy keeps it learning, the bounded part bears the noise.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "alpha": Parameter(default=0.1, low=0.0, meaning="weight of cross-entropy; 0.1 for CIFAR-10 in the paper"),
            "beta": Parameter(default=1.0, low=0.0, meaning="weight of reverse cross-entropy"),
            "log_zero": _LOG_ZERO,
        },
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"alpha": 1.0, "beta": 0.0}),
            Equals(other="reverse_cross_entropy", at={"alpha": 0.0, "beta": 1.0}),
        ),
        differs=(
            "The authors' code clamps p at 1e-7 before the logarithm, so that beyond 16 nats a wrong answer has no "
            "gradient; here it has."
        ),
        oracle="as the papers' code: rows clamped from below before the logarithm",
        aliases=("sce",),
    ),
    "normalized_cross_entropy": LossSpec(
        function="lossassay.losses.normalized:normalized_cross_entropy",
        title="Normalised cross-entropy",
        formula=r"\log p_y / \sum_c \log p_c",
        paper=_MA,
        when="As the active part of an active-passive loss; alone it learns too little.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        bounded=True,
        equals=(
            Equals(other="normalized_focal", other_at={"gamma": 0.0}),
            Equals(other="normalized_generalized_cross_entropy", other_at={"q": 0.0}),
        ),
        oracle="closed form in probabilities, in loops",
        aliases=("nce",),
    ),
    "normalized_focal": LossSpec(
        function="lossassay.losses.normalized:normalized_focal",
        title="Normalised focal loss",
        formula=r"\frac{(1-p_y)^\gamma\log p_y}{\sum_c (1-p_c)^\gamma\log p_c}",
        paper=_MA,
        when="As normalised cross-entropy, with a focus on hard examples.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={"gamma": _GAMMA},
        bounded=True,
        equals=(Equals(other="normalized_cross_entropy", at={"gamma": 0.0}),),
        differs=_STOP,
        oracle="closed form in probabilities, in loops",
        aliases=("nfl",),
    ),
    "normalized_generalized_cross_entropy": LossSpec(
        function="lossassay.losses.normalized:normalized_generalized_cross_entropy",
        title="Normalised generalised cross-entropy",
        formula=r"\frac{1-p_y^q}{K-\sum_c p_c^q}",
        paper=_MA,
        when="As normalised cross-entropy; q = 1 is normalised absolute error.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "q": Parameter(
                default=0.7, low=0.0, high=1.0, meaning="0 is normalised cross-entropy, 1 normalised absolute error"
            ),
        },
        bounded=True,
        equals=(
            Equals(other="normalized_cross_entropy", at={"q": 0.0}),
            Equals(other="normalized_cross_entropy", at={"q": 1e-8}, tolerance=1e-6),
            Equals(other=_ABSOLUTE_ERROR, at={"q": 1.0}, factor=0.5, only="two_classes"),
        ),
        differs="The authors take q = 0.7 by default, but 0.1 in their experiments with a passive partner.",
        oracle="closed form in probabilities, in loops",
        aliases=("ngce",),
    ),
    "nce_and_rce": LossSpec(
        function="lossassay.losses.normalized:nce_and_rce",
        title="Active-passive: normalised cross-entropy and reverse cross-entropy",
        formula=r"\alpha\,\frac{\log p_y}{\sum_c\log p_c} - \beta A(1-p_y)",
        paper=_MA,
        when="Many wrong labels, a third and more: the active part learns, the passive part bears the noise.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={"alpha": _ALPHA, "beta": _BETA, "log_zero": _LOG_ZERO},
        bounded=True,
        equals=(
            Equals(other="normalized_cross_entropy", at={"alpha": 1.0, "beta": 0.0}),
            Equals(other="reverse_cross_entropy", at={"alpha": 0.0, "beta": 1.0}),
            Equals(other="nce_and_mae", at={"log_zero": -2.0}),
        ),
        oracle="closed form in probabilities, in loops",
    ),
    "nce_and_mae": LossSpec(
        function="lossassay.losses.normalized:nce_and_mae",
        title="Active-passive: normalised cross-entropy and absolute error",
        formula=r"\alpha\,\frac{\log p_y}{\sum_c\log p_c} + 2\beta(1-p_y)",
        paper=_MA,
        when="As normalised with reverse cross-entropy, with a weaker passive part.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={"alpha": _ALPHA, "beta": _BETA_MAE},
        bounded=True,
        equals=(
            Equals(other="nce_and_rce", other_at={"log_zero": -2.0}),
            Equals(other=_ABSOLUTE_ERROR, at={"alpha": 0.0, "beta": 1.0}),
        ),
        variant_of="nce_and_rce",
        differs=_HALF,
        oracle="closed form in probabilities, in loops",
    ),
    "nfl_and_rce": LossSpec(
        function="lossassay.losses.normalized:nfl_and_rce",
        title="Active-passive: normalised focal loss and reverse cross-entropy",
        formula=r"\alpha\,\frac{(1-p_y)^\gamma\log p_y}{\sum_c(1-p_c)^\gamma\log p_c} - \beta A(1-p_y)",
        paper=_MA,
        when="As normalised with reverse cross-entropy, with a focus on hard examples.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={"alpha": _ALPHA, "beta": _BETA, "gamma": _GAMMA, "log_zero": _LOG_ZERO},
        bounded=True,
        equals=(
            Equals(other="nce_and_rce", at={"gamma": 0.0}),
            Equals(other="normalized_focal", at={"alpha": 1.0, "beta": 0.0}),
            Equals(other="reverse_cross_entropy", at={"alpha": 0.0, "beta": 1.0}),
        ),
        differs=_STOP,
        oracle="closed form in probabilities, in loops",
    ),
    "nfl_and_mae": LossSpec(
        function="lossassay.losses.normalized:nfl_and_mae",
        title="Active-passive: normalised focal loss and absolute error",
        formula=r"\alpha\,\frac{(1-p_y)^\gamma\log p_y}{\sum_c(1-p_c)^\gamma\log p_c} + 2\beta(1-p_y)",
        paper=_MA,
        when="As normalised focal loss with reverse cross-entropy, with a weaker passive part.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={"alpha": _ALPHA, "beta": _BETA_MAE, "gamma": _GAMMA},
        bounded=True,
        equals=(
            Equals(other="nfl_and_rce", other_at={"log_zero": -2.0}),
            Equals(other="nce_and_mae", at={"gamma": 0.0}),
            Equals(other="normalized_focal", at={"alpha": 1.0, "beta": 0.0}),
        ),
        variant_of="nfl_and_rce",
        differs=f"{_HALF} {_STOP}",
        oracle="closed form in probabilities, in loops",
    ),
    "bootstrap_soft": LossSpec(
        function="lossassay.losses.corrected:bootstrap_soft",
        title="Soft bootstrapping",
        formula=r"-\sum_c [\beta t_c + (1-\beta) p_c]\log p_c",
        paper="Reed et al. 2015, ICLR workshop, arXiv:1412.6596",
        when="A few wrong labels; the network's own opinion counts a little.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "beta": Parameter(default=0.95, low=0.1, high=1.0, meaning="trust in the label; 1 is cross-entropy"),
        },
        equals=(Equals(other=_CROSS_ENTROPY, at={"beta": 1.0}),),
        differs=(
            "Some versions take the target p as given, without a gradient, so that nothing pushes towards sure "
            "answers. Here the term is the entropy of p with its gradient, as in the paper."
        ),
        oracle="closed form in probabilities, in loops",
    ),
    "bootstrap_hard": LossSpec(
        function="lossassay.losses.corrected:bootstrap_hard",
        title="Hard bootstrapping",
        formula=r"-\beta\log p_y - (1-\beta)\log\max_c p_c",
        paper="Reed et al. 2015, ICLR workshop, arXiv:1412.6596",
        when="As soft bootstrapping; the network's likeliest class counts in place of its probabilities.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "beta": Parameter(default=0.8, low=0.1, high=1.0, meaning="trust in the label; 1 is cross-entropy"),
        },
        equals=(Equals(other=_CROSS_ENTROPY, at={"beta": 1.0}),),
        oracle="closed form in probabilities, in loops",
    ),
    "forward_correction": LossSpec(
        function="lossassay.losses.corrected:forward_correction",
        title="Forward correction",
        formula=r"-\log\sum_i p_i T_{iy}",
        paper="Patrini et al. 2017, CVPR, arXiv:1609.03683",
        when="It is known how often which label is wrong, for example from a second reader.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        hyper_parameters={"noise_rate": _NOISE_RATE, "transition": _TRANSITION},
        bounded=True,
        equals=(Equals(other=_CROSS_ENTROPY, at={"noise_rate": 0.0}),),
        elsewhere={"torch": "F.nll_loss((scores.softmax(-1) @ transition).log(), labels)"},
        differs="The paper estimates T from the data; here it is given.",
        oracle="closed form in probabilities, in loops",
    ),
    "backward_correction": LossSpec(
        function="lossassay.losses.corrected:backward_correction",
        title="Backward correction",
        formula=r"-\sum_j (T^{-1})_{yj}\log p_j",
        paper="Patrini et al. 2017, CVPR, arXiv:1609.03683",
        when="As forward correction; unbiased whatever the network, but noisier, so prefer the other.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        hyper_parameters={"noise_rate": _NOISE_RATE, "transition": _TRANSITION},
        low=None,
        equals=(Equals(other=_CROSS_ENTROPY, at={"noise_rate": 0.0}),),
        elsewhere={
            "torch": "-(torch.linalg.inv(transition)[labels] * scores.log_softmax(-1)).sum(-1).mean()",
        },
        differs="The paper estimates T from the data; here it is given.",
        oracle="the inverse of symmetric noise in closed form, otherwise of numpy; in loops",
    ),
    "negative_learning": LossSpec(
        function="lossassay.losses.corrected:negative_learning",
        title="Negative learning",
        formula=r"-\log(1 - p_{\bar y}), \quad \bar y \ne y \text{ drawn uniformly}",
        paper="Kim et al. 2019, ICCV, arXiv:1908.07387",
        when="Many wrong labels and several classes: what an image is not is more often right than what it is.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        inputs=("rows", "epoch"),
        equals=(Equals(other=_CROSS_ENTROPY, only="two_classes"),),
        differs=(
            "This is the first of the paper's three stages (NL, SelNL, SelPL). The version of Ma et al. 2020 clamps "
            "1 - p at 1e-5 and weights by class; here neither."
        ),
        oracle="closed form in probabilities, the draw in whole numbers of Python, in loops",
        aliases=("nl",),
    ),
}
