"""Reading the DICOM files that ship with pydicom, beside bare pydicom with its fastest decoder.

    python -m benchmarks dicom_reading

Both sides read every frame of every file from the system's cache, in turn, in one process with one thread of Python.
Bare pydicom is ``dcmread(path)`` and ``pixel_array``, with that of the installed decoders that is fastest for the file.
Ours is what a study does: every frame to grey (or, with ``--channels 3``, to RGB) at 64 px, windowed, scaled, as bytes.
Files that pydicom itself cannot decode are named in the record and left out.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evidence_tables import table
from benchmarks.runner import Goal, facts, keep, middle

TITLE = "Reading DICOM files"
AT_MOST = 1.3  # times the time of bare pydicom
SIZE_PX = 64


def test_files() -> list[str]:
    """Return the DICOM files inside the installed pydicom; nothing is downloaded."""
    from pydicom.data import get_testdata_files

    from lossassay.data.dicom.files import is_dicom_file

    return sorted({name for name in get_testdata_files() if Path(name).is_file() and is_dicom_file(name)})


def read_bare(path: str, plugin: str) -> int:
    """Read with pydicom alone; return the number of frames."""
    from pydicom import dcmread

    data_set = dcmread(path, force=True)
    if plugin:
        data_set.convert_pixel_data(plugin)
    frames = int(data_set.get("NumberOfFrames", 1) or 1)
    return frames if data_set.pixel_array.size else 0


def read_ours(path: str, frames: int, channels: int) -> int:
    """Read as a study does; return the number of frames that can be read."""
    from lossassay.data.decode import DecodeOptions, Item
    from lossassay.data.dicom.read import read_item

    options = DecodeOptions(SIZE_PX, channels, "pad", 0, 255, reading={"dicom": {"unit": "image", "window": "file"}})
    items = [Item((path,), frame if frames > 1 else None) for frame in range(frames)]
    return sum(read_item(item, options, deep=True).problem is None for item in items)


def seconds(work: Callable[[], Any]) -> float:
    """Return the wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def plugins_of(path: str) -> list[str]:
    """Return the installed decoders for a file; an empty name stands for pydicom's own choice."""
    from pydicom import dcmread
    from pydicom.pixels import get_decoder

    try:
        syntax = dcmread(path, force=True, stop_before_pixels=True).file_meta.TransferSyntaxUID
        return list(get_decoder(syntax).available_plugins) or [""]
    except (AttributeError, NotImplementedError):
        return [""]


def fastest(path: str) -> tuple[str, int] | None:
    """Return the decoder that needs least time for a file, and its number of frames; None: none can decode it."""
    times = {}
    frames = 0
    for plugin in plugins_of(path):
        try:
            frames = read_bare(path, plugin)
            times[plugin] = min(seconds(lambda plugin=plugin: read_bare(path, plugin)) for _ in range(3))
        except Exception:  # whatever a decoder makes of a damaged file
            continue
    return (min(times, key=lambda plugin: times[plugin]), frames) if times else None


def measure(chosen: Mapping[str, tuple[str, int]], turn: int, channels: int) -> dict[str, dict[str, float]]:
    """Time both sides on every file, the other one first in every second round."""
    found: dict[str, dict[str, float]] = {}
    for path, (plugin, frames) in chosen.items():
        sides: dict[str, Callable[[], int]] = {
            "ours": lambda path=path, frames=frames: read_ours(path, frames, channels),
            "bare": lambda path=path, plugin=plugin: read_bare(path, plugin),
        }
        order = list(sides) if turn % 2 == 0 else list(sides)[::-1]
        found[_short(path)] = {name: seconds(sides[name]) for name in order}
    return found


def _short(path: str) -> str:
    """A record names no place on the machine."""
    return path.replace("\\", "/").rsplit("test_files/", 1)[-1]


def totals(rounds: Sequence[Mapping[str, Mapping[str, float]]], side: str) -> list[float]:
    """Return the time for all files in each round."""
    return [sum(one[side] for one in files.values()) for files in rounds]


def ratio_of_files(rounds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Return for each file the median over rounds of ours over bare."""
    return {
        name: middle([files[name]["ours"] / files[name]["bare"] for files in rounds])["median"] for name in rounds[0]
    }


def total_ratio(record: Mapping[str, Any]) -> dict[str, float]:
    """Return median, smallest and largest over rounds of the totals' ratio."""
    own, bare = totals(record["rounds"], "ours"), totals(record["rounds"], "bare")
    return middle([one / other for one, other in zip(own, bare, strict=True)])


def tables(record: Mapping[str, Any]) -> str:
    """Return the totals, and the files with the largest ratios."""
    rounds = record["rounds"]
    both = {side: middle([1000 * one for one in totals(rounds, side)]) for side in ("ours", "bare")}
    whole, files = total_ratio(record), ratio_of_files(rounds)
    spread = f"{whole['median']:.2f} ({whole['smallest']:.2f}, {whole['largest']:.2f})"
    first = table(
        [
            "files",
            "frames",
            "ours, ms",
            "bare pydicom, ms",
            "ours over bare (smallest, largest)",
            "median of the files",
        ],
        [
            [
                str(len(files)),
                str(record["frames"]),
                f"{both['ours']['median']:.0f}",
                f"{both['bare']['median']:.0f}",
                spread,
                f"{middle(list(files.values()))['median']:.2f}",
            ]
        ],
    )
    slowest = sorted(files, key=lambda name: -files[name])[:5]
    second = table(
        ["files with the largest ratio", "ours, ms", "bare, ms", "ratio"],
        [
            [
                name,
                f"{1000 * middle([one[name]['ours'] for one in rounds])['median']:.2f}",
                f"{1000 * middle([one[name]['bare'] for one in rounds])['median']:.2f}",
                f"{files[name]:.2f}",
            ]
            for name in slowest
        ],
    )
    return f"{first}\n\n{second}"


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return how the time compares with what was asked for."""
    asked = f"DICOM files of pydicom within {AT_MOST:g} times of bare pydicom: limit over ratio"
    return [Goal(asked=asked, found=AT_MOST / total_ratio(record)["median"], least=1.0)]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks dicom_reading", description=TITLE)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--channels", type=int, choices=(1, 3), default=1)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    record = facts("dicom_reading", arguments, peers=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {path: fastest(path) for path in test_files()}
        chosen = {path: one for path, one in found.items() if one is not None}
        measure(chosen, 0, asked.channels)  # warm
        record["rounds"] = [measure(chosen, turn, asked.channels) for turn in range(asked.rounds)]
    record["frames"] = sum(frames for _, frames in chosen.values())
    record["decoders"] = {_short(path): plugin for path, (plugin, _) in chosen.items() if plugin}
    record["not_decoded_by_pydicom"] = [_short(path) for path, one in found.items() if one is None]
    keep("dicom_reading", TITLE, record, tables(record), asked.out)
