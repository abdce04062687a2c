"""Whatever writes tables, heat maps or the report of a study holds its turn of analysis meanwhile."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossassay import api, api_runs, api_studies
from lossassay.study.analysis.analyse import analyse
from lossassay.study.folder.leases import ANALYSIS, Leases
from lossassay.study.folder.results import load_results


@pytest.fixture
def turns(finished: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Whether the turn was taken when each of these was called; none of them does anything."""
    seen: dict[str, bool] = {}

    def watched(name: str) -> Callable[..., Any]:
        def call(*_arguments: object, **_options: object) -> None:
            with Leases(finished) as others:
                seen[name] = not others.take(ANALYSIS)

        return call

    for module, names in (
        (api_runs, ("make_report_gallery", "write_report")),
        (api_studies, ("assess", "_draw_heatmaps", "report")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, watched(name))
    monkeypatch.setattr(api_runs, "load_run", lambda *_, **__: None)
    monkeypatch.setattr(api_runs, "explain_run", lambda *_, **__: None)
    return seen


def test_explain_holds_the_turn_while_it_draws_the_report(finished: Path, turns: dict[str, bool]) -> None:
    api.explain(finished)
    assert turns == {"make_report_gallery": True, "write_report": True}


def test_biomarkers_hold_the_turn_while_they_are_assessed_and_give_it_back(
    finished: Path, turns: dict[str, bool]
) -> None:
    api.biomarkers(finished)
    assert turns == {"assess": True, "_draw_heatmaps": True, "report": False}  # the report takes its own


def test_the_facts_of_a_failure_name_no_place(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out of mine"
    shutil.copytree(finished, folder)
    text = f'Traceback (most recent call last):\n  File "{__file__}", line 1\nOSError: {folder}/runs/x is gone\n'
    analyse(folder, {"a": text, "b": f"{folder} cannot be written."})
    facts = load_results(folder).facts
    assert facts["failures"] == ["<path> cannot be written.", "OSError: <path> is gone"]
    assert facts["runs_failed"] == 2
    assert str(tmp_path) not in (folder / "facts.json").read_text()
