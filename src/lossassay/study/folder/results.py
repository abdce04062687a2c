"""What a finished (or half-finished) study says: tables and facts, all of them stored in the out folder.

`reporting` draws these and computes nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
import polars as pl

from lossassay.config import Study, load_study
from lossassay.errors import OutFolderError
from lossassay.study.folder.columns import LATER_TABLES, TABLES, TUNING_TABLES, column_type

BIOMARKER_FACTS = "biomarkers.json"

_Content = TypeVar("_Content")
_MADE_BY = {  # of what an analysis does not write
    "audit.json": "Give `lossassay run` again with the same study and folder: it looks at the data anew",
    "gallery.npz": "Give `lossassay run` again with the same study and folder: it chooses the images anew",
    "rows.parquet": "Give `lossassay run` again with the same study and folder: it writes it anew",
    "pixels.parquet": "Give `lossassay run` again with the same study and folder: it writes it anew",
}


@dataclass(frozen=True)
class Gallery:
    """Small images for the report.

    Args:
        rows: Row ids, [M].
        images: [M H W] or [M H W 3] uint8, at most 64 px a side.
        kinds: ``"class"`` or ``"error"`` for each.
        labels: Class names (multi-label: joined), [M].
    """

    rows: np.ndarray[Any, np.dtype[np.int64]]
    images: np.ndarray[Any, np.dtype[np.uint8]]
    kinds: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class StudyResults:
    """Everything the report draws.

    Args:
        folder: The out folder.
        study: The study as resolved.
        plan: plan.json: data, model, engine, environment, runs.
        tables: One frame per name in `TABLES`; a table without rows is an empty frame with those columns.
        facts: facts.json: what the page states besides the tables.
        findings: audit.json without file names.
        gallery: Images for the contact sheets, or None.
        biomarkers: biomarkers.json: what `lossassay biomarkers` found besides its tables; None: not called yet.
    """

    folder: Path
    study: Study
    plan: dict[str, Any]
    tables: dict[str, pl.DataFrame]
    facts: dict[str, Any]
    findings: tuple[dict[str, Any], ...]
    gallery: Gallery | None
    biomarkers: dict[str, Any] | None = None

    def later(self, name: str) -> pl.DataFrame:
        """Return a table of `LATER_TABLES` or `TUNING_TABLES`; an empty one where it was not written."""
        schema = {column: column_type(column) for column in (LATER_TABLES | TUNING_TABLES)[name]}
        return self.tables.get(name, pl.DataFrame(schema=schema))


def read_plan(folder: Path) -> dict[str, Any]:
    """Read plan.json.

    Raises:
        OutFolderError: If the folder holds no study, or its plan is damaged.
    """
    path = folder / "plan.json"
    if not path.is_file():
        raise OutFolderError(
            f"{folder} holds no study (there is no plan.json in it). Expected an out folder of `lossassay run`. "
            "Run the study first, or name its folder."
        )
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in ("name", "command", "engine", "data", "runs", "arms") if key not in plan]
    except (ValueError, TypeError):
        missing = ["valid JSON"]
    if missing:
        raise OutFolderError(
            f"{path} is damaged or of another version (missing: {', '.join(missing)}). The finished runs beside it "
            "are untouched: delete this file and give `lossassay run` again; it keeps every run that still fits."
        )
    return plan


def load_results(folder: str | Path) -> StudyResults:
    """Read the stored results of a study.

    Raises:
        OutFolderError: If the folder holds no analysed study.
    """
    folder = Path(folder)
    if not (folder / "facts.json").is_file():
        raise OutFolderError(
            f"{folder} holds no analysed study (there is no facts.json in it). "
            "Expected an out folder of `lossassay run`. Run the study first, or name its folder."
        )
    names = [*TABLES, *(name for name in LATER_TABLES | TUNING_TABLES if _of_table(folder, name).is_file())]
    later = folder / BIOMARKER_FACTS
    return StudyResults(
        folder=folder,
        study=load_study(folder / "study.toml"),
        plan=read_plan(folder),
        tables={name: readable(_of_table(folder, name), pl.read_parquet) for name in names},
        facts=readable(folder / "facts.json", _json),
        findings=read_findings(folder),
        gallery=readable(folder / "gallery.npz", _gallery) if (folder / "gallery.npz").is_file() else None,
        biomarkers=readable(later, _json) if later.is_file() else None,
    )


def read_findings(folder: Path) -> tuple[dict[str, Any], ...]:
    """Return what the audit of a study found, without names of files.

    Raises:
        OutFolderError: If audit.json cannot be read.
    """
    return readable(folder / "audit.json", _findings)


def _of_table(folder: Path, name: str) -> Path:
    return folder / "tables" / f"{name}.parquet"


def readable(path: Path, read: Callable[[Path], _Content]) -> _Content:
    """Read a file of an out folder that a command can write anew.

    Args:
        path: The file.
        read: What reads it.

    Raises:
        OutFolderError: If it is damaged, with the command.
    """
    try:
        return read(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, pl.exceptions.PolarsError) as error:
        raise OutFolderError(
            f"{path} is missing, empty or damaged, as after a loss of power. Expected a file that was written whole. "
            f"{_made_by(path)}; no run is trained again."
        ) from error


def _made_by(path: Path) -> str:
    """Say which command writes a file."""
    if path.name == BIOMARKER_FACTS or path.stem in LATER_TABLES:
        return "Give `lossassay biomarkers` again"
    return _MADE_BY.get(path.name, "Give `lossassay report` again: it writes the tables anew")


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _findings(path: Path) -> tuple[dict[str, Any], ...]:
    return tuple({k: v for k, v in finding.items() if k != "paths"} for finding in _json(path)["findings"])


def _gallery(path: Path) -> Gallery:
    with np.load(path, allow_pickle=False) as stored:
        return Gallery(
            rows=stored["rows"],
            images=stored["images"],
            kinds=tuple(stored["kinds"].tolist()),
            labels=tuple(stored["labels"].tolist()),
        )
