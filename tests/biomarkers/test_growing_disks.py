"""A study on disks that grow in some patients: change is found, tied to the score, and names no patient and no day."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossassay import api
from lossassay.biomarkers.quality.assess import assess
from lossassay.config.load import parse_study
from lossassay.config.schema import BiomarkersConfig
from lossassay.errors import DataError
from tests.biomarkers.growing_disks import SIDE_PX, write_growing_disks

ARMS = ["categorical_crossentropy", "label_smoothing"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("growing")
    table = write_growing_disks(folder / "data", patients=120)
    study = parse_study(
        {
            "name": "growing disks",
            "data": {
                "path": str(table),
                "image_size": SIDE_PX,
                "group": "who",
                "time": "when",
                "split": {"test": 0.4, "validation": 0.15},
            },
            "arms": [{"loss": loss} for loss in ARMS],
            "training": {
                "model_options": {"widths": [8, 8, 8, 8, 8], "dense": [16, 8], "dropout": 0.0},
                "epochs": 6,
                "batch_size": 20,
                "learning_rate": 3e-3,
                "precision": "fp32",
                "kernels": "plain",
            },
            "evidence": {"replicates": 2, "alpha": 0.2},
            "biomarkers": {"score": "severity"},
        }
    )
    api.run(study, folder / "out", workers=1)
    return folder / "out"


def read(out: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(out / "tables" / f"{name}.parquet")


@pytest.mark.slow
def test_every_run_and_feature_has_a_row(out: Path) -> None:
    found = read(out, "biomarker_changes")
    of_runs = found.filter(pl.col("arm").is_in(ARMS))
    assert of_runs.group_by("arm", "replicate").len()["len"].to_list() == [8] * 4
    assert set(found.filter(arm="classical baseline")["feature"]) > {"mean"}
    assert set(found["coefficient_from"]) == {"noisy views"}
    assert set(found["level"]) == {0.8}  # 1 - alpha
    assert found["subjects"].min() == found["subjects"].max() == 48


@pytest.mark.slow
def test_change_is_found_where_size_is_seen_and_goes_along_with_the_score(out: Path) -> None:
    found = read(out, "biomarker_changes")
    (mean,) = found.filter(arm="classical baseline", feature="mean", replicate=0).to_dicts()
    assert mean["change_per_year_low"] > 0  # larger disks are brighter images
    assert mean["score_correlation"] > 0.6
    assert mean["score_level_correlation"] > 0.8
    for arm in ARMS:
        live = found.filter(pl.col("arm") == arm, pl.col("coefficient") > 0)
        assert live["score_correlation"].abs().max() > 0.45, arm
        assert live["score_level_correlation"].abs().max() > 0.8, arm
    values = read(out, "features_quality").filter(pl.col("criterion") == "score_correlation")
    assert values["value"].is_not_null().all()


@pytest.mark.slow
def test_arms_are_paired_in_the_new_criteria(out: Path) -> None:
    compared = read(out, "biomarker_comparisons")
    for criterion in ("change_per_year", "change_beyond", "score_correlation", "score_level_correlation"):
        assert compared.filter(criterion=criterion)["replicates"].to_list() == [2], criterion
    means, table = read(out, "biomarkers"), read(out, "biomarker_changes")
    own = table.filter(arm=ARMS[0]).group_by("replicate").agg(pl.col("change_in_coefficients").median())
    expected = own["change_in_coefficients"].mean()
    assert means.filter(arm=ARMS[0], criterion="change_per_year")["estimate"].item() == pytest.approx(expected)


@pytest.mark.slow
def test_the_page_tells_and_draws_it(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "48 patients of a test part" in page
    assert "Clinical score: severity" in page
    assert 'id="figure-biomarkers_change"' in page
    assert (out / "figures" / "biomarkers_change.png").is_file()


@pytest.mark.slow
def test_no_patient_and_no_day_is_in_any_file(out: Path) -> None:
    days = pl.read_csv(out.parent / "data" / "visits.csv")["when"].to_list()
    for path in out.rglob("*"):
        if path.is_file() and path.suffix in (".csv", ".json", ".html", ".parquet", ".toml"):
            if path.suffix == ".parquet":
                text = str(pl.read_parquet(path).to_dict(as_series=False))
            else:
                text = path.read_text(encoding="utf-8")
            assert "Jane Doe" not in text, path.name
            assert not any(day in text for day in days), path.name


@pytest.mark.slow
def test_the_order_of_lines_changes_nothing(out: Path) -> None:
    table = out.parent / "data" / "visits.csv"
    before, lines = read(out, "biomarker_changes"), table.read_text(encoding="utf-8")
    frame = pl.read_csv(table)
    frame[np.random.default_rng(1).permutation(len(frame)).tolist()].write_csv(table)
    try:
        assess(out)
        assert read(out, "biomarker_changes").equals(before)
    finally:
        table.write_text(lines, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("score", "message"),
    [
        ("severty", r"no column 'severty' with a clinical score.*Did you mean 'severity'\?"),
        ("label", r"no column 'label' with a clinical score"),
    ],
)
def test_a_score_that_is_none_is_refused(out: Path, score: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        assess(out, BiomarkersConfig(score=score))


def test_a_score_without_visits_is_refused(finished_study: Path) -> None:
    with pytest.raises(DataError, match=r"no patient of these data has images of two times.*data.group and data.time"):
        assess(finished_study, BiomarkersConfig(score="severity"))


@pytest.mark.slow
def test_extracted_features_and_the_table_give_the_change_of_new_patients(out: Path, tmp_path: Path) -> None:
    table = write_growing_disks(tmp_path / "new", patients=40, seed=7)
    api.extract(out, table, tmp_path / "f.parquet", arm=ARMS[0])
    columns = api.ChangeColumns(time="when", score="severity")  # the subject is the patient that extract knew
    found = api.change(tmp_path / "f.parquet", columns=columns, table=table)
    assert (found.images, found.left_out, found.subjects, found.coefficient_from) == (120, 0, 40, None)
    (strongest,) = found.strongest(1).to_dicts()
    assert strongest["change_per_year_low"] * strongest["change_per_year_high"] > 0
    assert abs(strongest["score_level_correlation"]) > 0.7
