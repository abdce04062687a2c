"""What the catalogue says of a loss: everything that the engine, the tests and the reader need to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lossassay.catalogue.parameters import Parameter

Task = Literal["single_label", "ordinal", "multi_label"]

Head = Literal[
    "linear",
    "linear_with_dropout",
    "linear_with_centres",
    "cosine",
    "cosine_with_subcentres",
    "shared_slope",
    "linear_minus_one",
    "thresholds",
    "scalar",
]
"""The last layer that a loss is trained with; `models.heads` says what each computes and learns."""

Link = Literal[
    "softmax",
    "sigmoid",
    "one_against_all",
    "scaled_softmax",
    "normalized_softmax",
    "tempered_softmax",
    "evidence",
    "cumulative",
    "conditional",
    "grade",
    "code_words",
]
"""How scores become probabilities; `losses.links` has the formula of each."""

Input = Literal["class_counts", "epoch", "epochs", "features", "head_weight", "centres", "rows"]
"""What a loss needs besides scores and labels.

class_counts    images of each class in the training part, [K]; given once, to `losses.get`
epoch, epochs   which pass over the data this is (from 1), and how many there will be
features        what the head was given, [B F]
head_weight     weights of the last layer, [K F]
centres         one learnt point per class in feature space, [K F]
rows            row number of each example in the data set, [B]
"""


@dataclass(frozen=True, kw_only=True)
class Equals:
    """A point at which a loss is another one; the tests compare value and gradient there.

    Args:
        other: Name of the other loss.
        at: Hyper-parameters of this loss; those not named keep their defaults.
        other_at: Hyper-parameters of the other one.
        factor: This loss is ``factor`` times the other one; ``"classes"`` and ``"1/classes"`` stand for K and 1 / K.
        tolerance: Relative and absolute, in float64; 1e-6 and more where the identity is a limit.
        only: ``"two_classes"`` if it holds for K = 2 alone, ``"equal_counts"`` if for equal class counts,
            ``"one_hot_labels"`` if for rows with a single one, not for soft labels.
    """

    other: str
    at: Mapping[str, Any] = field(default_factory=dict)
    other_at: Mapping[str, Any] = field(default_factory=dict)
    factor: float | Literal["classes", "1/classes"] = 1.0
    tolerance: float = 1e-12
    only: Literal["two_classes", "equal_counts", "one_hot_labels"] | None = None


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
        tasks: The tasks it can train; whatever trains single labels trains ordered ones too.
        head: The last layer that it needs.
        link: How scores become probabilities.
        output: ``"probability"``: what the link gives is a probability of the class. ``"score"``: decisions are
            meant, probabilities are not; ``"rank"``: only an order is, of examples or of the findings of one
            example. Both are calibrated on the validation part before a yardstick of probabilities is computed.
        inputs: What it needs besides scores and labels.
        hyper_parameters: Options by name.
        low: The smallest value that it can take, or None: no limit.
        bounded: Whether a surely wrong answer costs little more than a wrong one, with almost no gradient;
            ``"false_alarms"``: only where an absent finding is called present, a missed one costs without end.
        equals: Points at which it is another loss; empty: there is none, which is said by writing ``equals=()``.
        variant_of: The loss of which it is a variant in its parameters, or None: it stands by itself.
        elsewhere: How to write the same with other libraries: library to code, for example
            ``{"torch": "F.cross_entropy(scores, labels)"}``.
        differs: Where libraries disagree under the same name, in one or two sentences; empty: nowhere known.
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
    head: Head = "linear"
    link: Link
    output: Literal["probability", "score", "rank"] = "probability"
    inputs: tuple[Input, ...] = ()
    hyper_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    low: float | None = 0.0
    bounded: bool | Literal["false_alarms"] = False
    equals: tuple[Equals, ...]
    variant_of: str | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    differs: str = ""
    oracle: str
    aliases: tuple[str, ...] = ()

    def num_scores(self, num_classes: int) -> int:
        """Return how many scores its head puts out for each image of ``num_classes`` classes."""
        if self.head in ("shared_slope", "linear_minus_one", "thresholds"):
            return num_classes - 1
        return 1 if self.head == "scalar" else num_classes

    def trains(self, task: Task) -> bool:
        """Return whether it can train this task; what trains single labels trains ordered ones too."""
        return task in self.tasks or (task == "ordinal" and "single_label" in self.tasks)

    @property
    def head_options(self) -> tuple[str, ...]:
        """The hyper-parameters that are told to the head in place of the function."""
        return tuple(name for name, parameter in self.hyper_parameters.items() if parameter.of == "head")
