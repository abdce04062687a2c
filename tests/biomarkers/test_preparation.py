"""Somebody else makes the same pixels of the same files, and so gets the probabilities that the study stored."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossassay import api
from lossassay.biomarkers.exporting.preparation import preparation_code, preparation_facts
from lossassay.biomarkers.loaded_run import LoadedRun, load_run
from lossassay.data.decode import DecodeOptions, decode
from lossassay.study.folder.store import Store
from tests.biomarkers.test_export import elsewhere
from tests.study.helpers import small_study, write_images
from tests.study.here import run_here


@pytest.fixture
def run(finished_study: Path) -> LoadedRun:
    return load_run(finished_study)


def write_odd_images(folder: Path) -> list[Path]:
    """Write images of every mode that plain files have, none of them square."""
    generator = np.random.default_rng(0)
    rgba = Image.fromarray(generator.integers(0, 256, (57, 91, 4), dtype=np.uint8), "RGBA")
    images = {
        "grey.png": rgba.convert("L"),
        "colour.png": rgba.convert("RGB"),
        "transparent.png": rgba,
        "palette.png": rgba.convert("RGB").convert("P"),
        "small.png": rgba.convert("L").resize((20, 13)),
        "black_and_white.png": rgba.convert("1"),
        "large.jpg": rgba.convert("RGB").resize((400, 301)),
        "grey.jpg": rgba.convert("L").resize((301, 400)),
        "turned.jpg": rgba.convert("RGB").resize((90, 50)),
    }
    for name, image in images.items():
        exif = Image.Exif()
        if name == "turned.jpg":
            exif[0x0112] = 6
        image.save(folder / name, exif=exif)
    return [folder / name for name in images]


@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_written_program_makes_the_pixels_of_the_tool(
    resize: str, channels: int, run: LoadedRun, tmp_path: Path
) -> None:
    options = DecodeOptions(image_size=32, channels=channels, resize=resize, padding=7, background=200)
    code = preparation_code(run, options, "files")
    assert code is not None
    program: dict[str, object] = {}
    exec(code, program)  # the test's own way to load it
    for path in write_odd_images(tmp_path):
        stored = decode(path.read_bytes(), options, deep=False).pixels
        assert stored is not None, path.name
        made = program["prepare"](str(path))  # type: ignore[operator]
        assert (made.shape, made.dtype) == ((1, 32, 32, channels), np.float32)
        np.testing.assert_array_equal(made.ravel(), np.frombuffer(stored, np.uint8), err_msg=path.name)


def test_the_written_program_refuses_more_than_8_bits(run: LoadedRun, tmp_path: Path) -> None:
    code = preparation_code(run, DecodeOptions(32, 1, "pad", 0, 255), "files")
    assert code is not None
    program: dict[str, object] = {}
    exec(code, program)
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png has more than 8 bits"):
        program["prepare"](str(tmp_path / "deep.png"))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("dicom", {}),
        ("files", {"preprocess": ("percentile",)}),
        ("files", {"spacing_mm": 1.0}),
        ("files", {"dimensions": 3}),
        ("files", {"reading": {"volume": {}}}),
    ],
)
def test_there_is_no_program_where_it_would_be_wrong(kind: str, changes: dict[str, object], run: LoadedRun) -> None:
    options = DecodeOptions(32, 1, "pad", 0, 255)._replace(**changes)
    assert preparation_code(run, options, kind) is None


def test_images_of_16_bits_have_no_program_and_say_their_range(run: LoadedRun) -> None:
    deep = replace(run, plan=run.plan | {"data": run.plan["data"] | {"pixel_type": "uint16"}})
    options = DecodeOptions(32, 1, "pad", 0, 255)
    assert preparation_code(deep, options, "files") is None
    facts = preparation_facts(deep, options, "files")
    assert "0 to 65535" in facts["input"]["values"]
    assert facts["image"]["sixteen_bits"] == "8-bit values are multiplied by 257"


def test_windows_and_presets_are_said(run: LoadedRun) -> None:
    options = DecodeOptions(32, 1, "pad", 0, 255)._replace(
        preprocess=("clahe",), spacing_mm=0.5, reading={"dicom": {"unit": "image", "window": [40.0, 400.0]}}
    )
    facts = json.loads(json.dumps(preparation_facts(run, options, "dicom")))
    assert facts["image"]["dicom"]["window"] == [40.0, 400.0]
    assert facts["image"]["preprocess"] == ["clahe"]
    assert facts["image"]["spacing_mm"] == 0.5


PREDICT = """
import json, numpy, onnxruntime
from prepare import prepare
sys.modules["torch"] = None
session = onnxruntime.InferenceSession("model.onnx")
pixels = numpy.concatenate([prepare(path) for path in PATHS])
print(json.dumps(session.run(["probabilities"], {"pixels": pixels})[0].tolist()))
"""


def assert_same_as_stored(study: Path, images: Path, tmp_path: Path) -> None:
    """Hold what onnxruntime says of the files against the predictions that the study stored."""
    run = load_run(study)
    api.export(study, tmp_path / "onnx", format="onnx")
    stored = Store(study).predictions(run.id, "test").sort("row")
    paths = sorted(str(path) for path in images.rglob("*") if path.is_file())
    chosen = [paths[row] for row in stored["row"].to_list()]
    found = np.array(json.loads(elsewhere(f"PATHS = {chosen!r}\n{PREDICT}", tmp_path / "onnx")))
    truth = stored["probabilities"].to_numpy()
    np.testing.assert_allclose(found, truth, atol=1e-4)
    assert np.ptp(truth[:, 0]) > 1e-3  # or anything would agree


def test_files_give_the_stored_probabilities_without_lossassay_and_torch(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    run_here(small_study(images, replicates=1, training={"kernels": "plain"}), tmp_path / "out")
    assert_same_as_stored(tmp_path / "out", images, tmp_path)


@pytest.mark.shared_data
def test_real_x_rays_give_the_stored_probabilities(shared_data: Path, tmp_path: Path) -> None:
    for name in ("normal", "bacteria", "covid19"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for path in sorted((shared_data / "cxr" / name).iterdir())[:40]:
            shutil.copy(path, tmp_path / "images" / name / path.name)
    study = small_study(tmp_path / "images", replicates=1, epochs=3, training={"kernels": "plain"})
    run_here(study, tmp_path / "out")
    assert_same_as_stored(tmp_path / "out", tmp_path / "images", tmp_path)
