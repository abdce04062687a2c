"""Statistics over replicates: arrays in, named records out. Needs numpy and scipy alone.

>>> import numpy as np
>>> scores = np.array([[0.90, 0.85], [0.92, 0.88], [0.91, 0.87], [0.93, 0.88]])
>>> (difference,) = paired_differences(scores, [(0, 1)], alpha=0.05, family_size=1)
>>> verdict(difference, margin=0.01, same_function=False, higher_is_better=True)[0]
'better'
"""

from lossassay.stats.intervals import MeanInterval, mean_interval
from lossassay.stats.noise import NoiseFloor, noise_floor, share_of_pairs_at_least
from lossassay.stats.paired import PairedDifference, paired_differences
from lossassay.stats.verdicts import Reason, Verdict, verdict

__all__ = [
    "MeanInterval",
    "NoiseFloor",
    "PairedDifference",
    "Reason",
    "Verdict",
    "mean_interval",
    "noise_floor",
    "paired_differences",
    "share_of_pairs_at_least",
    "verdict",
]
