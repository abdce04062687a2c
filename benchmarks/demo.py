"""How long a newcomer waits for the demo: wall time and peak memory of `scripts/demo`, from an empty cache each time.

    python -m benchmarks.demo --rounds 3

writes benchmarks/records/<date>_demo/record.json with the raw numbers.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.record import commit, new_record
from lossassay.study.planning.machine import environment


class MemoryWatch(threading.Thread):
    """Samples the resident memory of a process and its children, together and of the first one alone."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(process.pid)
        self.done = threading.Event()
        self.total_bytes = 0
        self.parent_bytes = 0

    def run(self) -> None:
        while not self.done.wait(0.05):
            try:
                parent = self.process.memory_info().rss
                children = sum(child.memory_info().rss for child in self.process.children(recursive=True))
            except psutil.NoSuchProcess:
                continue
            self.total_bytes = max(self.total_bytes, parent + children)
            self.parent_bytes = max(self.parent_bytes, parent)


def one_round() -> dict[str, Any]:
    """Run the demo once, in folders of its own."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {**os.environ, "LOSSASSAY_CACHE": f"{folder}/cache", "NO_COLOR": "1"}
        started = time.perf_counter()
        process = subprocess.Popen(
            ["scripts/demo", "--out", f"{folder}/out"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=variables,
        )
        watch = MemoryWatch(process)
        watch.start()
        printed, _ = process.communicate()
        seconds = time.perf_counter() - started
        watch.done.set()
        watch.join()
        if process.returncode != 0:
            raise SystemExit(f"the demo ended with code {process.returncode}")
        report_bytes = Path(folder, "out", "report.html").stat().st_size
    return {
        "wall_seconds": seconds,
        "all_processes_peak_bytes": watch.total_bytes,
        "parent_peak_bytes": watch.parent_bytes,
        "report_bytes": report_bytes,
        "printed": [line for line in printed.splitlines() if not line.startswith("Report:")],  # a place of this machine
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = [one_round() for _ in range(parser.parse_args().rounds)]
    median = statistics.median(one["wall_seconds"] for one in rounds)
    record = new_record("demo")
    facts = {"command": "scripts/demo", "commit": commit(), "environment": environment()}
    facts |= {"median_wall_seconds": median, "rounds": rounds}
    (record / "record.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(f"{median:.1f} s (median of {len(rounds)}); {record}")


if __name__ == "__main__":
    main()
