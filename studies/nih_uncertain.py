"""Writes the table of studies/nih_uncertain.toml: findings in columns, as CheXpert has them, with -1 for uncertain.

    python studies/nih_uncertain.py ../shared/data/nih1000/nih1000.csv

The labels of NIH ChestX-ray14 were read out of reports by a program. "Infiltration" may stand for a consolidation or a
pneumonia, so where a report says it and neither of these, both are uncertain rather than absent. The other findings are
1 or 0. The table lies beside the study file and names the images where they are.
"""

import csv
import os
import sys
from pathlib import Path

FINDINGS = ("Infiltration", "Consolidation", "Pneumonia", "Effusion", "Atelectasis", "Mass", "Nodule", "Pneumothorax")
UNCLEAR = ("Consolidation", "Pneumonia")
OUT = Path(__file__).with_name("nih_uncertain.csv")


def findings_of(labels: str) -> dict[str, int]:
    """Return 1, 0 or -1 for each finding."""
    named = set(labels.split("|"))
    found = {finding: int(finding in named) for finding in FINDINGS}
    if "Infiltration" in named and not named & set(UNCLEAR):
        found |= dict.fromkeys(UNCLEAR, -1)
    return found


def main(table: Path) -> int:
    """Write the table and say what is in it."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [
            {
                "path": os.path.relpath(table.parent / row["path"], OUT.parent).replace(os.sep, "/"),
                "patient_id": row["patient_id"],
                **findings_of(row["labels"]),
            }
            for row in csv.DictReader(file)
        ]
    with OUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    uncertain = sum(row[finding] == -1 for row in rows for finding in UNCLEAR)
    sys.stdout.write(f"{OUT.name}: {len(rows)} images, {len(FINDINGS)} findings, {uncertain} cells uncertain\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
