"""Labels and probabilities of some rows, checked once; what several yardsticks are made of is worked out once."""

from functools import cached_property

from lossassay.catalogue.loss_spec import Task
from lossassay.metrics import decisions
from lossassay.metrics.calibration import ReliabilityBins, reliability_bins
from lossassay.metrics.ranks import auroc, over_known
from lossassay.metrics.shapes import Counts, IsTrue, Labels, PerClass, Probabilities, check_shapes, is_known, is_true


class Checked:
    """What was predicted for some rows, and what is true of them.

    Args:
        labels: Class indices [N], or 0 and 1 [N K], nan where nothing is known.
        probabilities: [N K], from 0 to 1.
        task: What the labels are.

    Raises:
        DataError: If shapes or ranges do not fit.
    """

    def __init__(self, labels: Labels, probabilities: Probabilities, task: Task) -> None:
        check_shapes(labels, probabilities, task)
        self.labels, self.probabilities, self.task = labels, probabilities, task

    @property
    def truth(self) -> IsTrue:
        """Which classes are true of which row."""
        return is_true(self.labels, self.probabilities.shape[1])

    @property
    def known(self) -> IsTrue:
        """Of which classes something is known in which row."""
        return is_known(self.labels, self.probabilities.shape[1])

    @cached_property
    def confusion(self) -> Counts:
        """Rows by true and by most probable class; not for multi-label data."""
        return decisions.confusion_counts(self.labels, self.probabilities)

    @cached_property
    def counts(self) -> decisions.DecisionCounts:
        """Right and wrong decisions for each class against the rest."""
        if self.task == "multi_label":
            return decisions.counts_at_one_half(self.truth, self.probabilities, self.known)
        return decisions.counts_from_confusion(self.confusion)

    @cached_property
    def auroc(self) -> PerClass:
        """Of each class against the rest, over the rows in which it is known."""
        return over_known(auroc, self.truth, self.probabilities, self.known)

    @cached_property
    def bins(self) -> ReliabilityBins:
        """Of probabilities, against what came true."""
        return reliability_bins(self.labels, self.probabilities, task=self.task)
