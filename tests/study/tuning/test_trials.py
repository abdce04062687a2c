"""One job, trained in this process: its budget, its choice, what it never reads, and how it goes on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay.engine import one
from lossassay.engine.spec import EpochRecord, Partial
from lossassay.study.planning.bench import Bench, read_trial
from lossassay.study.tuning.halving import Rung
from lossassay.study.tuning.store import TuningStore
from lossassay.study.tuning.trials import Trial, _Work, choose, run_job
from tests.study.tuning.helpers import bench_of, tuned_study

Whole = tuple[Bench, dict[str, Any], pl.DataFrame]
TIMELESS = ("trial", "status", "epochs", "value", "epoch_of_value", "parameters", "chosen", "own_settings", "values")


class Killed(Exception):
    """Stands for the end of a process."""


def trained(bench: Bench, number: int = 0) -> tuple[dict[str, Any], pl.DataFrame]:
    job = bench.plan["tuning"][number]
    run_job(job, bench)
    store = TuningStore(bench.folder)
    return store.facts(job["id"]), store.trials(job["id"]).select(TIMELESS)


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A job that was trained without a break."""
    bench = bench_of(tuned_study(images), tmp_path_factory.mktemp("whole") / "out")
    return (bench, *trained(bench))


def test_arms_try_the_same_points_and_spend_the_same_epochs(whole: Whole) -> None:
    bench, facts, first = whole
    other_facts, second = trained(bench, 1)
    assert facts["arm"] != other_facts["arm"]
    assert first["parameters"].to_list() == second["parameters"].to_list()
    assert sorted(first["epochs"]) == sorted(second["epochs"]) == [1, 1, 2, 4]
    assert facts["epochs_spent"] == other_facts["epochs_spent"] == facts["epochs_planned"] == 8


def test_the_table_says_what_happened(whole: Whole) -> None:
    bench, facts, table = whole
    assert table["trial"].to_list() == [0, 1, 2, 3]
    assert table["own_settings"].to_list() == [True, False, False, False]
    assert sorted(table["status"]) == ["finished", "pruned", "pruned", "pruned"]
    chosen = table.filter("chosen").row(0, named=True)
    assert (chosen["status"], chosen["trial"], chosen["value"]) == (
        "finished",
        facts["chosen"]["trial"],
        facts["chosen"]["value"],
    )
    assert json.loads(chosen["parameters"]) == facts["chosen"]["parameters"]
    assert chosen["value"] == chosen["values"][chosen["epoch_of_value"] - 1] == max(chosen["values"])
    assert table["values"].list.len().to_list() == table["epochs"].to_list()
    assert not list((bench.folder / "checkpoints").glob(f"{facts['id']}*"))


def test_the_better_half_went_on(whole: Whole) -> None:
    _, _, table = whole
    after_one = [values[0] for values in table["values"]]
    better = sorted(range(4), key=lambda number: (-after_one[number], number))[:2]
    assert sorted(table.filter(pl.col("epochs") >= 2)["trial"]) == sorted(better)


def test_a_trial_that_trained_to_the_end_has_the_bits_of_a_run(
    whole: Whole,
) -> None:
    bench, facts, table = whole
    spec, data = read_trial(bench, bench.plan["tuning"][0], facts["chosen"]["parameters"])
    run = one.train(spec, data)
    values = table.filter("chosen")["values"][0].to_list()
    assert [record.validation_yardstick for record in run.history] == values


@pytest.mark.parametrize("epochs_before", [1, 3, 5, 7])
def test_killed_after_any_epoch_and_resumed_gives_the_same_bits(
    whole: Whole, images: Path, tmp_path: Path, epochs_before: int
) -> None:
    bench, trained_epochs = bench_of(tuned_study(images), tmp_path / "out"), 0

    def killed_in_time(_number: int, _record: EpochRecord) -> None:
        nonlocal trained_epochs
        trained_epochs += 1
        if trained_epochs > epochs_before:
            raise Killed

    with pytest.raises(Killed):
        run_job(bench.plan["tuning"][0], bench, killed_in_time)
    assert TuningStore(bench.folder).finished() == set()
    counted = 0

    def count(_number: int, _record: EpochRecord) -> None:
        nonlocal counted
        counted += 1

    run_job(bench.plan["tuning"][0], bench, count)
    assert counted == 8 - epochs_before  # the epoch that was cut off is trained again, and no other
    assert TuningStore(bench.folder).trials(bench.plan["tuning"][0]["id"]).select(TIMELESS).equals(whole[2])


def test_the_test_part_is_never_read(whole: Whole, tmp_path: Path) -> None:
    """Test rows get other labels and noise for images; the choice and every value stay."""
    bench, _, table = whole
    test = bench.parts[0] == 2
    assert test.sum() == 12
    images, labels = np.array(bench.images), bench.labels.copy()
    images[test] = np.random.default_rng(0).integers(0, 255, images[test].shape)
    labels[test] = (labels[test] + 1) % 3
    poisoned = replace(bench, images=images, labels=labels, folder=tmp_path)
    assert trained(poisoned)[1].equals(table)
    _, data = read_trial(bench, bench.plan["tuning"][0], {"learning_rate": 0.1})
    assert len(data.test) == 0
    assert not data.labels[test].any()


def test_training_rows_do_matter(whole: Whole, tmp_path: Path) -> None:
    bench, _, table = whole
    labels = np.where(bench.parts[0] == 0, (bench.labels + 1) % 3, bench.labels)
    assert not trained(replace(bench, labels=labels, folder=tmp_path))[1].equals(table)


def test_the_sampler_that_learns_goes_on_with_the_same_bits(images: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    study = tuned_study(images, epochs=1, tuning={"sampler": "tpe", "pruning": "none", "trials": 13})
    first, second = (bench_of(study, tmp_path / name) for name in ("first", "second"))
    _, table = trained(first)
    seen: list[int] = []

    def killed_in_time(number: int, _record: EpochRecord) -> None:
        seen.append(number)
        if number == 11:
            raise Killed

    with pytest.raises(Killed):
        run_job(second.plan["tuning"][0], second, killed_in_time)
    assert trained(second)[1].equals(table)
    assert seen == list(range(12))
    assert len(set(table["parameters"])) == 13


def test_a_diverged_trial_is_worst_and_stops_no_other(images: Path, tmp_path: Path) -> None:
    space = {"learning_rate": [1e30, 1e38, "log"]}
    arms = [{"loss": "mean_squared_error"}, {"loss": "categorical_crossentropy"}]
    study = tuned_study(images, arms=arms, tuning={"space": space, "trials": 3}, training={"optimizer": "sgd"})
    facts, table = trained(bench_of(study, tmp_path / "out"))
    assert table["status"].to_list() == ["finished", "diverged", "diverged"]
    assert table["value"].is_null().to_list() == [False, True, True]
    assert facts["chosen"]["trial"] == 0
    assert facts["statuses"] == {"finished": 1, "diverged": 2}


def test_where_all_diverge_the_settings_of_the_study_stand() -> None:
    job = {"metric": "accuracy", "epochs": 2}
    failed = Trial(parameters={}, values=(None,), epoch_of_value=1, diverged=True)
    assert choose(job, {0: failed, 1: failed}) == 0


def test_the_choice_follows_the_direction_of_the_yardstick_and_takes_the_first_of_equals() -> None:
    trials = {n: Trial(parameters={}, values=(v,), epoch_of_value=1) for n, v in enumerate([0.5, 0.7, 0.7, 0.2])}
    pruned = {4: Trial(parameters={}, values=(), epoch_of_value=0)}
    assert choose({"metric": "accuracy", "epochs": 1}, trials | pruned) == 1
    assert choose({"metric": "nll", "epochs": 1}, trials | pruned) == 3
    sure = {n: replace(trial, nlls=(1.0 - 0.1 * n,)) for n, trial in trials.items()}
    assert choose({"metric": "accuracy", "epochs": 1}, sure | pruned) == 2


def test_at_a_cut_equal_trials_are_ranked_by_the_likelihood(images: Path, tmp_path: Path) -> None:
    bench = bench_of(tuned_study(images), tmp_path / "out")
    job = bench.plan["tuning"][0]
    work = _Work(job, bench, lambda number, record: None)
    for number, nll in enumerate((1.3, 1.1, 1.2, 1.0)):
        work.trials[number] = Trial(parameters={}, values=(0.5,), epoch_of_value=1, nlls=(nll,))
    assert work.better([0, 1, 2, 3], Rung(epoch=1, kept=2)) == [1, 3]


def test_the_likelihood_is_stored_beside_each_value(whole: Whole) -> None:
    bench, facts, _ = whole
    table = TuningStore(bench.folder).trials(facts["id"])
    assert table["nlls"].list.len().to_list() == table["epochs"].to_list()
    assert all(nll > 0 for own in table["nlls"] for nll in own)


def test_unreadable_notes_cost_time_but_no_bits(whole: Whole, images: Path, tmp_path: Path) -> None:
    bench = bench_of(tuned_study(images), tmp_path / "out")
    (bench.folder / "checkpoints").mkdir()
    (bench.folder / "checkpoints" / f"{bench.plan['tuning'][0]['id']}-trials.json").write_text('{"0": ')
    assert trained(bench)[1].equals(whole[2])


@pytest.mark.parametrize("lost", [True, False], ids=["notes lost", "notes there"])
@pytest.mark.parametrize("selection", ["last", "best"])
def test_what_a_trial_did_beyond_a_rung_changes_no_cut(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: str, lost: bool
) -> None:
    """One trial leads at the first rung, falls in the second, and diverges there where the best epoch is kept."""
    real = one.train_until

    def falling(until: int, spec: Any, data: Any, *, on_epoch: Any, **options: Any) -> Partial:
        found = real(until, spec, data, on_epoch=on_epoch, **options)
        falls = spec.training.learning_rate == own
        history = tuple(
            replace(one, validation_yardstick=0.9 - one.epoch / 10 if falls else 0.55) for one in found.history
        )
        diverged = falls and selection == "best" and len(history) > 2
        return replace(found, history=history, best_epoch=until if selection == "last" else 1, diverged=diverged)

    study = tuned_study(images, epochs=8, training={"selection": selection})
    whole, cut = (bench_of(study, tmp_path / name) for name in ("whole", "cut"))
    job = whole.plan["tuning"][0]
    own = job["own"]["learning_rate"]
    monkeypatch.setattr(one, "train_until", falling)
    expected = trained(whole)[1]
    seen: list[int] = []

    def killed_in_time(number: int, _record: EpochRecord) -> None:
        seen.append(number)
        if len(seen) == 4 * 2 + 2 + 1:  # four trials in the first rung, one whole in the second
            raise Killed

    with pytest.raises(Killed):
        run_job(job, cut, killed_in_time)
    assert seen[-3:-1] == [0, 0]
    if lost:
        next((cut.folder / "checkpoints").glob("*-trials.json")).write_text("")
    assert trained(cut)[1].equals(expected)


def test_a_state_beyond_the_rung_is_left_alone(images: Path, tmp_path: Path) -> None:
    """The notes can be those of a process that had lost its lease, and so older than the states."""
    bench = bench_of(tuned_study(images), tmp_path / "out")
    job, parameters = bench.plan["tuning"][0], {"learning_rate": 0.01}
    work = _Work(job, bench, lambda number, record: None)
    work.train(0, parameters, 3)
    three = work.trials[0].values
    work.trials[0] = Trial(parameters=parameters)
    work.train(0, parameters, 2)
    assert work.trials[0].values == three[:2]


def test_a_trial_as_it_stood_has_the_best_epoch_of_then() -> None:
    trial = Trial(parameters={}, values=(0.5, 0.6, 0.6, 0.9), nlls=(1.0, 1.0, 0.9, 0.1), epoch_of_value=4)
    then = trial.at(3, high=True, last=False)
    assert (then.values, then.nlls, then.epoch_of_value) == (trial.values[:3], trial.nlls[:3], 3)
    assert trial.at(3, high=False, last=False).epoch_of_value == 1
    assert trial.at(2, high=False, last=True).epoch_of_value == 2
    assert trial.at(4, high=True, last=False) is trial


def test_notes_of_other_parameters_are_dropped(images: Path, tmp_path: Path) -> None:
    """As after an upgrade of optuna, whose sampler then asks for other points."""
    bench = bench_of(tuned_study(images), tmp_path / "out")
    job, work = bench.plan["tuning"][0], _Work(bench.plan["tuning"][0], bench, lambda number, record: None)
    work.train(0, {"learning_rate": 0.01}, 2)
    work.train(1, {"learning_rate": 0.02}, 2)
    again = _Work(job, bench, pytest.fail)
    again.train(0, {"learning_rate": 0.01}, 2)
    seen: list[int] = []
    changed = _Work(job, bench, lambda number, record: seen.append(record.epoch))
    changed.train(1, {"learning_rate": 0.03}, 3)
    assert seen == [1, 2, 3]
    assert changed.trials[1].parameters == {"learning_rate": 0.03}
    assert changed.trials[0] == work.trials[0]
