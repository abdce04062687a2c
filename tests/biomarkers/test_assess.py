"""A finished study, assessed: tables that agree with each other, the same bits again, and clear refusals."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossassay import api, stats
from lossassay.biomarkers.quality.assess import assess
from lossassay.biomarkers.quality.refusals import no_value
from lossassay.biomarkers.quality.run_features import rows_of_test
from lossassay.catalogue.criteria import CRITERIA
from lossassay.config.schema import BiomarkersConfig
from lossassay.errors import DataError, OutFolderError, UnknownNameError
from lossassay.study.folder.columns import LATER_TABLES
from lossassay.study.folder.results import load_results

ARMS = ["categorical_crossentropy", "label_smoothing"]


@pytest.fixture(scope="module")
def assessed(finished_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished study, assessed; the page is drawn."""
    folder = tmp_path_factory.mktemp("assessed") / "out"
    shutil.copytree(finished_study, folder)
    api.biomarkers(folder)
    return folder


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "tables" / f"{name}.parquet")


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_every_table_is_there_with_its_columns(assessed: Path) -> None:
    for name, columns in LATER_TABLES.items():
        assert table(assessed, name).columns == list(columns), name
        assert (assessed / "tables" / f"{name}.csv").is_file()
        assert len(table(assessed, name)) or name == "biomarker_changes", name  # the digits have no visits
    assert load_results(assessed).biomarkers == json.loads((assessed / "biomarkers.json").read_text())


def test_every_run_has_one_value_of_each_criterion(assessed: Path) -> None:
    values = table(assessed, "features_quality").filter(pl.col("arm").is_in(ARMS), pl.col("probe").is_null())
    assert set(values["criterion"]) <= set(CRITERIA)
    counts = values.group_by("criterion", "arm").len()
    of_pairs = pl.col("criterion").is_in([name for name, spec in CRITERIA.items() if spec.needs == "replicates"])
    assert set(counts.filter(~of_pairs)["len"]) == {2}
    assert set(counts.filter(of_pairs)["len"]) == {1}  # one pair of replicates


def test_the_baseline_has_every_criterion_that_does_not_hang_on_units_in_every_replicate(assessed: Path) -> None:
    values = table(assessed, "features_quality").filter(pl.col("probe").is_null(), arm="classical baseline")
    means = table(assessed, "biomarkers").filter(arm="classical baseline")
    of_runs = {name for name, spec in CRITERIA.items() if spec.needs != "replicates" and not spec.one_unit}
    assert set(CRITERIA) - of_runs > {"separation", "silhouette", "within_by_between", "effective_rank"}
    arm = table(assessed, "biomarkers").filter(arm=ARMS[0])["criterion"]
    # ten features are selected, of 8 of an arm or of 23 of the baseline
    assert set(means["criterion"]) == set(arm) & of_runs | {"selection_stability"}
    own = values.filter(criterion="repeatability").sort("replicate")
    assert own["replicate"].to_list() == [0, 1]
    (row,) = means.filter(criterion="repeatability").to_dicts()
    expected = stats.mean_interval(own["value"].to_numpy())
    assert [row["estimate"], row["low"], row["high"]] == [expected.estimate, expected.low, expected.high]
    assert "23 classical features (grey levels and co-occurrence)" in page_of(assessed)


def test_without_scikit_image_the_page_says_so(assessed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    shutil.copytree(assessed, folder)
    monkeypatch.setitem(sys.modules, "skimage", None)
    found = assess(folder)
    assert set(found["biomarkers"]["arm"]) == set(ARMS)
    assert load_results(folder).biomarkers["baseline"] == "no_scikit_image"
    api.report(folder)
    assert "There is no classical baseline here: it needs scikit-image" in page_of(folder)


def test_means_and_differences_are_those_of_the_values(assessed: Path) -> None:
    values = table(assessed, "features_quality").filter(criterion="repeatability")
    by_arm = [values.filter(arm=arm).sort("replicate")["value"].to_numpy() for arm in ARMS]
    means = table(assessed, "biomarkers").filter(criterion="repeatability")
    for arm, own in zip(ARMS, by_arm, strict=True):
        row = means.filter(arm=arm).row(0, named=True)
        expected = stats.mean_interval(own)
        assert [row["estimate"], row["low"], row["high"]] == [expected.estimate, expected.low, expected.high]
    (found,) = table(assessed, "biomarker_comparisons").filter(criterion="repeatability").to_dicts()
    (expected,) = stats.paired_differences(np.stack(by_arm, axis=1), [(0, 1)], alpha=0.05, family_size=1)
    assert found["difference"] == pytest.approx(expected.estimate)
    assert [found["low"], found["high"]] == [expected.low, expected.high]
    assert found["verdict"] == "undecided"


def test_one_criterion_carries_the_verdict(assessed: Path) -> None:
    comparisons = table(assessed, "biomarker_comparisons")
    assert set(comparisons.filter("primary")["criterion"]) == {"repeatability"}
    assert comparisons.filter(~pl.col("primary"))["verdict"].null_count() == len(comparisons) - 1
    assert "effective_rank" not in set(comparisons["criterion"])  # neither direction is better


def test_the_page_names_the_best_biomarkers_or_says_undecided(assessed: Path) -> None:
    page = (assessed / "report.html").read_text(encoding="utf-8")
    assert '<section id="biomarkers">' in page
    assert "Best biomarkers: undecided" in page
    for name in ("biomarkers_repeatability", "biomarker_pareto", "biomarker_map"):
        assert f'id="figure-{name}"' in page
        assert (assessed / "figures" / f"{name}.png").is_file()
    assert "raunig2015" in page


def test_a_study_that_was_not_assessed_has_no_section(finished_study: Path) -> None:
    assert '<section id="biomarkers">' not in (finished_study / "report.html").read_text(encoding="utf-8")


def test_again_gives_the_same_bits_with_and_without_what_was_kept(assessed: Path) -> None:
    before = {name: (assessed / "tables" / f"{name}.csv").read_bytes() for name in LATER_TABLES}
    kept = assess(assessed)
    shutil.rmtree(assessed / "biomarkers")
    assess(assessed)
    after = {name: (assessed / "tables" / f"{name}.csv").read_bytes() for name in LATER_TABLES}
    assert before == after
    assert set(kept) == set(LATER_TABLES)


def test_nothing_that_names_a_file_is_written(assessed: Path) -> None:
    with np.load(next((assessed / "biomarkers").glob("*.npz")), allow_pickle=False) as stored:
        assert sorted(stored.files) == ["clean", "key", "rows", "views"]
    assert not any(column in ("path", "row", "group") for columns in LATER_TABLES.values() for column in columns)


def test_features_of_a_damaged_file_are_computed_again(assessed: Path) -> None:
    before = table(assessed, "features_quality")
    path = next(path for path in (assessed / "biomarkers").glob("*.npz") if "baseline" not in path.name)
    path.write_bytes(path.read_bytes()[:100])
    assess(assessed)
    assert table(assessed, "features_quality").equals(before)


def test_another_criterion_and_a_probe(assessed: Path) -> None:
    settings = BiomarkersConfig.model_validate({"criterion": "separation", "margin": 0.5, "baseline": False})
    found = assess(assessed, settings)
    assert set(found["biomarker_comparisons"].filter("primary")["criterion"]) == {"separation"}
    assert "classical baseline" not in set(found["biomarkers"]["arm"])


def test_a_criterion_of_pairs_is_undecided_below_twelve_replicates(assessed: Path) -> None:
    found = assess(assessed, BiomarkersConfig(criterion="reproducibility", baseline=False))
    (row,) = found["biomarker_comparisons"].filter("primary").to_dicts()
    assert (row["verdict"], row["reason"]) == ("undecided", "fewer than 12 replicates")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"criterion": "repeatibility"}, UnknownNameError, "Did you mean 'repeatability'"),
        ({"criterion": "effective_rank"}, UnknownNameError, "No criterion is called 'effective_rank'"),
        ({"criterion": "transfer"}, DataError, r"'transfer' .* it needs `biomarkers.probes`.* no probe is named"),
        ({"criterion": "nuisance"}, DataError, r"'nuisance' has no value in any run: .* no test part has it"),
        ({"criterion": "nuisance", "nuisance": ()}, DataError, "no nuisance column is named"),
        ({"probes": ("side",)}, DataError, "no column 'side' to probe"),
        ({"layer": "featurs"}, Exception, r"no layer 'featurs'"),
    ],
)
def test_refusals(assessed: Path, changes: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        assess(assessed, BiomarkersConfig.model_validate({"baseline": False} | changes))


def test_a_folder_without_runs_and_one_with_other_data(finished_study: Path, tmp_path: Path) -> None:
    with pytest.raises(OutFolderError, match="holds no study"):
        api.biomarkers(tmp_path)
    folder = tmp_path / "out"
    shutil.copytree(finished_study, folder)
    plan = json.loads((folder / "plan.json").read_text())
    plan["data"]["digest"] = "other"
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(OutFolderError, match="are not those that the runs in"):
        assess(folder)
    shutil.rmtree(folder / "runs")
    with pytest.raises(OutFolderError, match="holds no finished run"):
        assess(folder)


def test_diverged_runs_are_left_out_and_counted(finished_study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(finished_study, folder)
    plan = json.loads((folder / "plan.json").read_text())
    run = next(entry["id"] for entry in plan["runs"] if entry["arm"] == ARMS[1])
    facts = json.loads((folder / "runs" / run / "run.json").read_text())
    (folder / "runs" / run / "run.json").write_text(json.dumps(facts | {"status": "diverged"}))
    found = api.biomarkers(folder, BiomarkersConfig(baseline=False))
    assert found.stored.biomarkers["runs_diverged"] == 1
    assert run not in set(found.stored.later("features_quality")["run"])
    assert found.stored.later("biomarkers").filter(arm=ARMS[1], criterion="repeatability")["replicates"].item() == 1
    (row,) = found.stored.later("biomarker_comparisons").filter("primary").to_dicts()
    assert (row["verdict"], row["reason"]) == ("undecided", "fewer than two replicates")
    page = page_of(folder)
    assert "1 run diverged. It has no features" in page
    assert f"{ARMS[1].replace('_', '_<wbr>')}</span> 1." in page
    assert "no verdict would change" in page
    worst = found.stored.biomarkers["if_diverged_were_worst"]
    values = found.stored.later("features_quality").filter(pl.col("arm").is_in(ARMS), criterion="repeatability")
    assert worst == {"value": values["value"].min(), "changes": []}
    assert found.stored.biomarkers["diverged_by_arm"] == {ARMS[1]: 1}


def test_one_replicate_has_no_criterion_of_pairs(finished_study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(finished_study, folder)
    text = (folder / "study.toml").read_text(encoding="utf-8")
    assert "replicates = 2" in text
    (folder / "study.toml").write_text(text.replace("replicates = 2", "replicates = 1"), encoding="utf-8")
    with pytest.raises(DataError, match=r"'reproducibility' .* two replicates or more .* the study has 1 replicate\."):
        assess(folder, BiomarkersConfig(criterion="reproducibility"))


def test_features_that_are_all_constant_are_named_as_the_reason() -> None:
    rows = [{"run": "a", "criterion": "dead_features", "value": 1.0}]
    assert "all features of all runs are constant" in str(no_value("separation", rows))
    rows.append({"run": "b", "criterion": "dead_features", "value": 0.5})
    assert "no test part has it" in str(no_value("separation", rows))


def test_the_same_test_rows_are_left_out_first_in_every_replicate() -> None:
    parts = np.array([2] * 100 + [0] * 100, dtype=np.uint8)
    whole = rows_of_test(parts, most=1000, seed=0)
    assert whole.tolist() == list(range(100))
    few, more = (set(rows_of_test(parts, most=number, seed=0)) for number in (30, 60))
    assert few < more
    other = parts.copy()
    other[:20], other[150:170] = 0, 2
    assert len(few & set(rows_of_test(other, most=30, seed=0))) > 15
