"""What an audit costs: time and memory, duplicates and probes included.

    python -m benchmarks audit_cost --data FOLDER

Handwritten symbols (8,171 files), chest X-rays (6,051 files) and 100,000 files that are made of both by turning,
cutting, brightening and noise. Each audit is a fresh process with an empty cache, so that decoding is part of it.
Memory is the largest sum over its processes of what each had in memory, read 20 times a second; mapped pixels count.
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
from PIL import Image, ImageEnhance

from benchmarks.evidence_tables import table
from benchmarks.runner import DATA, Goal, existing, facts, keep, middle

TITLE = "What an audit costs"
WORDS = {"symbols": "8,171 symbols", "cxr": "6,051 chest X-rays", "made": "{images:,} made images"}
LIMITS = {"symbols": (60.0, 1.5), "cxr": (60.0, 1.5), "made": (900.0, 4.0)}  # seconds, GiB
MADE_PX = 64


def measured(path: Path, folder: Path) -> dict[str, float]:
    """Audit a data set in a fresh process with an empty cache; return seconds and bytes of all its processes."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        started = time.perf_counter()
        command = [sys.executable, "-m", "lossassay", "audit", str(path), "--out", str(folder / "audit.html")]
        environment = {**os.environ, "LOSSASSAY_CACHE": cache, "NO_COLOR": "1"}
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident_bytes(process))
            time.sleep(0.05)
        if process.returncode not in (0, 1):
            raise SystemExit(f"The audit of {path.name} ended with code {process.returncode}.")
        return {"seconds": time.perf_counter() - started, "peak_bytes": peak}


def resident_bytes(process: psutil.Process) -> int:
    total = 0
    for one in [process, *_children(process)]:
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def make_images(data: Path, folder: Path, count: int) -> Path:
    """Write ``count`` altered copies of real images into class folders; the same ones every time."""
    originals = sorted(data.glob("symbols/*/*.png")) + sorted(data.glob("cxr/*/*.jpeg"))
    tasks = [
        (str(folder), [str(name) for name in originals], first, min(count, first + 2_000))
        for first in range(0, count, 2_000)
    ]
    with ProcessPoolExecutor() as pool:
        list(pool.map(_make_some, tasks))
    return folder


def _make_some(task: tuple[str, list[str], int, int]) -> None:
    folder, originals, first, last = task
    for number in range(first, last):
        random = np.random.default_rng(number)
        name = Path(originals[int(random.integers(len(originals)))])
        target = Path(folder) / name.parent.name
        target.mkdir(parents=True, exist_ok=True)
        _altered(name, random).save(target / f"{number:06d}.png")


def _altered(name: Path, random: np.random.Generator) -> Image.Image:
    with Image.open(name) as stored:
        image = stored.convert("L").resize((96, 96), Image.Resampling.BILINEAR)
    image = image.rotate(float(random.uniform(-12, 12)), Image.Resampling.BILINEAR, fillcolor=image.getpixel((0, 0)))
    left, top = random.integers(0, 96 - 80, 2).tolist()
    image = image.crop((left, top, left + 80, top + 80)).resize((MADE_PX, MADE_PX), Image.Resampling.BILINEAR)
    image = ImageEnhance.Brightness(image).enhance(float(random.uniform(0.8, 1.2)))
    noisy = np.asarray(image, dtype=np.float32) + random.normal(0, 6, (MADE_PX, MADE_PX))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def tables(record: Mapping[str, Any]) -> str:
    """Return one line for each data set."""
    rows = []
    for name, words in WORDS.items():
        rounds = record["sets"].get(name)
        if rounds:
            seconds = middle([one["seconds"] for one in rounds])
            peak = max(one["peak_bytes"] for one in rounds)
            spread = f"{seconds['median']:.1f} ({seconds['smallest']:.1f}, {seconds['largest']:.1f})"
            rows.append([words.format(images=record["made_images"]), str(len(rounds)), spread, f"{peak / 2**30:.2f}"])
    return table(["audit of", "rounds", "seconds (smallest, largest)", "memory at most, GiB"], rows)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return how many times less than allowed each audit takes, in time and in memory."""
    found = []
    for name, (seconds, gib) in LIMITS.items():
        rounds = record["sets"].get(name)
        words = WORDS[name].format(images=record["made_images"])
        time_ratio = seconds / middle([one["seconds"] for one in rounds])["median"] if rounds else None
        memory_ratio = gib * 2**30 / max(one["peak_bytes"] for one in rounds) if rounds else None
        found.append(Goal(asked=f"audit of {words} within {seconds:g} s: limit over time", found=time_ratio, least=1.0))
        found.append(
            Goal(asked=f"audit of {words} within {gib:g} GiB: limit over memory", found=memory_ratio, least=1.0)
        )
    return found


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks audit_cost", description=TITLE)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real images")
    parser.add_argument("--rounds", type=int, default=2, help="of the real sets; the made one has one")
    parser.add_argument("--made", type=int, default=100_000, help="images of the made set; 0: leave it out")
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    data = existing(asked.data)
    record = facts("audit_cost", arguments, peers=False) | {"made_images": asked.made, "sets": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for which, path in (("symbols", data / "symbols"), ("cxr", data / "cxr" / "cxr3.csv")):
            record["sets"][which] = [measured(path, folder) for _ in range(asked.rounds)]
            print(which, record["sets"][which], flush=True)
        if asked.made:
            record["sets"]["made"] = [measured(make_images(data, folder / "made", asked.made), folder)]
    keep("audit_cost", TITLE, record, tables(record), asked.out)
