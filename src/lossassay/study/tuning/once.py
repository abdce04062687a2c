"""Tuning once, on patients who are in no test part."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lossassay.config import Study, TuningConfig
from lossassay.data.assign import Membership, assign
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Manifest
from lossassay.data.split import Split, check_enough, check_present, draw_validation, one_hot
from lossassay.engine.seeds import derive


def split_once(
    study: Study, tuning: TuningConfig, manifest: Manifest, splits: Sequence[Split]
) -> tuple[Split, tuple[Split, ...]]:
    """Draw the patients that are tuned on, and take them out of every test part.

    Groups and exams stay whole and classes keep their shares. The tuned patients are split into training and
    validation in the study's proportions, where what would be tested validates too: a small part chooses badly.

    Args:
        study: Its seed and its shares.
        tuning: Its section ``[tuning]``.
        manifest: The readable rows.
        splits: Of the replicates, as without tuning.

    Returns:
        The parts of the tuning jobs, without a test part, and those of the replicates.

    Raises:
        DataError: If a class has too few patients for that.
    """
    hot, random = one_hot(manifest), np.random.default_rng(derive(study.evidence.seed, "tuning", "patients"))
    membership = Membership(hot=hot, groups=group_numbers(manifest))
    check_enough(manifest, membership, parts=3)
    parts = np.where(assign(membership, (tuning.share, 1 - tuning.share), random) == 0, 0, 3)
    tuned = np.flatnonzero(parts == 0)
    shares = study.data.split
    draw_validation(manifest, membership, parts, shares.validation + shares.test, random)
    kept = []
    for own in splits:
        left = replace(
            own, test=np.setdiff1d(own.test, tuned), left_out=own.left_out + len(np.intersect1d(own.test, tuned))
        )
        numbers = np.full(len(hot), 3)
        for number, rows in enumerate((left.train, left.validation, left.test)):
            numbers[rows] = number
        check_present(manifest, hot, numbers)
        kept.append(left)
    own = Split(
        train=np.flatnonzero(parts == 0),
        validation=np.flatnonzero(parts == 1),
        test=np.zeros(0, dtype=np.int64),
        largest_share_error=max(float(np.abs(hot[parts == n].mean(axis=0) - hot.mean(axis=0)).max()) for n in (0, 1)),
        left_out=int(np.count_nonzero(parts == 3)),
    )
    return own, tuple(kept)
