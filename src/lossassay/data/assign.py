"""Puts whole groups into parts so that every class has nearly its share in every part.

Groups of several rows go first, the largest before the smaller ones and equal ones in random order: each draws its part
with a probability in proportion to the room that is left for its classes, among the parts that it does not overfill. So
a group of any size can land in any part, with about the chance that the part's share says. Single rows go last and fill
what is missing, which makes the shares nearly exact wherever there are enough of them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What a split must respect.

    Args:
        hot: Labels of each row as 0 and 1, [N K].
        groups: Number of the group of each row, [N].
    """

    hot: Numbers
    groups: Numbers

    def groups_per_class(self) -> Numbers:
        """Return how many groups have a row of each class, [K]."""
        return np.array([len(np.unique(self.groups[column == 1])) for column in self.hot.T])


def assign(membership: Membership, shares: Sequence[float], random: np.random.Generator) -> Numbers:
    """Give every row the number of its part.

    Args:
        membership: Labels and groups.
        shares: Of the parts; they sum to 1.
        random: Where the draws come from.

    Returns:
        Part of each row, [N], 0 … len(shares) - 1.
    """
    _, groups, sizes = np.unique(membership.groups, return_inverse=True, return_counts=True)
    hot = _what_to_balance(membership.hot)
    targets = _targets(hot.sum(axis=0), shares)
    counts = _sum_by_group(hot, groups, len(sizes))
    part_of_group = np.full(len(sizes), -1, dtype=np.int64)
    several = np.flatnonzero(sizes > 1)
    several = random.permutation(several)
    several = several[np.argsort(-sizes[several], kind="stable")]
    filled = _place_groups(several, counts, targets, part_of_group, random)
    single = random.permutation(np.flatnonzero(sizes == 1))
    if (counts[single].sum(axis=1) == 1).all():
        _place_single_labels(single, counts, targets, filled, part_of_group)
    else:
        rarest_first = single[np.argsort(_rarity(counts[single], hot.sum(axis=0)), kind="stable")]
        _place_by_deficit(rarest_first, counts, targets, filled, part_of_group, random)
    _give_every_part_every_class(counts, targets, part_of_group, random)
    parts: Numbers = part_of_group[groups]
    return parts


def _what_to_balance(hot: Numbers) -> Numbers:
    """Multi-label rows are balanced by two more columns: having no label at all, and being a row."""
    labels = hot.sum(axis=1)
    if (labels == 1).all():
        return hot
    balanced: Numbers = np.column_stack([hot, (labels == 0).astype(np.int64), np.ones_like(labels)])
    return balanced


def _targets(class_counts: Numbers, shares: Sequence[float]) -> Numbers:
    """Rows of each class in each part, [P K]: rounded shares, at least 1 where the class allows it, summing up."""
    exact = np.outer(shares, class_counts)
    targets: Numbers = np.floor(exact).astype(np.int64)
    for k, count in enumerate(class_counts):
        by_remainder = np.argsort(targets[:, k] - exact[:, k], kind="stable")
        targets[by_remainder[: count - targets[:, k].sum()], k] += 1
        for empty in np.flatnonzero(targets[:, k] == 0)[: max(0, count - (targets[:, k] > 0).sum())]:
            targets[np.argmax(targets[:, k]), k] -= 1
            targets[empty, k] += 1
    return targets


def _sum_by_group(hot: Numbers, groups: Numbers, num_groups: int) -> Numbers:
    sums = np.zeros((num_groups, hot.shape[1]), dtype=np.int64)
    np.add.at(sums, groups, hot)
    return sums


def _place_groups(
    order: Numbers, counts: Numbers, targets: Numbers, part_of_group: Numbers, random: np.random.Generator
) -> Numbers:
    """Place groups in the given order; return what each part then holds of each class, [P K]."""
    target, room = targets.tolist(), targets.tolist()  # plain lists: ten times as fast as arrays of three numbers
    parts = range(len(room))
    draws = random.random(len(order)).tolist()
    for group, row, draw in zip(order.tolist(), counts[order].tolist(), draws, strict=True):
        needs = [(k, count) for k, count in enumerate(row) if count]
        weights = [
            sum(room[p][k] for k, _ in needs) if all(room[p][k] >= count for k, count in needs) else 0 for p in parts
        ]
        if not any(weights):  # it fits nowhere: where it does least harm
            excess = [sum(max(0, count - room[p][k]) / (target[p][k] or 1) for k, count in needs) for p in parts]
            weights = [int(one == min(excess)) for one in excess]
        chosen = _draw(weights, draw)
        part_of_group[group] = chosen
        for k, count in needs:
            room[chosen][k] -= count
    filled: Numbers = targets - np.array(room, dtype=np.int64)
    return filled


def _draw(weights: Sequence[int], draw: float) -> int:
    """Return a position with a probability in proportion to its weight."""
    remaining = draw * sum(weights)
    for position, weight in enumerate(weights):
        remaining -= weight
        if remaining < 0:
            return position
    return max(position for position, weight in enumerate(weights) if weight)  # rounding


def _place_single_labels(
    single: Numbers, counts: Numbers, targets: Numbers, filled: Numbers, part_of_group: Numbers
) -> None:
    """Fill up each class with its shuffled single rows."""
    classes = counts[single].argmax(axis=1)
    for k in range(counts.shape[1]):
        own = single[classes == k]
        wanted = _shortened(np.maximum(targets[:, k] - filled[:, k], 0), len(own))
        part_of_group[own] = np.repeat(np.arange(len(wanted)), wanted)


def _shortened(wanted: Numbers, available: int) -> Numbers:
    """Take away from the parts that want most until the sum is what is available."""
    wanted = wanted.copy()
    while wanted.sum() > available:  # at most once per row that a group has overfilled
        wanted[np.argmax(wanted)] -= 1
    return wanted


def _rarity(counts: Numbers, class_counts: Numbers) -> Numbers:
    """For each row, how many rows the rarest of its classes has."""
    return np.asarray(np.where(counts > 0, class_counts, class_counts.max() + 1).min(axis=1))


def _place_by_deficit(
    order: Numbers,
    counts: Numbers,
    targets: Numbers,
    filled: Numbers,
    part_of_group: Numbers,
    random: np.random.Generator,
) -> None:
    """Place rows with several labels, those with the rarest first, where the rarest of their labels is missing most.

    Iterative stratification: Sechidis et al. 2011, ECML PKDD, doi:10.1007/978-3-642-23808-6_10.
    """
    room = (targets - filled).tolist()
    totals = targets.sum(axis=0).tolist()
    ties = random.random((len(order), len(room))).tolist()
    parts = range(len(room))
    for group, row, tie in zip(order.tolist(), counts[order].tolist(), ties, strict=True):
        needs = [k for k, count in enumerate(row) if count]
        needs.sort(key=totals.__getitem__)
        chosen = max(parts, key=lambda p: ([room[p][k] for k in needs], tie[p]))
        part_of_group[group] = chosen
        for k in needs:
            room[chosen][k] -= 1


def _give_every_part_every_class(
    counts: Numbers, targets: Numbers, part_of_group: Numbers, random: np.random.Generator
) -> None:
    """Move a group into each part that lacks a class, if another part can spare it; large parts come first."""
    has = counts > 0
    largest_first = np.argsort(-targets.sum(axis=1), kind="stable")
    for part, k in itertools.product(largest_first, range(targets.shape[1])):
        if targets[part, k] == 0 or has[part_of_group == part, k].any():
            continue
        parts_left = np.stack([has[part_of_group == p].sum(axis=0) for p in range(len(targets))])  # [P K]
        spared = parts_left[part_of_group] - has >= 1
        candidates = np.flatnonzero(has[:, k] & (spared | ~has).all(axis=1) & (part_of_group != part))
        if len(candidates):
            sizes = counts[candidates, k]
            limit = max(
                2 * targets[part, k], sizes.min()
            )  # any that is not far too large may move, not always the same
            part_of_group[random.choice(candidates[sizes <= limit])] = part
