"""What a kind of split asks of the rest of the study file."""

from collections.abc import Iterator

from lossassay.config.schema import SplitConfig, Study

_DEFAULTS = SplitConfig()


def split_problems(study: Study) -> Iterator[str]:
    """Name what does not go with ``data.split``, one sentence each.

    Args:
        study: As read.
    """
    split = study.data.split
    if split.official and split.kind != "holdout":
        yield f'data.split: official parts and kind = "{split.kind}" are two ways to split; keep one of them'
        return
    if not split.official and split.kind == "holdout" and split.validation + split.test >= 1:
        yield (
            f"data.split: validation {split.validation:g} and test {split.test:g} leave nothing to train on; "
            "together they must stay below 1"
        )
    yield from _unused(split)
    if split.kind == "cross_validation":
        yield from _fold_problems(study)
    if split.kind == "leave_one_out":
        yield from _site_problems(study)
    if split.kind == "time" and study.data.time is None and study.data.path.endswith((".csv", ".tsv", ".xlsx")):
        yield 'data.split: kind = "time" needs data.time, the column of dates or numbers by which rows are ordered'


def with_source(study: Study) -> Study:
    """Return the study in which ``split.by`` is the source that rows are told apart by."""
    split, data = study.data.split, study.data
    if split.kind != "leave_one_out" or split.by is None or data.source is not None:
        return study
    return study.model_copy(update={"data": data.model_copy(update={"source": split.by})})


def _unused(split: SplitConfig) -> Iterator[str]:
    used = {
        "folds": split.kind == "cross_validation",
        "by": split.kind == "leave_one_out",
        "test": split.kind in ("holdout", "time"),
    }
    for key, has_meaning in used.items():
        value = getattr(split, key)
        if not has_meaning and value != getattr(_DEFAULTS, key):
            yield f'data.split: {key} = {value!r} has no meaning for kind = "{split.kind}"; leave it out'


def _fold_problems(study: Study) -> Iterator[str]:
    evidence, folds = study.evidence, study.data.split.folds
    yield from _fixed_procedure_problems(study, "the folds of a cross-validation share what they learn from")
    if evidence.method == "sign_flip":
        yield (
            'evidence.method: "sign_flip" needs independent replicates, and the folds of a cross-validation are not; '
            "leave `method` out: their interval is the corrected resampled t"
        )
    if not evidence.sequential and evidence.most % folds:
        lower = evidence.most // folds * folds
        fitting = [f"replicates = {number}" for number in (lower, lower + folds) if number]
        yield (
            f"evidence.replicates: {evidence.most} is no multiple of the {folds} folds, so some rows would be tested "
            f"more often than others; write `{'` or `'.join(fitting)}`"
        )


def _site_problems(study: Study) -> Iterator[str]:
    split, data = study.data.split, study.data
    if split.by is not None and data.source is not None and split.by != data.source:
        yield (
            f"data.split: by = {split.by!r} and data.source = {data.source!r} name two columns, and a row has one "
            "source; leave one of them out"
        )
    yield from _fixed_procedure_problems(study, "leave_one_out tests every source in turn")


def _fixed_procedure_problems(study: Study, reason: str) -> Iterator[str]:
    evidence, kind = study.evidence, study.data.split.kind
    if "split" not in evidence.vary:
        yield (
            f'evidence.vary: kind = "{kind}" tests other rows in every replicate, so "split" belongs in it; '
            'add "split", or take kind = "holdout"'
        )
    if evidence.sequential:
        yield (
            f"evidence.replicates: {reason}, so their number cannot depend on what they show; "
            "write a fixed number, for example `replicates = 10`"
        )
    if evidence.scope == "population":
        yield (
            f'evidence.scope: "population" is not worked out for kind = "{kind}": {reason}; leave `scope` out, or '
            'take kind = "holdout"'
        )
