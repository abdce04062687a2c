"""Whole studies by folds, by site and by time: what is trained, what is written down, and what intervals rest on."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import t as student_t

from lossassay import stats
from lossassay.config import Study, parse_study
from lossassay.config.schema import DataConfig, SplitConfig
from lossassay.data.cache import ImageCache, open_cache
from lossassay.errors import DataError, StudyFileError
from lossassay.study.analysis.outlook import outlook, pilot_of, stated_spread
from lossassay.study.analysis.units import units_of
from lossassay.study.folder.registered import register
from lossassay.study.planning.plan import Plan, make_plan
from lossassay.study.planning.run_names import _split_facts
from tests.study.helpers import SMALL_MODEL
from tests.study.here import run_here

FOLDS = {"kind": "cross_validation", "folds": 2}


def study(path: str, split: dict[str, Any], *, replicates: int = 4, arms: int = 2, **changes: Any) -> Study:
    losses = ["categorical_crossentropy", "mean_squared_error", "focal"][:arms]
    return parse_study(
        {
            "name": "kinds",
            "data": {"path": path, "image_size": 32, "split": split} | changes.get("data", {}),
            "arms": [{"loss": loss} for loss in losses],
            "training": {
                "model_options": SMALL_MODEL,
                "epochs": 1,
                "batch_size": 64,
                "precision": "fp32",
                "threads": 1,
            },
            "evidence": {"replicates": replicates, "metric": "nll", "margin": 0.05} | changes.get("evidence", {}),
        }
    )


def primary(folder: Path) -> dict[str, Any]:
    return pl.read_parquet(folder / "tables" / "comparisons.parquet").filter("primary").row(0, named=True)


def differences(folder: Path) -> np.ndarray:
    """Of the primary yardstick, by replicate."""
    runs = pl.read_parquet(folder / "tables" / "runs.parquet").sort("replicate")
    first, second = (runs.filter(arm=arm)["nll"].to_numpy() for arm in primary_arms(folder))
    return first - second


def primary_arms(folder: Path) -> tuple[str, str]:
    row = primary(folder)
    return row["arm_a"], row["arm_b"]


@pytest.fixture(scope="module")
def of_folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("folds") / "out"
    run_here(study("digits", FOLDS, evidence={"control": True}), out, report=True)
    return out


@pytest.fixture(scope="module")
def table(images: Path) -> Path:
    """Four sites of 15 images; the last image of each of three patients was taken at another site, later."""
    rows = []
    for place, path in enumerate(sorted(images.rglob("*.png"))):
        patient, visit = divmod(place, 5)
        site = patient % 4 if visit < 4 or patient > 2 else (patient + 1) % 4
        rows.append((path.relative_to(images).as_posix(), path.parent.name, f"P{patient}", f"site {site}", place % 20))
    target = images / "kinds.csv"
    with target.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "patient", "hospital", "day"), *rows])
    return target


def by_site(table: Path, **changes: Any) -> Study:
    split = {"kind": "leave_one_out", "by": "hospital", "validation": 0.3}
    return study(str(table), split, data={"group": "patient"}, **changes)


def planned(found: Study) -> Plan:
    return make_plan(found, open_cache(found.data))


def test_every_image_is_tested_once_in_each_repetition(of_folds: Path) -> None:
    parts = np.load(of_folds / "splits.npy")
    assert ((parts == 2).sum(axis=1) > 800).all()
    assert ((parts[:2] == 2).sum(axis=0) == 1).all()
    assert ((parts[2:] == 2).sum(axis=0) == 1).all()
    assert not np.array_equal(parts[0] == 2, parts[2] == 2)


def test_the_verdict_of_folds_rests_on_the_corrected_interval(of_folds: Path) -> None:
    own, row = differences(of_folds), primary(of_folds)
    half = student_t.isf(0.025, 3) * (own.var(ddof=1) * (1 / 4 + 1 / 1)) ** 0.5
    assert row["difference"] == pytest.approx(own.mean())
    assert row["low"] == pytest.approx(own.mean() - half)
    assert row["high"] == pytest.approx(own.mean() + half)
    assert row["smallest_margin"] == pytest.approx(half)
    assert row["replicates"] == 4
    assert row["p_max_t"] is None
    assert row["method"].startswith("corrected resampled t over folds")


def test_nothing_is_said_of_new_patients_by_folds(of_folds: Path) -> None:
    assert pl.read_parquet(of_folds / "tables" / "comparisons.parquet")["scope"].unique().to_list() == ["procedure"]
    arms = pl.read_parquet(of_folds / "tables" / "arms.parquet")
    assert arms["population_low"].null_count() == len(arms)
    facts = json.loads((of_folds / "facts.json").read_text())
    assert facts["smallest_margin_population"] is None
    assert (facts["split_kind"], facts["sites"]) == ("cross_validation", None)
    assert facts["resolution"] == pytest.approx(primary(of_folds)["smallest_margin"])


def test_means_of_arms_and_of_the_control_are_widened_alike(of_folds: Path) -> None:
    runs = pl.read_parquet(of_folds / "tables" / "runs.parquet")
    for name in ("arms", "control"):
        row = pl.read_parquet(of_folds / "tables" / f"{name}.parquet").filter(metric="nll").row(0, named=True)
        half = student_t.isf(0.025, 3) * row["sd"] * (1 / 4 + 1) ** 0.5
        centre = row["estimate"] if name == "arms" else row["difference"]
        assert (row["low"], row["high"]) == pytest.approx((centre - half, centre + half))
    assert runs["replicate"].n_unique() == 4


def test_the_kind_is_written_down_and_reported(of_folds: Path) -> None:
    registered = json.loads((of_folds / "registered.json").read_text())
    assert registered["first"]["split"] == "cross-validation with 2 folds"
    assert json.loads((of_folds / "plan.json").read_text())["data"]["split"]["kind"] == "cross_validation"
    page = (of_folds / "report.html").read_text(encoding="utf-8")
    assert "averaged over folds and seeds" in page
    assert "corrected resampled t over folds" in page
    assert "bouckaert2004" in page
    assert "Scope procedure, by cross-validation" in page


def test_a_change_of_kind_is_a_change_of_the_rule(tmp_path: Path) -> None:
    register(tmp_path, study("digits", {}), "nll")
    assert register(tmp_path, study("digits", {"test": 0.3}), "nll").changes == ()
    found = register(tmp_path, study("digits", FOLDS), "nll")
    assert found.changes == ("split: hold-out, later cross-validation with 2 folds",)


def test_a_rule_written_before_there_were_kinds_is_hold_out(tmp_path: Path) -> None:
    register(tmp_path, study("digits", {}), "nll")
    stored = json.loads((tmp_path / "registered.json").read_text())
    for rule in (stored["first"], stored["now"]):
        del rule["split"]
    (tmp_path / "registered.json").write_text(json.dumps(stored))
    assert register(tmp_path, study("digits", {}), "nll").changes == ()


def test_hold_out_runs_keep_their_names() -> None:
    """What named a split before there were kinds, and nothing else."""
    plan = planned(study("digits", {"validation": 0.2}, replicates=2))
    named = {"official": False, "validation": 0.2, "test": 0.2}
    assert _split_facts(plan.study.data.split, plan.splits[0]) == named
    assert set(_split_facts(SplitConfig(kind="time"), plan.splits[0])) > set(named) | {"rows"}


def test_runs_of_folds_are_named_by_their_rows() -> None:
    ids = [run.id for run in planned(study("digits", FOLDS)).runs]
    assert len(set(ids)) == len(ids)
    more = [run.id for run in planned(study("digits", FOLDS, replicates=6)).runs]
    assert more[: len(ids)] == ids
    assert not set(ids) & {run.id for run in planned(study("digits", {"kind": "cross_validation", "folds": 4})).runs}


def test_a_site_after_the_other(table: Path, tmp_path: Path) -> None:
    run_here(by_site(table, replicates=8), tmp_path / "out", report=True)
    out = tmp_path / "out"
    parts, rows = np.load(out / "splits.npy"), pl.read_parquet(out / "rows.parquet")
    for replicate in range(8):
        assert set(rows["source"].to_numpy()[parts[replicate] == 2]) == {f"site {replicate % 4}"}
        tested = set(rows["group"].to_numpy()[parts[replicate] == 2])
        assert not tested & set(rows["group"].to_numpy()[parts[replicate] < 2])
    assert (parts == 3).any()
    row = primary(out)
    sites = differences(out).reshape(2, 4).mean(axis=0)
    half = student_t.isf(0.025, 3) * sites.std(ddof=1) / 2
    assert (row["difference"], row["low"]) == pytest.approx((sites.mean(), sites.mean() - half))
    assert (row["replicates"], row["more_low"]) == (8, None)
    assert row["method"] == "paired t over sites, Bonferroni over 1 comparison, 4 sites"
    checks = pl.read_parquet(out / "tables" / "checks.parquet")
    assert checks.filter(code="group-overlap")["status"].to_list() == ["passed"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "For a new site like those tested here" in page
    assert "one of 4 sites left out in turn" in page
    audit = json.loads((out / "audit.json").read_text())["findings"]
    assert "rows-left-out" in [finding["code"] for finding in audit]


def test_other_sources_are_other_runs(table: Path) -> None:
    """The digest of the data leaves sources out, so the rows themselves name a run."""
    first = planned(by_site(table)).runs
    text = table.read_text()
    other = table.with_name("other.csv")
    other.write_text(text.replace("site 0", "site X").replace("site 1", "site 0").replace("site X", "site 1"))
    second = planned(by_site(other)).runs
    assert {run.id for run in first if run.replicate == 0}.isdisjoint(run.id for run in second)
    with pytest.raises(DataError, match="tests 4 sources in turn, and 6 replicates came"):
        planned(by_site(table, replicates=6))


def with_times(data: DataConfig, **options: Any) -> ImageCache:
    """Images whose times are known, whatever reads them: five of each time, over all classes."""
    cache = open_cache(data, **options)
    rows = cache.manifest.rows
    times = (pl.int_range(len(rows)) % 12).alias("time")
    return dataclasses.replace(cache, manifest=dataclasses.replace(cache.manifest, rows=rows.with_columns(times)))


def test_the_newest_are_tested_in_every_replicate(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lossassay.study.run.open_cache", with_times)
    split = {"kind": "time", "test": 0.2, "validation": 0.3}
    found = study(str(images), split, replicates=2, evidence={"scope": "population"})
    run_here(found, tmp_path / "out", report=True)
    parts = np.load(tmp_path / "out" / "splits.npy")
    assert np.array_equal(np.flatnonzero(parts[0] == 2) % 12 >= 10, np.ones(10, dtype=bool))
    assert np.array_equal(parts[0] == 2, parts[1] == 2)
    assert not np.array_equal(parts[0] == 1, parts[1] == 1)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "with this training part" in page
    assert "by time: the newest images are tested" in page
    table = pl.read_parquet(tmp_path / "out" / "tables" / "comparisons.parquet")
    assert set(table["scope"]) == {"procedure", "population"}
    assert table["bootstrap_low"].count() == 1
    assert table["nadeau_bengio_low"].count() == 0  # the split is not drawn anew


def test_the_outlook_knows_what_folds_share() -> None:
    plan, spread = planned(study("digits", FOLDS, replicates=4)), stated_spread(0.01)
    found, plain = outlook(plan, spread).design, outlook(planned(study("digits", {})), spread).design
    assert found is not None
    assert plain is not None
    assert found.smallest_margin == pytest.approx(student_t.isf(0.025, 3) * 0.01 * (1 / 4 + 1) ** 0.5)
    assert found.smallest_margin == pytest.approx(plain.smallest_margin * 5**0.5)


def test_the_outlook_counts_sites(table: Path) -> None:
    found = outlook(planned(by_site(table, replicates=8)), stated_spread(0.5))
    assert found.design is not None
    assert found.design.replicates == 4
    assert any("4 sites can show" in problem and "ask for more sites" in problem for problem in found.problems)


def test_a_pilot_of_folds_is_a_whole_repetition() -> None:
    assert pilot_of(study("digits", FOLDS), 2).evidence.most == 2
    with pytest.raises(DataError, match="no whole repetition of 2 folds"):
        pilot_of(study("digits", FOLDS), 3)


def test_folds_that_do_not_vary_are_refused() -> None:
    with pytest.raises(StudyFileError, match='"split" belongs in it'):
        study("digits", FOLDS, evidence={"vary": ["init", "order"]})


def test_sites_are_means_over_replicates_that_both_arms_have() -> None:
    nan = float("nan")
    scores = np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 1.0], [3.0, nan], [nan, 5.0], [6.0, 1.0]])  # sites 0 1 2 0 1 2
    units = units_of(SplitConfig(kind="leave_one_out"), 3)
    observed, pairs = units.observations(scores, [(0, 1)])
    assert pairs == [(0, 1)]
    np.testing.assert_array_equal(observed, [[1.0, 0.0], [2.0, 1.0], [5.0, 1.0]])
    assert units.replicates(scores, (0, 1)) == 4
    (found,) = stats.paired_differences(observed, pairs, alpha=0.05, family_size=1)
    assert found.num_pairs == 3
