"""What a study stated before its first run, and what was changed later."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lossassay.config import Study
from lossassay.config.schema import SplitConfig, TuningConfig
from lossassay.errors import OutFolderError
from lossassay.study.folder.whole_files import write_json

_FILE, _FINISHED = "registered.json", "finished.json"
_KEYS = ("metric", "margin", "alpha", "scope", "compare", "method", "stopping", "replicates", "split", "tuning")
_DRAWN = "hold-out"  # also of folders that were made before there were other kinds
_TUNING_OF_SCOPE = {"nested": "in every replicate", "once": "once for all replicates"}


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The evidence rule as first stated.

    Args:
        first: Rule by key, before the first run.
        now: Rule by key, of the last start.
        changes: In words, in the order in which they were made.
        exploratory: More than the margin was changed after the study had been finished and could be read.
        finished: The study as it stands now was finished once.
    """

    first: dict[str, Any]
    now: dict[str, Any]
    changes: tuple[str, ...] = ()
    exploratory: bool = False
    finished: bool = False


def register(folder: Path, study: Study, metric: str) -> Registered:
    """Write down the rule before the first run; at a later start write down what is not the same any more.

    Args:
        folder: The out folder.
        study: As resolved.
        metric: The primary yardstick.
    """
    rule = _rule(study, metric)
    stored = _stored(folder)
    if stored is None:
        found = stored = Registered(first=rule, now=rule)
    else:
        known = _with_finished(folder, stored)
        before = {"split": _DRAWN, "tuning": rule["tuning"]} | known.now
        changed = [key for key in _KEYS if before.get(key) != rule[key]]
        changes = [_in_words(key, before.get(key), rule[key]) for key in changed]
        found = Registered(
            first=known.first,
            now=rule,
            changes=(*known.changes, *changes),
            exploratory=known.exploratory or (known.finished and bool(set(changed) - {"margin"})),
            finished=known.finished and not changes,
        )
    write_json(folder / _FILE, asdict(found) | {"finished": stored.finished and found.finished})
    return found


def mark_finished(folder: Path, known: Registered) -> None:
    """Write down that the study, as it was stated then, has all the runs that it needs.

    In a file of its own: another process may register a change at the same time.

    Args:
        folder: The out folder.
        known: What `read_registered` returned with the plan that all runs are there for.
    """
    if known.first and not known.finished:
        write_json(folder / _FINISHED, {"changes": len(known.changes)})


def read_registered(folder: Path) -> Registered:
    """Read what was written down; empty for a folder of an earlier version.

    Raises:
        OutFolderError: If it is damaged.
    """
    return _with_finished(folder, _stored(folder) or Registered(first={}, now={}))


def _stored(folder: Path) -> Registered | None:
    """Read the statement alone; versions before `_FINISHED` was a file of its own wrote `finished` into it too."""
    path = folder / _FILE
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Registered(**(stored | {"changes": tuple(stored["changes"])}))
    except (ValueError, TypeError, KeyError) as error:
        raise OutFolderError(
            f"{path} is empty or damaged, so the rule of evidence that was stated before the first run is lost. "
            "Expected a file that was written whole. Put back a copy of it, or delete it and give the command of the "
            "study again: all runs are kept, and the rule is stated as it stands then."
        ) from error


def _with_finished(folder: Path, stored: Registered) -> Registered:
    return replace(stored, finished=stored.finished or _finished_after(folder) == len(stored.changes))


def _finished_after(folder: Path) -> int | None:
    """Return how many changes had been made when the study was last finished."""
    try:
        return int(json.loads((folder / _FINISHED).read_text(encoding="utf-8"))["changes"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None  # not yet, or damaged: the next analysis writes it


def _rule(study: Study, metric: str) -> dict[str, Any]:
    evidence = study.evidence.model_dump(mode="json").items()
    stated = {key: value for key, value in evidence if key in _KEYS and key != "metric"}
    in_words = {"split": _split_in_words(study.data.split), "tuning": _tuning_in_words(study.tuning)}
    return {"metric": metric} | stated | in_words


def _split_in_words(split: SplitConfig) -> str:
    """Name the kind, on which the meaning of a verdict rests; shares are no part of it."""
    if split.kind == "cross_validation":
        return f"cross-validation with {split.folds} folds"
    words = {"holdout": _DRAWN, "leave_one_out": "one site left out", "time": "the newest tested"}
    return words[split.kind]


def _tuning_in_words(tuning: TuningConfig | None) -> str | None:
    """Say what is chosen, how often and with what budget: a verdict is about arms that were tuned so."""
    if tuning is None:
        return None
    ranges = [_ranges_in_words(tuning.space)]
    ranges += [f"for {arm} alone {_ranges_in_words(own)}" for arm, own in sorted(tuning.arms.items())]
    return f"{tuning.trials} trials of each arm, {_TUNING_OF_SCOPE[tuning.scope]}: {'; '.join(filter(None, ranges))}"


def _ranges_in_words(ranges: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {json.dumps(span)}" for name, span in sorted(ranges.items()))


def _in_words(key: str, before: Any, now: Any) -> str:
    return f"{key}: {_value(before)}, later {_value(now)}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value['min']} to {value['max']}" if isinstance(value, dict) else str(value)
