"""Near duplicates: how many labelled copies the audit finds, beside perceptual hashes and cleanvision.

    python -m benchmarks near_duplicates --data FOLDER [--peer-python PYTHON]

Copies of every second original (`benchmarks.near_copies`) lie among all originals. The limits of the audit were chosen
on copies of the first, third, … original (--half 0); the record holds those of the second, fourth, … one. Pairs of one
patient, and pairs of originals that are copies by their looks, count neither way. The originals are the same in both
halves: recall is measured on new copies, wrong pairs partly on images that were seen when the limits were chosen.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.evidence_tables import table
from benchmarks.near_copies import CHANGES, DATA_SETS, KNOWN, write_mixture
from benchmarks.runner import DATA, PEERS, Goal, answers, facts, keep, ours

TITLE = "Near duplicates found"
PRECISION = 0.99
WORDS = {
    "ours": "`lossassay audit`, one limit for all data",
    "thumbnails": "correlation of 48 px thumbnails",
    "imagehash_dhash": "imagehash, difference hash of 64 bits",
    "imagehash_phash": "imagehash, perceptual hash of 64 bits",
    "imagededup_phash": "imagededup, perceptual hash",
    "cleanvision": "cleanvision, its own setting",
}
SETTINGS = {"imagehash_dhash": (0, 4, 8), "imagehash_phash": (0, 4, 8), "imagededup_phash": (10,)}


def verdicts(pairs: pl.DataFrame, mixture: pl.DataFrame, name: str) -> pl.DataFrame:
    """Say of each pair whether it is a copy (true), a false alarm (false), or counts neither way (left out).

    Args:
        pairs: Columns a, b (numbers of files), score (higher: more alike).
        mixture: What `write_mixture` returned.
        name: Of the data set.

    Returns:
        Columns score, right, change; sorted, the most alike first.
    """
    source, patient = mixture["source"].to_numpy(), mixture["patient"].to_numpy()
    change = np.array([kind or "" for kind in mixture["change"].to_list()])
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    right = source[a] == source[b]
    known = {tuple(pair[1:]) for pair in KNOWN[name]}
    sources = zip(np.minimum(source[a], source[b]).tolist(), np.maximum(source[a], source[b]).tolist(), strict=True)
    left_out = ((patient[a] == patient[b]) & ~right) | np.array([pair in known for pair in sources], dtype=np.bool_)
    kinds = np.where(change[a] == "", change[b], change[a])
    judged = pl.DataFrame({"score": pairs["score"], "right": right, "change": kinds}).filter(pl.Series(~left_out))
    return judged.sort("score", descending=True, maintain_order=True)


def recall_at(judged: pl.DataFrame, copies: int, precision: float) -> float:
    """Return the largest share of copies found with at least this precision, over all limits."""
    if len(judged) == 0:
        return 0.0
    found = judged["right"].cum_sum().to_numpy()
    reached = found / np.arange(1, len(judged) + 1) >= precision
    last = np.append(np.diff(judged["score"].to_numpy()) != 0, True)  # a limit takes all pairs of one score, or none
    return float((found * (reached & last)).max() / copies)


def at_limit(judged: pl.DataFrame, copies: int) -> dict[str, float]:
    """Return precision and recall of all of these pairs."""
    right = int(judged["right"].sum())
    return {"pairs": len(judged), "wrong": len(judged) - right, "recall": right / copies}


def one_data_set(asked: argparse.Namespace, name: str, folder: Path) -> dict[str, Any]:
    """Make the mixture and let every side look for copies."""
    mixture = write_mixture(asked.data, name, folder / name, half=asked.half, copies_of_a_kind=asked.copies)
    pairs = folder / f"{name}_pairs"
    pairs.mkdir()
    places = {"folder": str(folder / name), "pairs": str(pairs)}
    said = answers([ours("near_duplicates_ours", **places, size=asked.size, cache=str(folder / "cache"))])[0]
    print(f"{name}: ours took {said['seconds']:.1f} s", flush=True)
    peer = answers(
        [
            [
                asked.peer_python,
                str(PEERS / "near_duplicates.py"),
                json.dumps(places | {"at_most_seconds": asked.peer_seconds}),
            ]
        ]
    )[0]
    print(f"{name}: peers took {peer['seconds']}", flush=True)
    copies = mixture["change"].drop_nulls().len()
    found: dict[str, Any] = {"ours": _judge(pl.read_parquet(pairs / "ours.parquet"), mixture, name)}
    accepted = verdicts(pl.read_parquet(pairs / "ours_accepted.parquet"), mixture, name)
    found["ours"]["at"] = {"as it is": at_limit(accepted, copies)}
    found["ours"]["by_change"] = _by_change(accepted, mixture)
    found["ours"] |= said
    found["thumbnails"] = _judge(pl.read_parquet(pairs / "thumbnails.parquet"), mixture, name) | {"at": {}}
    for way in peer["seconds"]:
        near = np.load(pairs / f"{way}.npy")
        scored = pl.DataFrame({"a": near[:, 0], "b": near[:, 1], "score": -near[:, 2].astype(np.float32)})
        found[way] = _judge(scored, mixture, name) | {"seconds": peer["seconds"][way]}
        limits = SETTINGS.get(way, (0,))
        judged = verdicts(scored, mixture, name)
        found[way]["at"] = {
            f"{bits} bits": at_limit(judged.filter(pl.col("score") >= -bits), copies) for bits in limits
        }
    return {
        "originals": len(mixture) - copies,
        "copies": copies,
        "found": found,
        "missing": peer["missing"],
        "versions": peer["versions"],
    }


def _judge(pairs: pl.DataFrame, mixture: pl.DataFrame, name: str) -> dict[str, Any]:
    copies = mixture["change"].drop_nulls().len()
    return {"recall_at_99": recall_at(verdicts(pairs, mixture, name), copies, PRECISION)}


def _by_change(judged: pl.DataFrame, mixture: pl.DataFrame) -> dict[str, float]:
    right = judged.filter(pl.col("right"))
    return {
        kind: right.filter(pl.col("change") == kind).height / mixture.filter(pl.col("change") == kind).height
        for kind in CHANGES
    }


def tables(record: Mapping[str, Any]) -> str:
    """Return what each side found, and what ours found of each kind of copy."""
    made = []
    for name, one in record["data_sets"].items():
        rows = []
        for way, words in WORDS.items():
            if way not in one["found"]:
                rows.append([words, one["missing"].get(way, "not tried"), "", "", "", ""])
                continue
            side = one["found"][way]
            seconds = f"{side['seconds']:.1f}" if "seconds" in side else ""
            for place, (limit, at) in enumerate((side["at"] or {"": None}).items()):
                whole = f"{side['recall_at_99']:.1%}" if place == 0 else ""
                numbers = [f"{at['recall']:.1%}", f"{at['pairs']:,}", f"{at['wrong']:,}"] if at else ["", "", ""]
                rows.append([f"{words}{f', {limit}' if limit else ''}", whole, *numbers, seconds if place == 0 else ""])
        heads = ["way", "recall at 99 % precision", "recall at this limit", "pairs", "of them wrong", "seconds"]
        counts = f"{one['originals']:,} images and {one['copies']:,} copies, {record['image_size']} px"
        made.append(f"{name}: {counts}\n\n{table(heads, rows)}")
    kinds = [
        [kind, *(f"{one['found']['ours']['by_change'][kind]:.1%}" for one in record["data_sets"].values())]
        for kind in CHANGES
    ]
    made.append(table(["kind of copy, share that the audit finds", *record["data_sets"]], kinds))
    return "\n\n".join(made)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return recall and precision asked for and found."""
    wanted = []
    for name, one in record["data_sets"].items():
        at = one["found"]["ours"]["at"]["as it is"]
        wanted.append(Goal(asked=f"near duplicates, {name}: recall", found=at["recall"], least=0.95))
        precision = 1 - at["wrong"] / max(1, at["pairs"])
        wanted.append(Goal(asked=f"near duplicates, {name}: precision", found=precision, least=PRECISION))
    return wanted


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks near_duplicates", description=TITLE)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real images")
    parser.add_argument(
        "--half", type=int, choices=(0, 1), default=1, help="0: the originals that limits were chosen on"
    )
    parser.add_argument("--copies", type=int, default=100, help="of each kind and data set")
    parser.add_argument("--size", type=int, default=64, help="px of the decoded images")
    parser.add_argument(
        "--peer-python", default=sys.executable, help="an interpreter with imagehash, imagededup, cleanvision"
    )
    parser.add_argument("--peer-seconds", type=int, default=600, help="for each way and data set")
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    record = facts("near_duplicates", arguments, peers=False) | {"image_size": asked.size, "half": asked.half}
    with tempfile.TemporaryDirectory() as folder:
        record["data_sets"] = {name: one_data_set(asked, name, Path(folder)) for name in DATA_SETS}
    for one in record["data_sets"].values():
        record["peers"] |= one["versions"]
    keep("near_duplicates", TITLE, record, tables(record), asked.out)
