"""A run written out for use elsewhere: as ONNX, as a torch program, as weights with code; each is checked."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors.torch import save_file

from lossassay.biomarkers.exporting.export_page import LOAD_EXAMPLE, export_page
from lossassay.biomarkers.exporting.parity import FORMATS, Format, Parity
from lossassay.biomarkers.exporting.plain_code import model_code
from lossassay.biomarkers.exporting.plain_runner import plain_runner
from lossassay.biomarkers.exporting.portable import PortableNetwork, example_pixels
from lossassay.biomarkers.exporting.preparation import preparation_code, preparation_facts
from lossassay.biomarkers.exporting.program_files import (
    Runner,
    check_onnx_is_there,
    onnx_runner,
    program_runner,
    trace,
    write_onnx,
    write_program,
)
from lossassay.biomarkers.features.layers import Outputs, outputs
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.data.cache import ImageCache, decode_options, open_cache
from lossassay.engine.spec import Array
from lossassay.errors import DataError, ModelError, OutFolderError, unknown_name

LARGEST_DIFFERENCE = 1e-4  # of probabilities; of features and scores in units of the largest one, if that is above 1
_MARK = "preprocessing.json"  # a folder that holds it was made by an export
_FILES = (
    _MARK,
    "README.md",
    "check.npz",
    "prepare.py",
    "model.onnx",
    "model.pt2",
    "weights.safetensors",
    "model.py",
    "load_example.py",
)
_BATCH = 64
_TEST_PART = 2


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export wrote.

    Args:
        folder: Where.
        files: Names of the files in it.
        parity: One entry for each format.
        left_out: Why a format was left out, one sentence each; only where all formats were asked for.
    """

    folder: Path
    files: tuple[str, ...]
    parity: tuple[Parity, ...]
    left_out: tuple[str, ...]


def export_run(
    run: LoadedRun,
    folder: Path,
    *,
    format: Format | Literal["all"] = "all",
    images: int = 256,
    on_progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write a run for use elsewhere, and check every file on real images of the run's test part.

    Args:
        run: On the CPU.
        folder: Made if it is not there; an earlier export in it is replaced.
        format: One of `FORMATS`, or ``"all"``: those that this network can be written as.
        images: How many images of the test part are compared.
        on_progress: Called with the images decoded and in all, where the study's images have to be decoded again.

    Raises:
        UnknownNameError: If there is no such format.
        OutFolderError: If the folder holds other files, or cannot be written.
        DataError: If the study's images are gone or are others than those it was trained on.
        ModelError: If the network cannot be written so, or the file does not compute what the run computes.
    """
    if format != "all" and format not in FORMATS:
        raise unknown_name("format of export", format, ("all", *FORMATS))
    _check_folder(folder)
    if format in ("all", "onnx"):
        check_onnx_is_there()
    cache = _own_images(run, on_progress)
    rows = _probe_rows(run, images)
    truth = outputs(run, cache.images, rows, batch_size=_BATCH)
    pixels = np.asarray(cache.images[rows], dtype=np.float32)
    with tempfile.TemporaryDirectory() as name:
        made = _Made(run, Path(name), truth.features.shape[1])
        left_out = _written(made, format, truth, pixels)
        _write_words(made, cache, left_out)
        files = _moved(made.folder, folder)
    return Exported(folder=folder, files=files, parity=tuple(made.parity), left_out=tuple(left_out))


def _written(made: "_Made", format: Format | Literal["all"], truth: Outputs, pixels: Array) -> list[str]:
    """Write what was asked for; return why something was left out, where everything possible was asked for."""
    if format != "all":
        made.write(format, truth, pixels)
        return []
    left_out = []
    for one in FORMATS:
        try:
            made.write(one, truth, pixels)
        except ModelError as error:
            if not made.may_be_left_out:
                raise
            left_out.append(f"{one}: {error}")
    if not made.parity:
        raise ModelError(f"The network can be written in no format. {' '.join(left_out)}")
    return left_out


class _Made:
    """What has been written so far, in a folder of its own."""

    def __init__(self, run: LoadedRun, folder: Path, feature_count: int) -> None:
        self.run = run
        self.folder = folder
        self.feature_count = feature_count
        self.parity: list[Parity] = []
        self.network = PortableNetwork(run).eval()
        self.may_be_left_out = True
        self._program: torch.export.ExportedProgram | None = None

    def write(self, format: Format, truth: Outputs, pixels: Array) -> None:
        """Write one format and compare it with the run; what cannot be written may be left out, a wrong file not."""
        self.may_be_left_out = True
        runner = getattr(self, f"_{format}")()
        self.may_be_left_out = False
        found = _differences(format, runner, truth, pixels)
        _check(found, truth)
        self.parity.append(found)

    def program(self) -> torch.export.ExportedProgram:
        """Trace once for both formats that need it."""
        if self._program is None:
            self._program = trace(self.network, example_pixels(self.run))
        return self._program

    def _onnx(self) -> Runner:
        path = self.folder / "model.onnx"
        run = self.run
        facts = {"run": run.id, "arm": run.arm, "task": run.task, "class_names": json.dumps(run.class_names)}
        write_onnx(self.program(), path, facts=facts)
        return onnx_runner(path)

    def _torch(self) -> Runner:
        path = self.folder / "model.pt2"
        write_program(self.program(), path)
        return program_runner(path)

    def _safetensors(self) -> Runner:
        code = model_code(self.run, self.feature_count)
        (self.folder / "model.py").write_text(code, encoding="utf-8")
        shape = ", ".join(str(side) for side in self.run.image_shape)
        (self.folder / "load_example.py").write_text(LOAD_EXAMPLE.format(shape=shape), encoding="utf-8")
        weights = {name: value.contiguous() for name, value in self.run.model.state_dict().items()}
        save_file(weights, self.folder / "weights.safetensors")
        return plain_runner(self.folder)


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutFolderError(f"{folder} is a file. Expected a folder for the export, or a name that is free.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise OutFolderError(
            f"{folder} holds files that no export made. Expected an empty folder, an earlier export or a name that is "
            "free; nothing was written."
        )


def _own_images(run: LoadedRun, on_progress: Callable[[int, int], None] | None) -> ImageCache:
    cache = open_cache(run.study.data, on_progress=on_progress)
    if cache.digest != run.plan["data"]["digest"]:
        raise DataError(
            f"The images at {run.study.data.path} are not those that the study was trained on: their digest differs. "
            "Expected the same files, labels and groups, so that the export can be checked on the test part. "
            "Put them back, or run the study again."
        )
    return cache


def _probe_rows(run: LoadedRun, images: int) -> Array:
    """Take rows of the test part, evenly spread."""
    rows = np.flatnonzero(run.parts() == _TEST_PART)
    chosen = np.linspace(0, len(rows) - 1, min(images, len(rows))).round().astype(np.int64)
    return np.asarray(rows[chosen])


def _differences(format: Format, runner: Runner, truth: Outputs, pixels: Array) -> Parity:
    batches = [runner(part) for part in _batches(pixels)]
    found = [np.concatenate([batch[k] for batch in batches]) for k in range(3)]
    largest = [
        float(np.abs(own.astype(float) - theirs).max())
        for own, theirs in zip(found, (truth.features, truth.scores, truth.probabilities), strict=True)
    ]
    return Parity(format=format, features=largest[0], scores=largest[1], probabilities=largest[2], images=len(pixels))


def _batches(pixels: Array) -> Iterator[Array]:
    """Yield the images in batches, the first of one image alone: any number must do."""
    yield pixels[:1]
    for first in range(1, len(pixels), _BATCH):
        yield pixels[first : first + _BATCH]


def _check(found: Parity, truth: Outputs) -> None:
    limits = {
        "features": LARGEST_DIFFERENCE * max(1.0, float(np.abs(truth.features).max())),
        "scores": LARGEST_DIFFERENCE * max(1.0, float(np.abs(truth.scores).max())),
        "probabilities": LARGEST_DIFFERENCE,
    }
    for name, limit in limits.items():
        difference = getattr(found, name)
        if not difference <= limit:  # nan is no agreement
            raise ModelError(
                f"The {found.format} file gives {name} that differ from those of the run by up to {difference:.3g} "
                f"over {found.images} images of the test part. Expected at most {limit:.3g}. Nothing was written. "
                "Try another --format, and report this with the study file."
            )


def _write_words(made: _Made, cache: ImageCache, left_out: Sequence[str]) -> None:
    """Write how pixels are made, README.md, and made-up images with what the run says of them."""
    options, kind = decode_options(made.run.study.data, cache.manifest), cache.manifest.kind
    facts = preparation_facts(made.run, options, kind)
    (made.folder / _MARK).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    code = preparation_code(made.run, options, kind)
    if code is not None:
        (made.folder / "prepare.py").write_text(code, encoding="utf-8")
    pixels = example_pixels(made.run)
    with torch.inference_mode():
        features, scores, probabilities = (found.numpy() for found in made.network(pixels))
    np.savez(
        made.folder / "check.npz",
        pixels=pixels.numpy(),
        features=features,
        scores=scores,
        probabilities=probabilities,
    )
    page = export_page(made.run, made.parity, left_out)
    (made.folder / "README.md").write_text(page, encoding="utf-8")


def _moved(made: Path, folder: Path) -> tuple[str, ...]:
    """Put the files where they were asked for; those of an earlier export go."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        files = tuple(name for name in _FILES if (made / name).is_file())
        for name in files:
            shutil.move(made / name, folder / name)
    except OSError as error:
        raise OutFolderError(
            f"{folder} cannot be written: {error.strerror}. Name a folder that may be written."
        ) from error
    return files
