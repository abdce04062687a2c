r"""Every loss by name: formula, paper, encoding, hyper-parameters and where its code lives.

Notation: z are the K scores of one example, p = softmax(z), s = sigmoid(z), y the index of the true class,
t its dense (one-hot, soft or multi-hot) row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lossassay.catalogue.parameters import Parameter
from lossassay.errors import unknown_name

Task = Literal["single_label", "multi_label"]


@dataclass(frozen=True, kw_only=True)
class LossSpec:
    """What is true of a loss, as data.

    Args:
        function: ``module:function`` of the code.
        title: The field's name for it.
        formula: LaTeX, per example unless ``kind`` is ``"batch"``.
        paper: Where it comes from.
        when: One line: when to use it.
        encoding: What the labels are: class ``"integer"`` [B] or ``"dense"`` rows [B K].
        kind: ``"example"``, or ``"batch"`` for a loss that exists only for a batch and returns shares
            that average to the batch's value.
        tasks: The tasks it can train.
        link: How scores become probabilities: softmax, or sigmoid (for single labels normalised to sum to one).
        hyper_parameters: Options by name.
        cross_entropy_at: Hyper-parameters at which it is categorical cross-entropy, or None: no such point.
        oracle: Where an independent value comes from in the tests.
        aliases: Other names under which a study may ask for it.
    """

    function: str
    title: str
    formula: str
    paper: str
    when: str
    encoding: Literal["integer", "dense"]
    kind: Literal["example", "batch"] = "example"
    tasks: tuple[Task, ...]
    link: Literal["softmax", "sigmoid"]
    hyper_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    cross_entropy_at: Mapping[str, Any] | None
    oracle: str
    aliases: tuple[str, ...] = ()


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
        cross_entropy_at={},
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
        cross_entropy_at={},
        oracle="keras.losses.sparse_categorical_crossentropy(from_logits=True)",
        aliases=("scce", "cross_entropy"),
    ),
    "binary_crossentropy": LossSpec(
        function="lossassay.losses.binary:binary_crossentropy",
        title="Binary cross-entropy, one against all (mean over classes)",
        formula=r"-\frac{1}{K}\sum_c \left[t_c \log s_c + (1 - t_c)\log(1 - s_c)\right]",
        paper="Good 1952; one against all for single labels: Beyer et al. 2020, arXiv:2006.07159",
        when="Multi-label findings; or single labels when classes should not compete.",
        encoding="dense",
        tasks=("single_label", "multi_label"),
        link="sigmoid",
        cross_entropy_at=None,
        oracle="keras.losses.binary_crossentropy(from_logits=True)",
        aliases=("bce",),
    ),
    "mean_squared_error": LossSpec(
        function="lossassay.losses.squared_error:mean_squared_error",
        title="Mean squared error on probabilities (Brier score divided by K)",
        formula=r"\frac{1}{K}\sum_c (p_c - t_c)^2",
        paper="Brier 1950, Mon. Weather Rev. 78:1",
        when="Bounded, so one wrong label cannot dominate; gradients vanish where the network is surely wrong.",
        encoding="dense",
        tasks=("single_label",),
        link="softmax",
        cross_entropy_at=None,
        oracle="keras.losses.mean_squared_error on softmax probabilities",
        aliases=("mse",),
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
        cross_entropy_at=None,
        oracle="closed form in numpy",
        aliases=("rmse",),
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
        hyper_parameters={
            "gamma": Parameter(default=2.0, low=0.0, meaning="focusing; 0 gives cross-entropy"),
        },
        cross_entropy_at={"gamma": 0.0},
        oracle="keras.losses.categorical_focal_crossentropy(alpha=1) on softmax probabilities",
    ),
}

ALIASES: dict[str, str] = {alias: name for name, spec in LOSSES.items() for alias in spec.aliases}


def canonical_name(name: str) -> str:
    """Return the catalogue's name for ``name`` or one of its aliases.

    Raises:
        UnknownNameError: If no loss has that name; the message lists the nearest.
    """
    if name in LOSSES:
        return name
    if name in ALIASES:
        return ALIASES[name]
    raise unknown_name("loss", name, [*LOSSES, *ALIASES])
