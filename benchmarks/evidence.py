"""How often verdicts err, how often intervals miss the truth, how many replicates a verdict takes: by simulation.

    python -m benchmarks.evidence                 # in full: 10,000 studies in each cell, 1,000 where patients are drawn
    python -m benchmarks.evidence --quick         # 1,000, and 100
    python -m benchmarks.evidence --write-docs    # the tables of docs/evidence.md anew, from the newest record

writes benchmarks/records/<date>_evidence/: counts.csv (every number of every table), README.md (the tables) and
record.json. The simulated studies go through the code that judges real ones.
"""

import argparse
import csv
import json
import multiprocessing
import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import evidence_population
from benchmarks.evidence_cells import CELLS, EXCHANGEABLE, UNEQUAL
from benchmarks.evidence_errors import Counts, judge, judge_arms, judge_max_t, judge_p_values
from benchmarks.evidence_naive import STUDIES, judge_naive
from benchmarks.evidence_noise import chunks_of
from benchmarks.evidence_replicates import QUESTIONS, judge_replicates
from benchmarks.evidence_tables import Found, readme, write_docs
from benchmarks.record import RECORDS, commit, new_record

DOCS = Path(__file__).parents[1] / "docs" / "evidence.md"
WORKERS = 2
POPULATION_AT_ONCE = 25  # studies


def judge_population(name: str, chunk: int, studies: int) -> Counts:
    """Count what analyses say of studies whose patients are drawn anew."""
    design = evidence_population.CELLS[name]
    rows = evidence_population.simulate(name, design, studies=studies, seed=chunk)
    pairs = design.arms * (design.arms - 1) // 2
    counts: Counts = {"studies": np.array(studies), "pairs": np.array(studies * pairs)}
    for row in rows:
        values = studies * np.array([row.called_different, row.missed, row.covered * pairs, row.mean_width * pairs])
        counts[row.analysis] = np.append(np.rint(values[:3]), values[3])
    return counts


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One question.

    Args:
        judge: Draws a chunk of studies and counts: name, chunk, studies -> counts.
        names: What is simulated, with the numbers that a study has.
        seconds: Of a study, about, for the time left; for each of its numbers.
        share: Of the studies that were asked for.
        at_once: Studies in a chunk; None: as many as fit in memory.
    """

    judge: Callable[[str, int, int], Counts]
    names: dict[str, int]
    seconds: float
    share: float = 1.0
    at_once: int | None = None


def _numbers(names: list[str]) -> dict[str, int]:
    return {name: CELLS[name].rule.last * len(CELLS[name].pairs) for name in names}


SYMMETRIC = ("normal", "tied", "skewed", "two values")  # differences of exchangeable arms are
MAX_T = [
    *(f"equal arms, {noise}, {arms} arms, fixed 10" for noise in SYMMETRIC for arms in (3, 6, 12)),
    *(f"at the margin, {noise}, 6 arms, fixed 10" for noise in SYMMETRIC),
    "equal arms, normal, 6 arms, fixed 30",
    *(f"equal arms, {noise}, 2 arms, fixed 10" for noise in UNEQUAL),
]
P_VALUES = [f"equal arms, normal, 3 arms, {looks}" for looks in ("fixed 10", "planned", "anytime")]
ARMS = {f"{noise}, {replicates}": replicates for noise in EXCHANGEABLE for replicates in (5, 10, 30)}

KINDS = {
    "errors": Kind(judge=judge, names=_numbers(list(CELLS)), seconds=2e-6),
    "max_t": Kind(judge=judge_max_t, names=_numbers(MAX_T), seconds=4e-5, at_once=500),
    "arms": Kind(judge=judge_arms, names=ARMS, seconds=5e-5, at_once=2_000),
    "p_values": Kind(judge=judge_p_values, names=_numbers(P_VALUES), seconds=5e-5, at_once=2_000),
    "replicates": Kind(
        judge=judge_replicates, names={name: 30 * len(one.pairs) for name, one in QUESTIONS.items()}, seconds=2e-6
    ),
    "naive": Kind(judge=judge_naive, names=dict.fromkeys(STUDIES, 30 * 15), seconds=3e-6),
    "population": Kind(
        judge=judge_population,
        names={name: 20 * design.arms for name, design in evidence_population.CELLS.items()},
        seconds=5e-3,
        share=0.1,
        at_once=POPULATION_AT_ONCE,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A chunk of studies."""

    kind: str
    name: str
    chunk: int
    studies: int

    def run(self) -> tuple[Counts, float]:
        """Return the counts and the seconds that they took."""
        started = time.perf_counter()
        return KINDS[self.kind].judge(self.name, self.chunk, self.studies), time.perf_counter() - started

    @property
    def expected_seconds(self) -> float:
        kind = KINDS[self.kind]
        return self.studies * kind.names[self.name] * kind.seconds


def jobs(studies: int, kinds: list[str]) -> Iterator[Job]:
    """Yield all chunks of all cells."""
    for kind_name in kinds:
        kind = KINDS[kind_name]
        wanted = max(1, round(studies * kind.share))
        for name, numbers in kind.names.items():
            sizes = chunks_of(wanted, numbers) if kind.at_once is None else _parts(wanted, kind.at_once)
            for chunk, size in enumerate(sizes):
                yield Job(kind=kind_name, name=name, chunk=chunk, studies=size)


def _parts(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def simulate(todo: list[Job], workers: int) -> tuple[Found, dict[str, float]]:
    """Run all jobs in processes and add up their counts; also the seconds of each kind."""
    found: Found = defaultdict(lambda: defaultdict(dict))
    seconds: dict[str, float] = defaultdict(float)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that start below
    with (
        Progress(*columns, console=Console(stderr=True)) as bars,
        ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        bar = bars.add_task("Simulating", total=sum(job.expected_seconds for job in todo))
        running: dict[Future[tuple[Counts, float]], Job] = {pool.submit(job.run): job for job in todo}
        for done in as_completed(running):
            job, (counts, spent) = running[done], done.result()
            seconds[job.kind] += spent
            sums = found[job.kind][job.name]
            for key, value in counts.items():
                sums[key] = sums.get(key, 0) + value
            bars.update(bar, advance=job.expected_seconds, description=f"{job.kind}: {job.name}")
    return found, seconds


def write_counts(path: Path, found: Found) -> None:
    """Write every count, one a row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "name", "count", "place", "value"])
        for kind in (name for name in KINDS if name in found):
            for name in (one for one in KINDS[kind].names if one in found[kind]):
                for key, values in found[kind][name].items():
                    for place, value in enumerate(np.atleast_1d(values).tolist()):
                        writer.writerow([kind, name, key, place, f"{value:.10g}"])


def read_counts(path: Path) -> Found:
    """Read what `write_counts` wrote."""
    lists: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            lists[row["kind"]][row["name"]][row["count"]].append(float(row["value"]))
    return {
        kind: {
            name: {key: np.array(v if len(v) > 1 else v[0]) for key, v in counts.items()}
            for name, counts in names.items()
        }
        for kind, names in lists.items()
    }


def newest_record() -> Path:
    """Return the folder of the newest record."""
    return sorted(RECORDS.glob("*_evidence"))[-1]


def main() -> None:
    options = _options()
    if options.write_docs:
        record = options.out or newest_record()
        print(_write_readme(record))
        write_docs(DOCS, read_counts(record / "counts.csv"))
        return
    started = time.perf_counter()
    studies = 1_000 if options.quick else options.studies
    found, seconds = simulate(list(jobs(studies, options.only)), options.workers)
    record = options.out or new_record("evidence")
    record.mkdir(parents=True, exist_ok=True)
    write_counts(record / "counts.csv", found)
    facts = _facts(studies, options) | {"wall_seconds": round(time.perf_counter() - started)}
    facts["process_seconds"] = {kind: round(spent, 1) for kind, spent in seconds.items()}
    (record / "record.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(_write_readme(record))


def _write_readme(record: Path) -> str:
    facts = json.loads((record / "record.json").read_text(encoding="utf-8"))
    text = readme(read_counts(record / "counts.csv"), facts)
    (record / "README.md").write_text(text, encoding="utf-8")
    return text


def _facts(studies: int, options: argparse.Namespace) -> dict[str, Any]:
    from lossassay.study.planning.machine import environment  # imports torch, which the simulations do without

    peaks = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "command": f"python -m benchmarks.evidence --studies {studies}",
        "commit": commit(),
        "environment": environment(),
        "studies": {kind: max(1, round(studies * KINDS[kind].share)) for kind in options.only},
        "workers": options.workers,
        "seeds": "crc32 of the cell's name, and the number of the chunk; population: number of the chunk, of the study",
        "largest_process_bytes": max(peaks),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000, help="in each cell; a tenth where patients are drawn")
    parser.add_argument("--quick", action="store_true", help="the same as --studies 1000")
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--out", type=Path, help="folder of the record; default: benchmarks/records/<date>_evidence")
    parser.add_argument("--write-docs", action="store_true", help="only make a record's tables anew, there and in docs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
