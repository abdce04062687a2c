"""Squared errors of probabilities."""

from lossassay.catalogue.loss_spec import Equals, LossSpec

TITLE = "Squared errors"

LOSSES: dict[str, LossSpec] = {
    "mean_squared_error": LossSpec(
        function="lossassay.losses.squared_error:mean_squared_error",
        title="Mean squared error on probabilities (Brier score divided by K)",
        formula=r"\frac{1}{K}\sum_c (p_c - t_c)^2",
        paper="Brier 1950, Mon. Weather Rev. 78:1",
        when="Bounded, so one wrong label cannot dominate; gradients vanish where the network is surely wrong.",
        encoding="dense",
        tasks=("single_label",),
        link="softmax",
        bounded=True,
        equals=(Equals(other="brier", factor="1/classes"),),
        elsewhere={
            "torch": "F.mse_loss(scores.softmax(-1), rows)",
            "keras": "keras.losses.MeanSquaredError() after a softmax layer",
        },
        oracle="keras.ops.square on softmax probabilities",
        aliases=("mse",),
    ),
    "brier": LossSpec(
        function="lossassay.losses.squared_error:brier",
        title="Brier score (squared error on probabilities, summed over classes)",
        formula=r"\sum_c (p_c - t_c)^2",
        paper="Brier 1950, Mon. Weather Rev. 78:1",
        when="As mean squared error, with a gradient that does not shrink with the number of classes.",
        encoding="dense",
        tasks=("single_label",),
        link="softmax",
        bounded=True,
        equals=(Equals(other="mean_squared_error", factor="classes"),),
        variant_of="mean_squared_error",
        elsewhere={"torch": "(scores.softmax(-1) - rows).square().sum(-1).mean()"},
        oracle="closed form in numpy",
    ),
    "root_mean_squared_error": LossSpec(
        function="lossassay.losses.squared_error:root_mean_squared_error",
        title="Root mean squared error on probabilities (root of the batch mean)",
        formula=r"\sqrt{\frac{1}{BK}\sum_{b,c} (p_{bc} - t_{bc})^2}",
        paper="Brier 1950, Mon. Weather Rev. 78:1; the root as in keras.metrics.RootMeanSquaredError",
        when="Only to compare with earlier work: the value of a batch depends on its size.",
        encoding="dense",
        kind="batch",
        tasks=("single_label",),
        link="softmax",
        bounded=True,
        equals=(),
        oracle="closed form in numpy",
        aliases=("rmse",),
    ),
}
