"""Studies with exams and with control arms, from images to the report."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

from lossassay.config import CONTROL_ARMS, load_study
from lossassay.data.cache import ImageCache, _digest, open_cache
from lossassay.errors import DataError, StudyFileError
from lossassay.study import run as study_run
from lossassay.study.analysis.controls import chance, controls_rows
from lossassay.study.analysis.stopping import _trained_for
from lossassay.study.analysis.units import Units
from lossassay.study.planning.bench import read_bench, read_run
from lossassay.study.planning.plan import make_plan
from tests.study.helpers import small_study
from tests.study.here import run_here

ARMS = [{"loss": "categorical_crossentropy"}, {"loss": "mean_squared_error"}]


def with_columns(cache: ImageCache, **columns: list[Any]) -> ImageCache:
    """The same images with exams, groups or sources."""
    series = {name: pl.Series(values, dtype=pl.String) for name, values in columns.items()}
    manifest = dataclasses.replace(cache.manifest, rows=cache.manifest.rows.with_columns(**series))
    return dataclasses.replace(cache, manifest=manifest, digest=_digest(cache.folder.name, manifest))


def pairs_of_rows(cache: ImageCache) -> list[str]:
    """Two neighbours are one exam; rows are sorted by class, so that each has one label."""
    return [f"exam {row // 2}" for row in range(len(cache.manifest.rows))]


@pytest.fixture
def in_exams(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*arguments: Any, **options: Any) -> ImageCache:
        cache = open_cache(*arguments, **options)
        return with_columns(cache, exam=pairs_of_rows(cache))

    monkeypatch.setattr(study_run, "open_cache", opened)


@pytest.mark.usefixtures("in_exams")
def test_a_study_of_exams(images: Path, tmp_path: Path) -> None:
    controls = ["permuted_labels", "masked_centre"]
    out = tmp_path / "out"
    run_here(small_study(images, arms=ARMS, epochs=1, evidence={"control": controls}), out, report=True)
    plan, facts = (json.loads((out / f"{name}.json").read_text()) for name in ("plan", "facts"))
    assert (plan["data"]["rows"], plan["data"]["exams"]) == (60, 30)
    assert (facts["patient_unit"], facts["patients"] <= 30) == ("exam", True)
    rows = pl.read_parquet(out / "rows.parquet")
    assert rows["exam"].to_list() == [row // 2 for row in range(60)]
    parts = np.load(out / "splits.npy")
    assert (parts[:, 0::2] == parts[:, 1::2]).all()
    for entry in plan["runs"]:
        predicted = pl.read_parquet(out / "runs" / entry["id"] / "predictions.parquet")
        own = parts[entry["replicate"]]
        for part, number in (("validation", 1), ("test", 2)):
            assert predicted.filter(part=part)["row"].to_list() == np.flatnonzero(own == number)[::2].tolist()
        truth = rows["label"].to_numpy()[predicted["row"].to_numpy()]
        test = (predicted["part"] == "test").to_numpy()
        np.testing.assert_array_equal(predicted["label"].to_numpy()[test], truth[test])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "30 exams of 60 images" in page
    assert "the raw scores of its images were averaged before link, calibration and metrics" in page
    assert "exam 0" not in (out / "plan.json").read_text() + page


def test_without_exams_the_folder_says_so(finished: Path) -> None:
    plan = json.loads((finished / "plan.json").read_text())
    assert plan["data"]["exams"] is None
    assert pl.read_parquet(finished / "rows.parquet")["exam"].null_count() == 60
    bench = read_bench(finished, open_cache(load_study(finished / "study.toml").data).folder / "images.npy")
    assert read_run(bench, plan["runs"][0]["id"])[2].exams is None


def test_exams_that_an_official_split_cuts_are_refused(images: Path) -> None:
    study = small_study(images, arms=ARMS, data={"split": "official"})
    cache = open_cache(study.data)
    parts = ["train" if row % 4 < 2 else "validation" if row % 4 == 2 else "test" for row in range(60)]
    cut = with_columns(cache, exam=[f"e{row // 2}" for row in range(60)], part=parts)
    with pytest.raises(DataError, match="15 of 30 exams have images in more than one part of the split"):
        make_plan(study, cut)


def test_exams_of_two_labels_are_refused_before_training(images: Path) -> None:
    study = small_study(images, arms=ARMS)
    mixed = with_columns(open_cache(study.data), exam=[f"e{row % 20}" for row in range(60)])
    with pytest.raises(DataError, match="20 of 20 exams have images with more than one label"):
        make_plan(study, mixed)


@pytest.fixture(scope="module")
def controlled(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All controls; the source is one of three letters that say the class."""
    folder = tmp_path_factory.mktemp("controlled")
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    table = {
        "path": names,
        "label": [name.split("/")[0] for name in names],
        "site": [name[0] for name in names],
        "patient": [f"p{number // 2}" for number in range(len(names))],
    }
    pl.DataFrame(table).write_csv(images / "sites.csv")
    study = small_study(
        images / "sites.csv",
        arms=ARMS,
        epochs=30,
        replicates=3,
        data={"source": "site", "group": "patient"},
        evidence={"control": ["source_only", "same", "masked_centre", "permuted_labels"]},
    )
    try:
        run_here(study, folder / "out", report=True)
    finally:
        (images / "sites.csv").unlink()
    return folder / "out"


def test_each_control_is_one_more_run_in_every_replicate(controlled: Path) -> None:
    plan = json.loads((controlled / "plan.json").read_text())
    for replicate in range(3):
        own = {run["arm"]: run for run in plan["runs"] if run["replicate"] == replicate}
        assert set(own) == {"categorical_crossentropy", "mean_squared_error", *CONTROL_ARMS.values()}
        seeds = own["categorical_crossentropy"]["seeds"]
        for name, arm in CONTROL_ARMS.items():
            assert (own[arm]["seeds"] == seeds) == (name != "same")
            assert own[arm].get("damage") == (None if name == "same" else name)
            facts = json.loads((controlled / "runs" / own[arm]["id"] / "run.json").read_text())
            assert facts.get("damage") == own[arm].get("damage")
    assert len({run["id"] for run in plan["runs"]}) == len(plan["runs"]) == 18


def test_controls_leave_the_names_of_the_arms_runs_as_they_are(images: Path) -> None:
    plain = small_study(images, arms=ARMS)
    controlled = small_study(images, arms=ARMS, evidence={"control": ["masked_centre", "permuted_labels"]})
    cache = open_cache(plain.data)
    runs = make_plan(controlled, cache).runs
    assert [run.id for run in make_plan(plain, cache).runs] == [run.id for run in runs if run.spec.damage is None]
    assert len({run.id for run in runs}) == len(runs) == 8


def test_the_table_says_what_is_left(controlled: Path) -> None:
    table = pl.read_parquet(controlled / "tables" / "controls.parquet")
    found = {row["control"]: row for row in table.filter(metric="balanced_accuracy").iter_rows(named=True)}
    assert set(found) == {"masked_centre", "source_only", "permuted_labels"}
    runs = pl.read_parquet(controlled / "tables" / "runs.parquet").filter(arm="categorical_crossentropy")
    for row in found.values():
        assert row["chance"] == pytest.approx(1 / 3)
        assert row["reference"] == pytest.approx(runs["balanced_accuracy"].mean())
        assert row["difference"] == pytest.approx(row["estimate"] - row["reference"])
        assert row["replicates"] == 3
        if row["surviving"] is not None:
            gain = (row["estimate"] - 1 / 3) / (row["reference"] - 1 / 3)
            assert row["surviving"] == pytest.approx(gain)
    assert found["source_only"]["estimate"] > 0.9  # the source is the class
    assert table.filter(metric="nll")["surviving"].null_count() == 3
    assert table.filter(metric="nll")["chance"].null_count() == 3
    checks = {
        row["code"]: row for row in pl.read_parquet(controlled / "tables" / "checks.parquet").iter_rows(named=True)
    }
    assert checks["survives-without-anatomy"]["status"] == "failed"
    kept = dict(json.loads(checks["survives-without-anatomy"]["fields"])["kept"])
    assert set(kept) == {"masked_centre", "source_only"}
    assert kept["source_only"] >= 1
    assert checks["permuted-labels-at-chance"]["status"] in ("passed", "failed")


def test_the_report_says_it_in_words(controlled: Path) -> None:
    page = (controlled / "report.html").read_text(encoding="utf-8")
    assert "What is left without the anatomy" in page
    assert "With the central half of every image masked" in page
    assert "Shown the source of an image and nothing else" in page
    assert "of what it gains over chance, 33.3" in page
    assert (controlled / "figures" / "controls.svg").is_file()


def test_controls_are_no_arms(controlled: Path) -> None:
    for name in ("runs", "arms", "noise_floor", "costs"):
        assert not set(pl.read_parquet(controlled / "tables" / f"{name}.parquet")["arm"]) & set(CONTROL_ARMS.values())
    assert len(pl.read_parquet(controlled / "tables" / "control.parquet"))
    facts = json.loads((controlled / "facts.json").read_text())
    assert facts["runs_planned"] == facts["runs_finished"] == 18


def test_permuted_labels_are_learnt_and_true_ones_are_tested(controlled: Path) -> None:
    plan = json.loads((controlled / "plan.json").read_text())
    truth = pl.read_parquet(controlled / "rows.parquet")["label"].to_numpy()
    changed = []
    for run in plan["runs"]:
        predicted = pl.read_parquet(controlled / "runs" / run["id"] / "predictions.parquet")
        differs = predicted["label"].to_numpy() != truth[predicted["row"].to_numpy()]
        test = (predicted["part"] == "test").to_numpy()
        assert not differs[test].any()
        if run.get("damage") == "permuted_labels":
            changed.append(differs[~test].any())
        else:
            assert not differs.any()
    assert any(changed)


@pytest.mark.parametrize(
    ("sources", "split", "message"),
    [
        ([None] * 60, {}, r"the data name none, and 2 to 8 are needed.*data\.source"),
        (["a"] * 60, {}, "the data name 1, and 2 to 8 are needed"),
        ([f"s{row}" for row in range(60)], {}, "the data name 60, and 2 to 8 are needed"),
        (["new" if row % 5 == 0 else "old" for row in range(60)], "official", "in replicate 0 all are new"),
    ],
)
def test_the_source_alone_needs_sources(images: Path, sources: list[str | None], split: Any, message: str) -> None:
    data = {"split": split} if split else {}
    study = small_study(images, arms=ARMS, data=data, evidence={"control": "source_only"})
    parts = ["test" if row % 5 == 0 else "validation" if row % 5 == 1 else "train" for row in range(60)]
    cache = with_columns(open_cache(study.data), source=sources, part=parts)
    with pytest.raises(StudyFileError, match=message):
        make_plan(study, cache)


def test_chance_of_each_yardstick() -> None:
    assert chance("balanced_accuracy", 4) == 0.25
    assert chance("macro_auroc", 4) == 0.5
    assert chance("cohen_kappa", 4) == 0.0
    assert chance("accuracy", 4) is None
    assert chance("nll", 4) is None


def test_controls_are_trained_for_as_long_as_the_reference() -> None:
    """When the reference arm is decided, its controls stop with it; other arms decide nothing about them."""
    evidence = {
        "replicates": {"min": 3, "max": 6},
        "control": ["masked_centre", "same"],
        "compare": "mean_squared_error",
    }
    study = small_study("digits", arms=ARMS, evidence=evidence)
    assert {_trained_for(arm, study) for arm in CONTROL_ARMS.values()} == {"mean_squared_error"}
    assert _trained_for("categorical_crossentropy", study) == "categorical_crossentropy"


@pytest.mark.parametrize(
    ("units", "observed", "of_mean"),
    [
        (Units(noun="replicates"), slice(None), 1 / 6),
        (Units(noun="folds", test_share_ratio=0.5), slice(None), 1 / 6 + 0.5),
        (Units(noun="sites", sites=3), None, 1 / 3),
    ],
)
def test_intervals_of_controls_are_over_the_unit_of_the_study(
    units: Units, observed: slice | None, of_mean: float
) -> None:
    scores = np.random.default_rng(0).normal([[0.6], [0.8]], 0.05, (2, 6))
    damaged, own = (
        [SimpleNamespace(replicate=k, values={"balanced_accuracy": value}) for k, value in enumerate(row)]
        for row in scores
    )
    context: Any = SimpleNamespace(
        study=SimpleNamespace(evidence=SimpleNamespace(alpha=0.05, most=6), reference="arm"),
        units=units,
        of=lambda arm: own,
        damaged={"masked_centre": damaged},
        metric_names=lambda: ["balanced_accuracy"],
        classes=["a", "b"],
    )
    (row,) = controls_rows(context)
    gaps = scores[0] - scores[1]
    gaps = gaps[observed] if observed else (gaps[:3] + gaps[3:]) / 2  # a site is tested in replicates k and k + 3
    half = scipy_stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) * of_mean**0.5
    assert row["difference_high"] - row["difference_low"] == pytest.approx(2 * half)
    assert row["surviving_low"] < row["surviving"] < row["surviving_high"]
    assert row["replicates"] == 6
