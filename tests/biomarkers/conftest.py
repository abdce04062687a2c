"""One small finished study for all tests of this folder."""

from pathlib import Path

import pytest

from lossassay import api
from lossassay.config.load import parse_study


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
    api.run(study, folder, workers=1)
    return folder
