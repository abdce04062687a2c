"""Squared errors of probabilities and of scores, and the spherical score."""

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

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
        differs=(
            "The sum over classes, as Brier wrote it; scikit-learn's brier_score_loss halves it for two classes, where "
            "it is the squared error of the second class alone."
        ),
        oracle="keras.ops.square on softmax probabilities, summed",
    ),
    "root_mean_squared_error": LossSpec(
        function="lossassay.losses.squared_error:root_mean_squared_error",
        title="Root mean squared error on probabilities (root of the batch mean)",
        formula=r"\sqrt{\frac{1}{BK}\sum_{b,c} (p_{bc} - t_{bc})^2}",
        paper="Brier 1950, Mon. Weather Rev. 78:1; the root as in keras.metrics.RootMeanSquaredError",
        when="Only to compare with earlier work: its value depends on the batch, and only a large one is proper.",
        encoding="dense",
        kind="batch",
        tasks=("single_label",),
        link="softmax",
        bounded=True,
        equals=(),
        oracle="closed form in numpy",
        aliases=("rmse",),
    ),
    "squared_error_on_logits": LossSpec(
        function="lossassay.losses.squared_scores:squared_error_on_logits",
        title="Squared error on the scores",
        formula=r"\kappa(z_y - M)^2 + \sum_{c \ne y} z_c^2",
        paper="Hui and Belkin 2021, ICLR, arXiv:2006.07322",
        when="In place of cross-entropy where probabilities are not needed; it can be as good.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "kappa": Parameter(
                default=1.0,
                low=0.0,
                meaning="weight of the true class (k in the paper); rescaled from 42 classes on",
            ),
            "m": Parameter(default=1.0, low=0.0, meaning="M, what the true class's score should be"),
        },
        equals=(Equals(other="squared_error_kornblith", other_at={"kappa": 1.0, "m": 1.0, "loss_scale": 1.0}),),
        elsewhere={
            "torch": "(scores - rows).square().sum(-1).mean()  # kappa = M = 1",
            "optax": "optax.squared_error(scores, rows).sum(-1)  # kappa = M = 1",
        },
        differs=(
            "The sum over classes, as Kornblith et al. write it; the mean of torch.nn.MSELoss is K times smaller. Not "
            "shift invariant; no softmax in training. At least one copy multiplies by k where the row is 1, after M "
            "went into the row, and so ignores k for every M but 1."
        ),
        oracle="squares of differences to scaled one-hot rows, in loops",
        aliases=("square_loss",),
    ),
    "squared_error_kornblith": LossSpec(
        function="lossassay.losses.squared_scores:squared_error_kornblith",
        title="Squared error on the scores, values for a thousand classes",
        formula=r"L\left[\kappa(z_y - M)^2 + \sum_{c \ne y} z_c^2\right]",
        paper="Kornblith et al. 2021, NeurIPS, arXiv:2010.16402",
        when="To repeat Kornblith et al.; for few classes its steps are very large.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "kappa": Parameter(default=9.0, low=0.0, meaning="weight of the true class"),
            "m": Parameter(default=60.0, low=0.0, meaning="M, what the true class's score should be"),
            "loss_scale": Parameter(default=10.0, low=0.1, meaning="L, what everything is multiplied by"),
        },
        equals=(Equals(other="squared_error_on_logits", other_at={"kappa": 9.0, "m": 60.0}, factor=10.0),),
        variant_of="squared_error_on_logits",
        differs="Hui and Belkin have kappa = M = 1 and no scale for few classes.",
        oracle="squares of differences to scaled one-hot rows, in loops",
    ),
    "spherical_score": LossSpec(
        function="lossassay.losses.spherical:spherical_score",
        title="Spherical score",
        formula=r"1 - p_y / \lVert p \rVert_2",
        paper="Good 1971; Gneiting and Raftery 2007, JASA 102:359",
        when="Bounded and proper, with less gradient than the Brier score where the network is surely wrong.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        bounded=True,
        equals=(),
        elsewhere={"torch": "1 - F.cosine_similarity(scores.softmax(-1), rows)"},
        differs="The literature has the score itself, p_y / |p|: to be raised, not lowered.",
        oracle="torch.nn.functional.cosine_similarity of probabilities and one-hot rows",
        aliases=("spherical",),
    ),
}
