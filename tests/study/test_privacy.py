"""Patient names and identifiers never leave the input."""

from pathlib import Path

import polars as pl

from tests.study.helpers import small_study, write_images
from tests.study.here import run_here

LOCAL = {"audit.json", "study.toml"}  # name the user's files and folders, and say so in ARCHITECTURE.md


def test_no_file_name_and_no_patient_id_reaches_anything_meant_to_be_shared(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    rows = []
    for number, path in enumerate(sorted(images.rglob("*.png"))):
        renamed = path.with_name(f"KIM-{4711 + number}.png")
        path.rename(renamed)
        rows.append(
            {"path": renamed.relative_to(images).as_posix(), "label": path.parent.name, "patient": f"MRN-{number // 2}"}
        )
    pl.DataFrame(rows).write_csv(images / "table.csv")
    study = small_study(
        images / "table.csv",
        epochs=1,
        replicates=2,
        data={"path": str(images / "table.csv"), "group": "patient"},
    )
    out = tmp_path / "out"
    run_here(study, out, report=True)
    assert pl.read_parquet(out / "rows.parquet")["group"].n_unique() == 30
    secrets = [b"KIM-47", b"MRN-"]
    for path in out.rglob("*"):
        if path.is_file() and path.name not in LOCAL:
            content = path.read_bytes()
            if path.suffix == ".parquet":  # compressed: look at the values
                content = str(pl.read_parquet(path).to_dicts()).encode()
            assert not any(secret in content for secret in secrets), path.name
