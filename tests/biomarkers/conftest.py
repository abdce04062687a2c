"""One small finished study for all tests of this folder."""

from pathlib import Path

import pytest

from lossassay.config.load import parse_study
from tests.study.helpers import write_images
from tests.study.here import run_here


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a study on the digits: two losses, two replicates, two epochs."""
    folder = tmp_path_factory.mktemp("biomarkers") / "out"
    study = parse_study(
        {
            "name": "small",
            "data": {"path": "digits", "image_size": 32},
            "arms": [{"loss": "categorical_crossentropy"}, {"loss": "label_smoothing"}],
            "training": {
                "model_options": {"widths": [4, 8, 8, 8, 8], "dense": [16, 8]},
                "epochs": 2,
                "batch_size": 100,
                "precision": "fp32",
                "kernels": "plain",
            },
            "evidence": {"replicates": 2},
        }
    )
    run_here(study, folder, report=True)
    return folder


@pytest.fixture(scope="session")
def image_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a study on class folders of PNG files, ``images`` beside it: one loss, two replicates."""
    folder = tmp_path_factory.mktemp("image_study")
    images = write_images(folder / "images", per_class=30)
    raw = {
        "name": "pictures",
        "data": {"path": str(images), "image_size": 32, "group_pattern": r"0(\d)\d\.png"},
        "arms": [{"loss": "categorical_crossentropy"}],
        "training": {
            "model_options": {"widths": [4, 8, 8, 8, 8], "dense": [16, 8]},
            "epochs": 2,
            "batch_size": 16,
            "precision": "fp32",
            "kernels": "plain",
            "augment": {"flip": True},
        },
        "evidence": {"replicates": 2},
        "audit": {"accept": ["group-overlap"]},
    }
    run_here(parse_study(raw), folder / "out")
    return folder / "out"
