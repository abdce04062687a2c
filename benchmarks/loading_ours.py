"""Our side of `benchmarks.loading`: from files to a mapped array on disk.

The only argument is JSON: folder, size, cache.
"""

import json
import sys
import time
from pathlib import Path

from lossassay.config import DataConfig
from lossassay.data.cache import open_cache


def main() -> None:
    asked = json.loads(sys.argv[1])
    data = DataConfig(path=asked["folder"], image_size=asked["size"])
    started = time.perf_counter()
    cache = open_cache(data, cache_folder=Path(asked["cache"]))
    seconds = time.perf_counter() - started
    print(json.dumps({"images": len(cache.images), "seconds": [seconds]}))


if __name__ == "__main__":
    main()
