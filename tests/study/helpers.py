"""Small studies for the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from lossassay.config import Study, parse_study

SMALL_MODEL = {"widths": [4, 4, 8, 8, 8], "dense": [16, 8], "dropout": 0.3}
SEED_TABLES = ("arms", "comparisons", "per_class", "noise_floor", "confusion", "roc", "reliability", "worst_errors")


def write_images(folder: Path, *, per_class: int = 20, classes: tuple[str, ...] = ("left", "middle", "right")) -> Path:
    """Class folders of 32 px PNG files; the bright third tells the class."""
    generator = np.random.default_rng(0)
    for index, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            pixels = generator.integers(0, 120, (32, 32)).astype(np.uint8)
            pixels[:, index * 10 : index * 10 + 10] += 80
            Image.fromarray(pixels).save(folder / name / f"{number:03d}.png")
    return folder


def small_study(path: Path | str, *, epochs: int = 2, replicates: int = 2, **changes: Any) -> Study:
    """Two arms that are one function and one that is not."""
    raw: dict[str, Any] = {
        "name": "small",
        "data": {"path": str(path), "image_size": 32},
        "arms": [
            {"loss": "categorical_crossentropy"},
            {"loss": "sparse_categorical_crossentropy"},
            {"loss": "mean_squared_error"},
        ],
        "training": {
            "model_options": SMALL_MODEL,
            "epochs": epochs,
            "batch_size": 16,
            "precision": "fp32",
            "threads": 1,
        },
        "evidence": {"replicates": replicates, "margin": 0.05},
    }
    for key, value in changes.items():
        raw[key] = raw.get(key, {}) | value if isinstance(value, dict) else value
    return parse_study(raw)


def tables_without_clocks(folder: Path) -> dict[str, pl.DataFrame]:
    """Every table that must be equal bit for bit: all but times and memory."""
    tables = {name: pl.read_parquet(folder / "tables" / f"{name}.parquet") for name in SEED_TABLES}
    clocks = ("train_seconds", "epoch_seconds", "images_per_second", "peak_memory_bytes")
    tables["runs"] = pl.read_parquet(folder / "tables" / "runs.parquet").drop(clocks)
    return tables


def assert_same_tables(a: Path, b: Path) -> None:
    """Fail unless both out folders hold the same answers."""
    first, second = tables_without_clocks(a), tables_without_clocks(b)
    for name, frame in first.items():
        assert frame.equals(second[name]), name
