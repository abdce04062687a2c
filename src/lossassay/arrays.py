"""Shapes with names, written once; every signature that takes tensors uses these."""

from jaxtyping import Float, Int
from torch import Tensor

Scores = Float[Tensor, "batch classes"]  # raw outputs of the head, before softmax or sigmoid
ClassScores = Float[Tensor, "batch {num_classes}"]  # one for each class, whatever the head put out
IntegerLabels = Int[Tensor, " batch"]  # class index, 0 .. classes - 1
DenseLabels = Float[Tensor, "batch classes"]  # one-hot, soft or multi-hot rows
PerExample = Float[Tensor, " batch"]
