"""The part of the study file's schema that comes from the catalogue of losses: [[arms]]."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lossassay.catalogue.compound import COMPOUND
from lossassay.catalogue.losses import LOSSES
from lossassay.catalogue.own_losses import installed
from lossassay.catalogue.parameters import Parameter
from lossassay.config.key_descriptions import KEY_DESCRIPTIONS

JsonSchema = dict[str, Any]

TERMS: JsonSchema = {"$ref": "#/$defs/terms"}  # stands in two places, and is long
_OWN = {"type": "string", "pattern": "^[^:]+:[^:]+$", "description": "Your own loss, module:function."}
_CHANGING_WEIGHT: JsonSchema = {
    "type": "object",
    "description": "From the first epoch to the last one named here in equal steps.",
    "properties": {
        "from": {"type": "number", "minimum": 0, "description": "Weight in the first epoch."},
        "to": {"type": "number", "minimum": 0, "description": "Weight from the last of these epochs on."},
        "epochs": {"type": "integer", "minimum": 2, "description": "Number of epochs over which it changes."},
    },
    "required": ["from", "to", "epochs"],
    "additionalProperties": False,
}
_WEIGHT: JsonSchema = {
    "anyOf": [{"type": "number", "minimum": 0}, _CHANGING_WEIGHT],
    "default": 1.0,
    "description": "How much this loss counts in the sum.",
}


def arms_schema(training: JsonSchema) -> JsonSchema:
    """Return the schema of [[arms]].

    The properties of an arm name the hyper-parameters of all losses, so that editors can complete them; an `if` for
    each loss then allows its own ones alone.

    Args:
        training: The schema of what an arm may train with otherwise.
    """
    words = KEY_DESCRIPTIONS["ArmConfig"]
    own: JsonSchema = {
        "name": {"type": "string", "description": words["name"]},
        "loss": {"anyOf": [_catalogue([COMPOUND, *installed()]), _OWN, TERMS], "description": words["loss"]},
        "training": training | {"description": words["training"]},
        "terms": TERMS | {"description": words["terms"]},
    }
    keys = ["name", "loss", "training"]
    rules = [
        *_rules("loss", keys),
        {
            "if": {"properties": {"loss": {"type": "array"}}, "required": ["loss"]},
            "then": {"propertyNames": {"enum": keys}},
        },
        {
            "if": {"properties": {"loss": {"const": COMPOUND}}, "required": ["loss"]},
            "then": {"propertyNames": {"enum": [*keys, "terms"]}, "required": ["terms"]},
        },
    ]
    arm = {
        "type": "object",
        "properties": own | {key: value for key, value in _every_hyper_parameter().items() if key not in own},
        "required": ["loss"],
        "allOf": rules,
    }
    return {
        "type": "array",
        "items": arm,
        "minItems": 1,
        "description": KEY_DESCRIPTIONS["Study"]["arms"],
    }


def parameter_schema(parameter: Parameter) -> JsonSchema:
    """Return what one option may be, with its meaning and default."""
    found = _of_kind(parameter)
    found["description"] = parameter.meaning
    if parameter.default is not None:
        found["default"] = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    return found


def _of_kind(parameter: Parameter) -> JsonSchema:
    if parameter.kind == "choice":
        return {"type": "string", "enum": list(parameter.choices)}
    number: JsonSchema = {"type": "integer" if parameter.kind in ("integer", "integers") else "number"}
    if math.isfinite(parameter.low):
        number["minimum"] = parameter.low
    if parameter.high is not None and math.isfinite(parameter.high):
        number["maximum"] = parameter.high
    if parameter.kind in ("real", "integer"):
        return number
    row: JsonSchema = {"type": "array", "items": number, "minItems": 1}
    return row if parameter.kind in ("integers", "reals") else {"type": "array", "items": row, "minItems": 1}


def _catalogue(further: Sequence[str] = ()) -> JsonSchema:
    """Every name and alias, with the title of each for editors that show it."""
    titles = {name: spec.title for name, spec in LOSSES.items()}
    titles |= {alias: f"{spec.title} ({name})" for name, spec in LOSSES.items() for alias in spec.aliases}
    titles |= {name: "A weighted sum." if name == COMPOUND else "Of an installed package." for name in further}
    return {"type": "string", "enum": list(titles), "x-taplo": {"docs": {"enumValues": list(titles.values())}}}


def _rules(key: str, always: Sequence[str]) -> Iterator[JsonSchema]:
    """For each loss: its hyper-parameters, and no other key."""
    for name, spec in LOSSES.items():
        options = {own: parameter_schema(parameter) for own, parameter in spec.hyper_parameters.items()}
        yield {
            "if": {"properties": {key: {"enum": [name, *spec.aliases]}}, "required": [key]},
            "then": {"properties": options, "propertyNames": {"enum": [*always, *options]}},
        }


def terms_schema() -> JsonSchema:
    """Return the schema of a weighted sum of losses, to which `TERMS` refers."""
    term = {
        "type": "object",
        "properties": {
            "name": _catalogue() | {"description": "A loss of the catalogue."},
            "weight": _WEIGHT,
            **_every_hyper_parameter(),
        },
        "required": ["name"],
        "allOf": list(_rules("name", ["name", "weight"])),
    }
    return {"type": "array", "items": term, "minItems": 1, "description": "A weighted sum of losses."}


def _every_hyper_parameter() -> JsonSchema:
    meanings: dict[str, dict[str, list[str]]] = {}
    for name, spec in LOSSES.items():
        for key, parameter in spec.hyper_parameters.items():
            meanings.setdefault(key, {}).setdefault(parameter.meaning, []).append(name)
    return {key: {"description": _together(losses)} for key, losses in sorted(meanings.items())}


def _together(losses: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{', '.join(names)}: {meaning}" for meaning, names in losses.items())
