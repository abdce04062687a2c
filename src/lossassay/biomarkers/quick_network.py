"""The same network with the fused kernels of training, where they give the same bits in less time."""

import copy
from dataclasses import replace
from importlib.util import find_spec

from torch import nn

from lossassay.biomarkers.loaded_run import LoadedRun

_WORTH_LOADING = 2_000  # images: below that, loading the kernels takes longer than they save


def quickened(run: LoadedRun, layer: str, images: int) -> LoadedRun:
    """Return a run whose network computes the same bits faster, or the run itself where that cannot be had.

    Args:
        run: The run; it stays as it is.
        layer: Whose output is taken: a layer inside a fused block has none of its own.
        images: How many will be computed.
    """
    if run.device != "cpu" or len(run.image_shape) != 3 or images < _WORTH_LOADING or find_spec("numba") is None:
        return run
    from lossassay.engine.fused import FusedBlock, fuse  # needs numba, and time to load

    model: nn.Module = copy.deepcopy(run.model)
    fuse(model)
    fused = [name for name, module in model.named_modules() if isinstance(module, FusedBlock)]
    if not fused or any(layer.startswith(f"{name}.") for name in fused):
        return run
    return replace(run, model=model.eval())
