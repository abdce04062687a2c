"""The public functions that look at data and losses before a study; `lossassay.api` has them beside the others."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from lossassay.config import DataConfig, load_study
from lossassay.config.file_schema import study_schema
from lossassay.data import cache as image_cache
from lossassay.data.cache import open_cache
from lossassay.errors import OutFolderError
from lossassay.losses.properties import Property, check_named
from lossassay.reporting.audit_page import make_folder_of, write_audit_page
from lossassay.study.auditing.audit import AuditResult, audit_data
from lossassay.study.auditing.pictures import audit_pictures
from lossassay.study.progress import Progress
from lossassay.study.proposing.draft import study_file
from lossassay.study.proposing.look import look
from lossassay.study.proposing.suggest import LabelFacts, Suggestion, label_facts, suggest_for

__all__ = [
    "audit",
    "cache_entries",
    "check_loss",
    "clear_cache",
    "new",
    "schema",
    "suggest_losses",
]


def new(path: str | Path, out: str | Path = "study.toml", *, progress: Progress | None = None) -> Path:
    """Look at the data and write a commented study file with arms, margin and expected time.

    Raises:
        OutFolderError: If the file is already there.
        DataError: If there is nothing to read.
    """
    target = Path(out)
    return study_file(look(path), target, on_decoding=(progress or Progress()).on_decoding)


def schema(out: str | Path | None = None) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of study.toml, for editors.

    Args:
        out: Where to write it too, a .json file; None: nowhere.

    Raises:
        OutFolderError: If it cannot be written.
    """
    found = study_schema()
    if out is not None:
        target = Path(out)
        if target.suffix.lower() != ".json":
            raise OutFolderError(f"A schema is a .json file, got {target.name!r}. Name one such as study.schema.json.")
        make_folder_of(target)
        try:
            target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutFolderError(f"{target} cannot be written: {error.strerror}. Name another --out.") from None
    return found


def audit(
    path: str | Path, out: str | Path | None = None, *, names: bool = False, progress: Progress | None = None
) -> AuditResult:
    """Read every image once and list what is wrong with the data.

    Args:
        path: The data, or a study file that names them.
        out: Where the page goes; None: no page.
        names: Whether the page names files; they can hold patient numbers.
        progress: What to call on the way.

    Raises:
        DataError: If there is nothing to read.
        OutFolderError: If the page cannot be written.
    """
    data, progress = _data_of(path), progress or Progress()
    if out is not None:
        make_folder_of(Path(out))  # before the work, so that none is lost
    cache = open_cache(data, on_progress=progress.on_decoding)
    found = audit_data(cache, data.split, on_part=progress.on_audit)
    if out is not None:
        write_audit_page(found, audit_pictures(cache, data, found.findings), Path(out), names=names)
    return found


def check_loss(name: str, *, num_classes: int = 4) -> list[Property]:
    """Say which properties hold for a loss, ``module:function`` or a name of the catalogue, with K classes.

    Raises:
        UnknownNameError: If the loss cannot be imported.
    """
    return check_named(name, num_classes=num_classes)


def suggest_losses(path: str | Path) -> tuple[LabelFacts, list[Suggestion]]:
    """Propose losses for a data set from its counts, its task and the order of its classes.

    Args:
        path: The data, or a study file that names them; no image is decoded.

    Raises:
        DataError: If there is nothing to read, or something wrong with the labels.
    """
    facts = label_facts(_data_of(path))
    return facts, suggest_for(facts)


def cache_entries() -> pl.DataFrame:
    """List the decoded images that are kept: key, images, bytes, when last used."""
    return image_cache.cache_entries()


def clear_cache() -> int:
    """Delete every decoded image and return the bytes freed."""
    return image_cache.clear_cache()


def _data_of(path: str | Path) -> DataConfig:
    if Path(path).suffix == ".toml":
        return load_study(path).data
    return DataConfig.model_validate(look(path).data)
