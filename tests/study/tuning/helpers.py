"""Small tuned studies, planned and trained in this process."""

from pathlib import Path
from typing import Any

from lossassay.config import Study
from lossassay.data.cache import open_cache
from lossassay.study.planning.bench import Bench, read_bench, write_bench
from lossassay.study.planning.describe import plan_as_data
from lossassay.study.planning.plan import Plan, make_plan
from tests.study.helpers import small_study

LEARNING_RATE = {"learning_rate": [1e-4, 1e-1, "log"]}


def tuned_study(images: Path, *, epochs: int = 4, tuning: dict[str, Any] | None = None, **changes: Any) -> Study:
    """Two losses, few trials, kernels that need no compiling."""
    settings = {"trials": 4, "space": LEARNING_RATE} | (tuning or {})
    arms = [{"loss": "categorical_crossentropy"}, {"loss": "mean_squared_error"}]
    changes = {"arms": arms, "tuning": settings} | changes
    changes["training"] = {"kernels": "plain"} | changes.get("training", {})
    return small_study(images, epochs=epochs, **changes)


def planned(study: Study) -> Plan:
    """Plan a study."""
    return make_plan(study, open_cache(study.data))


def bench_of(study: Study, folder: Path) -> Bench:
    """Write what workers need, and read it."""
    cache = open_cache(study.data)
    plan = make_plan(study, cache)
    folder.mkdir(parents=True, exist_ok=True)
    write_bench(plan, cache, folder, plan_as_data(plan, cache, "test"))
    return read_bench(folder, Path(str(cache.images.filename)))
