"""Cross-entropy with something added, smoothed or bent."""

from lossassay.catalogue.families.reshaped import RESHAPED
from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Regularised cross-entropy"

_CROSS_ENTROPY = "sparse_categorical_crossentropy"
_KORNBLITH = "Kornblith et al. 2021, NeurIPS, arXiv:2010.16402"

LOSSES: dict[str, LossSpec] = {
    "label_smoothing": LossSpec(
        function="lossassay.losses.regularised:label_smoothing",
        title="Label smoothing",
        formula=r"-(1-\epsilon)\log p_y - \frac{\epsilon}{K}\sum_c\log p_c",
        paper="Szegedy et al. 2016, CVPR, arXiv:1512.00567; Müller et al. 2019, NeurIPS, arXiv:1906.02629",
        when="Few images, or scores that grow too sure; the first regulariser to try.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "epsilon": Parameter(
                default=0.1,
                low=0.0,
                high=1.0,
                meaning="share of the label that is spread over all classes, the true one included; 0 is cross-entropy",
            ),
        },
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"epsilon": 0.0}),
            Equals(other="asymmetric_single_label", other_at={"gamma_pos": 0.0, "gamma_neg": 0.0}),
        ),
        elsewhere={
            "torch": "F.cross_entropy(scores, labels, label_smoothing=0.1)",
            "keras": "keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)",
            "optax": "optax.losses.softmax_cross_entropy(scores, optax.losses.smooth_labels(rows, 0.1))",
        },
        differs=(
            "Kornblith et al. divide by 1 - epsilon, which makes every step larger. The modes classy_vision and "
            "multi_label of mmpretrain spread another amount; smoothing in keras BinaryCrossentropy pulls to one half."
        ),
        oracle="torch.nn.functional.cross_entropy(label_smoothing=..., reduction='none')",
    ),
    "confidence_penalty": LossSpec(
        function="lossassay.losses.regularised:confidence_penalty",
        title="Confidence penalty",
        formula=r"-\log p_y + \beta\sum_c p_c\log p_c",
        paper="Pereyra et al. 2017, ICLR workshop, arXiv:1701.06548",
        when="As label smoothing, but classes that look alike may stay alike.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "beta": Parameter(
                default=0.1,
                low=0.0,
                meaning="weight of the entropy; 0 is cross-entropy; the default is what the paper is quoted with, "
                "which tunes it for each task",
            ),
        },
        low=None,
        equals=(Equals(other=_CROSS_ENTROPY, at={"beta": 0.0}),),
        differs=(
            "torch-uncertainty has 1 as default, adds beta log K, and takes the logarithm of p + 1e-6. The paper also "
            "has a form that charges only entropies below a limit; it is not this one."
        ),
        oracle="closed form in probabilities, in loops",
    ),
    "maxsup": LossSpec(
        function="lossassay.losses.regularised:maxsup",
        title="Max suppression (MaxSup)",
        formula=r"-\log p_y + \alpha\left(\max_c z_c - \frac1K\sum_c z_c\right)",
        paper="Zhou et al. 2025, arXiv:2502.15798",
        when="As label smoothing, and sure errors are to be held back too.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "alpha": Parameter(default=0.1, low=0.0, meaning="weight of the largest score; 0 is cross-entropy"),
        },
        equals=(Equals(other=_CROSS_ENTROPY, at={"alpha": 0.0}),),
        differs=(
            "Code on the web raises the weight from 0.1 to 0.2 over the epochs, here it stays. torch-uncertainty has 0 "
            "as default, which is cross-entropy, and with reduction='none' adds the batch's mean cross-entropy to "
            "each example."
        ),
        oracle="keras.losses.sparse_categorical_crossentropy, and the rest in loops",
    ),
    "logit_penalty": LossSpec(
        function="lossassay.losses.regularised:logit_penalty",
        title="Logit penalty",
        formula=r"-\log p_y + \frac{\beta}{2}\sum_c z_c^2",
        paper=f"Dauphin and Cubuk 2021, ICLR; {_KORNBLITH}",
        when="Scores that grow without end, for example in low precision or with very separable classes.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        hyper_parameters={
            "beta": Parameter(
                default=6e-4, low=0.0, meaning="weight of the squared length of the scores; 0 is cross-entropy"
            ),
        },
        equals=(Equals(other=_CROSS_ENTROPY, at={"beta": 0.0}),),
        elsewhere={
            "torch": "F.cross_entropy(scores, labels) + 0.5 * 6e-4 * scores.square().sum(-1).mean()",
        },
        differs="The default is that of Kornblith et al. for ImageNet, with the half in front of the square.",
        oracle="keras.losses.sparse_categorical_crossentropy, and the rest in loops",
    ),
    "logit_normalization": LossSpec(
        function="lossassay.losses.regularised:logit_normalization",
        title="Logit normalisation (LogitNorm)",
        formula=r"-\log\mathrm{softmax}\left(\frac{z}{\tau\lVert z\rVert}\right)_y",
        paper=f"{_KORNBLITH}; Wei et al. 2022, ICML, arXiv:2205.09310",
        when="Images of no known class have to be told by their low probabilities.",
        encoding="integer",
        tasks=("single_label",),
        link="normalized_softmax",
        hyper_parameters={
            "temperature": Parameter(
                default=0.04,
                low=0.02,
                meaning="tau, one over the length that the scores get; 0.04 in both papers",
            ),
        },
        bounded=True,
        equals=(),
        elsewhere={"torch": "F.cross_entropy(F.normalize(scores, dim=-1) / 0.04, labels)"},
        differs=(
            "The code of Wei et al. has a temperature of 1 as default, with which no class can get much more than "
            "a few times the probability of the others: it does not fit the data."
        ),
        oracle="closed form in probabilities, in loops",
        aliases=("logitnorm",),
    ),
    "final_layer_penalty": LossSpec(
        function="lossassay.losses.regularised:final_layer_penalty",
        title="Extra weight decay of the last layer",
        formula=r"-\log p_y + \frac{\lambda}{2}\sum_{c,f} W_{cf}^2",
        paper=_KORNBLITH,
        when="Weight decay of all layers is too strong for the features and too weak for the last layer.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        inputs=("head_weight",),
        hyper_parameters={
            "lambda_": Parameter(
                default=8e-4,
                low=0.0,
                high=1.0,
                meaning="lambda, weight of the squared weights of the last layer; 0 is cross-entropy",
            ),
        },
        equals=(Equals(other=_CROSS_ENTROPY, at={"lambda_": 0.0}),),
        elsewhere={
            "torch": "F.cross_entropy(scores, labels) + 0.5 * 8e-4 * head.weight.square().sum()",
            "keras": "keras.layers.Dense(classes, kernel_regularizer=keras.regularizers.L2(4e-4))",
        },
        differs=(
            "As a part of the loss it passes through the optimiser's adaptive steps; the weight decay of AdamW does "
            "not. keras L2 has no half in front."
        ),
        oracle="keras.losses.sparse_categorical_crossentropy and keras.regularizers.L2",
    ),
    "penultimate_dropout": LossSpec(
        function="lossassay.losses.regularised:penultimate_dropout",
        title="Dropout before the last layer",
        formula=r"-\log p_y, \quad z = W\,\frac{m\odot h}{\rho} + b, \quad m_f\sim\mathrm{Bernoulli}(\rho)",
        paper=f"Srivastava et al. 2014, J. Mach. Learn. Res. 15:1929; {_KORNBLITH}",
        when="Few images for many features; the features are to be used all, not some of them.",
        encoding="integer",
        tasks=("single_label",),
        head="linear_with_dropout",
        link="softmax",
        hyper_parameters={
            "keep": Parameter(
                default=0.7,
                low=0.1,
                high=1.0,
                of="head",
                meaning="rho, share of the features that is kept in training; 1 is cross-entropy",
            ),
        },
        equals=(Equals(other=_CROSS_ENTROPY),),
        variant_of=_CROSS_ENTROPY,
        elsewhere={
            "torch": "nn.Sequential(nn.Dropout(0.3), nn.Linear(features, classes)), then F.cross_entropy",
            "keras": "keras.layers.Dropout(0.3) before keras.layers.Dense(classes)",
        },
        differs="torch and keras name the share that is dropped, 0.3; the papers the share that is kept, 0.7.",
        oracle="keras.losses.sparse_categorical_crossentropy(from_logits=True)",
    ),
} | RESHAPED
