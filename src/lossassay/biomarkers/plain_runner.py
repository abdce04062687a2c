"""Runs an exported model.py with its weights, as a reader of the folder would."""

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file

from lossassay.biomarkers.program_files import Outcome, Runner
from lossassay.engine.spec import Array


def plain_runner(folder: Path) -> Runner:
    """Return what ``model.py`` computes with ``weights.safetensors``; both were just written."""
    spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    assert spec is not None and spec.loader is not None  # noqa: S101 - a .py file always has a loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.Network().eval()
    network.load_state_dict(load_file(folder / "weights.safetensors"))

    @torch.inference_mode()
    def run(pixels: Array) -> Outcome:
        features, scores, probabilities = network(torch.from_numpy(pixels))
        return features.numpy(), scores.numpy(), probabilities.numpy()

    return run
