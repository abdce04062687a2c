"""The five stages as short lists of facts, what was held fixed, and how to get the study again."""

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from lossassay.reporting import formatting
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import scope
from lossassay.study.folder.results import StudyResults

Facts = list[tuple[Markup, Markup | str]]


def data(results: StudyResults, m: Messages) -> Facts:
    """How many images, of what, in which groups."""
    found = results.plan.get("data", {})
    left_out = max((part.get("left_out", 0) for part in found.get("parts", ())), default=0)
    errors = [
        part["largest_share_error"] for part in found.get("parts", ()) if part.get("largest_share_error") is not None
    ]
    return _present(
        m,
        {
            "data.images": _counted(found, "rows"),
            "data.exams": _counted(found, "exams"),
            "data.classes": str(len(found["class_names"])) if "class_names" in found else None,
            "data.task": m(_TASKS[found["task"]]) if found.get("task") in _TASKS else None,
            "data.groups": m("data.no_groups") if found.get("groups") is None else formatting.count(found["groups"]),
            "data.split": _split(results, m),
            "data.left_out": formatting.count(left_out) if left_out else None,
            "data.share_error": formatting.value("share", max(errors)) if errors else None,
        },
    )


_SPLITS = {
    "holdout": "data.random",
    "cross_validation": "data.folds",
    "leave_one_out": "data.sites",
    "time": "data.time",
}


def _split(results: StudyResults, m: Messages) -> Markup:
    """How rows become parts."""
    split = results.study.data.split
    if split.official:
        return m("data.official")
    return m(
        _SPLITS[split.kind],
        validation=formatting.setting(100 * split.validation),
        test=formatting.setting(100 * split.test),
        folds=formatting.count(split.folds),
        sites=formatting.count(results.facts.get("sites")),
    )


_TASKS = {"single_label": "data.single_label", "ordinal": "data.ordinal", "multi_label": "data.multi_label"}


def preprocessing(results: StudyResults, m: Messages) -> Facts:
    """How files became numbers."""
    study, plan, facts = results.study, results.plan.get("data", {}), results.facts
    shape = plan.get("image_shape")
    return _present(
        m,
        {
            "preprocessing.shape": " × ".join(map(str, shape)) if shape else None,
            "preprocessing.presets": ", ".join(study.data.preprocess) or None,
            "preprocessing.resize": m(_RESIZES[study.data.resize]),
            "preprocessing.pixels": plan.get("pixel_type"),
            "preprocessing.mean": formatting.listed(facts["pixel_mean"]) if facts.get("pixel_mean") else None,
            "preprocessing.sd": formatting.listed(facts["pixel_sd"]) if facts.get("pixel_sd") else None,
            "preprocessing.augmentation": _augmentation(results, m),
            "preprocessing.cache": formatting.size_in_bytes(plan["cache_bytes"]) if "cache_bytes" in plan else None,
        },
    )


_RESIZES = {"pad": "preprocessing.pad", "crop": "preprocessing.crop", "stretch": "preprocessing.stretch"}


def _augmentation(results: StudyResults, m: Messages) -> Markup | str:
    used = {name: value for name, value in results.study.training.augment.model_dump().items() if value}
    return ", ".join(f"{name} = {value}" for name, value in used.items()) or m("preprocessing.no_augmentation")


def model(results: StudyResults, m: Messages) -> Facts:
    """The network and its size."""
    found = results.plan.get("model", {})
    options = results.study.training.model_options
    features = found.get("feature_count", found.get("features"))
    return _present(
        m,
        {
            "model.name": found.get("name"),
            "model.options": ", ".join(f"{name} = {value}" for name, value in options.items()) or None,
            "model.parameters": _counted(found, "parameters"),
            "model.work": _counted(found, "multiply_accumulates"),
            "model.features": formatting.count(features) if features is not None else None,
            "model.start": m("model.from_file" if results.study.training.weights else "model.from_random"),
            "model.frozen": m("model.frozen_yes") if results.study.training.freeze_features else None,
        },
    )


def training(results: StudyResults, m: Messages) -> Facts:
    """The recipe that all arms share."""
    recipe = results.study.training
    weights = recipe.class_weights
    return _present(
        m,
        {
            "training.optimizer": recipe.optimizer,
            "training.learning_rate": formatting.setting(recipe.learning_rate),
            "training.schedule": recipe.schedule.replace("_", " "),
            "training.epochs": formatting.count(recipe.epochs),
            "training.batch": formatting.count(recipe.batch_size),
            "training.weight_decay": formatting.setting(recipe.weight_decay),
            "training.class_weights": weights if isinstance(weights, str) else formatting.listed(weights),
            "training.selection": m("training.best" if recipe.selection == "best" else "training.last"),
        },
    )


def held_fixed(results: StudyResults, m: Messages) -> list[Markup]:
    """What the answer depends on because it was not varied."""
    study, found = results.study, results.plan.get("data", {})
    fixed = [name for name in _SOURCES if name not in study.evidence.vary]
    own = any(arm.training for arm in study.arms)
    caveats = [m("fixed.data"), m("fixed.model")]
    tuned = results.facts.get("tuning") or {}
    if study.tuning is not None and tuned:
        caveats.append(m("fixed.recipe_tuned", parameters=", ".join(tuned["parameters"])))
    else:
        caveats.append(m("fixed.recipe_own" if own else "fixed.recipe"))
    caveats.append(m("fixed.groups" if found.get("groups") is not None else "fixed.no_groups"))
    caveats.append(m("fixed.selection" if study.training.selection == "best" else "fixed.last"))
    if fixed:
        caveats.append(m("fixed.not_varied", sources=", ".join(m.text(_SOURCES[name]) for name in fixed)))
    if study.evidence.margin is None:
        caveats.append(m("fixed.no_margin"))
    if study.evidence.most == 1:
        caveats.append(m("fixed.one_replicate"))
    return [*caveats, m(f"fixed.{scope(results)}")]


_SOURCES = {
    "split": "source.split",
    "init": "source.init",
    "order": "source.order",
    "augmentation": "source.augmentation",
    "dropout": "source.dropout",
}


def reproducibility(results: StudyResults, m: Messages) -> Facts:
    """Versions, hardware, digests and the command."""
    plan, facts = results.plan, results.facts
    machine, engine = plan.get("environment", {}), plan.get("engine", {})
    return _present(
        m,
        {
            "reproduce.command": Markup("<code>{}</code>").format(plan["command"]) if plan.get("command") else None,
            "reproduce.version": _versions(plan, m),
            "reproduce.packages": _listed(machine.get("packages", {}) | {"Python": machine.get("python")}),
            "reproduce.processor": _joined(machine.get("processor"), machine.get("platform")),
            "reproduce.cores": formatting.count(machine["cores"]) if machine.get("cores") else None,
            "reproduce.memory": formatting.size_in_bytes(machine["memory_bytes"])
            if machine.get("memory_bytes")
            else None,
            "reproduce.gpu": machine.get("gpu"),
            "reproduce.engine": _joined(engine.get("device"), engine.get("precision")),
            "reproduce.threads": formatting.count(engine["threads"]) if engine.get("threads") else None,
            "reproduce.seed": str(results.study.evidence.seed),
            "reproduce.digest": Markup("<code>{}</code>").format(found)
            if (found := plan.get("data", {}).get("digest"))
            else None,
            "reproduce.started": facts.get("started"),
            "reproduce.finished": facts.get("finished"),
            "reproduce.wall": formatting.duration(facts["wall_seconds"]) if facts.get("wall_seconds") else None,
            "reproduce.training": formatting.duration(facts["train_seconds_total"])
            if facts.get("train_seconds_total")
            else None,
        },
    )


def byline(results: StudyResults, m: Messages) -> list[str]:
    """Return the size of the study in a few words."""
    found, arms = results.plan.get("data", {}), len(results.study.arms)
    reached = (results.facts.get("stopping") or {}).get("reached", results.study.evidence.most)
    words = [m.counted("count.arms", arms), m.counted("count.replicates", reached)]
    if "rows" in found:
        words.insert(0, exams_of_images(found, m) or m.counted("count.images", found["rows"]))
    if "class_names" in found:
        words.insert(1, m.counted("count.classes", len(found["class_names"])))
    return [*words, m.counted("count.runs", results.facts.get("runs_finished", 0))]


def exams_of_images(found: Mapping[str, Any], m: Messages) -> str | None:
    """Return how many exams of how many images there are; None where every image stands alone."""
    if found.get("exams") is None:
        return None
    numbers = {"exams": m.counted("count.exams", found["exams"]), "images": m.counted("count.images", found["rows"])}
    return m.text("count.exams_of", **numbers)


def _present(m: Messages, facts: Mapping[str, Markup | str | None]) -> Facts:
    return [(m(key), value) for key, value in facts.items() if value is not None]


def _counted(found: Mapping[str, Any], key: str) -> str | None:
    return formatting.count(found[key]) if found.get(key) is not None else None


def _versions(plan: Mapping[str, Any], m: Messages) -> Markup | None:
    if "lossassay_version" not in plan:
        return None
    return m("reproduce.version_text", version=plan["lossassay_version"], results=plan.get("results_version", "?"))


def _listed(versions: Mapping[str, Any]) -> str | None:
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version) or None


def _joined(*words: str | None) -> str | None:
    present: Iterable[str] = (word for word in words if word)
    return ", ".join(present) or None
