"""Losses that are one minus a score of the whole batch."""

from typing import Any

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Scores of a batch"

_MEAN = r"1 - \frac{1}{|C|}\sum_{c \in C}"
_COUNTS = (
    r", \quad TP_c = \sum_b t_{bc} p_{bc}, \; FP_c = \sum_b (1 - t_{bc}) p_{bc}, \; FN_c = \sum_b t_{bc}(1 - p_{bc})"
)
_F1 = _MEAN + r"\frac{2\,TP_c}{2\,TP_c + FP_c + FN_c}" + _COUNTS
_DICE = _MEAN + r"\frac{2\sum_b t_{bc} p_{bc}}{\sum_b t_{bc}^2 + \sum_b p_{bc}^2}"
_TVERSKY = _MEAN + r"\frac{TP_c}{TP_c + \alpha FP_c + \beta FN_c}" + _COUNTS
_MATTHEWS = (
    _MEAN
    + r"\frac{TP_c TN_c - FP_c FN_c}{\sqrt{(TP_c + FP_c)(TP_c + FN_c)(TN_c + FP_c)(TN_c + FN_c)}}"
    + _COUNTS
    + r", \; TN_c = \sum_b (1 - t_{bc})(1 - p_{bc})"
)
_PASTOR = "Pastor-Pellicer et al. 2013, IWANN (F-measure as an error function)"
_MILLETARI = "Milletari et al. 2016, 3DV, arXiv:1606.04797"
_SALEHI = "Salehi et al. 2017, MLMI, arXiv:1706.05721"
_ABHISHEK = "Abhishek and Hamarneh 2021, ISBI, arXiv:2010.13454"
_ALPHA = Parameter(default=0.5, low=0.0, meaning="weight of false positives, as in the paper")
_BETA = Parameter(default=0.5, low=0.0, meaning="weight of false negatives, as in the paper; it tries 0.5 to 0.9")
_LEFT_OUT = "Here classes that the batch does not have are left out of the mean, elsewhere they are constants"
_F1_DIFFERS = (
    "keras.losses.Dice without axis takes one sum over all classes, which for one label per image is the mean of "
    f"1 - p_y and no F1 at all. {_LEFT_OUT}, or smoothed by a small number."
)
_DICE_DIFFERS = (
    "keras, and MONAI unless told squared_pred=True, have plain sums below the fraction bar: that is soft F1. "
    f"{_LEFT_OUT}, or smoothed by a small number."
)
_TVERSKY_DIFFERS = (
    "keras 3.15.1 says that alpha weighs false positives but multiplies the false negatives by it, and beta the false "
    f"positives: its alpha is our beta. {_LEFT_OUT}, or smoothed by a small number."
)
_MATTHEWS_DIFFERS = (
    "The authors' code sums all pixels of one finding; MONAI judges each example by itself unless told batch=True, and "
    f"adds 1e-5 below the root. {_LEFT_OUT}, or smoothed by a small number."
)
_FINDINGS: dict[str, Any] = {
    "encoding": "dense",
    "kind": "batch",
    "tasks": ("multi_label",),
    "link": "sigmoid",
    "output": "score",
    "bounded": True,
}
_CLASSES: dict[str, Any] = _FINDINGS | {"tasks": ("single_label",), "link": "softmax"}

LOSSES: dict[str, LossSpec] = {
    "soft_f1": LossSpec(
        function="lossassay.losses.batch_scores:soft_f1",
        title="Soft F1 (macro, softmax)",
        formula=_F1,
        paper=_PASTOR,
        when="Macro F1 is the yardstick; best beside cross-entropy, as its gradients vanish where it is surely wrong.",
        equals=(Equals(other="tversky"),),
        variant_of="tversky",
        elsewhere={"keras": "keras.ops.mean(keras.losses.dice(rows, probabilities, axis=0))"},
        differs=_F1_DIFFERS,
        oracle="keras.losses.dice(axis=0) of softmax probabilities, mean over the classes of the batch",
        aliases=("macro_soft_f1",),
        **_CLASSES,
    ),
    "sigmoid_soft_f1": LossSpec(
        function="lossassay.losses.batch_scores:sigmoid_soft_f1",
        title="Soft F1 of findings (macro, sigmoid)",
        formula=_F1,
        paper=_PASTOR,
        when="Findings judged by macro F1; best beside binary cross-entropy.",
        equals=(Equals(other="sigmoid_tversky"),),
        variant_of="sigmoid_tversky",
        elsewhere={"keras": "keras.ops.mean(keras.losses.dice(rows, probabilities, axis=0))"},
        differs=_F1_DIFFERS,
        oracle="keras.losses.dice(axis=0) of sigmoid probabilities, mean over the findings of the batch",
        **_FINDINGS,
    ),
    "dice": LossSpec(
        function="lossassay.losses.batch_scores:dice",
        title="Dice of V-Net (macro, softmax)",
        formula=_DICE,
        paper=_MILLETARI,
        when="As soft F1, with squares below the fraction bar, which pull less towards 0 and 1.",
        equals=(),
        differs=_DICE_DIFFERS,
        oracle="squared errors over squares, in loops",
        **_CLASSES,
    ),
    "sigmoid_dice": LossSpec(
        function="lossassay.losses.batch_scores:sigmoid_dice",
        title="Dice of V-Net for findings (macro, sigmoid)",
        formula=_DICE,
        paper=_MILLETARI,
        when="As soft F1 of findings, with squares below the fraction bar.",
        equals=(),
        differs=_DICE_DIFFERS,
        oracle="squared errors over squares, in loops",
        **_FINDINGS,
    ),
    "tversky": LossSpec(
        function="lossassay.losses.batch_scores:tversky",
        title="Tversky (macro, softmax)",
        formula=_TVERSKY,
        paper=_SALEHI,
        when="As soft F1, where missing a rare class is worse than a false alarm, or the other way round.",
        hyper_parameters={"alpha": _ALPHA, "beta": _BETA},
        equals=(Equals(other="soft_f1"),),
        elsewhere={
            "keras": "keras.ops.mean(keras.losses.tversky(rows, probabilities, alpha=beta, beta=alpha, axis=0))",
        },
        differs=_TVERSKY_DIFFERS,
        oracle="keras.losses.tversky(axis=0) of softmax probabilities with alpha and beta exchanged",
        **_CLASSES,
    ),
    "sigmoid_tversky": LossSpec(
        function="lossassay.losses.batch_scores:sigmoid_tversky",
        title="Tversky for findings (macro, sigmoid)",
        formula=_TVERSKY,
        paper=_SALEHI,
        when="As soft F1 of findings, where missing one is worse than a false alarm, or the other way round.",
        hyper_parameters={"alpha": _ALPHA, "beta": _BETA},
        equals=(Equals(other="sigmoid_soft_f1"),),
        elsewhere={
            "keras": "keras.ops.mean(keras.losses.tversky(rows, probabilities, alpha=beta, beta=alpha, axis=0))",
        },
        differs=_TVERSKY_DIFFERS,
        oracle="keras.losses.tversky(axis=0) of sigmoid probabilities with alpha and beta exchanged",
        **_FINDINGS,
    ),
    "soft_matthews_correlation": LossSpec(
        function="lossassay.losses.batch_scores:soft_matthews_correlation",
        title="Soft Matthews correlation (macro, softmax)",
        formula=_MATTHEWS,
        paper=_ABHISHEK,
        when="As soft F1, where true negatives should count too: no class gains by being predicted always.",
        equals=(),
        differs=_MATTHEWS_DIFFERS,
        oracle="correlation of labels and probabilities over the batch, class by class",
        aliases=("soft_mcc",),
        **_CLASSES,
    ),
    "sigmoid_matthews_correlation": LossSpec(
        function="lossassay.losses.batch_scores:sigmoid_matthews_correlation",
        title="Soft Matthews correlation of findings (macro, sigmoid)",
        formula=_MATTHEWS,
        paper=_ABHISHEK,
        when="As soft F1 of findings, where true negatives should count too.",
        equals=(),
        differs=_MATTHEWS_DIFFERS,
        oracle="the four sums and their product, in loops",
        aliases=("sigmoid_mcc",),
        **_FINDINGS,
    ),
}
