"""Images, and patients, that a run has learnt from are not new to it."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.data.cache import ImageCache, pixel_digests
from lossassay.data.groups import hash_groups
from lossassay.data.manifest import Finding
from lossassay.study.planning.bench import TRAIN, VALIDATION


def learnt_from(run: LoadedRun, opened: Sequence[ImageCache]) -> Iterator[Finding]:
    """Say how many images are among those that a run learnt from, or show a patient who is.

    Both are compared by keyed hashes, so that only images of the same user are recognised. A copy of an image that is
    stored in another way has other pixels, and is known by its patient alone.

    Args:
        run: The run; images of its training and its validation part count.
        opened: The images.
    """
    rows = pl.read_parquet(run.folder / "rows.parquet").filter(np.isin(run.parts(), (TRAIN, VALIDATION)))
    learnt = {name: set(rows[name].drop_nulls()) if name in rows.columns else set() for name in ("group", "pixels")}
    pixels = hash_groups([one for cache in opened for one in pixel_digests(cache)])
    patients = [one for cache in opened for one in cache.manifest.rows["group"]]
    same = [one in learnt["pixels"] for one in pixels]
    images = sum(same)
    others = sum(not own and one in learnt["group"] for own, one in zip(same, patients, strict=True))
    if not images and not others:
        return
    counts = [f"{images} are images that it learnt from"] if images else []
    counts += [f"{others} show patients whose {'other ' if images else ''}images it learnt from"] if others else []
    yield Finding(
        code="learnt-from",
        severity="note",
        message=f"Of {len(pixels)} images {' and '.join(counts)} (its training or validation part), so it knows them "
        "better than it would know others.",
        advice="Leave them out before you judge the run by what it says of them.",
    )
