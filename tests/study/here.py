"""Small studies in this process and without figures, for tests of what a study finds and not of how it is drawn.

A process of its own imports torch anew for each study, and the figures cost more than the runs. That the bits are those
of worker processes is tested in `test_run.py`.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import vl_convert

from lossassay import api
from lossassay.biomarkers import fit
from lossassay.config import Study
from lossassay.executors import local
from lossassay.study.folder.store import Store
from lossassay.study.planning.bench import read_bench
from lossassay.study.training.worker import be_deterministic, do_job

Message = dict[str, Any]


def run_here(study: Study | Path, out: Path, *, report: bool = False, **options: Any) -> api.Results:
    """Run a study as `api.run` does, its runs one after the other in this process.

    Args:
        study: The study, or its file.
        out: The out folder.
        report: Draw the report too; its figures are no pictures as PNG.
        options: Of `api.run`.
    """
    with jobs_in_this_process() as patch:
        patch.setattr(vl_convert, "svg_to_png", lambda svg, scale: b"")  # tests of studies read the page alone
        if not report:
            patch.setattr(api.Results, "report", lambda results: results.folder / "report.html")
        return api.run(study, out, **options)


@contextmanager
def jobs_in_this_process() -> Iterator[pytest.MonkeyPatch]:
    """Let this process do what worker processes would do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "run_jobs", _run_jobs)
        patch.setattr(fit, "run_jobs", _run_jobs)
        yield patch


def _run_jobs(
    jobs: Sequence[Message],
    *,
    command: Sequence[str],
    setup: Message,
    workers: int,
    on_message: Callable[[Message], None],
    more: Callable[[], Sequence[Message]] = tuple,
    take: Callable[[Message], bool] = lambda job: True,
    environment: Any = None,
) -> None:
    assert command[-1] == "lossassay.study.training.worker"
    with _as_in_a_worker():
        store, bench = Store(Path(setup["folder"])), None
        while jobs:
            bench = bench or read_bench(Path(setup["folder"]), Path(setup["images"]))
            for job in jobs:
                if take(job):
                    do_job(job, store, bench, on_message)
            jobs = more()


@contextmanager
def _as_in_a_worker() -> Iterator[None]:
    """Set torch as a worker does, and set it back."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled, threads = torch.utils.deterministic.fill_uninitialized_memory, torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        be_deterministic()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.utils.deterministic.fill_uninitialized_memory = filled
            torch.set_num_threads(threads)
