"""Images per second from files to 64 px arrays: lossassay against keras.utils.image_dataset_from_directory, in turn.

    python benchmarks/decoding.py --data ../shared/data --peer-python PEERS/bin/python --record benchmarks/records/NAME

Each round runs both sides in fresh processes, one after the other, in an order that alternates. Imports do not
count.
Ours: `open_cache` into an empty cache folder, so it lists, hashes, decodes, resizes with antialiasing
and writes to disk.
Keras: builds the data set and goes through it once (`first`), then once more in the same process (`again`: TensorFlow's
one-time start-up is then paid). Keras neither antialiases nor hashes nor stores. The
files are in the page cache for both.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

FOLDERS = ("symbols", "cxr")
SIZE = 64

OURS = """
import json, sys, time
from pathlib import Path
from lossassay.config.schema import DataConfig
from lossassay.data.cache import open_cache
data = DataConfig(path=sys.argv[1], image_size=int(sys.argv[2]))
start = time.perf_counter()
cache = open_cache(data, cache_folder=Path(sys.argv[3]))
seconds = time.perf_counter() - start
print(json.dumps({"images": len(cache.images), "seconds": seconds}))
"""

KERAS = """
import json, os, sys, time
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, tensorflow
def once():
    start = time.perf_counter()
    size = int(sys.argv[2])
    data = keras.utils.image_dataset_from_directory(
        sys.argv[1], image_size=(size, size), color_mode="grayscale", batch_size=100, shuffle=False, verbose=False)
    images = sum(int(batch.shape[0]) for batch, _ in data)
    return images, time.perf_counter() - start
images, first = once()
_, again = once()
print(json.dumps({"images": images, "first": first, "again": again,
                  "keras": keras.__version__, "tensorflow": tensorflow.__version__}))
"""


def run_side(python: str, code: str, *arguments: str) -> dict[str, float | str]:
    """Run one side in a fresh process and return what it prints."""
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(folder: Path, peer_python: str, rounds: int) -> list[dict[str, object]]:
    """Run both sides ``rounds`` times in turn."""
    records = []
    for number in range(rounds):
        sides = {}
        for side in ("ours", "keras") if number % 2 == 0 else ("keras", "ours"):
            if side == "ours":
                with tempfile.TemporaryDirectory() as cache:
                    sides[side] = run_side(sys.executable, OURS, str(folder), str(SIZE), cache)
            else:
                sides[side] = run_side(peer_python, KERAS, str(folder), str(SIZE))
        records.append(sides)
        print(f"{folder.name} round {number + 1}: {json.dumps(sides)}", flush=True)
    return records


def summarise(records: list[dict[str, dict[str, float]]]) -> dict[str, float]:
    """Return medians in images per second and the median of the ratios of each round."""
    speed = {
        "ours": [r["ours"]["images"] / r["ours"]["seconds"] for r in records],
        "keras_first": [r["keras"]["images"] / r["keras"]["first"] for r in records],
        "keras_again": [r["keras"]["images"] / r["keras"]["again"] for r in records],
    }
    medians = {f"{side}_images_per_second": statistics.median(values) for side, values in speed.items()}
    for peer in ("keras_first", "keras_again"):
        ratios = [own / other for own, other in zip(speed["ours"], speed[peer], strict=True)]
        medians[f"ratio_to_{peer}"] = statistics.median(ratios)
        medians[f"smallest_ratio_to_{peer}"] = min(ratios)
    return medians


def processor() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with symbols/ and cxr/")
    parser.add_argument("--peer-python", required=True, help="interpreter with keras and tensorflow")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--record", type=Path, help="folder to write decoding.json into")
    options = parser.parse_args()
    rounds = {name: measure(options.data / name, options.peer_python, options.rounds) for name in FOLDERS}
    result = {
        "what": f"files to {SIZE} px grey arrays, both sides in turn, {options.rounds} rounds",
        "medians": {name: summarise(records) for name, records in rounds.items()},
        "rounds": rounds,
        "hardware": {"processor": processor(), "cores": os.cpu_count()},
        "versions": {
            "python": platform.python_version(),
            "system": platform.system(),
            **{name: version(name) for name in ("lossassay", "pillow", "numpy", "polars")},
        },
    }
    print(json.dumps(result["medians"], indent=2))
    if options.record:
        options.record.mkdir(parents=True, exist_ok=True)
        (options.record / "decoding.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
