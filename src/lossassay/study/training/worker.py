"""A worker process: reads jobs from standard input, trains them, writes them, says so on standard output.

Started as ``python -m lossassay.study.training.worker`` by the local executor.
"""

import json
import os
import queue
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from lossassay.engine import one
from lossassay.engine.spec import Checkpoint, EpochRecord
from lossassay.errors import LossassayError, OutFolderError
from lossassay.study.folder.leases import still_held
from lossassay.study.folder.store import RunStore, Store
from lossassay.study.planning.bench import Bench, read_bench, read_run
from lossassay.study.tuning.trials import run_job


def main() -> None:
    """Serve until standard input closes."""
    speak = _take_standard_output()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    setup, jobs = _listen()
    be_deterministic()
    bench = read_bench(Path(setup["folder"]), Path(setup["images"]))
    store = Store(Path(setup["folder"]))
    speak({"event": "ready"})
    while True:
        do_job(jobs.get(), store, bench, speak)


def be_deterministic() -> None:
    """Make torch give the same bits for the same run, in this process."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # slow; nothing reads it
    torch.backends.cudnn.benchmark = False
    warnings.filterwarnings("ignore", message=".*deterministic.*")


def do_job(job: dict[str, Any], store: RunStore, bench: Bench, speak: Callable[[dict[str, Any]], None]) -> None:
    """Train and store one run, or the trials of one tuning job; every outcome is a message.

    Args:
        job: ``{"id": ...}`` of a planned run, or ``{"id": ..., "kind": "tuning"}``; with its ``"lease"`` where other
            processes could do it too.
        store: Where it is kept.
        bench: What all runs share.
        speak: Called with ``{"event": "epoch" | "done" | "failed", "id": ...}``; the last call is one of the last two.
    """
    name = job["id"]
    try:
        do = _tune if job.get("kind") == "tuning" else _train
        speak({"event": "done", "id": name, "status": do(job, store, bench, speak)})
    except _LostLeaseError as error:
        speak({"event": "failed", "id": name, "message": str(error), "lost": True})
    except OutFolderError as error:  # no other run could be written either
        speak({"event": "failed", "id": name, "message": str(error), "fatal": True})
    except LossassayError as error:
        speak({"event": "failed", "id": name, "message": str(error)})
    except Exception:
        speak({"event": "failed", "id": name, "message": traceback.format_exc(limit=-3)})


def _train(job: dict[str, Any], store: RunStore, bench: Bench, speak: Callable[[dict[str, Any]], None]) -> str:
    run_id = job["id"]
    facts, spec, data = read_run(bench, run_id)

    def on_epoch(record: EpochRecord) -> None:
        speak({"event": "epoch", "id": run_id, "epoch": record.epoch, "yardstick": _finite(record)})

    def save(checkpoint: Checkpoint) -> None:
        _check_lease(bench, job)
        store.save_checkpoint(run_id, checkpoint)

    result = one.train(spec, data, resume=store.load_checkpoint(run_id), save=save, on_epoch=on_epoch)
    _check_lease(bench, job)
    store.write(run_id, facts, result, data, bench.groups)
    return result.status


def _tune(job: dict[str, Any], store: RunStore, bench: Bench, speak: Callable[[dict[str, Any]], None]) -> str:
    name = job["id"]

    def on_epoch(number: int, record: EpochRecord) -> None:
        _check_lease(bench, job)
        speak({"event": "epoch", "id": name, "trial": number, "epoch": record.epoch, "yardstick": _finite(record)})

    run_job(next(entry for entry in bench.plan["tuning"] if entry["id"] == name), bench, on_epoch)
    return "finished"


class _LostLeaseError(LossassayError):
    """Another process took the run over, because this one was not heard of for too long."""


def _check_lease(bench: Bench, job: dict[str, Any]) -> None:
    if not still_held(bench.folder, job.get("lease")):
        raise _LostLeaseError("another process took this run over; nothing of it is lost")


def _finite(record: EpochRecord) -> float | None:
    return record.validation_yardstick if np.isfinite(record.validation_yardstick) else None


def _take_standard_output() -> Any:
    """Keep standard output for messages; whatever else prints goes to standard error."""
    channel: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def speak(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")

    return speak


def _listen() -> tuple[dict[str, Any], "queue.Queue[dict[str, Any]]"]:
    """Read the setup, then jobs in a thread; leave at once when standard input closes, for nobody waits any more."""
    setup = json.loads(sys.stdin.readline() or "null")
    if setup is None:
        sys.exit(0)
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            jobs.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return setup, jobs


if __name__ == "__main__":
    main()
