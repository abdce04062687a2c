"""One small study, run once for many tests."""

from pathlib import Path

import pytest

from lossassay import api
from tests.study.helpers import small_study, write_images


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of 60 images."""
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def finished(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The out folder of a finished small study."""
    out = tmp_path_factory.mktemp("finished") / "out"
    api.run(small_study(images), out, workers=1)
    return out
