"""What `lossassay extract` costs beside the bare network, and whether its memory stays the same.

    python -m benchmarks extraction --data FOLDER --rounds 5 --made 25000 100000

Speed: the chest X-rays of three classes at 64 px and the paper's network, trained here for one epoch. Images that lie
decoded in the cache, against a plain loop over the same images in memory with the same network, precision and number
of threads and the best of four batch sizes; and files that nobody has read, where both sides decode. Seconds are
without imports and without loading the network, on both sides; ours hold listing and writing of the table.

Memory: the command on made PNG files of 32 px, on fewer and on more of them. The largest sum over its processes of
what each had in memory, read 20 times a second; mapped pixels count.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks.audit_cost import resident_bytes
from benchmarks.evidence_tables import table
from benchmarks.runner import DATA, Goal, answers, existing, facts, keep, middle, ours, ratios, rotated, spread

TITLE = "What extraction costs beside the bare network"
PAIRS = {"images in the cache": ("ours", "bare"), "files, both sides decode": ("ours_files", "files")}
SHARE, GROWTH = 0.95, 1.1
MADE_PX = 32


def tables(record: Mapping[str, Any]) -> str:
    """Return the speed of both sides, and memory by the number of images."""
    rows = []
    for words, (own, other) in PAIRS.items():
        if record["rounds"]:
            first, second = (_speeds(record, side) for side in (own, other))
            rows.append(
                [
                    words,
                    f"{len(first)}",
                    spread(middle(first), ".0f"),
                    spread(middle(second), ".0f"),
                    str(record["rounds"][-1][other]["batch_size"]),
                    spread(ratios(first, second), ".2f"),
                ]
            )
    head = ["64 px", "rounds", "extract, images/s", "bare loop, images/s", "its best batch", "extract over bare"]
    memory = [[f"{one['images']:,}", f"{one['peak_bytes'] / 2**20:.0f}"] for one in record["memory"]]
    return f"{table(head, rows)}\n\n{table(['made images, 32 px', 'memory at most, MiB'], memory)}"


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return the share of the bare loop's speed that is reached, and how little memory grows."""
    found = []
    for words, (own, other) in PAIRS.items():
        share = ratios(_speeds(record, own), _speeds(record, other))["median"] if record["rounds"] else None
        found.append(Goal(asked=f"extraction, {words}: share of the bare loop's speed", found=share, least=SHARE))
    peaks = [one["peak_bytes"] for one in record["memory"]]
    counts = " and ".join(f"{one['images']:,}" for one in record["memory"])
    grown = peaks[0] / peaks[-1] if len(peaks) > 1 else None
    asked = f"extraction, memory at {counts} images: the same within 10 %, first over last"
    return [*found, Goal(asked=asked, found=grown, least=round(1 / GROWTH, 2))]


def _speeds(record: Mapping[str, Any], side: str) -> list[float]:
    return [one[side]["images"] / one[side]["seconds"] for one in record["rounds"]]


def one_round(run: Path, data: Path, turn: int, folder: Path) -> dict[str, Any]:
    """Measure all sides once, each in a fresh process; files are new to the cache every time."""
    found = {}
    for side in rotated([side for pair in PAIRS.values() for side in pair], turn):
        source = data / "cxr" / "cxr3.csv" if side in ("ours", "bare") else data / "cxr"
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            options = {"what": side, "run": str(run), "source": str(source), "out": str(Path(empty) / "f.parquet")}
            environment = {"LOSSASSAY_CACHE": empty} if side == "ours_files" else {}
            found[side] = answers([ours("extraction_side", **options)], environment)[0]
    return found


def trained(source: Path, out: Path, *, size: int, **data: Any) -> Path:
    """Train the paper's network for one epoch and return the folder of the run."""
    from lossassay import api  # imports torch, which the tables do without
    from lossassay.config import parse_study

    study = parse_study(
        {
            "name": "extraction",
            "data": {"path": str(source), "image_size": size} | data,
            "arms": [{"loss": "categorical_crossentropy", "name": "one"}],
            "training": {"epochs": 1, "batch_size": 100, "device": "cpu"},
            "evidence": {"replicates": 1},
        }
    )
    return api.fit(study, "one", out)


def peak_bytes(run: Path, images: Path, folder: Path) -> int:
    """Extract in a fresh process with an empty cache; return the most memory of all its processes."""
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        command = [sys.executable, "-m", "lossassay", "extract", str(run), str(images), "-o", f"{empty}/f.parquet"]
        environment = {**os.environ, "LOSSASSAY_CACHE": empty, "NO_COLOR": "1"}
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident_bytes(process))
            time.sleep(0.05)
        if process.returncode != 0:
            raise SystemExit(f"The extraction of {images.name} ended with code {process.returncode}.")
        return peak


def made_images(folder: Path, count: int) -> Path:
    """Write PNG files of noise in two classes; the same ones every time."""
    with ProcessPoolExecutor() as pool:
        tasks = [(str(folder), first, min(count, first + 2_000)) for first in range(0, count, 2_000)]
        list(pool.map(_make_some, tasks))
    return folder


def _make_some(task: tuple[str, int, int]) -> None:
    folder, first, last = task
    for number in range(first, last):
        target = Path(folder) / f"class{number % 2}"
        target.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(number)
        pixels = random.integers(0, 128, (MADE_PX, MADE_PX), dtype=np.uint8) + np.uint8(100 * (number % 2))
        Image.fromarray(pixels).save(target / f"{number:06d}.png")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks extraction", description=TITLE)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real images")
    parser.add_argument("--rounds", type=int, default=5, help="of the speed; 0: leave it out")
    parser.add_argument("--made", type=int, nargs="*", default=[25_000, 100_000], help="images for the memory")
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    record = facts("extraction", arguments, peers=False) | {"rounds": [], "memory": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.rounds:
            data = existing(asked.data)
            run = trained(data / "cxr" / "cxr3.csv", folder / "cxr3", size=64, group="patient_id")
            for turn in range(asked.rounds):
                record["rounds"].append(one_round(run, data, turn, folder))
                print(record["rounds"][-1], flush=True)
        if asked.made:
            run = trained(made_images(folder / "few", 400), folder / "made", size=MADE_PX)
        for count in asked.made:
            images = made_images(folder / f"made{count}", count)
            record["memory"].append({"images": count, "peak_bytes": peak_bytes(run, images, folder)})
            print(record["memory"][-1], flush=True)
    keep("extraction", TITLE, record, tables(record), asked.out)
