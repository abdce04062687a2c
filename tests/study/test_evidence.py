"""Studies whose evidence decides how long they run, for whom they hold, and what was said before."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossassay.errors import DataError, StudyFileError
from lossassay.study.analysis.outlook import earlier_spread, outlook_in_words, pilot_of
from lossassay.study.progress import Progress
from tests.study.helpers import assert_same_tables, small_study, write_images
from tests.study.here import run_here

SEQUENTIAL: dict[str, Any] = {
    "evidence": {"replicates": {"min": 3, "max": 6}, "margin": 0.9, "control": True},
}


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "tables" / f"{name}.parquet")


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def stopped(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A margin so wide that the first looks call everything equivalent."""
    folder = tmp_path_factory.mktemp("stopped") / "out"
    run_here(small_study(images, **SEQUENTIAL), folder)
    return folder


def test_a_study_stops_when_every_comparison_is_decided(stopped: Path) -> None:
    stopping = facts(stopped)["stopping"]
    assert (stopping["rule"], stopping["min"], stopping["max"]) == ("planned", 3, 6)
    assert stopping["reached"] < 6
    assert facts(stopped)["runs_saved"] == 3 * (6 - stopping["reached"])
    primary = table(stopped, "comparisons").filter(pl.col("primary"))
    assert set(primary["verdict"]) == {"same function", "equivalent"}
    decided = primary.filter(pl.col("verdict") == "equivalent")
    assert decided["decided_at"].to_list() == decided["replicates"].to_list()
    assert all("stopped_early" in notes for notes in decided["notes"])
    looks = table(stopped, "looks")
    assert looks["replicates"].min() == 3
    assert looks.filter(pl.col("replicates") == stopping["reached"])["verdict"].to_list() == ["equivalent"] * 2


def test_a_stopped_study_needs_no_more_runs(images: Path, stopped: Path) -> None:
    trained: list[str] = []
    progress = Progress(on_message=lambda message: trained.append(message["id"]))
    run_here(small_study(images, **SEQUENTIAL), stopped, progress=progress)
    assert not trained


def test_interrupted_and_resumed_gives_the_tables_of_uninterrupted(images: Path, stopped: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stopped, copy)
    runs = table(copy, "runs").sort("replicate")["run"].to_list()
    for run in runs[2:4] + runs[-2:]:
        shutil.rmtree(copy / "runs" / run)
    run_here(small_study(images, **SEQUENTIAL), copy)
    assert_same_tables(stopped, copy)
    assert table(stopped, "looks").equals(table(copy, "looks"))


def test_the_control_stands_outside_the_family(stopped: Path) -> None:
    control = table(stopped, "control")
    reached = facts(stopped)["stopping"]["reached"]
    assert control["replicates"].to_list() == [reached] * len(control)
    assert (control["sd"] > 0).any()
    assert facts(stopped)["reference"] == "categorical_crossentropy"
    assert "A/A control" not in table(stopped, "runs")["arm"].to_list()
    assert "A/A control" not in table(stopped, "comparisons")["arm_a"].to_list()


def test_both_scopes_stand_side_by_side_and_one_has_the_verdicts(stopped: Path) -> None:
    comparisons = table(stopped, "comparisons").filter(pl.col("metric") == "balanced_accuracy")
    assert comparisons["scope"].to_list() == ["procedure"] * 3 + ["population"] * 3
    population = comparisons.filter((pl.col("scope") == "population") & pl.col("p_adjusted").is_null())
    assert population["verdict"].null_count() == 3
    judged = comparisons.filter(pl.col("method") != "identity of the losses")
    assert judged.filter(pl.col("scope") == "procedure")["smallest_margin"].null_count() == 0
    wide = judged.filter(pl.col("scope") == "population")
    assert (wide["bootstrap_low"] <= wide["difference"]).all()
    assert wide["nadeau_bengio_low"].null_count() == 0


def test_scope_population_decides_for_new_patients(images: Path, tmp_path: Path) -> None:
    study = small_study(images, evidence={"replicates": 3, "margin": 0.9, "scope": "population"})
    run_here(study, tmp_path / "out")
    primary = table(tmp_path / "out", "comparisons").filter(pl.col("primary"))
    assert set(primary["scope"]) == {"population"}
    assert primary["verdict"].null_count() == 0
    assert facts(tmp_path / "out")["patient_unit"] == "image"


def test_replicates_added_to_a_finished_study_are_exploratory(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run_here(small_study(images, replicates=2), folder)
    assert not facts(folder)["exploratory"]
    run_here(small_study(images, replicates=3), folder)
    assert facts(folder)["exploratory"]
    assert facts(folder)["changes"] == ["replicates: 2, later 3"]
    primary = table(folder, "comparisons").filter(pl.col("primary") & (pl.col("verdict") != "same function"))
    assert all("exploratory" in notes for notes in primary["notes"])
    checks = dict(table(folder, "checks").select("code", "status").iter_rows())
    assert checks["changed-after-start"] == "failed"


def test_a_margin_changed_after_the_first_run_is_said(images: Path, tmp_path: Path) -> None:
    folder, said = tmp_path / "out", []
    run_here(small_study(images), folder)
    run_here(small_study(images, evidence={"margin": 0.3}), folder, progress=Progress(on_stage=said.append))
    assert "changed after the first run: margin: 0.05, later 0.3" in said
    assert facts(folder)["registered"]["margin"] == 0.05
    assert not facts(folder)["exploratory"]


def test_verdicts_that_hang_on_diverged_runs_are_undecided(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    study = small_study(images, replicates=4, evidence={"replicates": 4, "margin": 0.9})
    run_here(study, folder)
    assert "equivalent" in table(folder, "comparisons").filter(pl.col("primary"))["verdict"].to_list()
    runs = table(folder, "runs").filter(pl.col("arm") == "mean_squared_error")["run"].to_list()
    for run in runs[:3]:  # one replicate is left, which decides nothing
        path = folder / "runs" / run / "run.json"
        stored = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(stored | {"status": "diverged"}), encoding="utf-8")
    run_here(study, folder)
    primary = table(folder, "comparisons").filter(pl.col("primary") & (pl.col("arm_b") == "mean_squared_error"))
    assert set(primary["verdict"]) == {"undecided"}
    assert set(primary["reason"]) == {"verdicts with and without diverged replicates differ"}
    divergence = table(folder, "divergence").filter(pl.col("arm") == "mean_squared_error").row(0, named=True)
    assert (divergence["diverged"], divergence["runs"], divergence["rate"]) == (3, 4, 0.75)
    assert divergence["low"] == pytest.approx(0.194, abs=0.001)  # exact, Clopper and Pearson 1934


def test_a_design_that_cannot_succeed_runs_and_says_so_or_is_refused(images: Path, tmp_path: Path) -> None:
    study = small_study(images, evidence={"replicates": 3, "method": "sign_flip"})
    with pytest.raises(StudyFileError, match="needs 6 replicates"):
        run_here(study, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict" / "runs").exists()
    run_here(study, tmp_path / "out")
    primary = table(tmp_path / "out", "comparisons").filter(pl.col("primary") & (pl.col("verdict") != "same function"))
    assert set(primary["verdict"]) == {"undecided"}
    assert set(primary["reason"]) == {"this method cannot decide with so few replicates"}
    assert all("method_floor" in notes for notes in primary["notes"])


def test_the_spread_of_an_earlier_study_says_what_a_design_can_show(images: Path, stopped: Path) -> None:
    from lossassay import api

    study = small_study(images, evidence={"replicates": 4, "margin": 0.01})
    spread = earlier_spread(stopped, "balanced_accuracy")
    found = api.plan(study, earlier=stopped)
    assert found.outlook.spread == spread
    assert any("below what 4 replicates can show" in problem for problem in found.outlook.problems)
    words = "\n".join(outlook_in_words(study, found.outlook, "balanced_accuracy"))
    assert "smallest margin that can be shown" in words
    with pytest.raises(StudyFileError, match="without --strict"):
        api.plan(study, earlier=stopped, strict=True)
    with pytest.raises(DataError, match="Choose one"):
        api.plan(study, earlier=stopped, spread=0.1)


def test_a_pilot_has_seeds_of_its_own(images: Path) -> None:
    study = small_study(images, **SEQUENTIAL)
    pilot = pilot_of(study, 3)
    assert (pilot.evidence.most, pilot.evidence.control) == (3, False)
    assert pilot.evidence.seed != study.evidence.seed
    with pytest.raises(DataError, match="no spread"):
        pilot_of(study, 1)
