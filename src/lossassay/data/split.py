"""Rows → training, validation and test part of one replicate: stratified, with groups kept whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lossassay.config.schema import SplitConfig
from lossassay.data.assign import Membership, assign
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import PARTS, Manifest
from lossassay.errors import DataError

Rows = npt.NDArray[np.int64]

_NAMED = {"parts": " (training, validation, test)", "folds": ""}


@dataclass(frozen=True, kw_only=True)
class Split:
    """The parts of one replicate.

    Args:
        train: Rows of the manifest, sorted.
        validation: Rows of the manifest, sorted.
        test: Rows of the manifest, sorted.
        largest_share_error: The largest difference, over parts and classes, between the share of a class in a part
            and its share in all rows; from 0 to 1.
        left_out: Rows that are in no part.
    """

    train: Rows
    validation: Rows
    test: Rows
    largest_share_error: float
    left_out: int = 0


def split(manifest: Manifest, config: SplitConfig, *, seed: int) -> Split:
    """Draw the parts of one replicate of repeated hold-out, or take the official ones.

    Every class has its share in every part as nearly as whole groups allow; a label of multi-label data that fewer than
    three groups have is missing in a part. The result depends on the seed, on the
    labels and on which rows share a group; not on the names of files or groups.

    Args:
        manifest: The readable rows.
        config: Shares of the validation and the test part; or the official parts, of which a missing validation part
            is drawn from the training part.
        seed: 0 or more.

    Raises:
        DataError: If a class, or the data, has too few images or groups to be in every part.
    """
    hot = one_hot(manifest)
    membership = Membership(hot=hot, groups=group_numbers(manifest))
    random = np.random.default_rng(seed)
    if config.official:
        parts = _official(manifest, membership, config, random)
    else:
        parts = _drawn(manifest, membership, config, random)
    return as_split(hot, parts)


def as_split(hot: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]) -> Split:
    """Return the parts as rows.

    Args:
        hot: Labels of each row as 0 and 1, [N K].
        parts: 0 training, 1 validation, 2 test, 3 in no part, [N].
    """
    return Split(
        train=np.flatnonzero(parts == 0),
        validation=np.flatnonzero(parts == 1),
        test=np.flatnonzero(parts == 2),
        largest_share_error=_largest_share_error(hot, parts),
        left_out=int(np.count_nonzero(parts >= len(PARTS))),
    )


def one_hot(manifest: Manifest) -> npt.NDArray[np.int64]:
    """Return the labels as 0 and 1, [N K]."""
    labels = manifest.rows["label"]
    if manifest.task == "multi_label":
        return (
            np.array(labels.to_list(), dtype=np.int64).reshape(len(labels), -1).clip(0)
        )  # unknown ones count as absent
    rows: npt.NDArray[np.int64] = np.eye(len(manifest.class_names), dtype=np.int64)[labels.to_numpy()]
    return rows


def _drawn(
    manifest: Manifest, membership: Membership, config: SplitConfig, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    if config.validation + config.test >= 1:
        raise DataError(
            f"data.split leaves nothing to train with: validation {config.validation:g} and test {config.test:g} make "
            f"{config.validation + config.test:g}. Expected a sum below 1; 0.1 and 0.2 are usual."
        )
    check_enough(manifest, membership, parts=3)
    parts = assign(membership, (1 - config.validation - config.test, config.validation, config.test), random)
    check_present(manifest, membership.hot, parts)
    return parts


def check_enough(
    manifest: Manifest, membership: Membership, *, parts: int, noun: Literal["parts", "folds"] = "parts"
) -> None:
    """Refuse data that cannot have every class in every part.

    Args:
        manifest: The readable rows.
        membership: Labels and groups of the rows that are shared out.
        parts: How many there are.
        noun: What they are called.

    Raises:
        DataError: With the classes, their counts and what to do.
    """
    counts, groups = membership.hot.sum(axis=0), membership.groups_per_class()
    in_all = len(np.unique(membership.groups))
    present = [name for name, count in zip(manifest.class_names, counts, strict=True) if count]
    if manifest.task != "multi_label" and len(present) < 2:
        raise DataError(
            f"All {len(membership.hot)} images are of one class, {present[0]!r}. A classifier needs two or more. "
            "Check data.path and the labels."
        )
    if in_all < parts:
        raise DataError(
            f"The {len(membership.hot)} images belong to {in_all} groups, and {parts} {noun} need a group each. "
            "Check data.group: it should name what must stay together (a patient), not a class or a source."
        )
    if manifest.task == "multi_label":
        return  # a finding that few images have is the rule there; the audit names it, and its yardsticks may be nan
    lonely = _listed(manifest.class_names, counts, counts < parts)
    if lonely:
        raise DataError(
            f"Too few images of a class for {parts} {noun}{_NAMED[noun]}: {lonely}. "
            f"Expected {parts} or more of each class. Add images, or leave the class out or join it with another."
        )
    few = _listed(manifest.class_names, groups, groups < parts)
    if few:
        raise DataError(
            f"A class has fewer groups than the {parts} {noun}: {few}. Groups stay whole, so such a class cannot be in "
            f"every {noun[:-1]}. Add patients, or leave the class out or join it with another."
        )


def _listed(names: Sequence[str], counts: npt.NDArray[np.int64], chosen: npt.NDArray[np.bool_]) -> str:
    return ", ".join(f"{names[k]} {counts[k]}" for k in np.flatnonzero(chosen).tolist())


def _official(
    manifest: Manifest, membership: Membership, config: SplitConfig, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    names = manifest.rows["part"]
    if names.null_count():
        what = "no row" if names.null_count() == len(names) else f"only {len(names) - names.null_count()}"
        raise DataError(
            f'data.split is "official", but {what} of {len(names)} has an official part. Expected folders train and '
            "test above the classes, or a column that names the part (data.part_column). Otherwise give shares: "
            "split = { validation = 0.1, test = 0.2 }."
        )
    parts = np.array([PARTS.index(name) for name in names.to_list()], dtype=np.int64)
    for number in (0, 2):
        if not (parts == number).any():
            raise DataError(
                f'data.split is "official", but no row is in the {PARTS[number]} part. Give shares instead.'
            )
    if not (parts == 1).any():
        draw_validation(manifest, membership, parts, config.validation, random)
    check_present(manifest, membership.hot, parts)
    return parts


def draw_validation(
    manifest: Manifest,
    membership: Membership,
    parts: npt.NDArray[np.int64],
    share: float,
    random: np.random.Generator,
) -> None:
    """Move a share of the rows of the training part into the validation part, with groups whole.

    Args:
        manifest: The readable rows.
        membership: Their labels and groups.
        parts: 0 training, 1 validation, 2 test, 3 in no part, [N]; changed in place.
        share: Of the training part.
        random: Where the draws come from.

    Raises:
        DataError: If a class has too few images or groups for both parts.
    """
    training = np.flatnonzero(parts == 0)
    own = Membership(hot=membership.hot[training], groups=membership.groups[training])
    check_enough(manifest, own, parts=2)
    parts[training] = assign(own, (1 - share, share), random)


def check_present(manifest: Manifest, hot: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]) -> None:
    """Refuse parts that lack a class, unless images have several labels.

    Raises:
        DataError: With the part and the classes.
    """
    for number, part in enumerate(() if manifest.task == "multi_label" else PARTS):
        missing = np.flatnonzero(hot[parts == number].sum(axis=0) == 0)
        if len(missing):
            raise DataError(
                f"The {part} part has no image of {', '.join(manifest.class_names[k] for k in missing)}. Every part "
                "needs every class. Leave these classes out, join them with others, or choose other shares."
            )


def _largest_share_error(hot: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]) -> float:
    overall: npt.NDArray[Any] = hot.mean(axis=0)
    return max(float(np.abs(hot[parts == number].mean(axis=0) - overall).max()) for number in range(len(PARTS)))
