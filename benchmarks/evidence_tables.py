"""The simulation's tables as Markdown: for the record, and between the markers of docs/evidence.md."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def named_errors(found: dict[str, list[Row]]) -> str:
    """The cells with the most studies."""
    most = max(row["studies"] for row in found["errors"])
    return _errors([row for row in found["errors"] if row["studies"] == most and row["gate"] is not None])


def worst_errors(found: dict[str, list[Row]]) -> str:
    """The ten other cells with the highest error rates."""
    most = max(row["studies"] for row in found["errors"])
    others = [row for row in found["errors"] if row["studies"] < most and row["gate"] is not None]
    worst = sorted(others, key=lambda row: -row["false"])[:10]
    over = sum(row["false"] > row["gate"] for row in others)
    text = f"{len(others)} other cells; {over} above their gate. The ten worst:\n\n"
    return text + _errors(worst)


def unequal(found: dict[str, list[Row]]) -> str:
    """Equal means with unequal shapes or spreads: reported, not gated."""
    rows = [row for row in found["errors"] if row["gate"] is None and row["truth"] == "null" and row["arms"] in (3, 12)]
    return _errors(sorted(rows, key=lambda row: (row["noise"], row["arms"], row["rule"])))


def coverage(found: dict[str, list[Row]]) -> str:
    """Single comparisons."""
    lines = ["| noise | replicates | studies | covered |", "| - | - | - | - |"]
    for row in found["coverage"]:
        covered = _share(row["covered"], row["studies"])
        lines.append(f"| {row['noise']} | {row['replicates']} | {row['studies']:,} | {covered} |")
    return "\n".join(lines)


def simultaneous(found: dict[str, list[Row]]) -> str:
    """All intervals of a study at once, at the look where each pair stopped."""
    most = max(row["studies"] for row in found["errors"])
    lines = ["| cell | studies | all intervals hold | each interval holds |", "| - | - | - | - |"]
    for row in found["errors"]:
        if row["studies"] == most:
            both = f"{_share(row['covered_all'], row['studies'])} | {100 * row['covered_each']:.1f} %"
            lines.append(f"| {row['cell']} | {row['studies']:,} | {both} |")
    return "\n".join(lines)


def replicates(found: dict[str, list[Row]]) -> str:
    """Replicates to a verdict."""
    lines = [
        "| arms | truth of the pair | rule | median | 95th percentile | power by 30 | fixed t test of this power |",
        "| - | - | - | - | - | - | - |",
    ]
    for row in found["replicates"]:
        median = "over 30" if row["median"] > 30 else row["median"]
        p95 = "over 30" if row["p95"] is None else row["p95"]
        fixed = "" if row["fixed"] is None else row["fixed"]
        lines.append(
            f"| {row['arms']} | {row['truth']} | {row['rule']} | {median} | {p95} | {row['power']:.3f} | {fixed} |"
        )
    return "\n".join(lines)


def naive(found: dict[str, list[Row]]) -> str:
    """What other analyses make of null studies."""
    arms = sorted({row["arms"] for row in found["naive"]})
    heads = " | ".join(f"{number} arms" for number in arms)
    lines = [f"| analysis | {heads} |", "| - |" + " - |" * len(arms)]
    for name in dict.fromkeys(row["analysis"] for row in found["naive"]):
        cells = [row for row in found["naive"] if row["analysis"] == name]
        shares = " | ".join(_share(row["called_different"], row["studies"]) for row in cells)
        lines.append(f"| {name} | {shares} |")
    return "\n".join(lines)


def p_values(found: dict[str, list[Row]]) -> str:
    """Adjusted p under early stopping."""
    lines = ["| alpha | null studies with some adjusted p of at most alpha |", "| - | - |"]
    for row in found["p_values"]:
        lines.append(f"| {row['alpha']:g} | {_share(row['share'], row['studies'])} |")
    return "\n".join(lines)


def population(found: dict[str, list[Row]]) -> str:
    """Claims about new patients, data set redrawn."""
    lines = [
        "| cell | analysis | studies | calls some pair different | intervals that hold the truth |",
        "| - | - | - | - | - |",
    ]
    for row in found.get("population", ()):
        different = _share(row["called_different"], row["studies"])
        lines.append(
            f"| {row['cell']} | {row['analysis']} | {row['studies']:,} | {different} | {100 * row['covered']:.1f} % |"
        )
    return "\n".join(lines)


TABLES: dict[str, Callable[[dict[str, list[Row]]], str]] = {
    "named errors": named_errors,
    "worst errors": worst_errors,
    "unequal": unequal,
    "coverage": coverage,
    "simultaneous": simultaneous,
    "p values": p_values,
    "replicates": replicates,
    "naive": naive,
    "population": population,
}


def readme(found: dict[str, list[Row]]) -> str:
    """The tables of a record, one below the other."""
    parts = [
        "# Evidence by simulation\n\nWhat the tables mean stands in docs/evidence.md; raw numbers in evidence.json.\n"
    ]
    for name, table in TABLES.items():
        if name != "population" or found.get("population"):
            parts.append(f"## {name.capitalize()}\n\n{table(found)}\n")
    return "\n".join(parts)


def write_docs(page: Path, found: dict[str, list[Row]]) -> None:
    """Replace the tables between the markers of a page."""
    text = page.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        if name != "population" or found.get("population"):
            marked = f"<!-- table: {name} -->\n{table(found)}\n<!-- end -->"
            text = re.sub(rf"<!-- table: {name} -->.*?<!-- end -->", lambda _, new=marked: new, text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


def _errors(rows: list[Row]) -> str:
    lines = ["| cell | studies | any false verdict | gate | pairs decided |", "| - | - | - | - | - |"]
    for row in rows:
        gate = "" if row["gate"] is None else f"{100 * row['gate']:.1f} %"
        false = _share(row["false"], row["studies"])
        lines.append(f"| {row['cell']} | {row['studies']:,} | {false} | {gate} | {100 * row['decided']:.0f} % |")
    return "\n".join(lines)


def _share(share: float, studies: int) -> str:
    error = (share * (1 - share) / studies) ** 0.5
    return f"{100 * share:.2f} ± {100 * error:.2f} %"
