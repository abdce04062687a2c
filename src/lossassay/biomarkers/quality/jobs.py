"""One piece of an assessment: the criteria of a run, of the classical baseline, or of a pair of runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from lossassay.biomarkers.quality.criteria import FeatureSet, Subjects, quality
from lossassay.biomarkers.quality.probe_labels import ProbeLabels
from lossassay.biomarkers.quality.reproducibility import agreement
from lossassay.biomarkers.quality.run_changes import change_values
from lossassay.biomarkers.quality.run_features import (
    Acquisitions,
    FeatureStore,
    baseline_id,
    images_of_test,
    rows_of_test,
)
from lossassay.biomarkers.quality.visit_rows import Visits
from lossassay.catalogue.criteria import CRITERIA
from lossassay.config.schema import BiomarkersConfig
from lossassay.engine.spec import Array

Value = tuple[str, str | None, float]  # criterion, probe or nuisance column, value


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is assessed.

    Args:
        kind: ``"run"``, ``"baseline"``, or ``"pair"`` for two runs of one arm, whose features are kept already.
        arm: Its name.
        replicate: From 0; of a pair, the first.
        run: Id of the run; of a pair, the first; None for the baseline.
        other: Id of the second run of a pair.
    """

    kind: Literal["run", "baseline", "pair"]
    arm: str
    replicate: int
    run: str | None = None
    other: str | None = None


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What all jobs share; plain data, so that another process can be told.

    Args:
        folder: The out folder.
        images: The file of the decoded images.
        settings: The section of the study file.
        subjects: What is known of the rows.
        digest: Of the data.
        device: Where networks compute.
        threads: Of a network: those of the study's own runs, whatever the number of workers.
    """

    folder: Path
    images: Path
    settings: BiomarkersConfig
    subjects: Subjects
    digest: str
    device: str
    threads: int

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "folder": str(self.folder),
            "images": str(self.images),
            "settings": self.settings.model_dump(mode="json"),
            "subjects": _plain(asdict(self.subjects)),
            "digest": self.digest,
            "device": self.device,
            "threads": self.threads,
        }

    @classmethod
    def of_data(cls, data: dict[str, Any]) -> "Setup":
        """Read what `as_data` gave."""
        subjects = data["subjects"]
        return cls(
            folder=Path(data["folder"]),
            images=Path(data["images"]),
            settings=BiomarkersConfig.model_validate(data["settings"]),
            subjects=Subjects(
                labels=None if subjects["labels"] is None else np.array(subjects["labels"], dtype=np.int64),
                patients=np.array(subjects["patients"], dtype=np.int64),
                probes=tuple(map(_labels, subjects["probes"])),
                nuisance=tuple(map(_labels, subjects["nuisance"])),
                seed=subjects["seed"],
                visits=None if subjects["visits"] is None else _visits(subjects["visits"]),
            ),
            digest=data["digest"],
            device=data["device"],
            threads=data["threads"],
        )


class Workplace:
    """Does jobs one by one; keeps the images of one replicate, so jobs should come replicate by replicate.

    Args:
        setup: What all jobs share.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._seed = setup.subjects.seed
        self._store = FeatureStore(setup.folder, setup.settings, digest=setup.digest, seed=self._seed)
        self._pixels: Array = np.load(setup.images, mmap_mode="r")
        self._parts: Array = np.load(setup.folder / "splits.npy", mmap_mode="r")
        self._images: Acquisitions | None = None

    def values(self, job: Job) -> list[Value]:
        """Return every criterion of a job.

        Raises:
            LossassayError: If a layer or a run cannot be used.
        """
        found = [] if job.kind == "pair" else [self._features(job)]
        with threadpool_limits(1):  # the same bits on any number of cores; small products are no slower
            if job.kind != "pair":
                subjects = self._setup.subjects
                values = [*quality(found[0], subjects, replicate=job.replicate), *change_values(found[0], subjects)]
                return [one for one in values if job.kind == "run" or not CRITERIA[one[0]].one_unit]
            first, second = (self._store.read(str(run)) for run in (job.run, job.other))
            if first is None or second is None:
                return []
            patients = self._setup.subjects.patients
            return [(name, None, value) for name, value in agreement(first, second, patients, seed=self._seed)]

    def _features(self, job: Job) -> FeatureSet:
        found = self._store.read(job.run or baseline_id(job.replicate))
        if found is None and job.run is None:
            found = self._store.compute_baseline(self._of_replicate(job.replicate))
        elif found is None:
            with _threads(self._setup.threads):
                images = self._of_replicate(job.replicate)
                found = self._store.compute(str(job.run), images, device=self._setup.device)
        return found

    def _of_replicate(self, replicate: int) -> Acquisitions:
        if self._images is None or self._images.replicate != replicate:
            self._images = None  # first let go of the others
            rows = rows_of_test(np.asarray(self._parts[replicate]), most=self._setup.settings.images, seed=self._seed)
            self._images = images_of_test(self._pixels, rows, seed=self._seed, replicate=replicate)
        return self._images


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _labels(data: dict[str, Any]) -> ProbeLabels:
    return ProbeLabels(**data | {"labels": np.array(data["labels"], dtype=np.int64)})


def _visits(data: dict[str, Any]) -> Visits:
    scores = None if data["scores"] is None else np.array(data["scores"], dtype=np.float64)
    years, exams = np.array(data["years"], dtype=np.float64), np.array(data["exams"], dtype=np.int64)
    return Visits(**data | {"years": years, "exams": exams, "scores": scores})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
