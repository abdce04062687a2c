"""What else a user waits for: the first word of the command, an audit, the analysis and report of 240 runs.

    python -m benchmarks waiting --data FOLDER

Each command runs in a fresh process, in turn with the others, several rounds; the data's cache is there except in the
line that says otherwise. The 240 runs are made up (`benchmarks.finished_study`): nothing was trained.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.evidence_tables import table
from benchmarks.runner import DATA, Goal, answers, facts, keep, middle, ours, rotated

TITLE = "What else a user waits for"
ARMS, REPLICATES, IMAGES = 12, 20, 5_820  # 1,164 of them in the test part
WORDS = {
    "help": "`lossassay --help`",
    "losses": "`lossassay losses`",
    "audit_first": "`lossassay audit` of 6,051 chest X-rays, decoded on the way",
    "audit": "the same again",
    "report": f"`lossassay report`: analysis and report of {ARMS * REPLICATES} runs",
}
AT_MOST_SECONDS = {"help": 0.5, "losses": 0.5, "report": 20.0}


def commands(data: Path, folder: Path) -> dict[str, list[str]]:
    """Return what is run."""
    start = [sys.executable, "-m", "lossassay"]
    audit = [*start, "audit", str(data / "cxr" / "cxr3.csv")]
    said = {"help": [*start, "--help"], "losses": [*start, "losses"], "audit_first": audit, "audit": audit}
    return said | {"report": [*start, "report", str(folder)]}


def timed(command: list[str], cache: Path) -> dict[str, float]:
    """Run a command; return its wall time and the most memory it had, without its own processes.

    The peak is read while it runs: what the system reports at the end counts the memory of this process too.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LOSSASSAY_CACHE": str(cache), "NO_COLOR": "1"},
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, _peak_bytes(process.pid))
        time.sleep(0.005)
    seconds = time.perf_counter() - started
    if process.returncode not in (0, 1):  # 1: an audit that found something
        raise SystemExit(f"{command[2:4]} ended with code {process.returncode}")
    return {"seconds": seconds, "peak_bytes": peak}


def _peak_bytes(process: int) -> int:
    """Return the peak so far (Linux), or 0 where the process is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def measure(data: Path, folder: Path, turn: int) -> dict[str, dict[str, float]]:
    """Run every command once, each in a cache of this round."""
    found = {}
    said = commands(data, folder / "finished")
    cache = folder / f"cache_{turn}"
    order = rotated([name for name in said if name != "audit"], turn)
    order.insert(order.index("audit_first") + 1, "audit")
    for name in order:
        found[name] = timed(said[name], cache)
        print(f"round {turn + 1}, {WORDS[name]}: {found[name]['seconds']:.2f} s", flush=True)
    return found


def tables(record: Mapping[str, Any]) -> str:
    """Return one line for each command."""
    rows = []
    for name, words in WORDS.items():
        seconds = middle([one[name]["seconds"] for one in record["rounds"]])
        peak = max(one[name]["peak_bytes"] for one in record["rounds"])
        spread = f"{seconds['median']:.2f} ({seconds['smallest']:.2f}, {seconds['largest']:.2f})"
        rows.append([words, spread, f"{peak / 2**20:,.0f}"])
    return table(["command", "seconds (smallest, largest)", "memory at most, MiB"], rows)


def goals(record: Mapping[str, Any]) -> list[Goal]:
    """Return how many times faster than asked each command is."""
    return [
        Goal(
            asked=f"{WORDS[name]} within {limit:g} s: limit over time",
            found=limit / middle([one[name]["seconds"] for one in record["rounds"]])["median"],
            least=1.0,
        )
        for name, limit in AT_MOST_SECONDS.items()
    ]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks waiting", description=TITLE)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder of the record")
    asked = parser.parse_args(arguments)
    record = facts("waiting", arguments, peers=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = {"arms": ARMS, "replicates": REPLICATES, "images": IMAGES, "size": 32}
        written = ours("finished_study", what="write", folder=str(folder / "finished"), **told)
        answers([written], {"LOSSASSAY_CACHE": str(folder / "made_up")})
        record["rounds"] = [measure(asked.data, folder, turn) for turn in range(asked.rounds)]
    keep("waiting", TITLE, record, tables(record), asked.out)
