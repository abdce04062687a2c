"""Images, and patients, that a run has learnt from are not new to it."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.data.cache import ImageCache, pixel_digests
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import Finding
from lossassay.study.folder.results import readable
from lossassay.study.planning.bench import PIXELS, TRAIN, VALIDATION


def learnt_from(run: LoadedRun, opened: Sequence[ImageCache]) -> Iterator[Finding]:
    """Say how many images are among those that a run learnt from, or show a patient who is.

    Both are compared by keyed hashes, so that only images of the same user are recognised. A copy of an image that is
    stored in another way has other pixels, and is known by its patient alone.

    Args:
        run: The run; images of its training and its validation part count.
        opened: The images.

    Raises:
        OutFolderError: If what is stored of the study's rows is damaged.
    """
    learnt = np.isin(run.parts(), (TRAIN, VALIDATION))
    rows = readable(run.folder / "rows.parquet", pl.read_parquet)
    known_patients = set(rows["group"].filter(learnt).drop_nulls())
    stored = run.folder / PIXELS  # folders of earlier versions have none
    known_pixels = set(readable(stored, pl.read_parquet)["pixels"].filter(learnt)) if stored.is_file() else set()
    pixels = hash_groups([one for cache in opened for one in pixel_digests(cache)])
    patients = [one for cache in opened for one in cache.manifest.rows["group"]]
    same = [one in known_pixels for one in pixels]
    images = sum(same)
    others = sum(not own and one in known_patients for own, one in zip(same, patients, strict=True))
    if not images and not others:
        return
    counts = [f"{images:,} are images that it learnt from"] if images else []
    counts += [f"{others:,} show patients whose {'other ' if images else ''}images it learnt from"] if others else []
    yield Finding(
        code="learnt-from",
        severity="note",
        message=f"Of {len(pixels):,} images {' and '.join(counts)} (its training or validation part), so it knows them "
        "better than it would know others.",
        advice="Leave them out before you judge the run by what it says of them.",
    )
