"""The page in a real browser: every chart drawn, nothing on the console, no hostile name executed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lossassay.reporting.charts import FIGURES

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: expected chromium, chromium-browser or google-chrome")
def test_every_chart_is_drawn_and_the_console_stays_empty(large_report: Path, tmp_path: Path) -> None:
    found = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path}",
            "--enable-logging=stderr",
            "--v=0",
            "--window-size=1280,2000",
            "--virtual-time-budget=30000",
            "--dump-dom",
            large_report.as_uri(),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=90,
        check=True,
    )
    assert [line for line in found.stderr.splitlines() if "CONSOLE" in line] == []
    dom = found.stdout
    assert 'data-drawn="yes"' in dom
    for name in FIGURES:
        figure = re.search(rf'<figure id="figure-{name}".*?</figure>', dom, flags=re.DOTALL)
        assert figure is not None, name
        chart = figure[0][: figure[0].index("<script")]
        assert re.search(r'<svg [^>]*class="marks"', chart), name
        assert "NaN" not in chart, name
    assert "<title>cxr3: comparison of losses</title>" in dom
    assert 'src="x"' not in dom
