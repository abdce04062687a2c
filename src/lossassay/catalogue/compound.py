"""Losses that are weighted sums of others: what they are, and what cannot be added."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lossassay.catalogue.loss_spec import Input, LossSpec, Task
from lossassay.catalogue.losses import LOSSES, canonical_name
from lossassay.errors import UnknownNameError, did_you_mean

COMPOUND = "compound"
_WEIGHT_KEYS = ("from", "to", "epochs")
_PLAIN_SCORES = ("linear", "linear_with_dropout", "linear_with_centres")  # heads whose K scores mean the same
_TASKS: tuple[Task, ...] = ("single_label", "ordinal", "multi_label")

Terms = Sequence[Mapping[str, Any]]


def term_problems(terms: Any, where: str) -> Iterator[str]:
    """Say everything that is wrong with the terms of a sum, one sentence each.

    Args:
        terms: What the study says: a list of tables with ``name``, ``weight`` and the hyper-parameters of the loss.
        where: What to call the place.
    """
    if not isinstance(terms, list | tuple) or not terms or not all(isinstance(term, Mapping) for term in terms):
        yield (
            f"{where}: a sum of losses is a list of tables like "
            '[{ name = "categorical_crossentropy", weight = 1.0 }, { name = "soft_f1", weight = 0.5 }]'
        )
        return
    problems = [problem for place, term in enumerate(terms, start=1) for problem in _of_term(term, f"{where}: {place}")]
    yield from problems
    if not problems:
        yield from _misfits([dict(term, name=canonical_name(term["name"])) for term in terms], where)


def normal_terms(terms: Terms) -> list[dict[str, Any]]:
    """Return the terms with canonical names, weights and every hyper-parameter written out."""
    found = []
    for term in terms:
        name = canonical_name(term["name"])
        defaults = {key: parameter.default for key, parameter in LOSSES[name].hyper_parameters.items()}
        own = {key: value for key, value in term.items() if key not in ("name", "weight")}
        found.append({"name": name, "weight": term.get("weight", 1.0), **defaults, **own})
    return found


def in_words(terms: Terms) -> str:
    """Return a short name, for example ``"categorical_crossentropy + 0.5 soft_f1"``."""
    parts = []
    for term in terms:
        weight = term.get("weight", 1.0)
        name = canonical_name(term["name"])
        if isinstance(weight, Mapping):
            parts.append(f"({weight['from']:g} to {weight['to']:g}) {name}")
        else:
            parts.append(name if weight == 1 else f"{weight:g} {name}")
    return " + ".join(parts)


def compound_spec(terms: Terms) -> LossSpec:
    """Return what is true of the sum; link and output are those of the first term."""
    specs = [LOSSES[canonical_name(term["name"])] for term in terms]
    inputs: dict[Input, None] = {name: None for spec in specs for name in spec.inputs}
    if any(isinstance(term.get("weight"), Mapping) for term in terms):
        inputs["epoch"] = None
    return replace(
        specs[0],
        function="lossassay.losses.compound:weighted_sum",
        title=" + ".join(spec.title for spec in specs),
        formula=" + ".join(rf"w_{{{place}}}\left({spec.formula}\right)" for place, spec in enumerate(specs, start=1)),
        paper="; ".join(dict.fromkeys(spec.paper for spec in specs)),
        when="A sum of losses, as the study weights them.",
        encoding="dense" if any(spec.encoding == "dense" for spec in specs) else "integer",
        kind="batch" if any(spec.kind == "batch" for spec in specs) else "example",
        tasks=tuple(task for task in _TASKS if all(spec.trains(task) for spec in specs)),
        head=next((spec.head for spec in specs if spec.head != "linear"), "linear"),
        inputs=tuple(inputs),
        hyper_parameters={},
        low=None,
        equals=(),
        aliases=(),
    )


def _of_term(term: Mapping[str, Any], where: str) -> Iterator[str]:
    name = term.get("name")
    if not isinstance(name, str):
        yield f"{where}: `name` must be the name of a loss, got {name!r}"
        return
    try:
        spec = LOSSES[canonical_name(name)]
    except UnknownNameError as error:
        yield f"{where}: {error}"
        return
    yield from _of_weight(term.get("weight", 1.0), where)
    for key, value in term.items():
        if key in ("name", "weight"):
            continue
        if key not in spec.hyper_parameters:
            known = ", ".join(sorted(spec.hyper_parameters)) or "none"
            hint = did_you_mean(key, [*spec.hyper_parameters, "name", "weight"])
            yield f"{where} ({name}): no hyper-parameter is called {key!r}; known: {known}.{hint}"
        elif problem := spec.hyper_parameters[key].problem(value):
            yield f"{where} ({name}): {key}: {problem}"


def _of_weight(weight: Any, where: str) -> Iterator[str]:
    if isinstance(weight, Mapping):
        fits = set(weight) == set(_WEIGHT_KEYS) and _is_number(weight["from"]) and _is_number(weight["to"])
        if not (fits and isinstance(weight["epochs"], int) and weight["epochs"] >= 2):
            yield (
                f"{where}: a weight that changes is a table like {{ from = 0.0, to = 1.0, epochs = 10 }}: from the "
                f"first epoch to the tenth in equal steps; got {dict(weight)!r}"
            )
    elif not _is_number(weight):
        yield f"{where}: weight must be a number, 0 or more; got {weight!r}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _misfits(terms: Terms, where: str) -> Iterator[str]:
    heads = {LOSSES[term["name"]].head for term in terms}
    special = sorted(heads - set(_PLAIN_SCORES))
    if len(heads) > 1 and (special or len(heads - {"linear"}) > 1):
        each = ", ".join(f"{term['name']}: {LOSSES[term['name']].head}" for term in terms)
        yield f"{where}: these losses need different last layers and cannot be added ({each})"
    elif any(LOSSES[term["name"]].head_options for term in terms):
        each = ", ".join(term["name"] for term in terms if LOSSES[term["name"]].head_options)
        yield f"{where}: {each} sets options of the last layer and cannot be part of a sum; use it alone"
    elif not compound_spec(terms).tasks:
        each = "; ".join(f"{term['name']}: {', '.join(LOSSES[term['name']].tasks)}" for term in terms)
        yield f"{where}: no task fits all of these losses ({each})"
