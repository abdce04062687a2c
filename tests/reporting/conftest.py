"""One large report for all tests that only read it."""

from pathlib import Path

import pytest

from lossassay.reporting.page import write_report
from tests.reporting.fake_biomarkers import with_biomarkers
from tests.reporting.fake_results import fake_results
from tests.reporting.fake_tuning import with_tuning

_HOSTILE = (
    "</script><script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "\"double\" & 'single' <b>bold</b>",
    "{{ 7 * 7 }} {0} {arm} %s",
    "var(--ink) --> ]]> \u2028",
)
_ARMS = (*_HOSTILE, "plain", "sparse_categorical_crossentropy_with_a_very_long_name", "ärmel", "8", "null")


@pytest.fixture(scope="session")
def hostile_names() -> tuple[str, ...]:
    """Names that try to leave their place."""
    return _HOSTILE


@pytest.fixture(scope="session")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with ten arms and as many figures as there can be; arms and classes have hostile names."""
    folder = tmp_path_factory.mktemp("large")
    results = fake_results(folder, arms=10, stopping="planned", arm_names=_ARMS, classes=_HOSTILE, epochs=30)
    return write_report(with_tuning(with_biomarkers(results)))
