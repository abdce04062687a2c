"""Cross-entropy, plain and with a focus on some examples."""

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Cross-entropy"

LOSSES: dict[str, LossSpec] = {
    "categorical_crossentropy": LossSpec(
        function="lossassay.losses.cross_entropy:categorical_crossentropy",
        title="Categorical cross-entropy (one-hot or soft labels)",
        formula=r"-\sum_c t_c \log p_c",
        paper="Good 1952, J. R. Stat. Soc. B 14:107; Bridle 1990, NIPS 2",
        when="The default for single labels; takes soft labels too.",
        encoding="dense",
        tasks=("single_label",),
        link="softmax",
        equals=(Equals(other="sparse_categorical_crossentropy"),),
        elsewhere={
            "torch": "F.cross_entropy(scores, rows)",
            "keras": "keras.losses.CategoricalCrossentropy(from_logits=True)",
            "optax": "optax.safe_softmax_cross_entropy(scores, rows)",
        },
        differs=(
            "With class weights, torch divides by the number of examples for rows, but by the sum of their weights for "
            "class indices (pytorch#107680), and keras by the number of examples; here it is always their number."
        ),
        oracle="keras.losses.categorical_crossentropy(from_logits=True)",
        aliases=("cce",),
    ),
    "sparse_categorical_crossentropy": LossSpec(
        function="lossassay.losses.cross_entropy:sparse_categorical_crossentropy",
        title="Sparse categorical cross-entropy (integer labels)",
        formula=r"-\log p_y = \log\sum_c e^{z_c} - z_y",
        paper="Good 1952, J. R. Stat. Soc. B 14:107; Bridle 1990, NIPS 2",
        when="The same function as categorical cross-entropy with K times less label memory.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        equals=(Equals(other="categorical_crossentropy"),),
        variant_of="categorical_crossentropy",
        elsewhere={
            "torch": "F.cross_entropy(scores, labels)",
            "keras": "keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
            "optax": "optax.softmax_cross_entropy_with_integer_labels(scores, labels)",
        },
        oracle="keras.losses.sparse_categorical_crossentropy(from_logits=True)",
        aliases=("scce", "cross_entropy"),
    ),
    "focal": LossSpec(
        function="lossassay.losses.focal:focal",
        title="Focal loss (softmax form)",
        formula=r"-(1 - p_y)^\gamma \log p_y",
        paper="Lin et al. 2017, ICCV, arXiv:1708.02002, eq. 4",
        when="Many easy examples and few hard ones; gamma 0 is cross-entropy.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "gamma": Parameter(default=2.0, low=0.0, meaning="focusing; 0 gives cross-entropy"),
        },
        equals=(Equals(other="sparse_categorical_crossentropy", at={"gamma": 0.0}),),
        elsewhere={
            "keras": "keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, from_logits=True)",
        },
        differs=(
            "keras multiplies by alpha = 0.25 for all classes, which only makes the learning rate four times smaller; "
            "MONAI's default is the sigmoid form; fastai takes p_y from the weighted cross-entropy, so that its "
            "focusing is wrong with class weights. keras clips probabilities at 1e-7, where a surely wrong answer no "
            "longer pulls."
        ),
        oracle="keras.losses.categorical_focal_crossentropy(alpha=1) on softmax probabilities",
    ),
}
