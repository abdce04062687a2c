"""One side of `benchmarks.extraction` in a process of its own.

    python -m benchmarks.extraction_side '{"what": "ours", "run": ..., "source": ..., "out": ..., "images": 1000}'

prints JSON: the seconds without imports and without loading the network, the images, and the batch size.
``ours`` and ``ours_files`` are `lossassay extract`; ``bare`` is a loop over images that lie decoded in memory,
``files`` the same loop behind a pool of processes that decode files.
"""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lossassay.biomarkers.features.extract import extract, usual_batch_size
from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.data.cache import open_cache

BATCH_SIZES = (32, 64, 128, 256)
TRIED = 512  # images on which the best batch size of a loop is found
SIDE_PX = 64


def ours(run: LoadedRun, asked: dict[str, Any]) -> dict[str, float]:
    started = time.perf_counter()
    found = extract(run, asked["source"], Path(asked["out"]))
    return {"seconds": time.perf_counter() - started, "images": found.images, "batch_size": usual_batch_size("cpu")}


def bare(run: LoadedRun, asked: dict[str, Any]) -> dict[str, float]:
    images = np.array(open_cache(run.study.data).images)
    batch_size = best_batch_size(run, images)
    started = time.perf_counter()
    count = len(inferred(run, (images[at : at + batch_size] for at in range(0, len(images), batch_size))))
    return {"seconds": time.perf_counter() - started, "images": count, "batch_size": batch_size}


def files(run: LoadedRun, asked: dict[str, Any]) -> dict[str, float]:
    batch_size = best_batch_size(run, np.array(open_cache(run.study.data).images[:TRIED]))
    started = time.perf_counter()
    paths = sorted(str(path) for path in Path(asked["source"]).rglob("*.jp*g"))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        decoded = pool.map(decoded_file, paths, chunksize=32)
        batches = iter(lambda: list(islice(decoded, batch_size)), [])
        count = len(inferred(run, (np.stack(some) for some in batches)))
    return {"seconds": time.perf_counter() - started, "images": count, "batch_size": batch_size}


def decoded_file(path: str) -> np.ndarray:
    with Image.open(path) as stored:
        stored.draft("L", (SIDE_PX, SIDE_PX))  # JPEG: decoded at a smaller size, as ours does
        return np.asarray(stored.convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))[..., None]


def inferred(run: LoadedRun, batches: Iterable[np.ndarray]) -> np.ndarray:
    """The plain loop: the network in evaluation mode, batch after batch."""
    return np.concatenate(list(_scores(run, batches)))


@torch.inference_mode()
def _scores(run: LoadedRun, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    mean, sd = run.facts["pixel_mean"][0], run.facts["pixel_sd"][0]
    for images in batches:
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        yield run.model((pixels - mean) / sd).numpy()


def best_batch_size(run: LoadedRun, images: np.ndarray) -> int:
    """Return the batch size with which the loop is fastest on some of the images; its first batch warms up."""
    seconds = {}
    inferred(run, [images[: BATCH_SIZES[-1]]])
    for batch_size in BATCH_SIZES:
        started = time.perf_counter()
        inferred(run, (images[at : at + batch_size] for at in range(0, TRIED, batch_size)))
        seconds[batch_size] = time.perf_counter() - started
    return min(seconds, key=seconds.__getitem__)


def main() -> None:
    asked = json.loads(sys.argv[1])
    run = load_run(asked["run"])
    sides = {"ours": ours, "ours_files": ours, "bare": bare, "files": files}
    print(json.dumps(sides[asked["what"]](run, asked)))


if __name__ == "__main__":
    main()
