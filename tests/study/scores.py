"""Small files of scores for the tests."""

from pathlib import Path

HEADER = "system,dataset,replicate,metric,value\n"
GOOD = HEADER + "a,cxr,1,accuracy,0.9\nb,cxr,1,accuracy,0.8\na,cxr,2,accuracy,0.91\nb,cxr,2,accuracy,0.82\n"


def write(folder: Path, text: str, name: str = "scores.csv") -> Path:
    """Write a file and return its path."""
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name
