"""How runs are computed: what a study asks for, what a machine allows, what an arm wants otherwise."""

from pathlib import Path
from typing import Any

import pytest

from lossassay.config import TrainingConfig
from lossassay.data.cache import open_cache
from lossassay.engine.spec import EngineChoice
from lossassay.errors import ModelError
from lossassay.study.planning import machine
from lossassay.study.planning.plan import Plan, make_plan
from tests.study.helpers import small_study


def choose(**training: Any) -> EngineChoice:
    recipe = TrainingConfig.model_validate({"precision": "fp32", "device": "cpu", **training})
    return machine.choose_engine(recipe, activation_bytes=1000, num_runs=10)


def test_fused_kernels_are_taken_where_they_work() -> None:
    assert choose().kernels == "fused"
    assert choose(kernels="plain").kernels == "plain"
    assert choose(device="cuda").kernels == "plain"


def test_without_numba_everything_works_with_plain_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    assert choose().kernels == "plain"
    with pytest.raises(ModelError, match=r"numba is not installed \(pip install 'lossassay\[fast\]'\)"):
        choose(kernels="fused")


def test_fused_kernels_on_a_gpu_are_refused_with_the_reason() -> None:
    with pytest.raises(ModelError, match=r'written for processors, and the device is cuda.*Set kernels = "auto"'):
        choose(device="cuda", kernels="fused")


def test_compiled_kernels_are_taken_if_asked_for_and_there_is_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(kernels="compiled").kernels == "compiled"
    monkeypatch.setattr(machine, "which", lambda name: None)
    with pytest.raises(ModelError, match=r'kernels = "compiled" cannot be had: there is no C\+\+ compiler'):
        choose(kernels="compiled")
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="triton is not installed"):
        choose(device="cuda", kernels="compiled")


def plan_with(images: Path, training: dict[str, Any]) -> Plan:
    arms = [{"loss": "focal"}, {"name": "own", "loss": "focal", "training": training}]
    study = small_study(images, arms=arms)
    return make_plan(study, open_cache(study.data))


@pytest.mark.parametrize("training", [{"precision": "bf16"}, {"kernels": "plain"}])
def test_an_arm_may_be_computed_otherwise_and_is_then_another_run(images: Path, training: dict[str, str]) -> None:
    plan = plan_with(images, training)
    study, own = plan.runs[0].spec.engine, plan.runs[1].spec.engine
    assert study == plan.engine
    assert {key: getattr(own, key) for key in training} == training
    assert own.threads == study.threads
    assert plan.runs[0].id != plan.runs[1].id
    assert plan.identities[0].relation == "same loss, other training"


def test_an_arm_that_asks_for_what_the_study_uses_anyway_keeps_its_name(images: Path) -> None:
    plan = plan_with(images, {"precision": "fp32"})
    assert plan.runs[0].id == plan.runs[1].id


def test_an_arm_cannot_have_kernels_that_do_not_work(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"arm 'own'.*numba is not installed"):
        plan_with(images, {"kernels": "fused"})


def test_a_folder_from_before_there_were_kernels_is_plain() -> None:
    assert EngineChoice(**{"device": "cpu", "precision": "bf16", "threads": 1}).kernels == "plain"


def test_volumes_on_a_processor_train_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    """There bf16 gradients of small volumes read memory that nobody wrote."""
    monkeypatch.setattr(machine, "_fastest_precision", lambda device: "bf16")
    recipe = TrainingConfig(device="cpu")
    assert machine.choose_engine(recipe, 1000, 10).precision == "bf16"
    assert machine.choose_engine(recipe, 1000, 10, dimensions=3).precision == "fp32"
    with pytest.raises(ModelError, match=r"training: precision = \"bf16\" cannot be trusted for volumes"):
        machine.choose_engine(TrainingConfig(device="cpu", precision="bf16"), 1000, 10, dimensions=3)
