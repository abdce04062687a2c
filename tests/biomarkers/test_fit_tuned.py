"""The last training of an arm whose study tunes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lossassay import api
from lossassay.biomarkers.decisions.predict import predict
from lossassay.biomarkers.fit import _Steps, fit
from lossassay.biomarkers.fit_tuning import readable, with_ranges_of
from lossassay.biomarkers.loaded_run import load_run
from lossassay.biomarkers.model_card import card_facts
from lossassay.config import Study, load_study, study_as_toml
from lossassay.data.cache import open_cache
from lossassay.errors import LabelError, OutFolderError, UnknownNameError
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store
from lossassay.study.progress import Progress
from lossassay.study.tuning.store import TuningStore
from tests.study.helpers import write_images
from tests.study.tuning.helpers import planned, tuned_study
from tests.study.tuning.test_trials import TIMELESS

ARM = "categorical_crossentropy"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("tuned") / "images", per_class=20)


def study(images: Path, **tuning: Any) -> Study:
    return tuned_study(images, epochs=2, tuning={"trials": 3, "untuned": False} | tuning)


@pytest.fixture(scope="module")
def nested(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a study that tunes in every replicate."""
    out = tmp_path_factory.mktemp("nested") / "out"
    api.run(study(images), out, workers=1)
    return out


@pytest.fixture(scope="module")
def once(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a study that tunes once."""
    out = tmp_path_factory.mktemp("once") / "out"
    api.run(study(images, scope="once"), out, workers=1)
    return out


@pytest.fixture(scope="module")
def fitted(images: Path, nested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a fit of the nested study."""
    out = tmp_path_factory.mktemp("fit") / "fit"
    api.fit(study(images), ARM, out, study_out=nested)
    return out


def job_of(folder: Path) -> dict[str, Any]:
    """The one tuning job of a fit."""
    (name,) = TuningStore(folder).finished()
    return TuningStore(folder).facts(name)


def test_a_nested_study_is_tuned_once_more_on_all_data(fitted: Path, nested: Path) -> None:
    run, job = load_run(fitted), job_of(fitted)
    theirs = next(one for one in read_plan(nested)["tuning"] if (one["arm"], one["replicate"]) == (ARM, 0))
    assert job["id"] not in TuningStore(nested).finished()  # it learns from more
    told = ("trials", "epochs_planned", "space", "own", "parameters", "sampler", "sampler_seed", "pruning", "metric")
    assert {name: job[name] for name in told} == {name: theirs[name] for name in told}
    assert job["epochs_spent"] == theirs["epochs_planned"]
    assert run.facts["tuned"] == {"job": job["id"], **job["chosen"]}
    assert run.facts["training"]["learning_rate"] == job["chosen"]["parameters"]["learning_rate"]
    parts = run.parts()
    np.testing.assert_array_equal(parts == 1, np.load(nested / "splits.npy")[0] == 1)
    assert not (parts == 2).any()


def test_the_run_repeats_its_trial_on_all_data(fitted: Path) -> None:
    """Trial and run learn from the same rows: the same validation values, epoch by epoch."""
    job = job_of(fitted)
    trial = TuningStore(fitted).trials(job["id"]).filter("chosen").row(0, named=True)
    assert Store(fitted).history(load_run(fitted).id)["validation_yardstick"].to_list() == trial["values"]


def test_a_fit_of_a_tuned_study_can_be_used_like_a_run(fitted: Path, images: Path) -> None:
    run = load_run(fitted)
    assert load_study(fitted / "study.toml").tuning == run.study.tuning
    assert len(predict(run, images).table) == len(run.parts())


def test_a_second_call_trains_nothing(fitted: Path, nested: Path, images: Path) -> None:
    said: list[Any] = []
    api.fit(study(images), ARM, fitted, study_out=nested, progress=Progress(on_message=said.append))
    assert said == []


def test_the_card_says_how_the_settings_were_chosen(fitted: Path) -> None:
    text = (fitted / "fit-model-card.md").read_text(encoding="utf-8")
    job = job_of(fitted)
    rate = job["chosen"]["parameters"]["learning_rate"]
    for said in (
        "it was tuned once more in the same way and with the same budget",
        f"Budget: 3 trials in {job['epochs_spent']} epochs, judged by balanced accuracy on validation images.",
        "Those to expect are the yardsticks of the arm in the study",
        f"| learning\\_rate | {rate:g} |",
    ):
        assert said in text, said
    tuning = card_facts(load_run(fitted)).tuning
    assert tuning is not None
    assert (tuning.settings_from, tuning.trial) == ("again", job["chosen"]["trial"])


def test_tuning_once_is_taken_from_the_study(once: Path, images: Path, tmp_path: Path) -> None:
    said: list[Any] = []
    wanted = study(images, scope="once")
    api.fit(wanted, ARM, tmp_path / "fit", study_out=once, progress=Progress(on_message=said.append))
    assert not any("trial" in message for message in said)
    theirs = next(one for one in read_plan(once)["tuning"] if one["arm"] == ARM)
    assert job_of(tmp_path / "fit") == TuningStore(once).facts(theirs["id"])
    run = load_run(tmp_path / "fit")
    assert run.facts["tuned"]["parameters"] == TuningStore(once).facts(theirs["id"])["chosen"]["parameters"]
    assert not (run.parts() == 2).any()
    text = (tmp_path / "fit" / "fit-model-card.md").read_text(encoding="utf-8")
    assert "were tuned once, on patients who are in no test part of the study" in text


def test_tuning_once_without_the_study_tunes_as_it_does(once: Path, images: Path, tmp_path: Path) -> None:
    fit(study(images, scope="once"), ARM, tmp_path / "fit")
    name = job_of(tmp_path / "fit")["id"]
    own, theirs = TuningStore(tmp_path / "fit"), TuningStore(once)
    assert own.trials(name).select(TIMELESS).equals(theirs.trials(name).select(TIMELESS))
    assert own.facts(name)["chosen"] == theirs.facts(name)["chosen"]


def test_a_kept_test_part_repeats_the_first_replicate(nested: Path, images: Path, tmp_path: Path) -> None:
    said: list[Any] = []
    progress = Progress(on_message=said.append)
    folder = fit(study(images), ARM, tmp_path / "fit", keep_test=True, study_out=nested, progress=progress)
    assert not any("trial" in message for message in said)
    own, theirs = Store(tmp_path / "fit"), Store(nested)
    for part in ("validation", "test"):
        ours = own.predictions(folder.name, part)["scores"].to_numpy()
        np.testing.assert_array_equal(ours, theirs.predictions(folder.name, part)["scores"].to_numpy())
    tuning = card_facts(load_run(folder)).tuning
    assert tuning is not None
    assert tuning.settings_from == "replicate"


def test_automatic_ranges_are_those_of_the_whole_study(images: Path) -> None:
    """The base of plain gradient descent depends on the reference arm."""
    changes = {"training": {"optimizer": "sgd"}, "tuning": {"trials": 3, "space": {"learning_rate": "auto"}}}
    whole = tuned_study(images, **changes)
    second = whole.model_copy(update={"arms": whole.arms[1:]})
    alone = with_ranges_of(whole, second, open_cache(whole.data).manifest)
    job = next(one for one in planned(whole).jobs if one.arm == "mean_squared_error")
    assert planned(alone).jobs[0] == job
    assert planned(second).jobs[0].space != job.space


def test_parameters_of_other_arms_stay_dimensions_and_leave_the_file(images: Path, tmp_path: Path) -> None:
    arms = [{"loss": "focal"}, {"loss": "mean_squared_error"}]
    space = {"gamma": [0.0, 5.0], "learning_rate": [1e-4, 1e-1, "log"]}
    whole = tuned_study(images, arms=arms, tuning={"trials": 3, "space": space})
    alone = with_ranges_of(whole, whole.model_copy(update={"arms": whole.arms[1:]}), open_cache(whole.data).manifest)
    job = next(one for one in planned(whole).jobs if one.arm == "mean_squared_error")
    assert planned(alone).jobs[0] == job
    (tmp_path / "study.toml").write_text(study_as_toml(readable(alone)), encoding="utf-8")
    again = load_study(tmp_path / "study.toml")
    assert again.tuning is not None
    assert again.tuning.space == {"learning_rate": [1e-4, 1e-1, "log"]}
    only_gamma = tuned_study(images, arms=arms, tuning={"trials": 3, "space": {"gamma": [0.0, 5.0]}})
    assert readable(only_gamma.model_copy(update={"arms": only_gamma.arms[1:]})).tuning is None


def test_ranges_of_single_arms_go_along_and_those_of_others_leave_the_file(images: Path, tmp_path: Path) -> None:
    arms = [{"loss": "focal"}, {"loss": "mean_squared_error"}]
    ranges = {"focal": {"gamma": [0.5, 5.0]}, "mean_squared_error": {"learning_rate": "auto"}}
    sgd = {"optimizer": "sgd"}
    whole = tuned_study(images, arms=arms, training=sgd, tuning={"trials": 3, "space": {}, "arms": ranges})
    alone = with_ranges_of(whole, whole.model_copy(update={"arms": whole.arms[1:]}), open_cache(whole.data).manifest)
    job = next(one for one in planned(whole).jobs if one.arm == "mean_squared_error")
    assert planned(alone).jobs[0] == job
    (tmp_path / "study.toml").write_text(study_as_toml(readable(alone)), encoding="utf-8")
    again = load_study(tmp_path / "study.toml")
    assert again.tuning is not None
    assert again.tuning.space == {}
    assert again.tuning.arms == {"mean_squared_error": {"learning_rate": [*job.space["learning_rate"].ends, "log"]}}


def test_an_arm_that_the_study_does_not_have(images: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"No arm is called 'categorical'\. Known: categorical_crossentropy"):
        fit(study(images), "categorical", tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize(
    ("tuning", "said"),
    [
        ({"trials": 4}, "with other trials, ranges or seeds"),
        ({"space": {"learning_rate": [1e-3, 1e-1, "log"]}}, "with other trials, ranges or seeds"),
        ({"scope": "once"}, "with other trials, ranges or seeds"),
    ],
)
def test_a_study_that_tuned_otherwise_says_nothing(
    nested: Path, images: Path, tmp_path: Path, tuning: dict[str, Any], said: str
) -> None:
    with pytest.raises(OutFolderError, match=said):
        fit(study(images, **tuning), ARM, tmp_path / "fit", study_out=nested)
    assert not (tmp_path / "fit").exists()


def test_tuned_and_untuned_do_not_stand_for_each_other(nested: Path, images: Path, tmp_path: Path) -> None:
    plain = study(images).model_copy(update={"tuning": None})
    with pytest.raises(OutFolderError, match=f"tuned the arm '{ARM}', and the study file has no "):
        fit(plain, ARM, tmp_path / "fit", study_out=nested)
    api.run(plain, tmp_path / "plain", workers=1)
    with pytest.raises(OutFolderError, match=f"did not tune the arm '{ARM}', and the study file does"):
        fit(study(images), ARM, tmp_path / "fit", study_out=tmp_path / "plain")


def test_a_tuning_of_another_machine_is_taken_over_and_names_the_run(once: Path, images: Path, tmp_path: Path) -> None:
    """Its name is another one there, as precision or kernels are part of it."""
    other = tmp_path / "other"
    shutil.copytree(once, other)
    plan = read_plan(other)
    entry = next(one for one in plan["tuning"] if one["arm"] == ARM)
    (other / "tuning" / entry["id"]).rename(other / "tuning" / "0123456789abcdef0123")
    entry["id"] = "0123456789abcdef0123"
    (other / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    wanted = study(images, scope="once")
    here = fit(wanted, ARM, tmp_path / "fit", study_out=once)
    there = fit(wanted, ARM, tmp_path / "fit of other", study_out=other)
    assert Store(tmp_path / "fit of other").facts(there.name)["tuned"]["job"] == "0123456789abcdef0123"
    assert here.name != there.name
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (here, there)]
    assert weights[0] == weights[1]


def test_a_loss_that_cannot_train_the_labels_is_refused_in_words(images: Path, tmp_path: Path) -> None:
    arms = [{"loss": "categorical_crossentropy"}, {"loss": "coral"}]
    with pytest.raises(LabelError, match="coral"):
        fit(tuned_study(images, arms=arms), arms[1]["loss"], tmp_path / "fit")


def test_a_tuning_whose_worker_was_killed_goes_on_once(images: Path, tmp_path: Path) -> None:
    plan = planned(study(images))
    (tmp_path / "runs").mkdir()
    steps = _Steps(plan, tmp_path, Progress())
    died = {"event": "failed", "id": plan.jobs[0].id, "message": "the process was killed", "died": True}
    assert steps.more() == [{"id": job.id, "kind": "tuning"} for job in plan.jobs]
    steps.on_message(died)
    assert steps.failure is None
    assert steps.more()
    steps.on_message(died)
    assert steps.failure == "the process was killed"
    assert steps.more() == []
    run = _Steps(plan, tmp_path, Progress())
    run.on_message(died | {"id": plan.runs[0].id})
    assert run.failure is not None


@pytest.mark.slow
def test_killed_with_signal_9_and_given_again_gives_the_same_bits(fitted: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(study_as_toml(study(images)))
    out = tmp_path / "fit"
    command = [sys.executable, "-m", "lossassay", "fit", str(tmp_path / "study.toml"), "--arm", ARM, "--out", str(out)]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, start_new_session=True, **quiet)
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoints/*-trials.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(out.glob("checkpoints/*-trials.json"))  # some trials were noted
    assert not list(out.glob("runs/*/run.json"))
    subprocess.run(command, check=True, timeout=120, **quiet)
    assert load_run(out).id == load_run(fitted).id
    first, second = ((one / "runs" / load_run(one).id / "weights.safetensors").read_bytes() for one in (out, fitted))
    assert first == second
    job = job_of(out)["id"]
    frames: list[pl.DataFrame] = [TuningStore(one).trials(job).select(TIMELESS) for one in (out, fitted)]
    assert frames[0].equals(frames[1])
