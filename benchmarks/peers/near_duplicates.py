"""The other side of the benchmark of near duplicates: hashes of imagehash and imagededup, and cleanvision.

    python benchmarks/peers/near_duplicates.py '{"folder": ..., "pairs": ...}'

Needs `pip install imagehash cleanvision imagededup`; what is missing is named in the answer and left out.
"""

import contextlib
import io
import json
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

FARTHEST = 16  # of 64 bits


def hashes_by_imagehash(paths, name):
    import imagehash
    from PIL import Image

    make = getattr(imagehash, name)
    return [int(str(make(Image.open(path))), 16) for path in paths]


def hashes_by_imagededup(paths, name):
    from imagededup import methods

    maker = getattr(methods, name)(verbose=False)
    return [int(maker.encode_image(image_file=str(path)), 16) for path in paths]


def near(hashes):
    """All pairs of hashes at most FARTHEST bits apart: a [P 3] table of first, second, bits."""
    codes, found = np.array(hashes, dtype=np.uint64), []
    for row in range(len(codes)):
        bits = np.bitwise_count(codes[row + 1 :] ^ codes[row])
        (close,) = np.nonzero(bits <= FARTHEST)
        found.append(np.stack([np.full(len(close), row), row + 1 + close, bits[close]], axis=1).astype(np.int32))
    return np.concatenate(found)


def pairs_by_cleanvision(folder):
    from cleanvision import Imagelab

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab = Imagelab(data_path=str(folder))
        lab.find_issues({"near_duplicates": {}, "exact_duplicates": {}}, n_jobs=2)
    sets = lab.info["near_duplicates"]["sets"] + lab.info["exact_duplicates"]["sets"]
    numbers = [sorted(int(Path(path).stem) for path in one) for one in sets]
    pairs = [(a, b, 0) for one in numbers for place, a in enumerate(one) for b in one[place + 1 :]]
    return np.array(pairs, dtype=np.int32).reshape(-1, 3)


def stop(number, frame):
    raise TimeoutError("took too long")


def main():
    signal.signal(signal.SIGALRM, stop)
    told = json.loads(sys.argv[1])
    folder = Path(told["folder"])
    paths = sorted(folder.glob("*.png"))
    ways = {
        "imagehash_dhash": lambda: near(hashes_by_imagehash(paths, "dhash")),
        "imagehash_phash": lambda: near(hashes_by_imagehash(paths, "phash")),
        "imagededup_phash": lambda: near(hashes_by_imagededup(paths, "PHash")),
        "cleanvision": lambda: pairs_by_cleanvision(folder),
    }
    answer = {"seconds": {}, "missing": {}, "versions": {}}
    for name, way in ways.items():
        package = name.split("_")[0]
        started = time.perf_counter()
        signal.alarm(told["at_most_seconds"])
        try:
            pairs = way()
        except (ImportError, TimeoutError) as error:
            answer["missing"][name] = str(error)
            continue
        finally:
            signal.alarm(0)
        answer["seconds"][name] = time.perf_counter() - started
        answer["versions"][package] = version(package)
        np.save(Path(told["pairs"]) / f"{name}.npy", pairs)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
