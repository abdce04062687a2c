"""What the performance benchmarks share: sides in fresh processes and in turn, ratios within a round, records."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeAlias

from benchmarks.record import RECORDS, commit, new_record

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
PEERS = Path(__file__).parent / "peers"
PEER_PACKAGES = ("tensorflow-cpu", "keras", "jax", "torch", "lightning", "monai", "numpy", "pillow")
READY = "ready"  # what a process prints when it is warm and waits for the others of its side

Answer = dict[str, Any]
Started: TypeAlias = "tuple[subprocess.Popen[str], IO[str]]"  # with its standard error


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One number that was asked for.

    Args:
        asked: In words.
        found: The same number, measured; None: this record does not hold it.
        least: What it must reach; times as fast, or a share.
    """

    asked: str
    found: float | None
    least: float

    def row(self) -> list[str]:
        """Return the cells of a table."""
        if self.found is None:
            return [self.asked, f"{self.least:g}", "not measured", ""]
        return [self.asked, f"{self.least:g}", f"{self.found:.2f}", "yes" if self.found >= self.least else "**no**"]


# ---- processes ----


@cache
def peer_python() -> str:
    """Return the interpreter that has the peers; make its environment where it is missing."""
    subprocess.run([str(ROOT / "scripts" / "bench-peers")], check=True)
    return str(ROOT / ".venv-peers" / "bin" / "python")


def peer(script: str, **options: Any) -> list[str]:
    """Return the command of a peer's script."""
    return [peer_python(), str(PEERS / f"{script}.py"), json.dumps(options)]


def ours(module: str, **options: Any) -> list[str]:
    """Return the command of a module of ours."""
    return [sys.executable, "-m", f"benchmarks.{module}", json.dumps(options)]


def answers(commands: Sequence[list[str]], environment: Mapping[str, str] | None = None) -> list[Answer]:
    """Run the processes of one side at once, without a GPU, and return what each of them printed last, JSON.

    Several wait for each other after their warm-up: each prints ``ready``, and goes on when it is given a line.
    """
    with ExitStack() as stack:
        started = [stack.enter_context(_started(command, environment or {})) for command in commands]
        if len(started) > 1:
            for one in started:
                _wait_until_warm(one)
            for process, _errors in started:
                _tell(process)
        return [_answer(one) for one in started]


@contextmanager
def _started(command: list[str], environment: Mapping[str, str]) -> Iterator[Started]:
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **quiet, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process, errors
        finally:  # also after Ctrl-C: no side outlives the benchmark
            process.kill()
            process.communicate()


def _wait_until_warm(started: Started) -> None:
    process, errors = started
    for line in process.stdout or ():
        if line.strip() == READY:
            return
    raise _failure(process, errors)


def _tell(process: "subprocess.Popen[str]") -> None:
    if process.stdin is not None:
        process.stdin.write("\n")
        process.stdin.flush()


def _answer(started: Started) -> Answer:
    process, errors = started
    printed, _ = process.communicate()
    if process.returncode != 0:
        raise _failure(process, errors)
    last: Answer = json.loads(printed.splitlines()[-1])
    return last


def _failure(process: "subprocess.Popen[str]", errors: IO[str]) -> SystemExit:
    process.wait()
    errors.seek(0)
    script = Path(str(process.args[1])).stem if isinstance(process.args, list) else ""  # no machine's folders
    return SystemExit(f"{script} ended with code {process.returncode}:\n{errors.read()[-2000:]}")


def existing(path: Path) -> Path:
    """Return a place of the real images, in full; stop where it is not there."""
    if not path.exists():
        raise SystemExit(f"There is no {path.name} at {path.parent}. Name the folder of the images with --data.")
    return path.resolve()


# ---- rounds ----


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """Return the names in another order for every round: each is first once."""
    start = turn % len(names)
    return [*names[start:], *names[:start]]


def middle(values: Sequence[float]) -> dict[str, float]:
    """Return median, smallest and largest."""
    return {"median": statistics.median(values), "smallest": min(values), "largest": max(values)}


def ratios(own: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """Return median, smallest and largest of the ratios within each round: a machine's drift is in both sides."""
    return middle([a / b for a, b in zip(own, other, strict=True)])


def spread(values: Mapping[str, float], form: str) -> str:
    """Write what `middle` returned: median (smallest, largest)."""
    return f"{values['median']:{form}} ({values['smallest']:{form}}, {values['largest']:{form}})"


def peaks() -> Answer:
    """Measure what the machine can do at this moment; see `benchmarks.peak`."""
    return answers([[sys.executable, "-m", "benchmarks.peak"]])[0]


# ---- records ----


def facts(name: str, arguments: Sequence[str], *, peers: bool = True) -> dict[str, Any]:
    """Return what a reader needs to judge a record: command, commit, versions (with those of the peers), hardware."""
    from lossassay.study.planning.machine import environment  # imports torch, which the tables do without

    return {
        "benchmark": name,
        "command": " ".join(["python -m benchmarks", name, *map(_without_folders, arguments)]),
        "commit": commit(),
        "environment": environment(),
        "peers": _peer_versions() if peers else {},
    }


def _without_folders(argument: str) -> str:
    """A record names no place on the machine."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def _peer_versions() -> dict[str, str]:
    code = (
        "import json; from importlib.metadata import version; "
        f"print(json.dumps({{name: version(name) for name in {PEER_PACKAGES}}}))"
    )
    return answers([[peer_python(), "-c", code]])[0]


def keep(name: str, title: str, record: Mapping[str, Any], tables: str, folder: Path | None = None) -> None:
    """Write record.json and README.md, by default into a new folder of today, and print the tables."""
    folder = folder or new_record(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(readme(title, record, tables), encoding="utf-8")
    print(f"{title}\n\n{tables}\n")


PAGE = "docs/performance.md"  # where a record's numbers are told, unless the record says otherwise


def readme(title: str, record: Mapping[str, Any], tables: str) -> str:
    """Return the page of a record."""
    machine = record["environment"]
    peers = " Peers: " + ", ".join(f"{name} {number}" for name, number in record["peers"].items()) + "."
    return (
        f"# {title}\n\n`{record['command']}` at commit {record['commit']}, on {machine['processor']}, "
        f"{machine['cores']} cores; raw numbers in `record.json`, what they mean in `{record.get('page', PAGE)}`."
        f"{peers if record['peers'] else ''}\n\n{tables}\n"
    )


def newest(name: str) -> dict[str, Any] | None:
    """Return the newest record of a benchmark."""
    found = sorted(RECORDS.glob(f"????-??-??_{name}/record.json"))
    record: dict[str, Any] | None = json.loads(found[-1].read_text(encoding="utf-8")) if found else None
    return record
