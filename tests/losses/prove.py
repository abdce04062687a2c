"""Runs every check for every loss at its defaults; `python -m tests.losses.prove --write` keeps what they say.

The file is part of the package, so that `lossassay losses` and the pages can show it without running a test;
`test_proofs.py` runs the checks again and compares.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from lossassay.catalogue import facts
from lossassay.catalogue.losses import LOSSES
from tests.losses import checks

FILE = Path(facts.__file__).with_name("proofs.json")
COMMAND = "python -m tests.losses.prove --write"
PASSED, FAILED = "passed", "failed"
_KEYS = {"equals_its_oracle": "oracle", "is_the_other_loss_where_declared": "identities"}


def outcomes(name: str) -> dict[str, str]:
    """What each check says of a loss over all of its tasks."""
    cases = checks.cases(name, {})
    return {_key(check): _over_tasks([outcome(check, case) for case in cases]) for check in checks.CHECKS}


def outcome(check: Callable[[checks.Case], str | None], case: checks.Case) -> str:
    try:
        return check(case) or PASSED
    except Exception:
        return FAILED


def _over_tasks(found: list[str]) -> str:
    """One failure is a failure; one task to which a check applies makes it apply."""
    return next((status for status in (FAILED, PASSED) if status in found), checks.DOES_NOT_APPLY)


def _key(check: Callable[[checks.Case], str | None]) -> str:
    return _KEYS.get(check.__name__, check.__name__)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name} anew")
    found = {name: outcomes(name) for name in LOSSES}
    if parser.parse_args().write:
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    failed = [
        f"{name}: {check}" for name, proof in found.items() for check, status in proof.items() if status == FAILED
    ]
    sys.stdout.write("\n".join([f"{len(found)} losses, {len(failed)} failed checks", *failed]) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
