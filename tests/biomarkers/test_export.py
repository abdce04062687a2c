"""What is written out computes what the run computes, also for somebody who does not have lossassay."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lossassay import losses
from lossassay.biomarkers.exporting import export as export_module
from lossassay.biomarkers.exporting import program_files
from lossassay.biomarkers.exporting.export import Exported, export_run
from lossassay.biomarkers.exporting.portable import OUTPUTS, PortableNetwork, example_pixels
from lossassay.biomarkers.features.layers import outputs
from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.catalogue.losses import LOSSES
from lossassay.data.cache import open_cache
from lossassay.engine.calibration import Calibration
from lossassay.errors import DataError, ModelError, OutFolderError, UnknownNameError
from lossassay.models import build


@pytest.fixture(scope="module")
def exported(finished_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    run = load_run(finished_study, arm="label_smoothing")
    return export_run(run, tmp_path_factory.mktemp("export") / "out", images=90)


def elsewhere(code: str, folder: Path) -> str:
    """Run code in a process that has no lossassay, from a folder."""
    blocked = "import sys; sys.modules['lossassay'] = None\n"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocked + code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_every_format_is_written_and_agrees_on_images_of_the_test_part(exported: Exported) -> None:
    assert [one.format for one in exported.parity] == ["onnx", "torch", "safetensors"]
    for one in exported.parity:
        assert one.images == 90
        assert max(one.features, one.scores, one.probabilities) < 1e-5
    there = sorted(path.name for path in exported.folder.iterdir())
    assert there == sorted(exported.files)
    assert set(there) == {
        "README.md",
        "check.npz",
        "load_example.py",
        "model.onnx",
        "model.pt2",
        "model.py",
        "preprocessing.json",
        "weights.safetensors",
    }
    assert exported.left_out == ()


@pytest.mark.parametrize(
    ("blocked", "code"),
    [
        ("torch", "import onnxruntime as o\nrun = lambda x: o.InferenceSession('model.onnx').run(None, {'pixels': x})"),
        ("onnxruntime", "import torch\nrun = lambda x: torch.export.load('model.pt2').module()(torch.from_numpy(x))"),
        (
            "onnxruntime",
            "import torch, model\nfrom safetensors.torch import load_file\nnetwork = model.Network().eval()\n"
            "network.load_state_dict(load_file('weights.safetensors'))\nrun = lambda x: network(torch.from_numpy(x))",
        ),
    ],
)
def test_somebody_without_lossassay_gets_the_same_probabilities_of_a_real_image(
    blocked: str, code: str, exported: Exported, finished_study: Path, tmp_path: Path
) -> None:
    run = load_run(finished_study, arm="label_smoothing")
    images = open_cache(run.study.data).images
    rows = np.arange(3)
    np.save(tmp_path / "pixels.npy", np.asarray(images[rows], dtype=np.float32))
    script = (
        f"sys.modules[{blocked!r}] = None\nimport json, numpy\n{code}\n"
        f"found = run(numpy.load({str(tmp_path / 'pixels.npy')!r}))\n"
        "print(json.dumps([one.tolist() for one in found]))"
    )
    found = [np.array(one) for one in json.loads(elsewhere(script, exported.folder))]
    truth = outputs(run, images, rows)
    for name, value in zip(OUTPUTS, found, strict=True):
        np.testing.assert_allclose(value, getattr(truth, name), atol=1e-5, err_msg=name)


def test_the_example_has_ten_lines_and_runs(exported: Exported) -> None:
    text = (exported.folder / "load_example.py").read_text()
    assert len(text.splitlines()) <= 10
    said = elsewhere(text, exported.folder)
    assert said.startswith("{'0': 0.")


def test_made_up_images_come_with_what_the_run_says_of_them(exported: Exported, finished_study: Path) -> None:
    run = load_run(finished_study, arm="label_smoothing")
    check = np.load(exported.folder / "check.npz", allow_pickle=False)
    assert check["pixels"].shape == (2, 32, 32, 1)
    assert (check["pixels"].min(), check["pixels"].max()) == (0, 255)
    truth = outputs(run, check["pixels"].astype(np.uint8), np.arange(2))
    for name in OUTPUTS:
        np.testing.assert_allclose(check[name], getattr(truth, name), atol=1e-5, err_msg=name)


def test_the_preprocessing_is_said_as_data(exported: Exported) -> None:
    facts = json.loads((exported.folder / "preprocessing.json").read_text())
    assert facts["class_names"] == [str(digit) for digit in range(10)]
    assert facts["input"]["shape"] == ["batch", 32, 32, 1]
    assert facts["input"]["axes"] == ["batch", "height", "width", "channels"]
    image = facts["image"]
    assert (image["size_px"], image["channels"], image["resize"], image["padding"]) == (32, 1, "pad", 0)
    assert facts["calibration"]["method"] == "temperature"
    assert len(facts["normalisation"]["mean"]) == 1
    assert "temperature" in (exported.folder / "README.md").read_text()


def test_no_file_names_a_folder_of_this_machine(exported: Exported) -> None:
    source = str(Path(export_module.__file__).parents[1]).encode()
    for path in exported.folder.iterdir():
        content = path.read_bytes()
        for name in (source, b"site-packages", str(exported.folder).encode()):
            assert name not in content, path.name


def test_a_second_export_replaces_the_first(finished_study: Path, tmp_path: Path) -> None:
    run = load_run(finished_study)
    export_run(run, tmp_path / "out", format="safetensors", images=2)
    found = export_run(run, tmp_path / "out", format="torch", images=2)
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(found.files)
    assert "model.py" not in found.files
    assert "model.pt2" in found.files


HEADS_AND_LINKS = {(spec.head, spec.link): name for name, spec in reversed(LOSSES.items())}


def with_loss(run: LoadedRun, name: str, task: str | None = None) -> LoadedRun:
    """Give a run the head and link of a loss, with weights far from the first ones, and Platt's calibration."""
    spec = LOSSES[name]
    task = task or next(task for task in ("single_label", "ordinal", "multi_label") if spec.trains(task))
    loss = losses.get(name, class_counts=[90, 60, 30, 20, 10])
    model = build(
        "paper_cnn",
        {"widths": [4, 8, 8, 8, 8], "dense": [16, 8]},
        channels=1,
        image_size=32,
        dimensions=2,
        num_outputs=5,
        seed=0,
        head=spec.head,
        head_options=loss.head_options,
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    data = run.plan["data"] | {"task": task, "class_names": list("abcde")}
    calibration = Calibration(method="platt", slope=(0.7,), intercept=(0.1, -0.2, 0.3, 0.0, 0.5))
    return replace(run, model=model.eval(), loss=loss, plan=run.plan | {"data": data}, calibration=calibration)


@pytest.mark.parametrize("name", HEADS_AND_LINKS.values())
def test_the_code_of_every_head_and_link_is_carried_along(name: str, finished_study: Path, tmp_path: Path) -> None:
    found = export_run(with_loss(load_run(finished_study), name), tmp_path / "out", format="safetensors", images=20)
    assert found.parity[0].scores < 1e-4
    assert found.parity[0].probabilities < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS_AND_LINKS.values())
def test_every_head_and_link_is_in_the_graph(name: str, finished_study: Path, tmp_path: Path) -> None:
    found = export_run(with_loss(load_run(finished_study), name), tmp_path / "out", images=20)
    assert [one.format for one in found.parity] == ["onnx", "torch", "safetensors"]
    assert found.left_out == ()


@pytest.mark.parametrize("name", ["sigmoid_one_vs_all", "pairwise_auroc", "binary_crossentropy"])
def test_findings_have_a_sigmoid_each(name: str, finished_study: Path, tmp_path: Path) -> None:
    run = with_loss(load_run(finished_study), name, "multi_label")
    found = export_run(run, tmp_path / "out", format="safetensors", images=20)
    assert found.parity[0].probabilities < 1e-5
    check = np.load(tmp_path / "out" / "check.npz", allow_pickle=False)
    assert abs(check["probabilities"].sum(axis=1) - 1).max() > 1e-3  # no softmax


def test_grades_are_in_the_graph(finished_study: Path, tmp_path: Path) -> None:
    found = export_run(with_loss(load_run(finished_study), "cumulative_link"), tmp_path / "out", format="onnx")
    assert max(found.parity[0].scores, found.parity[0].probabilities) < 1e-4


@pytest.mark.parametrize("model", ["resnet18", "volumes"])
def test_other_networks(model: str, finished_study: Path) -> None:
    run = load_run(finished_study)
    shape = (32, 32, 32, 1) if model == "volumes" else (32, 32, 1)
    options = {"widths": [2, 2, 2, 2, 2], "dense": [4, 4]} if model == "volumes" else {"width": 2}
    network = build(
        "paper_cnn" if model == "volumes" else model,
        options,
        channels=1,
        image_size=32,
        dimensions=len(shape) - 1,
        num_outputs=10,
        seed=0,
    )
    other = replace(run, model=network.eval(), plan=run.plan | {"data": run.plan["data"] | {"image_shape": shape}})
    pixels = example_pixels(other, 3)
    with torch.inference_mode():
        truth = PortableNetwork(other).eval()(pixels)
        code = {}
        exec(export_module.model_code(other, truth[0].shape[1]), code)  # the test's own way to load it
        copy = code["Network"]().eval()
        copy.load_state_dict(network.state_dict())
        for own, theirs in zip(copy(pixels), truth, strict=True):
            torch.testing.assert_close(own, theirs)
    program = program_files.trace(PortableNetwork(other).eval(), pixels[:2])
    torch.testing.assert_close(program.module()(pixels)[2], truth[2])


class OwnNetwork(torch.nn.Module):
    """A model of the user's own, with a layer that the tool does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1024, 6), torch.nn.Tanh())
        self.head = torch.nn.Linear(6, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images))


def test_a_model_of_the_users_own_is_written_as_a_program_but_not_as_code(finished_study: Path, tmp_path: Path) -> None:
    run = replace(load_run(finished_study), model=OwnNetwork().eval())
    found = export_run(run, tmp_path / "out", images=5)
    assert [one.format for one in found.parity] == ["onnx", "torch"]
    assert len(found.left_out) == 1
    assert "safetensors: The network has a part of its own, OwnNetwork" in found.left_out[0]
    assert "Left out: safetensors" in (tmp_path / "out" / "README.md").read_text()
    assert "weights.safetensors" not in found.files
    with pytest.raises(ModelError, match=r"Use --format torch or --format onnx"):
        export_run(run, tmp_path / "other", format="safetensors", images=5)
    assert not (tmp_path / "other").exists()


class Branching(torch.nn.Module):
    """Does other things with dark images: a branch on values cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Flatten()
        self.head = torch.nn.Linear(1024, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images if images.mean() > 0 else -images))


def test_a_network_that_cannot_be_traced_is_refused(finished_study: Path, tmp_path: Path) -> None:
    run = replace(load_run(finished_study), model=Branching().eval())
    with pytest.raises(ModelError, match=r"cannot be written as a program: .*without branches"):
        export_run(run, tmp_path / "out", format="torch", images=5)
    with pytest.raises(ModelError, match=r"can be written in no format"):
        export_run(run, tmp_path / "out", images=5)


def test_a_file_that_computes_something_else_is_refused(
    finished_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(path: Path) -> program_files.Runner:
        run = program_files.program_runner(path)
        return lambda pixels: (*run(pixels)[:2], run(pixels)[2] + np.float32(2e-4))

    monkeypatch.setattr(export_module, "program_runner", off)
    with pytest.raises(ModelError, match=r"torch file gives probabilities that differ .* by up to 0\.0002 over 5"):
        export_run(load_run(finished_study), tmp_path / "out", images=5)
    assert not (tmp_path / "out").exists()


def test_a_file_that_gives_no_numbers_is_refused(
    finished_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> program_files.Runner:
        run = program_files.program_runner(path)
        return lambda pixels: tuple(one * np.float32("nan") for one in run(pixels))  # type: ignore[return-value]

    monkeypatch.setattr(export_module, "program_runner", broken)
    with pytest.raises(ModelError, match=r"torch file gives features that differ .* by up to nan"):
        export_run(load_run(finished_study), tmp_path / "out", format="torch", images=5)


def test_without_the_extra_it_is_named(finished_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_files, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(ModelError, match=r'not installed: onnxruntime\. Install them: pip install "lossassay\[onnx\]"'):
        export_run(load_run(finished_study), tmp_path / "out")
    export_run(load_run(finished_study), tmp_path / "out", format="safetensors", images=2)


def test_other_peoples_files_are_left_alone(finished_study: Path, tmp_path: Path) -> None:
    run = load_run(finished_study)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutFolderError, match=r"holds files that no export made"):
        export_run(run, tmp_path, format="safetensors")
    with pytest.raises(OutFolderError, match=r"is a file\. Expected a folder"):
        export_run(run, tmp_path / "mine.txt", format="safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_format_is_refused(finished_study: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"No format of export is called 'onxx'.* Did you mean 'onnx'\?"):
        export_run(load_run(finished_study), tmp_path / "out", format="onxx")  # type: ignore[arg-type]


def test_other_images_than_those_of_the_study_are_refused(finished_study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "study"
    shutil.copytree(finished_study, copy)
    plan = json.loads((copy / "plan.json").read_text())
    plan["data"]["digest"] = "0" * 32
    (copy / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(DataError, match=r"are not those that the study was trained on"):
        export_run(load_run(copy), tmp_path / "out")
