"""Shared fixtures."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# a busy machine is slow now and then, and that is no failure
settings.register_profile("lossassay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lossassay")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real images beside the project; the test skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real images are not there: expected {SHARED_DATA}")
    return SHARED_DATA


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--no-skips``: continuous integration lacks nothing, so a skip there is a failure."""
    parser.addoption("--no-skips", action="store_true", help="fail where a test would skip (but for gpu tests)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave GPU tests out under ``--no-skips``: they need hardware, not set-up."""
    if config.getoption("--no-skips"):
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Turn a skip into a failure under ``--no-skips``."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where no skip is allowed: {report.longrepr}"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep decoded images and measurements of the tests out of the user's folders."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOSSASSAY_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny networks are faster with one thread, and several wait for each other on a busy machine."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
