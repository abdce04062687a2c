"""The study file as a JSON schema (draft 2020-12), for editors that complete and check while a person types.

It says what `lossassay.config.load` says as far as a schema can: keys, types, ranges, names of the catalogues. What
depends on two keys at once, or on the data, is left to `lossassay plan`. Almost nothing is referred to by ``$ref``,
since some editors ignore what stands beside one.
"""

from typing import Any

from lossassay.catalogue.audit_codes import AUDIT_CODES
from lossassay.catalogue.criteria import PRIMARY
from lossassay.catalogue.losses import LOSSES
from lossassay.catalogue.models import MODELS
from lossassay.catalogue.own_losses import installed
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config.arm_schema import JsonSchema, arms_schema, parameter_schema, terms_schema
from lossassay.config.key_descriptions import KEY_DESCRIPTIONS
from lossassay.config.schema import ARM_TRAINING_KEYS, Study

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_RANGE: JsonSchema = {
    "anyOf": [
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        {
            "type": "array",
            "items": {"anyOf": [{"type": "number"}, {"enum": ["log", "int"]}]},
            "minItems": 3,
            "maxItems": 3,
        },
        {
            "type": "object",
            "properties": {"choices": {"type": "array", "minItems": 1, "description": "The values to choose from."}},
            "required": ["choices"],
            "additionalProperties": False,
        },
    ]
}


def study_schema() -> JsonSchema:
    """Return the schema of study.toml.

    Returns:
        Plain data, ready for JSON. Every key carries a description.
    """
    raw = Study.model_json_schema(mode="validation")
    found: JsonSchema = _resolved({"$ref": "#/$defs/Study"}, raw["$defs"] | {"Study": raw})
    sections = found["properties"]
    training = sections["training"]["properties"]
    of_arms = {key: training[key] for key in ARM_TRAINING_KEYS}
    sections["arms"] = arms_schema({"type": "object", "properties": of_arms, "additionalProperties": False})
    _name_catalogues(sections)
    return {
        "$schema": DIALECT,
        "title": "A study of lossassay",
        "description": "One question: a data set, some losses, a training recipe, an evidence rule.",
        **{key: value for key, value in found.items() if key not in ("title", "description", "$defs")},
        "allOf": [_only_known_in_space(list(sections["tuning"]["properties"]["space"]["properties"]))],
        "$defs": {"terms": terms_schema()},
    }


def _name_catalogues(sections: JsonSchema) -> None:
    """Put the names of the catalogues in the place of "any text"."""
    for section in ("evidence", "tuning"):
        sections[section]["properties"]["metric"]["enum"] = list(YARDSTICKS)
    sections["biomarkers"]["properties"]["criterion"]["enum"] = list(PRIMARY)
    sections["audit"]["properties"]["accept"]["items"]["enum"] = list(AUDIT_CODES)
    training = sections["training"]
    own = {"type": "string", "pattern": "^[^:]+:[^:]+$"}
    model = training["properties"]["model"]
    training["properties"]["model"] = {
        "anyOf": [{"type": "string", "enum": list(MODELS)}, own],
        **{key: model[key] for key in ("default", "description")},
    }
    training["allOf"] = [_options_of(name, model["default"]) for name in MODELS]
    tuning = sections["tuning"]["properties"]
    space = {"properties": _space(), "additionalProperties": _RANGE}
    tuning["space"] |= space
    tuning["arms"]["additionalProperties"] = {"type": "object", "minProperties": 1} | space


def _options_of(name: str, default: str) -> JsonSchema:
    """Return the rule about the options of one model, which holds too where the default is not written."""
    options = {key: parameter_schema(parameter) for key, parameter in MODELS[name].options.items()}
    chosen: JsonSchema = {"properties": {"model": {"const": name}}}
    if name != default:
        chosen["required"] = ["model"]
    rule = {"properties": options, "additionalProperties": False}
    return {"if": chosen, "then": {"properties": {"model_options": rule}}}


def _space() -> JsonSchema:
    """Return a range for each parameter that the catalogues know."""
    keys = ("learning_rate", "weight_decay", "momentum", "optimizer", "schedule")
    words = {key: KEY_DESCRIPTIONS["TrainingConfig"][key] for key in keys}
    for name, spec in LOSSES.items():
        for key, parameter in spec.hyper_parameters.items():
            if parameter.kind in ("real", "integer", "choice"):
                words.setdefault(key, f"{name}: {parameter.meaning}")
    found = {key: _RANGE | {"description": word} for key, word in words.items()}
    found["learning_rate"] = {"anyOf": [{"const": "auto"}, *_RANGE["anyOf"]], "description": words["learning_rate"]}
    return found


def _only_known_in_space(names: list[str]) -> JsonSchema:
    """Return the rule that only a loss of the user's own may have parameters that no catalogue knows."""
    text = {"anyOf": [{"type": "string", "pattern": ":"}, {"enum": list(installed())}]}
    own = {"contains": {"type": "object", "properties": {"loss": text}, "required": ["loss"]}}
    known = {"propertyNames": {"enum": names}}
    tuning = {"properties": {"space": known, "arms": {"additionalProperties": known}}}
    return {"if": {"properties": {"arms": {"not": own}}}, "then": {"properties": {"tuning": tuning}}}


def _resolved(node: Any, definitions: JsonSchema) -> Any:
    """Put definitions in place of references, with the words of each key, and leave out what TOML does not know."""
    if isinstance(node, list):
        return [_resolved(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _resolved(_described(definitions[name], name) | beside, definitions)
    found = {key: _resolved(value, definitions) for key, value in node.items() if key != "$defs"}
    return _without_null(_as_lists(found))


def _described(definition: JsonSchema, name: str) -> JsonSchema:
    words = KEY_DESCRIPTIONS.get(name, {})
    properties = {
        key: {**value, "description": words[key]} if key in words else value
        for key, value in definition.get("properties", {}).items()
    }
    plain = {key: value for key, value in definition.items() if key not in ("title", "description")}
    return plain | ({"properties": properties} if properties else {})


def _as_lists(node: JsonSchema) -> JsonSchema:
    """Write pairs of one type in the way that older drafts know too."""
    pair = node.get("prefixItems")
    if isinstance(pair, list) and all(part == pair[0] for part in pair):
        return {key: value for key, value in node.items() if key != "prefixItems"} | {"items": pair[0]}
    return node


def _without_null(node: JsonSchema) -> JsonSchema:
    """TOML has no null, and a default that is a table only makes editors noisy."""
    if node.get("default", 0) is None or isinstance(node.get("default"), dict):
        node = {key: value for key, value in node.items() if key != "default"}
    if isinstance(node.get("title"), str):
        node = {key: value for key, value in node.items() if key != "title"}
    choices = node.get("anyOf")
    if not isinstance(choices, list):
        return node
    left = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**left[0], **rest} if len(left) == 1 else {"anyOf": left, **rest}
