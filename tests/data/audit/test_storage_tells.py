"""Format, size, aspect, depth, mode, quality, border: each is found when it goes with the class, and named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lossassay.config.schema import DataConfig
from lossassay.data.audit.pixels import pixel_facts
from lossassay.data.audit.shortcut_findings import tell_findings
from lossassay.data.cache import open_cache
from lossassay.data.manifest import Finding
from tests.data.audit.conftest import Build, noise

LABELS = [0] * 40 + [1] * 40


def found(build: Build, images: np.ndarray | None = None, **facts: Any) -> dict[str, Finding]:
    cache = build(noise(80) if images is None else images, LABELS, facts=facts)
    return {finding.code: finding for finding in tell_findings(cache, pixel_facts(cache))}


def test_alike_storage_says_nothing(build: Build) -> None:
    assert not found(build)


def test_the_format_has_a_finding_of_its_own(build: Build) -> None:
    codes = found(build, format=["PNG"] * 40 + ["JPEG"] * 40)
    assert set(codes) == {"format-predicts-class"}
    assert codes["format-predicts-class"].severity == "issue"


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"width_px": [64] * 40 + [128] * 40, "height_px": [64] * 40 + [128] * 40}, "the image size tells class 0"),
        ({"width_px": [32] * 40 + [128] * 40, "height_px": [128] * 40 + [32] * 40}, "the aspect tells class 0"),
        ({"mode": ["grey"] * 40 + ["RGB"] * 40}, "the pixel mode tells class 0"),
        ({"bits": [8] * 40 + [16] * 40}, "the bit depth tells class 0"),
        ({"jpeg_quality": [75] * 40 + [95] * 40}, "the JPEG quality tells class 0"),
        ({"jpeg_quality": [75] * 40 + [0] * 40}, "the JPEG quality tells class 0"),
    ],
)
def test_each_trace_is_named(build: Build, facts: dict[str, Any], name: str) -> None:
    finding = found(build, **facts)["storage-predicts-class"]
    assert name in finding.message
    assert finding.severity == "issue"


def test_what_content_decides_is_a_note(build: Build) -> None:
    images = noise(80)
    images[40:, [0, -1]], images[40:, :, [0, -1]] = 255, 255
    finding = found(build, images, file_bytes=[1000] * 40 + [3000] * 40)["storage-predicts-class"]
    assert "the border tells" in finding.message
    assert "the bytes per pixel tells" in finding.message
    assert finding.severity == "note"


def test_files_on_disk(tmp_path: Path) -> None:
    """The quality is read from the files themselves."""
    for row, image in enumerate(noise(60, side=40)):
        folder = tmp_path / "images" / "ab"[row % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{row}.jpg", quality=(60, 90)[row % 2])
    cache = open_cache(DataConfig(path=str(tmp_path / "images"), image_size=40))
    finding = next(iter(tell_findings(cache, pixel_facts(cache))))
    assert (finding.code, finding.severity) == ("storage-predicts-class", "issue")
    assert "the JPEG quality tells a from the rest with a Youden index of 1.00" in finding.message


def test_arrays_have_no_storage(build: Build) -> None:
    cache = build(noise(80), LABELS, kind="npz", facts={"bits": [8] * 40 + [16] * 40})
    assert not list(tell_findings(cache, pixel_facts(cache)))
