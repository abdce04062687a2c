"""A finished run, ready to be used again: its network, its preprocessing, and how its scores become probabilities."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lossassay import losses
from lossassay.biomarkers.run_choice import Replicate, find_run, finished_runs
from lossassay.catalogue.loss_spec import Task
from lossassay.config import Study, load_study
from lossassay.engine.calibration import Calibration
from lossassay.engine.inputs import class_counts
from lossassay.engine.spec import Array
from lossassay.errors import ModelError, OutFolderError
from lossassay.models import build
from lossassay.study.folder.results import read_plan
from lossassay.study.folder.store import Store
from lossassay.study.planning.plan import labels_of
from lossassay.study.tuning.chosen import tuned_arm

__all__ = ["LoadedRun", "Replicate", "finished_runs", "load_run"]


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """A run and everything that is needed to give its network new images.

    Args:
        folder: The out folder that it lies in.
        id: Its name in that folder.
        arm: Name of its arm.
        replicate: From 0.
        study: As resolved; its data section says how images are read.
        plan: plan.json.
        facts: run.json.
        model: With ``features`` and ``head``, its kept weights loaded, in evaluation mode.
        loss: Of the arm.
        calibration: How scores become probabilities, where the loss's link alone does not do it.
        device: Where the network lies.
    """

    folder: Path
    id: str
    arm: str
    replicate: int
    study: Study
    plan: dict[str, Any]
    facts: dict[str, Any]
    model: nn.Module
    loss: losses.Loss
    calibration: Calibration | None
    device: str

    @property
    def task(self) -> Task:
        """What the labels are."""
        return self.plan["data"]["task"]  # type: ignore[no-any-return]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return tuple(self.plan["data"]["class_names"])

    @property
    def image_shape(self) -> tuple[int, ...]:
        """[H W C] or [D H W C] of the images that the network takes, before normalisation."""
        return tuple(self.plan["data"]["image_shape"])

    @property
    def largest_value(self) -> int:
        """Largest grey level of the images that it was trained on: 255 or 65,535."""
        return int(np.iinfo(np.dtype(self.plan["data"]["pixel_type"])).max)

    def parts(self) -> Array:
        """Return the part of every row of the study in this replicate, uint8 [N]: training 0, validation 1, test 2."""
        found: Array = np.load(self.folder / "splits.npy")[self.replicate]
        return found

    def normalised(self, images: Array) -> Tensor:
        """Bring images to what the network was trained on: float32 [B C H W] or [B C D H W], mean 0, sd 1.

        Args:
            images: [B H W C] or [B D H W C], of the study's pixel type.
        """
        shape = (1, -1, *(1 for _ in range(images.ndim - 2)))
        pixels = images.astype(np.int32) if images.dtype == np.uint16 else images
        stored = torch.tensor(pixels, device=self.device)
        mean, sd = (
            torch.tensor(self.facts[name], dtype=torch.float32, device=self.device).reshape(shape)
            for name in ("pixel_mean", "pixel_sd")
        )
        return (stored.movedim(-1, 1).to(torch.float32) - mean) * (1.0 / sd)

    def probabilities(self, scores: Array) -> Array:
        """Turn scores [M S] into probabilities float32 [M K]; rows sum to one unless the task is multi-label."""
        logits = losses.class_logits(
            torch.tensor(scores),
            link=self.loss.spec.link,
            num_classes=len(self.class_names),
            task=self.task,
            hyper_parameters=self.loss.hyper_parameters,
        )
        if self.calibration is not None:
            return self.calibration.probabilities(logits.numpy(), self.task)
        link = torch.sigmoid(logits) if self.task == "multi_label" else torch.softmax(logits, dim=-1)
        return np.asarray(link.numpy())


def load_run(
    path: str | Path,
    *,
    arm: str | None = None,
    replicate: Replicate = "median",
    device: str = "cpu",
    controls: bool = False,
) -> LoadedRun:
    """Read a run and build its network.

    Args:
        path: The folder of a run (``OUT/runs/ID``), or an out folder: then the typical run of the arm that is best on
            the validation part; see `run_choice.find_run`.
        arm: With an out folder: only runs of this arm.
        replicate: With an out folder: ``"median"``, ``"best"`` or a number from 0.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        controls: Whether the run of a control may be read; the caller damages its images.

    Raises:
        OutFolderError: If there is no such run, it diverged, or its weights are missing or damaged.
        ModelError: If this machine has no such device.
    """
    _refuse_absent(device)
    folder, run_id = find_run(Path(path), arm, replicate)
    plan, store = read_plan(folder), Store(folder)
    entry = next((run for run in plan["runs"] if run["id"] == run_id), None)
    if entry is None or (entry["arm"] not in plan["arms"] and not controls):
        raise OutFolderError(
            f"{run_id} {_no_run_of_an_arm(entry)}. Expected a run of an arm: {', '.join(plan['arms'])}."
        )
    facts = store.facts(run_id)
    if facts["status"] == "diverged":
        raise OutFolderError(
            f"The run {run_id} of arm {entry['arm']!r} diverged: its weights are not finite and its features mean "
            "nothing. Choose another run; `tables/runs.csv` lists them with their status."
        )
    study = load_study(folder / "study.toml")
    loss, model = _network(study, plan, entry, folder, facts.get("tuned"))
    return LoadedRun(
        folder=folder,
        id=run_id,
        arm=entry["arm"],
        replicate=entry["replicate"],
        study=study,
        plan=plan,
        facts=facts,
        model=_with_weights(model, folder / "runs" / run_id / "weights.safetensors").to(device).eval(),
        loss=loss,
        calibration=None if facts["calibration"] is None else Calibration(**facts["calibration"]),
        device=device,
    )


def _no_run_of_an_arm(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "is no run of the study's plan"
    what = "an untuned run" if entry.get("untuned") else "a control"
    return f"is {what}, which is trained to be compared, not used"


def _refuse_absent(device: str) -> None:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device):
        known = ", ".join(name for name, is_there in there.items() if is_there)
        raise ModelError(f"Torch finds no device {device!r} on this machine. Expected one of {known}. Name another.")


def _network(
    study: Study, plan: dict[str, Any], entry: dict[str, Any], folder: Path, tuned: dict[str, Any] | None
) -> tuple[losses.Loss, nn.Module]:
    """Build the network of a run, with first weights; those that were kept follow."""
    own = plan["arms"].get(entry["arm"]) or plan["arms"][plan["control"]]
    arm, data = tuned_arm(own, tuned), plan["data"]
    labels = labels_of(pl.read_parquet(folder / "rows.parquet")["label"], data["task"])
    training_part = np.load(folder / "splits.npy")[entry["replicate"]] == 0
    counts = class_counts(labels[training_part], len(data["class_names"]))
    loss = losses.get(arm["loss"], class_counts=torch.from_numpy(counts), **arm["hyper_parameters"])
    shape = data["image_shape"]
    model = build(
        study.training.model,
        study.training.model_options,
        channels=shape[-1],
        image_size=shape[-2],
        dimensions=len(shape) - 1,
        num_outputs=len(data["class_names"]),
        seed=0,
        head=loss.spec.head,
        head_options=loss.head_options,
    )
    return loss, model


def _with_weights(model: nn.Module, path: Path) -> nn.Module:
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise OutFolderError(
            f"{path} cannot be read as the weights of this run: {str(error).splitlines()[0]}. Expected the file that "
            "the study wrote. Delete the run's folder and give `lossassay run` again: it trains what is missing."
        ) from None
    return model
