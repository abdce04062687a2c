"""Whether the source of an image, or another column of its table, gives its class away."""

from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from lossassay.catalogue.loss_spec import Task
from lossassay.data.audit.features import Feature, from_categories, from_column
from lossassay.data.audit.labels import labels_of_column
from lossassay.data.audit.tells import STRONG_EXCESS, Target, Tell, find_tells
from lossassay.data.grouping import group_numbers_of
from lossassay.data.manifest import Finding, Manifest


def source_features(rows: pl.DataFrame) -> tuple[Feature, ...]:
    """Return the source, where it is known of any row; missing ones are a source of their own."""
    sources = rows["source"]
    return () if sources.null_count() == len(sources) else (from_categories("source", sources.to_list()),)


def source_tell(rows: pl.DataFrame, task: Task, class_names: Sequence[str]) -> Tell | None:
    """Judge the source alone.

    Args:
        rows: Columns row, label, group and source.
        task: Whether an image has one label or several.
        class_names: In the order of their numbers.

    Returns:
        None if all rows have the same source, or none, or no class can be judged.
    """
    hot, known = labels_of_column(rows["label"], task, len(class_names))
    target = Target(hot=hot, known=known, groups=group_numbers_of(rows), names=tuple(class_names))
    return next(iter(find_tells(source_features(rows), target)), None)


def column_features(manifest: Manifest) -> tuple[Feature, ...]:
    """Return the further columns of the table that can be read as categories or numbers."""
    if manifest.columns is None:
        return ()
    read = (from_column(name, manifest.columns[name]) for name in manifest.columns.columns)
    return tuple(feature for feature in read if feature is not None)


def source_findings(tells: Sequence[Tell]) -> Iterator[Finding]:
    """Say so where the source tells the class."""
    for tell in tells:
        if tell.tells():
            yield Finding(
                code="source-predicts-class",
                severity=severity(tell),
                message=f"The source alone tells {described(tell)}.",
                advice="A network can learn the source in place of the disease. Collect every class from every "
                "source, or test on sources that were not trained on.",
            )


def column_findings(tells: Sequence[Tell]) -> Iterator[Finding]:
    """Say which columns tell the class."""
    for tell in tells:
        if tell.tells():
            yield Finding(
                code="column-predicts-class",
                severity=severity(tell),
                message=f"The column {tell.feature!r} alone tells {described(tell)}.",
                advice="What this column says may show in the images. Compare classes within its values, or balance "
                'them; if it is the label in other words, set its type to "ignore" in data.columns.',
            )


def severity(tell: Tell) -> Literal["issue", "note"]:
    """Return ``"issue"`` for a property that nearly names the class."""
    return "issue" if tell.excess >= STRONG_EXCESS else "note"


def described(tell: Tell) -> str:
    """Say how well a property tells which class, in words that fit after "tells"."""
    return (
        f"{tell.class_name} from the rest with a Youden index of {tell.youden:.2f}; "
        f"{tell.expected:.2f} is what chance gives"
    )
