"""One traced program of a run, written as a `torch.export` program and as ONNX, and both read back and run."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lossassay.biomarkers.exporting.portable import INPUT, OUTPUTS, PortableNetwork
from lossassay.engine.spec import Array
from lossassay.errors import ModelError

Outcome = tuple[Array, Array, Array]  # features, scores, probabilities
Runner = Callable[[Array], Outcome]  # float32 pixels [B H W C] in

_OPSET = 18  # of ONNX: what runtimes of 2023 and later read
_TRACES = ("stack_trace", "source_fn_stack", "from_node")  # they name files of this machine


def trace(network: PortableNetwork, example: torch.Tensor) -> torch.export.ExportedProgram:
    """Return the network as a program for any number of images of one size.

    Args:
        network: In evaluation mode, on the CPU.
        example: Two images or more.

    Raises:
        ModelError: If the network does what cannot be traced, as a model of the user's own may.
    """
    try:
        with _quiet(), torch.no_grad():
            program = torch.export.export(
                network, (example,), dynamic_shapes={INPUT: {0: torch.export.Dim("batch", min=1)}}
            )
    except Exception as error:  # torch raises many kinds
        raise ModelError(
            f"The network cannot be written as a program: {type(error).__name__}: {str(error).splitlines()[0]} "
            "Expected a forward pass without branches that depend on the images or on their number. "
            "Change the model so, or use --format safetensors."
        ) from error
    for part in program.graph_module.modules():  # a step inside a step has a graph of its own
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            for name in _TRACES:
                node.meta.pop(name, None)
    return program


def write_program(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write a `torch.export` program, .pt2."""
    with _quiet():
        torch.export.save(program, path)


def program_runner(path: Path) -> Runner:
    """Return what a .pt2 file computes."""
    with _quiet():
        module = torch.export.load(path).module()

    @torch.inference_mode()
    def run(pixels: Array) -> Outcome:
        features, scores, probabilities = module(torch.from_numpy(pixels))
        return features.numpy(), scores.numpy(), probabilities.numpy()

    return run


def check_onnx_is_there() -> None:
    """Refuse before anything is computed if the extra is missing.

    Raises:
        ModelError: Naming what to install.
    """
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"ONNX files need onnx, onnxruntime and onnxscript; not installed: {', '.join(missing)}. "
            'Install them: pip install "lossassay[onnx]". The formats torch and safetensors work without.'
        )


def write_onnx(program: torch.export.ExportedProgram, path: Path, *, facts: dict[str, str]) -> None:
    """Write the program as ONNX, weights inside, with input `INPUT` and outputs `OUTPUTS`.

    Args:
        program: Of `trace`.
        path: The file.
        facts: Written into the file's metadata.

    Raises:
        ModelError: If the program has a step that ONNX has not.
    """
    import onnx

    try:
        with _quiet():
            made = torch.onnx.export(
                program,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamo=True,
                opset_version=_OPSET,
                verbose=False,
            )
    except Exception as error:
        raise ModelError(
            f"The network cannot be written as ONNX: {type(error).__name__}: {str(error).splitlines()[0]} "
            "Expected steps that ONNX has. Use --format torch or --format safetensors."
        ) from error
    if made is None:
        raise ModelError("The network cannot be written as ONNX: torch gave nothing back. Use --format torch.")
    model = made.model_proto
    _without_traces(model)
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def onnx_runner(path: Path) -> Runner:
    """Return what an ONNX file computes, by onnxruntime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(pixels: Array) -> Outcome:
        features, scores, probabilities = (np.asarray(found) for found in session.run(None, {INPUT: pixels}))
        return features, scores, probabilities

    return run


def _without_traces(model: Any) -> None:
    """Take out what the tracer noted for its makers: it names files of this machine."""
    graph = model.graph
    for noted in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del noted.metadata_props[:]
        noted.doc_string = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep notes of torch to its makers from the user."""
    noted = logging.getLogger("torch.onnx")
    level = noted.level
    noted.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        noted.setLevel(level)
