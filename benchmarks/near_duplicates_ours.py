"""One side of the benchmark of near duplicates: the audit's own pairs, in a process of its own.

python -m benchmarks.near_duplicates_ours '{"folder": ..., "pairs": ..., "size": 64, "cache": ...}'
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from lossassay.config.schema import DataConfig
from lossassay.data.audit.fingerprints import fingerprints
from lossassay.data.audit.likeness import likeness
from lossassay.data.audit.nearest import nearest_pairs
from lossassay.data.cache import ImageCache, open_cache, pixel_digests


def main() -> None:
    told = json.loads(sys.argv[1])
    table = Path(told["folder"]) / "images.csv"
    data = DataConfig(path=str(table), image_size=told["size"], group="group")
    cache = open_cache(data, cache_folder=Path(told["cache"]))
    started = time.perf_counter()
    found = likeness(cache)
    seconds = time.perf_counter() - started
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    names = np.array([int(path[:-4]) for path in cache.manifest.rows["path"].to_list()])
    scored = pl.DataFrame({"a": names[found.first], "b": names[found.second], "score": -found.log_chances()})
    accepted = scored.filter(pl.Series(found.copies()))
    equal = _equal_pixels(cache, names)
    pl.concat([scored, equal]).write_parquet(Path(told["pairs"]) / "ours.parquet")
    pl.concat([accepted, equal]).write_parquet(Path(told["pairs"]) / "ours_accepted.parquet")
    _thumbnail_correlation(cache, names).write_parquet(Path(told["pairs"]) / "thumbnails.parquet")
    print(json.dumps({"seconds": seconds, "peak_bytes": peak, "half_dimension": found.half_dimension()}))


def _equal_pixels(cache: ImageCache, names: np.ndarray) -> pl.DataFrame:
    """Copies that decode to equal pixels are found as exact duplicates."""
    rows = pl.DataFrame({"name": names, "pixels": pixel_digests(cache)})
    both = rows.join(rows, on="pixels").filter(pl.col("name") < pl.col("name_right"))
    return both.select(a="name", b="name_right", score=pl.lit(1e9, dtype=pl.Float32))


def _thumbnail_correlation(cache: ImageCache, names: np.ndarray) -> pl.DataFrame:
    """The plain way: correlation of 16 px thumbnails, no alignment, one limit."""
    prints = fingerprints(cache.images, np.arange(len(names)))
    small = prints.thumbnails.reshape(len(names), -1).astype(np.float32) / np.sqrt(prints.thumbnails[0].size)
    first, second = nearest_pairs(small, np.arange(len(names)), 8)
    score = (small[first] * small[second]).sum(axis=1)
    return pl.DataFrame({"a": names[first], "b": names[second], "score": score})


if __name__ == "__main__":
    main()
