"""Writes a first study file from a look at the data, with the reason beside each choice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli_w

from lossassay.config import parse_study
from lossassay.data.cache import open_cache
from lossassay.errors import OutFolderError
from lossassay.study.planning.estimate import Estimate, estimate
from lossassay.study.planning.plan import Plan, make_plan
from lossassay.study.proposing.proposal import Proposal
from lossassay.study.tuning.halving import budget_epochs

SCHEMA_FILE = "study.schema.json"  # where it lies beside a study file, editors are told
_TRIALS = 20
# Ranges around the defaults, for parameters that papers tune.
_SPACE = {"focal": ("gamma = [0.5, 5.0]",)}
_ARMS = {
    "single_label": (
        ("categorical_crossentropy", "the reference"),
        ("focal", "counts hard images more; gamma 0 would be cross-entropy"),
        ("mean_squared_error", "bounded, so that one wrong label cannot dominate"),
    ),
    "ordinal": (
        ("categorical_crossentropy", "the reference, which does not know the order"),
        ("earth_mover_distance", "a miss by two grades costs more than a miss by one"),
        ("coral", "asks for each threshold whether the grade lies above it"),
    ),
    "multi_label": (("binary_crossentropy", "each finding against its absence"),),
}


def study_file(
    proposal: Proposal, target: Path, *, on_decoding: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Write a commented study file.

    Args:
        proposal: What a look at the data found.
        target: The file to write.
        on_decoding: Called with images decoded so far and in all.

    Raises:
        OutFolderError: If the file is already there.
    """
    if target.exists():
        raise OutFolderError(f"{target} is already there, and is not overwritten. Name another file with --out.")
    source = Path(proposal.data["path"])
    name = source.stem if source.suffix else source.name
    raw: dict[str, Any] = {"name": name, "data": proposal.data}
    # the task is known only once the labels are read, and reading starts with a study
    cache = open_cache(parse_study(raw | {"arms": [{"loss": "bce"}]}).data, on_progress=on_decoding)
    task = cache.manifest.task
    raw["arms"] = [{"loss": loss} for loss, _ in _ARMS[task]]
    raw["training"] = {"model": "paper_cnn", "epochs": 15, "batch_size": 100}
    raw["evidence"] = {"replicates": 10, "margin": 0.02}
    planned = make_plan(parse_study(raw, source="the proposed study"), cache)
    cost = estimate(planned, cache.images)
    lines = (
        _for_editors(target)
        + _commented(raw, proposal, planned, cost)
        + _tuning(raw["arms"], raw["training"]["epochs"], cost)
    )
    target.write_text("\n".join(lines), encoding="utf-8")
    return target


def _commented(raw: dict[str, Any], proposal: Proposal, planned: Plan, cost: Estimate) -> list[str]:
    manifest = planned.manifest
    groups = manifest.rows["group"]
    patients = "" if groups.null_count() == len(groups) else f" of {groups.n_unique():,} groups"
    return [
        f"# {len(manifest.rows):,} images{patients}, {len(manifest.class_names)} "
        f"{'findings' if manifest.task == 'multi_label' else 'classes'}: {_one_line(', '.join(manifest.class_names))}",
        f"# {cost.runs} runs: about {cost.wall_seconds / 60:.0f} minutes with {cost.workers} at once on this machine, "
        f"{cost.disk_bytes / 2**20:,.0f} MiB of disk",
        *(f"# {_one_line(note)}" for note in proposal.notes),
        "",
        _toml(name=raw["name"]),
        "",
        "[data]",
        *_section(raw["data"], proposal.reasons),
        "split = { validation = 0.1, test = 0.2 }  # drawn anew in every replicate, stratified by label",
        "",
        *_arms(manifest.task),
        "[training]",
        *_section(
            raw["training"],
            {"model": "the five-block network of Seo and Cho; or resnet18, or your own module:function"},
        ),
        "",
        "[evidence]",
        f'metric = "{planned.metric}"  # the primary yardstick',
        *_section(
            raw["evidence"],
            {
                "replicates": "each with its own split, weights and batch order, shared by all arms",
                "margin": "YOUR decision: the smallest difference that matters; state it before the first run",
            },
        ),
        "",
    ]


def _for_editors(target: Path) -> list[str]:
    """Name the schema that lies beside the file, in the way that editors with taplo look for."""
    return [f"#:schema ./{SCHEMA_FILE}", ""] if (target.parent / SCHEMA_FILE).is_file() else []


def _tuning(arms: list[dict[str, Any]], epochs: int, cost: Estimate) -> list[str]:
    """Propose a search space for the chosen losses, commented out, with what it would cost."""
    space = ['learning_rate = "auto"', *(own for arm in arms for own in _SPACE.get(arm["loss"], ()))]
    # the runs, the trials of each, and each untuned
    times = 1 + budget_epochs(_TRIALS, epochs, "halving") / epochs + 1
    minutes = times * cost.wall_seconds / 60
    return [
        "# Every arm above trains with the same settings, which may suit one loss better than another. With this",
        "# section each arm chooses its own first, on validation parts, with the same number of trials. It takes about",
        f"# {times:.0f} times as long: {_duration(minutes)} in place of {_duration(cost.wall_seconds / 60)}.",
        "# [tuning]",
        f"# trials = {_TRIALS}  # of each arm in each replicate; most stop after a quarter of the epochs",
        '# scope = "nested"  # or "once": tuned on patients who are then in no test part, at a fraction of the cost',
        f"# space = {{ {', '.join(space)} }}  # auto: a factor of 10 around the setting, both ways",
        "",
    ]


def _duration(minutes: float) -> str:
    return f"{max(1, minutes):.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"


def _arms(task: str) -> list[str]:
    lines = []
    for loss, reason in _ARMS[task]:
        lines += ["[[arms]]", f'loss = "{loss}"  # {reason}', ""]
    return lines


def _section(values: dict[str, Any], reasons: dict[str, str]) -> list[str]:
    return [_toml(**{key: value}) + (f"  # {reasons[key]}" if key in reasons else "") for key, value in values.items()]


def _one_line(text: str) -> str:
    """A class name may hold anything; in a comment a line break would end the comment."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _toml(**value: Any) -> str:
    """Write keys with their values; a section inside the section stays on one line."""
    return "\n".join(
        f"{key} = {_inline(own)}" if isinstance(own, dict) else _plain(key, own) for key, own in value.items()
    )


def _inline(section: dict[str, Any]) -> str:
    return f"{{ {', '.join(_toml(**{key: value}) for key, value in section.items())} }}"


def _plain(key: str, value: Any) -> str:
    return tomli_w.dumps({key: value}).strip()
