"""Everything that the catalogue says of a loss as plain data, with what the tests have proven of it."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lossassay.catalogue.arm_losses import resolved_name, spec_of
from lossassay.catalogue.compound import COMPOUND
from lossassay.catalogue.loss_spec import Equals
from lossassay.catalogue.losses import FAMILY_OF
from lossassay.catalogue.parameters import Parameter
from lossassay.errors import UnknownNameError

OWN_FAMILY = "The user's own"
_ONLY = {"two_classes": "two classes", "equal_counts": "equal class counts", "one_hot_labels": "one-hot labels"}


@cache
def proofs() -> Mapping[str, Mapping[str, str]]:
    """Return what each check said of each loss: ``"passed"``, ``"does not apply"`` or ``"failed"``.

    The numbers are those of `tests/losses/prove.py`; a test computes them again.
    """
    text = Path(__file__).with_name("proofs.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def proof_in_words(name: str) -> str:
    """Return in a word or two what a loss is proven by: ``"oracle, identities"``, ``"not proven"``, ..."""
    proof = proofs().get(name, {})
    failed = [check for check, status in proof.items() if status == "failed"]
    if failed:
        return f"FAILED: {', '.join(failed).replace('_', ' ')}"
    green = [check for check in ("oracle", "identities") if proof.get(check) == "passed"]
    return ", ".join(green) or "not proven"


def loss_facts(name: str) -> dict[str, Any]:
    """Return a loss as plain data: every field of its entry, its family and its proof.

    Args:
        name: A name or alias of the catalogue, or ``module:function``.

    Raises:
        UnknownNameError: If there is no such loss.
    """
    name = resolved_name(name)
    if name == COMPOUND:
        raise UnknownNameError("A sum of losses has no entry of its own: it is what a study writes. Name its terms.")
    spec = spec_of(name, {})
    return {
        "name": name,
        "title": spec.title,
        "family": FAMILY_OF.get(name, OWN_FAMILY),
        "when": spec.when,
        "formula": spec.formula,
        "paper": spec.paper,
        "tasks": list(spec.tasks),
        "labels": spec.encoding,
        "kind": spec.kind,
        "link": spec.link,
        "head": spec.head,
        "output": spec.output,
        "inputs": list(spec.inputs),
        "low": spec.low,
        "bounded": spec.bounded,
        "hyper_parameters": [_parameter(key, parameter) for key, parameter in spec.hyper_parameters.items()],
        "aliases": list(spec.aliases),
        "equals": [_equals(identity) for identity in spec.equals],
        "variant_of": spec.variant_of,
        "elsewhere": dict(spec.elsewhere),
        "differs": spec.differs,
        "oracle": spec.oracle,
        "proof": dict(proofs().get(name, {})),
    }


def identity_in_words(identity: Mapping[str, Any]) -> str:
    """Say one of the ``equals`` of `loss_facts`, for example ``"with gamma = 0: sparse_categorical_crossentropy"``."""
    here, there = _settings(identity["at"]), _settings(identity["other_at"])
    times = identity["factor"]
    factor = (
        "" if times == 1 else f"{'K' if times == 'classes' else '1/K' if times == '1/classes' else f'{times:g}'} × "
    )
    only = _ONLY.get(identity["only"] or "")
    where = " and ".join(part for part in (only, here) if part)
    close = f" (within {identity['tolerance']:g})" if identity["tolerance"] > 1e-6 else ""
    name = identity["other"] + (f" with {there}" if there else "")
    return f"{f'with {where}' if where else 'always'}: {factor}{name}{close}"


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} = {value:g}" if isinstance(value, int | float) else f"{key} = {value}" for key, value in values.items()
    )


def _parameter(key: str, parameter: Parameter) -> str:
    return f"{key} = {parameter.default} ({parameter.range}; {parameter.meaning})"


def _equals(identity: Equals) -> dict[str, Any]:
    return {
        "other": identity.other,
        "at": dict(identity.at),
        "other_at": dict(identity.other_at),
        "factor": identity.factor,
        "tolerance": identity.tolerance,
        "only": identity.only,
    }
