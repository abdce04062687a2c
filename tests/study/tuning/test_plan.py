"""What a tuned study plans: names, jobs, who tunes whom, and who is tested."""

import json
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from lossassay import api
from lossassay.config import Study, parse_study
from lossassay.data.cache import open_cache
from lossassay.data.grouping import exam_numbers, group_numbers
from lossassay.engine.seeds import derive
from lossassay.errors import DataError, LabelError, StudyFileError
from lossassay.study.analysis.outlook import pilot_of
from lossassay.study.folder.results import read_plan
from lossassay.study.planning.describe import plan_as_data
from lossassay.study.planning.estimate import estimate
from lossassay.study.planning.fitting import check_class_counts
from lossassay.study.planning.plan import Plan
from lossassay.study.planning.run_names import name_of, run_facts
from lossassay.study.tuning import jobs as tuning_jobs
from tests.study.helpers import SMALL_MODEL
from tests.study.tuning.helpers import planned, tuned_study


def without(study: Study) -> Study:
    return study.model_copy(update={"tuning": None})


def names(plan: Plan) -> dict[tuple[str, int], str]:
    return {(run.arm, run.replicate): run.id for run in plan.runs}


def test_runs_of_a_study_without_tuning_keep_their_names(images: Path) -> None:
    """The facts of a name as they were before there was tuning, written out."""
    plan = planned(without(tuned_study(images)))
    run = plan.runs[0]
    training = run.spec.training.model_dump(mode="json")
    facts = {
        "results_version": 3,
        "torch": torch.__version__,
        "data": plan.digest,
        "split": {"official": False, "validation": 0.1, "test": 0.2},
        "loss": "categorical_crossentropy",
        "hyper_parameters": run.spec.hyper_parameters,
        "training": {k: v for k, v in training.items() if k not in ("device", "precision", "kernels", "threads")},
        "seeds": run.spec.seeds.as_dict(),
        "engine": asdict(run.spec.engine),
        "metric": "balanced_accuracy",
    }
    assert run.id == blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=10).hexdigest()
    assert (plan.jobs, run.tuned_by, run.untuned) == ((), None, False)


def test_untuned_runs_are_those_of_the_study_without_tuning(images: Path) -> None:
    tuned, plain = names(planned(tuned_study(images))), names(planned(without(tuned_study(images))))
    for (arm, replicate), run_id in plain.items():
        assert tuned[f"untuned: {arm}", replicate] == run_id
        assert tuned[arm, replicate] != run_id


def test_what_changes_the_tuning_changes_the_names_of_tuned_runs_and_of_no_others(images: Path) -> None:
    first = names(planned(tuned_study(images)))
    for change in (
        {"trials": 5},
        {"pruning": "none"},
        {"sampler": "random"},
        {"metric": "nll"},
        {"space": {"weight_decay": [0, 1]}},
    ):
        other = names(planned(tuned_study(images, tuning=change)))
        assert {key for key in first if first[key] == other[key]} == {key for key in first if "untuned" in key[0]}, (
            change
        )
    bare = names(planned(tuned_study(images, tuning={"untuned": False})))
    assert bare == {key: run_id for key, run_id in first.items() if "untuned" not in key[0]}


def test_nested_jobs_tune_on_the_parts_and_seeds_of_their_replicate(images: Path) -> None:
    plan = planned(tuned_study(images))
    assert [(job.arm, job.replicate) for job in plan.jobs] == [
        (arm, replicate) for replicate in (0, 1) for arm in ("categorical_crossentropy", "mean_squared_error")
    ]
    jobs = {job.id: job for job in plan.jobs}
    for run in plan.runs:
        if run.tuned_by is not None:
            assert jobs[run.tuned_by].replicate == run.replicate
            assert jobs[run.tuned_by].spec.seeds == run.spec.seeds
    assert len({job.sampler_seed for job in plan.jobs}) == 2  # one for each replicate, the same for both arms


def test_damaged_controls_are_trained_with_the_settings_of_their_reference(images: Path) -> None:
    plan = planned(tuned_study(images, evidence={"control": ["same", "masked_centre"]}))
    tuned_by = {(run.arm, run.replicate): run.tuned_by for run in plan.runs}
    assert tuned_by["control: masked centre", 1] == tuned_by["categorical_crossentropy", 1] is not None


def test_the_aa_control_of_a_nested_study_does_the_whole_procedure_again(images: Path) -> None:
    plan = planned(tuned_study(images, evidence={"control": True}))
    jobs = {(job.arm, job.replicate): job for job in plan.jobs}
    assert len(jobs) == 6
    for run in plan.runs:
        if run.arm != "A/A control":
            continue
        again, first = jobs["A/A control", run.replicate], jobs["categorical_crossentropy", run.replicate]
        assert run.tuned_by == again.id != first.id
        assert again.spec.seeds == run.spec.seeds
        assert again.spec.seeds.split == first.spec.seeds.split
        assert again.spec.seeds.init != first.spec.seeds.init
        assert again.sampler_seed not in {job.sampler_seed for job in plan.jobs if job is not again}
        assert (again.space, again.own, again.epochs) == (first.space, first.own, first.epochs)
        assert (again.spec.loss, again.spec.training) == (first.spec.loss, first.spec.training)


def test_the_aa_control_changes_no_name_of_another_job_or_run(images: Path) -> None:
    with_it, bare = (planned(tuned_study(images, evidence={"control": control})) for control in (True, False))
    assert {job.id for job in with_it.jobs if job.arm != "A/A control"} == {job.id for job in bare.jobs}
    assert {key: own for key, own in names(with_it).items() if key[0] != "A/A control"} == names(bare)


def test_ranges_of_one_arm_change_its_names_alone_where_they_bring_no_new_parameter(images: Path) -> None:
    first = names(planned(tuned_study(images)))
    own = {"mean_squared_error": {"learning_rate": [1e-3, 1e-2, "log"]}}
    other = names(planned(tuned_study(images, tuning={"arms": own})))
    assert {arm for (arm, replicate), run_id in first.items() if other[arm, replicate] != run_id} == set(own)
    assert names(planned(tuned_study(images, tuning={"arms": {}}))) == first


def test_jobs_of_a_study_without_ranges_of_arms_keep_their_names(images: Path) -> None:
    """The facts of a name as they were before an arm could have ranges of its own, written out."""
    study = tuned_study(images)
    plan = planned(study)
    job = plan.jobs[0]
    tuning = {
        "trials": 4,
        "scope": "nested",
        "share": 0.3,
        "sampler": "quasi_random",
        "pruning": "halving",
        "metric": "balanced_accuracy",
        "space": {"learning_rate": {"kind": "log", "low": 1e-4, "high": 0.1}},
        "parameters": ["learning_rate"],
        "own": {"learning_rate": 0.001},
        "sampler_seed": derive(0, "tuning", 0),
        "choosing": 2,
    }
    assert job.id == name_of(run_facts(job.spec, study, plan.digest, plan.splits[0]) | {"tuning": tuning})


def test_plan_json_says_who_tunes_whom(images: Path) -> None:
    study = tuned_study(images)
    facts = plan_as_data(planned(study), open_cache(study.data), "")
    job = facts["tuning"][0]
    assert (job["arm"], job["replicate"], job["trials"], job["own"]) == (
        "categorical_crossentropy",
        0,
        4,
        {"learning_rate": 0.001},
    )
    assert job["space"] == {"learning_rate": {"kind": "log", "low": 1e-4, "high": 0.1}}
    assert facts["runs"][0]["tuned_by"] == job["id"]
    assert next(run["arm"] for run in facts["runs"] if run.get("untuned")) == "untuned: categorical_crossentropy"
    assert "tuning" not in plan_as_data(planned(without(study)), open_cache(study.data), "")
    json.dumps(facts, allow_nan=False)


def test_every_arm_has_the_same_budget(images: Path) -> None:
    assert len({(job.epochs, job.spec.training.epochs) for job in planned(tuned_study(images)).jobs}) == 1


def test_one_function_stays_one_only_where_its_recipe_alone_is_tuned_in_one_space(images: Path) -> None:
    arms = [{"loss": "focal", "name": "a"}, {"loss": "focal", "name": "b"}, {"loss": "categorical_crossentropy"}]

    def relation(space: dict[str, Any]) -> str:
        return planned(tuned_study(images, arms=arms, tuning={"space": space})).identities[0].relation

    assert relation({"learning_rate": "auto"}) == "same function"
    assert relation({"gamma": [0, 5.0]}) == "same loss, other training"


def test_the_plan_counts_jobs_and_their_time(images: Path) -> None:
    study = tuned_study(images)
    cost = estimate(planned(study), open_cache(study.data).images, workers=1)
    assert (cost.tuning_jobs, cost.tuning_trials) == (4, 16)
    assert 0 < cost.tuning_seconds < cost.wall_seconds
    assert estimate(planned(without(study)), open_cache(study.data).images, workers=1).tuning_seconds == 0


def test_a_metric_that_the_data_do_not_have_is_refused(images: Path) -> None:
    with pytest.raises(
        StudyFileError, match=r"tuning\.metric: quadratic_weighted_kappa is not defined for single-label"
    ):
        planned(tuned_study(images, tuning={"metric": "quadratic_weighted_kappa"}))


def test_tpe_without_optuna_is_refused_before_anything_is_trained(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_jobs, "has_optuna", lambda: False)
    with pytest.raises(DataError, match=r'needs optuna, which is not installed.*pip install "lossassay\[tune\]"'):
        planned(tuned_study(images, tuning={"sampler": "tpe", "pruning": "none"}))
    planned(tuned_study(images))  # nothing else needs it


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 40 patients with two exams of two images each."""
    folder = tmp_path_factory.mktemp("exams")
    random, lines = np.random.default_rng(0), []
    for number in range(160):
        name = f"{number}.png"
        Image.fromarray(random.integers(0, 255, (32, 32)).astype(np.uint8)).save(folder / name)
        lines.append(
            {"path": name, "label": "ab"[number // 4 % 2], "patient_id": f"p{number // 4}", "exam": f"e{number // 2}"}
        )
    pl.DataFrame(lines).write_csv(folder / "table.csv")
    return folder / "table.csv"


def once_study(table: Path, *, arms: list[dict[str, str]] | None = None, **tuning: Any) -> Study:
    return parse_study(
        {
            "name": "once",
            "data": {"path": str(table), "image_size": 32, "group": "patient_id", "exam": "exam"},
            "arms": arms or [{"loss": "categorical_crossentropy"}, {"loss": "focal"}],
            "training": {"model_options": SMALL_MODEL, "epochs": 2, "precision": "fp32", "kernels": "plain"},
            "evidence": {"replicates": 4},
            "tuning": {"scope": "once", "trials": 2} | tuning,
        }
    )


def test_tuned_patients_are_in_no_test_part(exams: Path) -> None:
    plan = planned(once_study(exams))
    own = plan.tuning_split
    assert own is not None
    groups, numbers = group_numbers(plan.manifest), exam_numbers(plan.manifest)
    assert numbers is not None
    tuned = np.concatenate([own.train, own.validation])
    share = len(np.unique(groups[tuned])) / len(np.unique(groups))
    assert 0.2 <= share <= 0.4
    for kind in (groups, numbers):
        assert not set(kind[own.train]) & set(kind[own.validation])
        for parts in plan.splits:
            assert not set(kind[tuned]) & set(kind[parts.test])
    before = planned(without(once_study(exams)))
    for parts, whole in zip(plan.splits, before.splits, strict=True):
        assert set(parts.test) < set(whole.test)
        assert np.array_equal(parts.train, whole.train)  # they may train and validate
        assert np.array_equal(parts.validation, whole.validation)


def test_tuning_once_has_a_job_for_each_arm_and_seeds_of_its_own(exams: Path) -> None:
    plan = planned(once_study(exams))
    assert [job.replicate for job in plan.jobs] == [None, None]
    assert {run.tuned_by for run in plan.runs if not run.untuned} == {job.id for job in plan.jobs}
    assert not {job.spec.seeds for job in plan.jobs} & {run.spec.seeds for run in plan.runs}


def test_settings_that_are_chosen_once_are_those_of_the_aa_control_too(exams: Path) -> None:
    study = once_study(exams)
    plan = planned(study.model_copy(update={"evidence": study.evidence.model_copy(update={"control": True})}))
    assert [job.arm for job in plan.jobs] == [arm.name for arm in study.arms]
    assert {run.tuned_by for run in plan.runs if run.arm == "A/A control"} == {plan.jobs[0].id}


def test_smaller_test_parts_give_other_names_even_untuned(exams: Path) -> None:
    once, plain = names(planned(once_study(exams))), names(planned(without(once_study(exams))))
    assert not set(once.values()) & set(plain.values())


def test_too_few_patients_to_tune_on_are_refused(exams: Path) -> None:
    with pytest.raises(DataError, match="A class has fewer groups than the 2 parts"):
        planned(once_study(exams, share=0.03))


def test_class_counts_of_the_tuned_patients_are_checked(exams: Path) -> None:
    study = once_study(exams, arms=[{"loss": "balanced_softmax"}, {"loss": "categorical_crossentropy"}])
    plan = planned(study)
    with pytest.raises(LabelError, match="the training part of the patients that are tuned on has none of b"):
        check_class_counts(study, plan.manifest, 0 * plan.labels, [plan.splits[0]], "of the patients that are tuned on")


def test_a_pilot_does_not_tune_and_says_so(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a pilot lies where the command is given
    study = tuned_study(images, epochs=1)
    assert pilot_of(study, 2).tuning is None
    found = api.plan(study, pilot=2, workers=1)
    assert len(found.plan.jobs) == 4  # the study that is planned tunes
    assert found.outlook.spread is not None
    assert "in the pilot, which did not tune, 2 replicates" in found.outlook.spread.source
    plan = read_plan(tmp_path / "small-pilot")
    assert "tuning" not in plan
    assert [run["arm"] for run in plan["runs"]] == ["categorical_crossentropy", "mean_squared_error"] * 2
