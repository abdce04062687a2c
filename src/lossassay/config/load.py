"""Reads a study file and names everything that is wrong with it at once, without importing torch."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from lossassay.catalogue.arm_losses import resolved_name, spec_of
from lossassay.catalogue.audit_codes import AUDIT_CODES, STOPPING
from lossassay.catalogue.compound import COMPOUND, in_words, normal_terms, term_problems
from lossassay.catalogue.criteria import PRIMARY
from lossassay.catalogue.models import MODELS
from lossassay.catalogue.parameters import Parameter
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.config.schema import (
    ARM_TRAINING_KEYS,
    CONTROL_ARMS,
    ArmConfig,
    AuditConfig,
    AugmentConfig,
    BiomarkersConfig,
    DataConfig,
    DicomConfig,
    EvidenceConfig,
    ReplicateRange,
    SplitConfig,
    Study,
    TrainingConfig,
    TuningConfig,
    VolumeConfig,
)
from lossassay.config.split_checks import split_problems, with_source
from lossassay.config.tuning_checks import further_tuning_problems, tuning_problems
from lossassay.config.volume_checks import volume_problems
from lossassay.errors import StudyFileError, UnknownNameError, did_you_mean, unknown_name

_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataConfig,
    "training": TrainingConfig,
    "evidence": EvidenceConfig,
    "audit": AuditConfig,
    "biomarkers": BiomarkersConfig,
    "tuning": TuningConfig,
}
_NESTED: dict[tuple[str, str], type[BaseModel]] = {
    ("data", "split"): SplitConfig,
    ("data", "dicom"): DicomConfig,
    ("data", "volume"): VolumeConfig,
    ("training", "augment"): AugmentConfig,
    ("evidence", "replicates"): ReplicateRange,
}
_ARM_OWN_KEYS = ("name", "loss", "training")


def load_study(path: str | Path) -> Study:
    """Read, check and resolve a study file.

    Relative paths inside the file start at the file's own folder.

    Args:
        path: A TOML file.

    Returns:
        The study with every default written out and every path absolute.

    Raises:
        StudyFileError: With every problem in the file, one line each.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise StudyFileError(
            str(path), ["there is no such file; `lossassay new PATH` writes one from a look at your data"]
        ) from None
    except IsADirectoryError:
        raise StudyFileError(str(path), ["this is a folder, a study is a TOML file"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyFileError(str(path), [f"not readable as TOML: {error}"]) from None
    return parse_study(raw, source=str(path), folder=path.parent)


def parse_study(raw: Mapping[str, Any], *, source: str = "the study", folder: Path | None = None) -> Study:
    """Check a study given as a mapping (the shape of study.toml).

    Args:
        raw: The mapping.
        source: What to call it in messages.
        folder: Where its relative paths start; the working folder by default.

    Raises:
        StudyFileError: With every problem, one line each.
    """
    arms, problems = _arms(raw.get("arms"))
    try:
        study = Study.model_validate({**raw, "arms": arms} if arms else {k: v for k, v in raw.items() if k != "arms"})
    except ValidationError as error:
        problems = [*problems, *(_explain(e) for e in error.errors() if not (e["loc"] == ("arms",) and problems))]
        problems += further_tuning_problems(raw, arms, [e["loc"] for e in error.errors()])
        raise StudyFileError(source, problems + _crosscheck_raw(raw)) from None
    problems += _crosscheck_raw(raw) + _crosscheck(study)
    if problems:
        raise StudyFileError(source, problems)
    return _with_absolute_paths(with_source(study), (folder or Path.cwd()).resolve())


def study_as_toml(study: Study) -> str:
    """Write a resolved study so that `load_study` reads the same study back."""
    plain = study.model_dump(mode="json", exclude_none=True)
    plain["arms"] = [
        {k: v for k, v in arm.items() if k not in ("hyper_parameters", "training")}
        | arm["hyper_parameters"]
        | ({"training": arm["training"]} if arm["training"] else {})
        for arm in plain["arms"]
    ]
    space = plain["tuning"].pop("space") if "tuning" in plain else None
    return tomli_w.dumps(plain) + ("" if space is None else _space_as_toml(space))


def _space_as_toml(space: Mapping[str, Any]) -> str:
    """Write the ranges in their order, which names tuning jobs; the writer alone would put all choices last."""
    lines = [
        f"{name} = {{ {tomli_w.dumps(value).strip()} }}\n"
        if isinstance(value, Mapping)
        else tomli_w.dumps({name: value})
        for name, value in space.items()
    ]
    return "\n[tuning.space]\n" + "".join(lines)


def _arms(raw: Any) -> tuple[list[ArmConfig], list[str]]:
    """Turn the raw tables into arms with every hyper-parameter written out."""
    if raw is None:
        return [], ['[[arms]] is missing: name at least one loss, for example `[[arms]]` and `loss = "focal"`']
    if not isinstance(raw, list) or not all(isinstance(arm, Mapping) for arm in raw):
        return [], ["arms must be a list of tables: write [[arms]] with two brackets before each loss"]
    if not raw:
        return [], ["arms is empty: name at least one loss"]
    arms: list[ArmConfig] = []
    problems: list[str] = []
    for position, table in enumerate(raw, start=1):
        where = f"arms {position}"
        found = list(_arm_problems(table, where))
        problems += found
        if not found:
            arms.append(_arm(table))
    names = [arm.name for arm in arms]
    problems += [
        f"two arms are called {name!r}: give each a `name` of its own"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    return arms, problems


def _arm(table: Mapping[str, Any]) -> ArmConfig:
    training = dict(table.get("training", {}))
    terms = _terms(table)
    if terms is not None:
        return ArmConfig(
            name=table.get("name", _with_numbers(in_words(terms), training)),
            loss=COMPOUND,
            hyper_parameters={"terms": normal_terms(terms)},
            training=training,
        )
    loss = resolved_name(table["loss"])
    given = {key: value for key, value in table.items() if key not in _ARM_OWN_KEYS}
    defaults = {key: parameter.default for key, parameter in spec_of(loss, given).hyper_parameters.items()}
    label = _with_numbers(loss, {**given, **training})
    return ArmConfig(
        name=table.get("name", label), loss=loss, hyper_parameters=_without_none(defaults | given), training=training
    )


def _terms(table: Mapping[str, Any]) -> Any:
    """Return the terms of a sum of losses, or None for a single loss."""
    return table["loss"] if isinstance(table.get("loss"), list | tuple) else table.get("terms")


def _with_numbers(name: str, settings: Mapping[str, Any]) -> str:
    return " ".join([name, *(f"{key}={value:g}" for key, value in settings.items() if _is_number(value))])


def _without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    """TOML knows no None: an option that may be left out and is, stays out."""
    return {key: value for key, value in options.items() if value is not None}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arm_problems(table: Mapping[str, Any], where: str) -> Iterator[str]:
    if not isinstance(table.get("name", ""), str):
        yield f"{where}: name must be text, got {table['name']!r}"
    loss = table.get("loss")
    if _terms(table) is not None:
        yield from term_problems(_terms(table), where)
        extra = [key for key in table if key not in (*_ARM_OWN_KEYS, "terms")]
        yield from (f"{where}: {key!r} belongs into the table of one of the losses that are added" for key in extra)
        yield from _arm_training_problems(table.get("training", {}), where)
        return
    if not isinstance(loss, str):
        yield f"{where}: `loss` must be the name of a loss, got {loss!r}; `lossassay losses` lists them"
        return
    try:
        spec = spec_of(resolved_name(loss), {})
    except UnknownNameError as error:
        yield f"{where}: {error}"
        return
    given = {key: value for key, value in table.items() if key not in _ARM_OWN_KEYS}
    yield from _option_problems(given, spec.hyper_parameters, f"{where} ({loss})", "hyper-parameter")
    yield from _arm_training_problems(table.get("training", {}), where)


def _arm_training_problems(training: Any, where: str) -> Iterator[str]:
    if not isinstance(training, Mapping):
        yield f"{where}: training must be a table like {{ learning_rate = 3e-4 }}, got {training!r}"
        return
    for key in training:
        if key not in ARM_TRAINING_KEYS:
            yield (
                f"{where}: training.{key} cannot differ between arms; these can: {', '.join(ARM_TRAINING_KEYS)}."
                f"{did_you_mean(key, ARM_TRAINING_KEYS)}"
            )
    known = {key: value for key, value in training.items() if key in ARM_TRAINING_KEYS}
    try:
        TrainingConfig.model_validate(known)
    except ValidationError as error:
        yield from (f"{where}: {_explain(e, prefix=('training',))}" for e in error.errors())


def _option_problems(given: Mapping[str, Any], known: Mapping[str, Parameter], where: str, noun: str) -> Iterator[str]:
    for key, value in given.items():
        if key in known:
            problem = known[key].problem(value)
            if problem:
                yield f"{where}: {key}: {problem}"
        else:
            listing = f"known: {', '.join(sorted(known))}" if known else "it has none"
            yield f"{where}: no {noun} is called {key!r}; {listing}.{did_you_mean(key, [*known, *_ARM_OWN_KEYS])}"


def _explain(error: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> str:
    """Turn one pydantic error into a sentence with its place, what came and what was expected."""
    location = (*prefix, *(str(part) for part in error["loc"]))
    place = ".".join(part for part in location if "[" not in part and not part.startswith(("literal", "constrained")))
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        return f"{place}: no such key; known: {', '.join(known)}.{did_you_mean(location[-1], known)}"
    if error["type"] == "missing":
        return f"{place}: missing, and it has no default"
    message = error["msg"][0].lower() + error["msg"][1:]
    near = ""
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        near = did_you_mean(error["input"], re.findall(r"'([^']*)'", error["ctx"]["expected"]))
    return f"{place}: {message}, got {error['input']!r}{near and '.' + near}"


def _known_keys(section: tuple[str, ...]) -> list[str]:
    if section[:2] in _NESTED:
        return list(_NESTED[section[:2]].model_fields)  # type: ignore[index]
    if section and section[0] in _SECTIONS:
        return list(_SECTIONS[section[0]].model_fields)
    return list(Study.model_fields)


def _crosscheck_raw(raw: Mapping[str, Any]) -> list[str]:
    """Names that point into the catalogues; checked even when other parts of the file are wrong."""
    problems: list[str] = []
    training, evidence = _section(raw, "training"), _section(raw, "evidence")
    model = training.get("model", "paper_cnn")
    options = training.get("model_options", {})
    if isinstance(model, str) and ":" not in model:
        if model not in MODELS:
            problems.append(f"training.model: {unknown_name('model', model, MODELS)} Your own: `module:function`.")
        elif isinstance(options, Mapping):
            problems += _option_problems(options, MODELS[model].options, f"training.model_options ({model})", "option")
    metric = evidence.get("metric")
    if isinstance(metric, str) and metric not in YARDSTICKS:
        problems.append(f"evidence.metric: {unknown_name('yardstick', metric, YARDSTICKS)}")
    criterion = _section(raw, "biomarkers").get("criterion")
    if isinstance(criterion, str) and criterion not in PRIMARY:
        problems.append(f"biomarkers.criterion: {unknown_name('criterion', criterion, PRIMARY)}")
    return problems


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = raw.get(name)
    return section if isinstance(section, Mapping) else {}


def _crosscheck(study: Study) -> list[str]:
    problems = []
    names = [arm.name for arm in study.arms]
    if study.evidence.compare != "all" and study.evidence.compare not in names:
        problems.append(
            f'evidence.compare: {study.evidence.compare!r} is no arm; use "all" or one of {", ".join(names)}.'
            f"{did_you_mean(study.evidence.compare, names)}"
        )
    problems += _evidence_problems(study.evidence)
    problems += [f"audit.accept: {problem}" for problem in accept_problems(study.audit.accept)]
    problems += [
        f"arms: {name!r} is the name of a control (`evidence.control`); give the arm another"
        for name in CONTROL_ARMS.values()
        if name in names
    ]
    problems += _control_problems(study)
    if study.data.label_bins is not None and (study.data.label_separator or study.data.order):
        problems.append(
            "data.label_bins: cuts one number per image into grades, so it goes neither with data.label_separator nor "
            "with data.order; keep one of them"
        )
    problems += split_problems(study)
    problems += volume_problems(study.data)
    problems += tuning_problems(study)
    for arm in study.arms:
        if spec_of(arm.loss, arm.hyper_parameters).kind == "batch" and study.training_of(arm).class_weights != "none":
            problems.append(
                f"arm {arm.name!r}: {arm.loss} exists only for a whole batch, so class weights have no meaning for it; "
                'give this arm `training = { class_weights = "none" }` or leave it out'
            )
    return problems


def accept_problems(codes: Sequence[str]) -> Iterator[str]:
    """Say which codes to accept are no codes of the audit."""
    for code in codes:
        if code not in AUDIT_CODES:
            yield (
                f"no finding of the audit has the code {code!r}; those that stop a study: {', '.join(STOPPING)}."
                f"{did_you_mean(code, AUDIT_CODES)}"
            )


def _control_problems(study: Study) -> Iterator[str]:
    split, source = study.data.split, study.data.source
    by_source = split.kind == "leave_one_out" and not split.official and split.by in (None, source)
    if "source_only" in study.evidence.controls and by_source:
        yield (
            'evidence.control: "source_only" shows a network where an image comes from, and split.kind = '
            '"leave_one_out" tests on sources that it never saw; leave this control out, or split otherwise'
        )


def _evidence_problems(evidence: EvidenceConfig) -> Iterator[str]:
    if evidence.fewest > evidence.most or (evidence.sequential and evidence.fewest == evidence.most):
        yield (
            f"evidence.replicates: min {evidence.fewest} must be smaller than max {evidence.most}; "
            "for a fixed number write `replicates = 10`"
        )
    if evidence.stopping == "anytime" and not evidence.sequential:
        yield (
            'evidence.stopping: "anytime" needs `replicates = { min = 6, max = 30 }`; '
            f"with {evidence.most} fixed replicates there is only one look"
        )
    if evidence.method == "sign_flip" and (evidence.sequential or evidence.scope == "population"):
        yield (
            'evidence.method: "sign_flip" is defined for a fixed number of replicates in scope "procedure"; '
            'leave `method` out, or write `replicates = 10` and `scope = "procedure"`'
        )


def _with_absolute_paths(study: Study, folder: Path) -> Study:
    def absolute(path: str) -> str:
        return str((folder / Path(path).expanduser()).resolve())

    data = study.data
    if data.path != "digits":
        data = data.model_copy(update={"path": absolute(data.path)})
    if data.dicom.labels is not None:
        data = data.model_copy(update={"dicom": data.dicom.model_copy(update={"labels": absolute(data.dicom.labels)})})
    training = study.training
    if training.weights is not None:
        training = training.model_copy(update={"weights": absolute(training.weights)})
    if training.model in MODELS:
        defaults = {key: parameter.default for key, parameter in MODELS[training.model].options.items()}
        options = {key: _plain(value) for key, value in (defaults | training.model_options).items()}
        training = training.model_copy(update={"model_options": options})
    return study.model_copy(update={"data": data, "training": training})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
