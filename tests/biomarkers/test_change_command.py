"""`lossassay change`: features of `extract` and a table of visits, to a table that names nobody."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from lossassay import api
from lossassay.biomarkers.change.change_table import ChangeColumns, feature_changes
from lossassay.biomarkers.features.feature_table import SUFFIXES as FEATURE_SUFFIXES
from lossassay.biomarkers.features.feature_table import FeatureTable
from lossassay.biomarkers.new_images.images import image_ids
from lossassay.cli import app
from lossassay.errors import DataError
from lossassay.stats.change import mean_change, subject_changes

RUNNER = CliRunner()
PATIENTS, RATE = 30, 2.0


def visits(*, per_day: int = 1, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features as `extract` writes them, and a table of visits: three years of 30 patients, feature 0 grows."""
    generator = np.random.default_rng(seed)
    lines, features = [], []
    for patient in range(PATIENTS):
        level = generator.normal(0, 5, 2)
        for year in range(3):
            for number in range(per_day):
                path = f"scans/{patient}-{year}-{number}.png"
                own = {
                    "who": f"P{patient}",
                    "when": f"{2018 + year}-06-17",
                    "severity": 3 * level[0] + 10 * RATE * year,
                }
                lines.append({"path": path} | own)
                values = level + np.array([RATE * year, 0]) + 0.1 * generator.standard_normal(2)
                named = {f"feature_{place:03d}": value for place, value in enumerate([*values, 1.0])}
                features.append({"id": image_ids([path])[0], "group": None, "label": "a", "probability_a": 0.5} | named)
    table = pl.DataFrame(lines)
    frame = pl.DataFrame(features, schema_overrides={"group": pl.String})
    return frame[generator.permutation(len(frame)).tolist()], table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    features, table = visits()
    features.write_parquet(tmp_path / "f.parquet")
    table.write_csv(tmp_path / "visits.csv")
    return tmp_path


def arguments(folder: Path, **changes: str) -> list[str]:
    options = {"--table": str(folder / "visits.csv"), "--subject": "who", "--time": "when"} | {
        f"--{name.replace('_', '-')}": value for name, value in changes.items()
    }
    return ["change", str(folder / "f.parquet"), *(word for option in options.items() for word in option)]


def test_the_change_is_found_and_written_without_a_name_or_a_day(folder: Path) -> None:
    done = RUNNER.invoke(app, arguments(folder, score="severity"))
    assert done.exit_code == 0, done.output
    assert "feature_000" in done.stdout
    assert "3 features, 30 subjects with two visits or more" in done.stdout
    assert "No ten subjects have two images of one day" in done.stderr
    text = (folder / "f-changes.csv").read_text(encoding="utf-8")
    assert not any(word in text for word in ("P1", "-06-", "scans"))
    rows = pl.read_csv(folder / "f-changes.csv").to_dicts()
    assert rows[0]["change_per_year_low"] < RATE < rows[0]["change_per_year_high"]
    assert rows[0]["change_per_year"] == pytest.approx(RATE, abs=0.05)
    assert rows[1]["change_per_year"] == pytest.approx(0, abs=0.05)
    assert rows[0]["score_level_correlation"] > 0.9
    assert [row["coefficient"] for row in rows] == [None] * 3


def test_numbers_are_those_of_the_statistics_whatever_way_the_visits_come(folder: Path) -> None:
    features, table = visits()
    joined = features.with_columns(visits()[0]["id"]).join(
        table.with_columns(pl.Series("id", image_ids(table["path"].to_list()))), on="id", how="left"
    )
    years = joined["when"].str.to_date().to_physical().to_numpy() / 365.25
    values = joined.select("feature_000", "feature_001", "feature_002").to_numpy()
    expected = mean_change(subject_changes(values, joined["who"].to_numpy(), years).slopes)
    joined.write_csv(folder / "joined.csv")
    table.with_columns(pl.Series("id", image_ids(table["path"].to_list()))).drop("path").write_csv(folder / "ids.csv")
    columns = ChangeColumns(time="when", subject="who")
    for found in (
        feature_changes(folder / "joined.csv", columns),
        feature_changes(folder / "f.parquet", columns, table=folder / "visits.csv"),
        feature_changes(folder / "f.parquet", columns, table=folder / "ids.csv"),
    ):
        assert found.table["change_per_year"].to_numpy() == pytest.approx(expected.estimate, abs=1e-9)
        assert found.table["change_per_year_high"].to_numpy() == pytest.approx(expected.high, abs=1e-9)
        assert (found.images, found.left_out, found.subjects) == (90, 0, 30)
        assert found.strongest(3)["feature"].to_list() == ["feature_000", "feature_001", "feature_002"]


def test_images_of_one_day_give_the_smallest_detectable_change(tmp_path: Path) -> None:
    features, table = visits(per_day=2)
    features.write_csv(tmp_path / "f.csv")
    table.write_csv(tmp_path / "visits.csv")
    found = api.change(
        tmp_path / "f.csv",
        tmp_path / "out.parquet",
        columns=ChangeColumns(time="when", subject="who"),
        table=tmp_path / "visits.csv",
    )
    assert found.coefficient_from == "repeat images"
    rows = pl.read_parquet(tmp_path / "out.parquet").to_dicts()
    assert rows[0]["coefficient"] == pytest.approx(2.77 * 0.1, rel=0.3)
    assert (rows[0]["share_beyond"], rows[2]["share_beyond"]) == (1.0, 0.0)
    assert rows[1]["share_beyond"] < 0.2
    assert found.strongest(1)["feature"].to_list() == ["feature_000"]
    done = RUNNER.invoke(app, ["change", str(tmp_path / "f.csv"), *arguments(tmp_path)[2:]])
    assert "Shares beyond count how many images a subject has" in done.stderr


@pytest.mark.parametrize("per_day", [2, 3])
def test_more_images_of_a_day_leave_about_five_in_a_hundred_beyond(tmp_path: Path, per_day: int) -> None:
    shares = []
    for seed in range(10):
        features, table = visits(per_day=per_day, seed=seed)
        features.write_parquet(tmp_path / "f.parquet")
        table.write_csv(tmp_path / "visits.csv")
        columns = ChangeColumns(time="when", subject="who")
        found = feature_changes(tmp_path / "f.parquet", columns, table=tmp_path / "visits.csv")
        shares.append(found.table["share_beyond"][1])
    # 300 patients, and a coefficient from 30; for two single images it would be 0.006 or less
    assert np.mean(shares) == pytest.approx(0.055, abs=0.035)


def test_repeats_of_others_give_it_too(folder: Path) -> None:
    other = visits(per_day=2, seed=1)[0].with_columns(group=pl.lit(None, pl.String))
    ids = visits(per_day=2, seed=1)[1]
    ids = ids.filter(pl.col("when").str.starts_with("2018"))
    ids = ids.with_columns(pl.Series("id", image_ids(ids["path"].to_list())), group="who")
    other.drop("group").join(ids.select("id", "group"), on="id").write_parquet(folder / "repeats.parquet")
    done = RUNNER.invoke(app, [*arguments(folder, repeatability=str(folder / "repeats.parquet")), "--json"])
    assert done.exit_code == 0, done.output
    plain = json.loads(done.stdout)
    assert plain["coefficient_from"] == "given repeats"
    said = RUNNER.invoke(app, arguments(folder, repeatability=str(folder / "repeats.parquet"))).stderr
    assert "comes from --repeatability. Shares beyond take it as it is" in said
    assert plain["features"][0]["coefficient"] == pytest.approx(2.77 * 0.1, rel=0.35)


def test_rows_without_a_time_are_left_out_and_counted(folder: Path) -> None:
    table = pl.read_csv(folder / "visits.csv")
    table[:88].with_columns(when=pl.when(pl.col("who") == "P3").then(pl.lit("unknown")).otherwise("when")).write_csv(
        folder / "visits.csv"
    )
    done = RUNNER.invoke(app, arguments(folder))
    assert done.exit_code == 0, done.output
    assert "5 images have no subject or no time and are left out." in done.stderr
    assert "28 subjects" in done.stdout


def test_numbers_of_days_are_told_from_years(folder: Path) -> None:
    table = pl.read_csv(folder / "visits.csv")
    table.with_columns(when=(pl.col("when").str.slice(0, 4).cast(pl.Float64) - 2018) * 365.25).write_csv(
        folder / "visits.csv"
    )
    columns = ChangeColumns(time="when", subject="who", time_unit="days")
    found = feature_changes(folder / "f.parquet", columns, table=folder / "visits.csv")
    assert found.table["change_per_year"][0] == pytest.approx(RATE, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": "wen"}, r"no column 'wen' \(--time\).*Did you mean 'when'\?"),
        ({"subject": "whom"}, r"no column 'whom' \(--subject\).*Did you mean 'who'\?"),
        ({"score": "who"}, r"cells of 'who' \(--score\) are no numbers"),
        ({"time": "who"}, r"'who' \(--time\) holds cells that are no dates like the others"),
        ({"subject": "path"}, r"No subject of 'path' has images of two times"),
        ({"path_column": "who"}, r"No line of .*visits.csv is about an image"),
        ({"out": "x.npz"}, r"x.npz ends with '.npz'. Expected .csv or .parquet"),
        ({"repeatability": "no.parquet"}, r"no.parquet cannot be read"),
    ],
)
def test_refusals(folder: Path, changes: dict[str, str], message: str) -> None:
    done = RUNNER.invoke(app, arguments(folder, **changes))
    assert done.exit_code != 0
    with pytest.raises(DataError, match=message):
        _call(folder, **changes)


def _call(folder: Path, **changes: str) -> None:
    api.change(
        folder / "f.parquet",
        changes.get("out"),
        columns=ChangeColumns(
            time=changes.get("time", "when"),
            subject=changes.get("subject", "who"),
            score=changes.get("score"),
            path=changes.get("path_column", "path"),
        ),
        table=folder / "visits.csv",
        repeatability=changes.get("repeatability"),
    )


def test_an_empty_group_asks_for_a_subject(folder: Path) -> None:
    with pytest.raises(DataError, match=r"The column 'group' is empty.*--subject"):
        feature_changes(folder / "f.parquet", ChangeColumns(time="when"), table=folder / "visits.csv")


def test_two_patients_and_features_that_never_differ_are_refused(folder: Path) -> None:
    features, table = pl.read_parquet(folder / "f.parquet"), pl.read_csv(folder / "visits.csv")
    columns = ChangeColumns(time="when", subject="who")
    table.filter(pl.col("who").is_in(["P1", "P2"])).write_csv(folder / "two.csv")
    with pytest.raises(DataError, match=r"2 subjects have images of two times. Expected 3 or more"):
        feature_changes(folder / "f.parquet", columns, table=folder / "two.csv")
    features.drop("feature_000", "feature_001").write_parquet(folder / "f.parquet")
    with pytest.raises(DataError, match="Every feature has one value in all images"):
        feature_changes(folder / "f.parquet", columns, table=folder / "visits.csv")


def test_tables_that_cannot_be_joined_are_refused(folder: Path) -> None:
    table = pl.read_csv(folder / "visits.csv")
    columns = ChangeColumns(time="when", subject="who")
    pl.concat([table, table.with_columns(when=pl.lit("2001-01-01"))]).write_csv(folder / "twice.csv")
    with pytest.raises(DataError, match="different lines for 90 images"):
        feature_changes(folder / "f.parquet", columns, table=folder / "twice.csv")
    with pytest.raises(DataError, match="has no feature: no column of numbers"):
        feature_changes(folder / "visits.csv", columns)
    pl.read_parquet(folder / "f.parquet").drop("id").write_parquet(folder / "no-id.parquet")
    with pytest.raises(DataError, match="has no column 'id'"):
        feature_changes(folder / "no-id.parquet", columns, table=folder / "visits.csv")
    with pytest.raises(DataError, match=r"f.xlsx ends with '.xlsx'. Expected .parquet, .csv or .npz"):
        feature_changes(folder / "f.xlsx", columns)
    np.savez(folder / "images.npz", train_images=np.zeros((3, 4, 4)))
    with pytest.raises(DataError, match=r"images.npz cannot be read: .*features"):
        feature_changes(folder / "images.npz", columns)
    (folder / "broken.npz").write_bytes(b"PK no archive")
    with pytest.raises(DataError, match=r"broken.npz cannot be read"):
        feature_changes(folder / "broken.npz", columns)
    other = pl.read_parquet(folder / "f.parquet").drop("feature_002")
    other.write_parquet(folder / "other.parquet")
    with pytest.raises(DataError, match="has 2 features and the other table 3"):
        feature_changes(
            folder / "f.parquet", columns, table=folder / "visits.csv", repeatability=folder / "other.parquet"
        )
    pl.read_parquet(folder / "f.parquet").with_columns(group=pl.lit("x")).write_parquet(folder / "one.parquet")
    with pytest.raises(DataError, match="fewer than 10 subjects with two images"):
        feature_changes(
            folder / "f.parquet", columns, table=folder / "visits.csv", repeatability=folder / "one.parquet"
        )


def test_every_format_of_extract_says_the_same(tmp_path: Path) -> None:
    """Features in single precision, as `extract` has them; an image without a patient stays without one."""
    features, table = visits(per_day=2)
    who = dict(zip(image_ids(table["path"].to_list()), table["who"].to_list(), strict=True))
    named = features.with_columns(
        pl.selectors.starts_with("feature_", "probability_").cast(pl.Float32),
        group=pl.Series([None if who[one] == "P7" else who[one] for one in features["id"]], dtype=pl.String),
    )
    table.write_csv(tmp_path / "visits.csv")
    found = []
    for suffix in FEATURE_SUFFIXES:
        with FeatureTable(tmp_path / f"f{suffix}") as written:
            written.add(named[:50])
            written.add(named[50:])
            written.finish()
        found.append(
            feature_changes(tmp_path / f"f{suffix}", ChangeColumns(time="when"), table=tmp_path / "visits.csv")
        )
    assert [(one.images, one.left_out, one.subjects) for one in found] == [(174, 6, 29)] * 3
    assert [one.coefficient_from for one in found] == ["repeat images"] * 3
    for one in found[1:]:
        assert one.table["feature"].equals(found[0].table["feature"])
        numbers = [frame.select(pl.selectors.float()).to_numpy() for frame in (one.table, found[0].table)]
        np.testing.assert_allclose(*numbers, rtol=1e-5, atol=1e-6)


def test_intervals_are_those_of_the_level_that_was_asked_for(folder: Path) -> None:
    done = RUNNER.invoke(app, arguments(folder, score="severity", alpha="0.2"))
    assert done.exit_code == 0, done.output
    assert "80 % interval" in done.stdout
    columns = ChangeColumns(time="when", subject="who", score="severity")
    wide, narrow = (
        feature_changes(folder / "f.parquet", columns, table=folder / "visits.csv", alpha=alpha)
        for alpha in (0.05, 0.2)
    )
    assert (wide.level, narrow.level) == (0.95, 0.8)
    assert narrow.table["level"].to_list() == [0.8] * 3
    for name in ("change_per_year", "score_level_correlation"):
        assert wide.table[name].equals(narrow.table[name])
        widths = [(one.table[f"{name}_high"] - one.table[f"{name}_low"])[1] for one in (wide, narrow)]
        assert widths[1] < widths[0], name
    for alpha in (0.0, 1.0, float("nan")):
        with pytest.raises(DataError, match=r"alpha must lie between 0 and 1, got .*\. Use 0\.05"):
            feature_changes(folder / "f.parquet", columns, table=folder / "visits.csv", alpha=alpha)
