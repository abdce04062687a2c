"""What a large study needs: the arithmetic of `docs/scale.md`, from the records and from what the code allocates.

    python -m benchmarks.scale_arithmetic                # prints the tables
    python -m benchmarks.scale_arithmetic --write-docs   # puts them into the page

Nothing is measured here. Every number is one of a record, a size that the code sets, or an assumption that is
named in `ASSUMED`; a GPU was not measured, so its rows are estimates.
"""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evidence_tables import table
from benchmarks.runner import ROOT, newest

PAGE = ROOT / "docs" / "scale.md"
ARMS, REPLICATES, EPOCHS, CLASSES = 12, 20, 15, 3
TRAIN, VALIDATION, TEST = 0.7, 0.1, 0.2
SIZES = (100_000, 10_000_000)  # images
SIDES = (64, 300)  # px, one channel
BATCH = {64: 100, 300: 20}  # as in the record of training
PARAMETERS = {64: 1_275_075, 300: 6_321_347}  # of the paper's CNN, as `lossassay plan` prints them
RECORDS = ("training", "loading", "audit_cost", "growth", "scale")

GIB, TERA = 2**30, 1e12


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU as its maker and one cloud describe it; nothing of it was measured.

    Args:
        name: Of the product.
        peak: Dense bf16 operations per second.
        memory_bytes: Of the device.
        dollars: Per GPU and hour.
    """

    name: str
    peak: float
    memory_bytes: float
    dollars: float


GPUS = (
    Gpu(name="A100 SXM 80 GB", peak=312 * TERA, memory_bytes=80e9, dollars=2.79),
    Gpu(name="H100 SXM 80 GB", peak=989 * TERA, memory_bytes=80e9, dollars=3.99),
)
ASSUMED = {
    "utilisation": 0.10,  # share of the peak that small convolutions reach
    "steps_per_second": 300.0,  # at most: a step of plain kernels is some hundred launches
    "storage_dollars": 0.08,  # per GB and month
    "file_bytes": {64: 20e3, 300: 150e3},  # of an image before it is decoded: a small JPEG, a larger one
}
VECTOR_LENGTH, THUMBNAIL_PX = 64, 48  # of the audit; `data/audit/fingerprints.py`
SIMILARITIES_AT_ONCE = 2**25  # `data/audit/nearest.py`
PROBE_ROWS_AT_ONCE, PROBE_FOLDS = 1024, 5  # `data/audit/nearest_rows.py`


def records() -> dict[str, Any]:
    """Return the newest record of each benchmark that the page uses."""
    found = {name: newest(name) for name in RECORDS}
    missing = [name for name, record in found.items() if record is None]
    if missing:
        raise SystemExit(f"There is no record of {', '.join(missing)}.")
    return {name: record for name, record in found.items() if record is not None}


def runs() -> int:
    """Return how many runs the study has."""
    return ARMS * REPLICATES


def trained_images(images: int) -> float:
    """Return how many images go through forward and backward in the whole study."""
    return runs() * EPOCHS * TRAIN * images


def passes(images: int) -> float:
    """Return the same with evaluation: one forward pass is a third of forward and backward."""
    evaluated = runs() * (EPOCHS * VALIDATION + VALIDATION + TEST) * images
    return trained_images(images) + evaluated / 3


def images_per_second(found: Mapping[str, Any], side: int) -> float:
    """Return what two cores train in a second, as in a study."""
    return float(found["training"]["summary"][str(side)]["ours"]["images_per_second"]["median"])


def gpu_images_per_second(found: Mapping[str, Any], gpu: Gpu, side: int) -> float:
    """Return an estimate: a share of the peak, and no more steps than launches allow."""
    by_arithmetic = ASSUMED["utilisation"] * gpu.peak / found["training"]["flops_per_image"][str(side)]
    return min(by_arithmetic, ASSUMED["steps_per_second"] * BATCH[side])


def cache_bytes(images: int, side: int) -> int:
    """Return the size of images.npy: one byte for each pixel of one channel."""
    return images * side * side


def run_bytes(found: Mapping[str, Any], images: int, side: int) -> float:
    """Return what one stored run takes: weights in float32, and scores of validation and test part."""
    scale = found["scale"]["stored_run"]
    return 4 * PARAMETERS[side] + scale["bytes_per_predicted_row"] * (VALIDATION + TEST) * images


def time_table(found: Mapping[str, Any]) -> str:
    """Training time on two cores, measured speed times the number of images."""
    rows = []
    for images in SIZES:
        for side in SIDES:
            speed = images_per_second(found, side)
            seconds = passes(images) / speed
            rows.append(
                [f"{images:,}", f"{side} px", f"{passes(images):.2e}", f"{speed:,.1f}", words(seconds)]
                + [words(seconds * 2 / cores) for cores in (64, 1024)]
            )
    head = ["images", "size", "passes", "images/s on 2 cores", "2 cores", "64 cores", "1,024 cores"]
    return table(head, rows)


def gpu_table(found: Mapping[str, Any]) -> str:
    """An estimate of GPU hours and their list price."""
    rows = []
    for images in SIZES:
        for side in SIDES:
            for gpu in GPUS:
                speed = gpu_images_per_second(found, gpu, side)
                hours = passes(images) / speed / 3600
                resident = cache_bytes(images, side) < gpu.memory_bytes / 2
                rows.append(
                    [
                        f"{images:,}",
                        f"{side} px",
                        gpu.name,
                        f"{speed:,.0f}",
                        f"{hours:,.1f}",
                        f"{hours * gpu.dollars:,.0f}",
                        "on the GPU" if resident else f"fed at {speed * side * side / 1e6:,.0f} MB/s",
                    ]
                )
    head = ["images", "size", "GPU", "images/s (estimate)", "GPU hours", "USD", "images lie"]
    return table(head, rows)


def disk_table(found: Mapping[str, Any]) -> str:
    """Bytes on disk: cache and stored runs, and what keeping them costs."""
    rows = []
    for images in SIZES:
        for side in SIDES:
            cache, stored = cache_bytes(images, side), runs() * run_bytes(found, images, side)
            rows.append(
                [
                    f"{images:,}",
                    f"{side} px",
                    size(cache),
                    size(run_bytes(found, images, side)),
                    size(stored),
                    f"{(cache + stored) / 1e9 * ASSUMED['storage_dollars']:,.2f}",
                ]
            )
    return table(["images", "size", "cache", "one run", f"{runs()} runs", "USD per month (assumed)"], rows)


def network_table(found: Mapping[str, Any]) -> str:
    """Bytes that travel once to decode, and per second while nodes train from a shared cache."""
    decoded = found["loading"]["summary"]["cxr"]["sides"]["ours"][0]["images_per_second"]["median"]
    rows = []
    for images in SIZES:
        for side in SIDES:
            files = images * ASSUMED["file_bytes"][side]
            per_node = images_per_second(found, side) / 2 * 64 * side * side
            rows.append(
                [
                    f"{images:,}",
                    f"{side} px",
                    size(files),
                    f"{words(images / decoded)}" if side == 64 else "not measured",
                    words(files / 125e6),
                    f"{per_node / 1e6:,.1f} MB/s",
                ]
            )
    head = [
        "images",
        "size",
        "files (assumed)",
        "decoding on 2 cores",
        "the files over 1 Gbit/s",
        "a node of 64 cores that trains reads",
    ]
    return table(head, rows)


def rows_table(found: Mapping[str, Any]) -> str:
    """Memory and time of what grows with the number of images, one line for each part of the code."""
    head = ["part", "grows as", *(f"{images:,} images" for images in SIZES)]
    return table(head, [[name, law, *(own(images) for images in SIZES)] for name, law, own in _parts(found)])


def _parts(found: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    plan_bytes = _slope(found, "plan")
    rows_bytes = found["scale"]["rows_parquet_bytes_per_image"]
    return [
        ("audit, time, at least (all of it linear)", "N", lambda n: words(_audit_seconds(found, n, 1))),
        ("audit, time, if all of it were quadratic", "N²", lambda n: words(_audit_seconds(found, n, 2))),
        ("audit, all similarities: reading the vectors once per block", "N³", lambda n: size(_vector_reads(n))),
        ("audit, memory, pixels of 64 px included", "N", lambda n: size(_audit_bytes(found, n))),
        ("audit, thumbnails and vectors in memory", "N", lambda n: size(n * (2 * THUMBNAIL_PX**2 + 4 * VECTOR_LENGTH))),
        ("audit, one block of distances of a probe", "N", lambda n: size(_probe_block(n))),
        ("plan, memory of the parent", "N", lambda n: size(plan_bytes * n)),
        ("splits.npy, read whole by every worker", "N R", lambda n: size(n * REPLICATES)),
        ("rows.parquet on disk, without groups", "N", lambda n: size(rows_bytes * n)),
        ("hashed groups as text in every worker", "N", lambda n: size(n * GROUP_TEXT_BYTES)),
        ("analysis, memory for the test parts of all runs", "N A R", lambda n: size(_analysis_bytes(found, n))),
        ("one order of the training part, int64", "N", lambda n: size(8 * TRAIN * n)),
    ]


GROUP_TEXT_BYTES = 8 + 49 + 24  # a pointer and a Python string of 24 characters


def _audit_seconds(found: Mapping[str, Any], images: int, power: int) -> float:
    measured = found["audit_cost"]["sets"]["made"][0]["seconds"]
    return float(measured * (images / found["audit_cost"]["made_images"]) ** power)


def _vector_reads(images: int) -> float:
    """Bytes read from memory: every block of rows is multiplied with all vectors, and a block shrinks as N grows."""
    blocks = images / max(1, SIMILARITIES_AT_ONCE // images)
    return blocks * images * 4 * VECTOR_LENGTH


def _probe_block(images: int) -> float:
    return PROBE_ROWS_AT_ONCE * images * (1 - 1 / PROBE_FOLDS) * 4


def _analysis_bytes(found: Mapping[str, Any], images: int) -> float:
    """Memory of the analysis for test rows, at what one row of one run took between two measured studies."""
    small, large = found["scale"]["analysis"]
    grown = large["peak_bytes"] - small["peak_bytes"]
    return runs() * TEST * images * grown / (_test_rows(large) - _test_rows(small))


def _test_rows(study: Mapping[str, Any]) -> float:
    return float(study["arms"] * study["replicates"] * TEST * study["images"])


def _slope(found: Mapping[str, Any], what: str) -> float:
    """Return the bytes of memory for one more image, between the two largest numbers of images of a record."""
    cells = [cell for cell in found["growth"]["cells"] if cell["what"] == what and cell["grown"] == "images"]
    small, large = sorted(cells, key=lambda cell: cell["size"])[-2:]
    return float((large["peak_bytes"] - small["peak_bytes"]) / (large["size"] - small["size"]))


def analysis_table(found: Mapping[str, Any]) -> str:
    """The analysis of the study itself, measured with made-up scores."""
    rows = [
        [
            f"{one['arms']} x {one['replicates']}",
            f"{one['images']:,}",
            f"{one['seconds']:,.0f} s",
            size(one["peak_bytes"]),
        ]
        for one in found["scale"]["analysis"]
    ]
    return table(["arms x replicates", "images", "analysis and report", "memory at most"], rows)


def audit_table(found: Mapping[str, Any]) -> str:
    """The audit at several sizes; the last one is the record of `audit_cost`."""
    last = {"images": found["audit_cost"]["made_images"], **found["audit_cost"]["sets"]["made"][0]}
    audits = [*(one | {"machine": "busy"} for one in found["scale"]["audit"]), last | {"machine": "not said"}]
    rows = [
        [f"{one['images']:,}", f"{one['seconds']:,.0f} s", size(one["peak_bytes"]), one["machine"]] for one in audits
    ]
    return table(["made images of 64 px", "audit", "memory at most", "the machine was"], rows)


def _audit_bytes(found: Mapping[str, Any], images: int) -> float:
    """Memory of an audit at what one more image took between the two largest measured ones, mapped pixels included."""
    small = found["scale"]["audit"][-1]
    large, large_images = found["audit_cost"]["sets"]["made"][0], found["audit_cost"]["made_images"]
    return images * float(large["peak_bytes"] - small["peak_bytes"]) / (large_images - small["images"])


def size(count: float) -> str:
    """Write bytes in units of 1,000, as disks and networks are sold."""
    for unit, scale in (("EB", 1e18), ("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:,.3g} {unit}" if count < 1000 * scale else f"{count / scale:,.0f} {unit}"
    return f"{count / 1e3:,.3g} kB"


def words(seconds: float) -> str:
    """Write a time in the unit that people would take."""
    for unit, length in (("years", 365 * 86400.0), ("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.0f} s"


TABLES = {
    "training on processors": time_table,
    "training on a GPU, estimated": gpu_table,
    "disk": disk_table,
    "network": network_table,
    "analysis": analysis_table,
    "audit": audit_table,
    "what grows with the images": rows_table,
}


def write_docs(page: Path = PAGE) -> None:
    """Put every table between its markers."""
    found, text = records(), page.read_text(encoding="utf-8")
    for name, made in TABLES.items():
        block = f"<!-- table: {name} -->\n{made(found)}\n<!-- end -->"
        pattern = f"<!-- table: {re.escape(name)} -->\n.*?<!-- end -->"
        text = re.sub(pattern, lambda _, block=block: block, text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/scale.md")
    if parser.parse_args().write_docs:
        return write_docs()
    found = records()
    for name, made in TABLES.items():
        print(f"{name}\n\n{made(found)}\n")


if __name__ == "__main__":
    main()
