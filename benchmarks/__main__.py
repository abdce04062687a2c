"""All performance benchmarks in turn, and what they found beside what was asked for.

    python -m benchmarks                                          # all, with short defaults: about 40 minutes
    python -m benchmarks training --sizes 300 64 32 --rounds 5    # one of them; its own --help says what it takes
    python -m benchmarks --list
    python -m benchmarks --goals                                  # the last table again, from the newest records
    python -m benchmarks --write-docs                             # the tables of docs/performance.md anew, likewise

Each writes benchmarks/records/<date>_<name>/. The first start sets up the peers (scripts/bench-peers).
"""

import argparse
import importlib
import re
import sys
import time
from pathlib import Path
from types import ModuleType

from benchmarks.evidence_tables import table
from benchmarks.runner import ROOT, newest

MEDICAL = ("near_duplicates", "audit_cost", "dicom_reading", "feature_quality", "extraction")
IN_TURN = (
    "training",
    "loading",
    "whole_study",
    "waiting",
    "growth",
    "loss_cost",
    "bootstrap",
    "many_runs",
    "ray_overhead",
    *MEDICAL,
)
TRIALS = ("step", "stacking")  # what was tried on the way; run by name only
BENCHMARKS = (*IN_TURN, *TRIALS)
PAGE = ROOT / "docs" / "performance.md"
GOALS = "what was asked for"  # name of the first table of the page
NOT_MEASURED = "Not measured yet."


def benchmark(name: str) -> ModuleType:
    """Return the module of a benchmark: TITLE, main(arguments), tables(record), and perhaps goals(record)."""
    return importlib.import_module(f"benchmarks.{name}")


def goals() -> str:
    """Return what was asked for beside what the newest records hold."""
    rows: list[list[str]] = []
    for name in IN_TURN:
        record = newest(name)
        if record is None:
            rows.append([f"all of `{name}`", "", "not measured", ""])
        elif wanted := getattr(benchmark(name), "goals", None):
            rows += [goal.row() for goal in wanted(record)]
    return table(["asked for", "at least", "found", "met"], rows)


def page_tables() -> dict[str, str]:
    """Return the text of every table of the page, by name."""
    records = {name: newest(name) for name in BENCHMARKS}
    found = {
        name: NOT_MEASURED if record is None else benchmark(name).tables(record) for name, record in records.items()
    }
    return {GOALS: goals(), **found}


def write_docs(page: Path) -> None:
    """Put the tables between the markers of a page."""
    text = page.read_text(encoding="utf-8")
    for name, made in page_tables().items():
        marked = f"<!-- table: {name} -->\n{made}\n<!-- end -->"
        pattern = rf"<!-- table: {re.escape(name)} -->.*?<!-- end -->"
        text = re.sub(pattern, lambda _, new=marked: new, text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


def run_all() -> int:
    """Run the benchmarks in turn with their defaults; one that cannot run does not keep the others from it."""
    failed = []
    for name in IN_TURN:
        print(f"\n# {name}\n", flush=True)
        started = time.perf_counter()
        try:
            benchmark(name).main([])
        except (SystemExit, Exception) as error:
            failed.append(name)
            print(f"{name} was not measured: {error}", file=sys.stderr)
        print(f"{name}: {(time.perf_counter() - started) / 60:.1f} minutes", flush=True)
    print(f"\n{goals()}")
    if failed:
        print(f"\nOlder records, if any, stand in for: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def main() -> int:
    asked = _options()
    if asked.list:
        for name in BENCHMARKS:
            print(f"{name}: {benchmark(name).TITLE}")
    elif asked.goals:
        print(goals())
    elif asked.write_docs:
        write_docs(PAGE)
    elif asked.name is not None:
        benchmark(asked.name).main(asked.arguments)
    else:
        return run_all()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", choices=BENCHMARKS, help="one benchmark; without it, all")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of that benchmark")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    parser.add_argument("--goals", action="store_true", help="only print the goals beside the newest records")
    parser.add_argument("--write-docs", action="store_true", help="only write the tables of docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
