"""Images per second from files to 64 px arrays ready to train with: lossassay, Keras, PyTorch and MONAI, in turn.

    python -m benchmarks loading --data ../shared/data --rounds 5

In each round every side reads all files twice, in fresh processes; imports do not count, and the files are in the page
cache for all. Ours: `open_cache` into an empty folder lists, hashes, decodes, resizes with antialiasing and writes to
disk; the second start, in another process, opens what the first one wrote. Keras and PyTorch decode again in their
second pass; MONAI's second pass goes through what it keeps in memory. Keras does not antialias.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evidence_tables import table
from benchmarks.runner import (
    DATA,
    Answer,
    Goal,
    answers,
    existing,
    facts,
    keep,
    middle,
    ours,
    peer,
    ratios,
    rotated,
    spread,
)

TITLE = "Images per second from files to arrays"
FOLDERS = {"symbols": "PNG of 128 px", "cxr": "JPEG of 224 px"}
SIZE = 64
BATCH_SIZE = 100
OURS = "ours"
SIDES = {
    OURS: "lossassay `open_cache`: first start, second start",
    "load_keras": "Keras `image_dataset_from_directory`: first pass, second pass",
    "load_torch": "PyTorch `DataLoader`, two workers, Pillow: first pass, second pass",
    "load_monai": "MONAI `CacheDataset`, two workers: filling it, going through it",
}
GOAL = 2.0  # times the best peer, each at its better pass that reads files
READS_FILES = {"load_keras": (0, 1), "load_torch": (0, 1), "load_monai": (0,)}


def _run_ours(folder: Path) -> Answer:
    """Open the images twice, each time in a fresh process."""
    with tempfile.TemporaryDirectory() as cache:
        command = ours("loading_ours", folder=str(folder), size=SIZE, cache=cache)
        first, second = (answers([command])[0] for _start in range(2))
    return {"images": first["images"], "seconds": [*first["seconds"], *second["seconds"]]}


def _run_peer(script: str) -> Callable[[Path], Answer]:
    return lambda folder: answers([peer(script, folder=str(folder), size=SIZE, batch_size=BATCH_SIZE)])[0]


def measure(folder: Path, names: Sequence[str], turn: int) -> dict[str, Any]:
    """Read all files of a folder with every side once."""
    order = rotated(names, turn)
    sides: dict[str, Answer] = {}
    for name in order:
        found = (_run_ours if name == OURS else _run_peer(name))(folder)
        found["images_per_second"] = [found["images"] / seconds for seconds in found["seconds"]]
        sides[name] = found
        speeds = ", ".join(f"{speed:,.0f}" for speed in found["images_per_second"])
        print(f"{folder.name}, round {turn + 1}, {SIDES[name]}: {speeds} images/s", flush=True)
    return {"folder": folder.name, "order": order, "sides": sides}


def summary(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return medians over the rounds of each folder: speeds of both passes, and ratios within a round."""
    found: dict[str, Any] = {}
    for folder in dict.fromkeys(one["folder"] for one in rounds):
        sides = [one["sides"] for one in rounds if one["folder"] == folder]
        own = _speeds(sides, OURS, 0) if OURS in sides[0] else None
        found[folder] = {"images": next(iter(sides[0].values()))["images"]}
        found[folder]["sides"] = {
            name: [_of_pass(_speeds(sides, name, number), own) for number in range(2)] for name in sides[0]
        }
        if own is not None and sides[0].keys() > {OURS}:
            found[folder]["ours_to_best_peer"] = ratios(own, [_best_peer(one) for one in sides])
    return found


def _speeds(sides: Sequence[Mapping[str, Any]], name: str, number: int) -> list[float]:
    return [one[name]["images_per_second"][number] for one in sides]


def _of_pass(speeds: Sequence[float], own: Sequence[float] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"images_per_second": middle(speeds)}
    return found if own is None else found | {"ours_is_times_as_fast": ratios(own, speeds)}


def _best_peer(sides: Mapping[str, Any]) -> float:
    """Return the fastest pass of any peer that reads files, in one round."""
    passes = ((name, number) for name in sides if name != OURS for number in READS_FILES[name])
    return max(sides[name]["images_per_second"][number] for name, number in passes)


def tables(record: Mapping[str, Any]) -> str:
    """Return a table for each folder."""
    parts = []
    for folder, found in record["summary"].items():
        head = [
            f"{folder}, {found['images']:,} {FOLDERS[folder]}",
            "images/s (smallest, largest)",
            "our first start is times as fast (smallest, largest)",
        ]
        rows = [_row(words, one) for name, passes in found["sides"].items() for words, one in _named(name, passes)]
        if "ours_to_best_peer" in found:
            rows.append(["best pass of a peer that reads files", "", spread(found["ours_to_best_peer"], ".2f")])
        parts.append(table(head, rows))
    return "\n\n".join(parts)


def _named(name: str, passes: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    side, both = SIDES[name].split(": ")
    return [(f"{side}: {one}", found) for one, found in zip(both.split(", "), passes, strict=True)]


def _row(words: str, found: Mapping[str, Any]) -> list[str]:
    ratio = found.get("ours_is_times_as_fast")
    return [words, spread(found["images_per_second"], ",.0f"), spread(ratio, ".2f") if ratio else ""]


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return what was asked of decoding, beside what was found."""
    return [
        Goal(
            asked=f"files to {SIZE} px arrays, {folder}, against the best pass of a peer that reads files",
            found=record["summary"].get(folder, {}).get("ours_to_best_peer", {}).get("median"),
            least=GOAL,
        )
        for folder in FOLDERS
    ]


def main(arguments: list[str]) -> None:
    asked = _options(arguments)
    folders = [existing(asked.data / name) for name in asked.folders]
    record = facts("loading", arguments)
    record["options"] = {"size": SIZE, "rounds": asked.rounds, "sides": asked.sides}
    for folder in folders:
        _read_once(folder)
    record["rounds"] = [measure(folder, asked.sides, turn) for turn in range(asked.rounds) for folder in folders]
    record["summary"] = summary(record["rounds"])
    keep("loading", TITLE, record, tables(record), asked.out)


def _read_once(folder: Path) -> None:
    """Bring the files into the page cache."""
    for path in folder.rglob("*.*"):
        path.read_bytes()


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks loading", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with symbols/ and cxr/")
    parser.add_argument("--folders", nargs="+", default=list(FOLDERS), choices=list(FOLDERS))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--out", type=Path, help="folder of the record; default: benchmarks/records/<date>_loading")
    return parser.parse_args(arguments)
