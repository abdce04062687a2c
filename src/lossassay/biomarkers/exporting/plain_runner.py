"""Runs an exported model.py with its weights, as a reader of the folder would."""

from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import torch
from safetensors.torch import load_file

from lossassay.biomarkers.exporting.program_files import Outcome, Runner
from lossassay.engine.spec import Array


def plain_runner(folder: Path) -> Runner:
    """Return what ``model.py`` computes with ``weights.safetensors``; both were just written."""
    module = ModuleType("exported_model")
    SourceFileLoader("exported_model", str(folder / "model.py")).exec_module(module)
    network = module.Network().eval()
    network.load_state_dict(load_file(folder / "weights.safetensors"))

    @torch.inference_mode()
    def run(pixels: Array) -> Outcome:
        features, scores, probabilities = network(torch.from_numpy(pixels))
        return features.numpy(), scores.numpy(), probabilities.numpy()

    return run
