"""Findings that may occur together, or not at all."""

from lossassay.catalogue.loss_spec import LossSpec

TITLE = "Multi-label"

LOSSES: dict[str, LossSpec] = {
    "binary_crossentropy": LossSpec(
        function="lossassay.losses.binary:binary_crossentropy",
        title="Binary cross-entropy, one against all (mean over classes)",
        formula=r"-\frac{1}{K}\sum_c \left[t_c \log s_c + (1 - t_c)\log(1 - s_c)\right]",
        paper="Good 1952; one against all for single labels: Beyer et al. 2020, arXiv:2006.07159",
        when="Multi-label findings; or single labels when classes should not compete.",
        encoding="dense",
        tasks=("single_label", "multi_label"),
        link="sigmoid",
        equals=(),
        elsewhere={
            "torch": "F.binary_cross_entropy_with_logits(scores, rows)",
            "keras": "keras.losses.BinaryCrossentropy(from_logits=True)",
            "optax": "optax.sigmoid_binary_cross_entropy(scores, rows).mean(-1)",
        },
        differs="keras and torch take the mean over classes, Beyer et al. and ASL the sum: a factor of K.",
        oracle="keras.ops.binary_crossentropy(from_logits=True)",
        aliases=("bce",),
    ),
}
