"""The command line: exit codes, where text goes, messages without tracebacks."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from lossassay.catalogue.losses import LOSSES
from lossassay.cli import _answers, main
from tests.study.helpers import write_images
from tests.study.scores import GOOD, HEADER, write


def lossassay(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process: a process of its own would import torch each time."""
    out, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(sys, "argv", ["lossassay", *arguments])
        patch.setenv("NO_COLOR", "1")
        patch.setenv("COLUMNS", "120")
        if cwd is not None:
            patch.chdir(cwd)
        try:
            main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
    printed = [stream.buffer.getvalue().decode() for stream in (out, errors)]
    return subprocess.CompletedProcess(arguments, code, *printed)


def lossassay_apart(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as people do, in a process of its own."""
    command = [sys.executable, "-m", "lossassay", *arguments]
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


def test_help_lists_every_command() -> None:
    found = lossassay_apart("--help")
    assert found.returncode == 0
    for command in (
        "demo",
        "run",
        "paper",
        "plan",
        "compare",
        "new",
        "audit",
        "losses",
        "check-loss",
        "report",
        "export",
        "extract",
        "predict",
        "fit",
        "cache",
    ):
        assert command in found.stdout


def test_losses_as_json_names_all_of_them() -> None:
    found = lossassay("losses", "--json")
    assert [entry["name"] for entry in json.loads(found.stdout)] == list(LOSSES)


def test_one_loss_by_its_alias() -> None:
    found = lossassay("losses", "cce")
    assert "categorical_crossentropy" in found.stdout
    assert "Good 1952" in found.stdout


def test_an_unknown_loss_is_refused_with_a_suggestion() -> None:
    found = lossassay("losses", "focall")
    assert found.returncode == 2
    assert "No loss is called 'focall'" in found.stderr
    assert "Did you mean 'focal'?" in found.stderr
    assert found.stdout == ""


def test_every_problem_of_a_study_at_once_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        'name = "x"\ncolour = 1\n[data]\npath = "digits"\nimage_size = 20\n'
        '[[arms]]\nloss = "focal"\ngamma = -1\n[training]\nepochs = "ten"\n'
    )
    found = lossassay_apart("run", str(file), "--out", str(tmp_path / "out"))
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert "has 4 problems" in found.stderr
    for words in ("colour: no such key", "gamma: got -1, expected a number, 0 or more", "epochs:", "image_size:"):
        assert words in found.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ('path = "nowhere"', "nowhere"),
        ('path = "empty"', "empty"),
    ],
)
def test_data_that_are_not_there(tmp_path: Path, study: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    file = tmp_path / "study.toml"
    file.write_text(f'name = "x"\n[data]\n{study}\n[[arms]]\nloss = "cce"\n')
    found = lossassay("run", str(file), "--out", str(tmp_path / "out"))
    assert found.returncode == 2
    assert words in found.stderr
    assert "Traceback" not in found.stderr


def test_a_study_file_that_is_not_there(tmp_path: Path) -> None:
    found = lossassay("run", str(tmp_path / "no.toml"), "--out", str(tmp_path / "out"))
    assert found.returncode == 2
    assert "there is no such file" in found.stderr


def test_new_then_plan_then_audit_on_class_folders(tmp_path: Path) -> None:
    images = write_images(tmp_path / "hands & feet")
    found = lossassay("new", str(images), cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "study.toml"
    text = (tmp_path / "study.toml").read_text()
    assert "# 60 images, 3 classes: left, middle, right" in text
    again = lossassay("new", str(images), cwd=tmp_path)
    assert again.returncode == 2
    assert "is already there" in again.stderr
    planned = lossassay("plan", "study.toml", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "30 runs of 'hands & feet'" in planned.stdout
    assert "expected time" in planned.stdout
    as_json = json.loads(lossassay("plan", "study.toml", "--json", cwd=tmp_path).stdout)
    assert len(as_json["runs"]) == 30
    assert as_json["cost"]["wall_seconds"] > 0


def test_audit_leaves_with_one_on_issues(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    (images / "left" / "000.png").write_bytes(b"")
    found = lossassay_apart("audit", str(images), cwd=tmp_path)
    assert found.returncode == 1
    assert "left/000.png" in found.stdout


def test_the_cache_can_be_seen_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSASSAY_CACHE", str(tmp_path / "cache"))
    images = write_images(tmp_path / "images")
    assert lossassay("audit", str(images), cwd=tmp_path).returncode in (0, 1)
    assert len(json.loads(lossassay("cache", "show", "--json").stdout)) == 1
    assert "freed" in lossassay("cache", "clear").stdout
    assert json.loads(lossassay("cache", "show", "--json").stdout) == []


def test_compare_prints_tables_to_stdout_and_notes_to_stderr(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD + "a,cxr,3,accuracy,0.92\nb,cxr,3,accuracy,0.83\n")
    found = lossassay("compare", str(file), "--margin", "0.02")
    assert found.returncode == 0, found.stderr
    assert "accuracy, high is better; scope procedure; margin 0.02" in found.stdout
    assert "better" in found.stdout
    assert "+0.093" in found.stdout
    assert "holds no patients" not in found.stdout
    assert "holds no patients" in found.stderr.replace("\n", " ")


def test_compare_as_json(tmp_path: Path) -> None:
    found = lossassay("compare", str(write(tmp_path, GOOD)), "--reference", "b", "--method", "sign_flip", "--json")
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    data = json.loads(found.stdout)
    assert set(data) == {"comparisons", "arms", "ranks", "notes", "data_sets"}
    (row,) = data["comparisons"]
    assert (row["arm_a"], row["arm_b"], row["scope"], row["verdict"]) == ("a", "b", "procedure", "undecided")
    assert (row["low"], row["notes"]) == (None, "method_floor")
    assert any("sign-flip max-T needs 6" in note for note in data["notes"])


def test_compare_says_all_problems_of_a_file_without_a_traceback(tmp_path: Path) -> None:
    file = write(tmp_path, HEADER + "a,cxr,1,acuracy,0.9\nb,cxr,1,accuracy,nan\nb,cxr,1,accuracy,1.2\n")
    found = lossassay("compare", str(file))
    assert found.returncode == 2
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    assert "has 5 problems" in found.stderr
    for words in ("'acuracy' (line 2) is not known", "(NaN) (line 3;", "outside its range (line 4;", "more than once"):
        assert words in found.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--alpha", "0"), "alpha must lie between 0 and 1"),
        (("--margin", "-0.1"), "A margin of -0.1 came"),
        (("--margin", "3"), "accuracy lies from 0 to 1"),
        (("--reference", "c"), "is called 'c'"),
        (("--metric", "auroc"), "no row has the metric 'auroc'"),
        (("--better", "low"), "accuracy is better when it is high"),
        (("--better", "higher"), "--better"),
        (("--method", "wilcoxon"), "--method"),
        (("--alpha", "five"), "--alpha"),
    ],
)
def test_compare_refuses_bad_questions(
    tmp_path: Path,
    options: tuple[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["lossassay", "compare", str(write(tmp_path, GOOD)), *options])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert words in capsys.readouterr().err


def test_compare_of_what_is_not_there(tmp_path: Path) -> None:
    found = lossassay("compare", str(tmp_path / "scores.csv"))
    assert found.returncode == 2
    assert "is not there. Expected a CSV, TSV or Parquet table" in found.stderr
    assert "is a folder" in lossassay("compare", str(tmp_path)).stderr


def test_compare_prints_names_with_brackets_as_they_are(tmp_path: Path) -> None:
    text = GOOD.replace("a,cxr", "[bold]a,cxr").replace("accuracy", "[red]dice")
    found = lossassay("compare", str(write(tmp_path, text)), "--better", "high")
    assert found.returncode == 0, found.stderr
    assert "[bold]a" in found.stdout
    assert "[red]dice" in found.stdout


def test_compare_draws_a_diagram_over_three_data_sets_or_says_why_not(tmp_path: Path) -> None:
    lines = [
        f"{name},{d},{r},accuracy,{0.8 + 0.01 * d + 0.001 * r * (name == 'a')}"
        for name in "ab"
        for d in range(3)
        for r in range(4)
    ]
    found = lossassay("compare", str(write(tmp_path, HEADER + "\n".join(lines))), "--diagram", str(tmp_path / "drawn"))
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "drawn" / "critical_difference.svg").read_text(encoding="utf-8").startswith("<svg")
    found = lossassay("compare", str(write(tmp_path, GOOD)), "--diagram", str(tmp_path / "none"))
    assert found.returncode == 2
    assert "three or more data sets" in found.stderr


def test_a_limit_below_zero_keeps_its_sign(capsys: pytest.CaptureFixture[str]) -> None:
    kappa = {"arm": "coral", "metric": "cohen_kappa", "estimate": 0.0634, "low": -0.0068, "high": 0.1337}
    facts = {"primary_metric": "cohen_kappa", "stopping": {"reached": 8}, "scope": "procedure", "alpha": 0.05}
    _answers(
        SimpleNamespace(
            comparisons=pl.DataFrame({"primary": [False]}),
            arms=pl.DataFrame([kappa, kappa | {"low": None, "high": None}]),
            stored=SimpleNamespace(facts=facts),
            table=lambda _name: pl.DataFrame({"status": ["passed"], "code": ["gradient-scales"]}),
        )
    )
    printed = capsys.readouterr().out
    assert "-0.0068 to 0.1337" in printed
    assert "none to none" in printed


def test_an_arm_of_which_all_runs_failed_has_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    empty = {"arm": "focal", "metric": "auroc", "estimate": None, "low": None, "high": None}
    facts = {"primary_metric": "auroc", "stopping": {"reached": 2}, "scope": "procedure", "alpha": 0.05}
    _answers(
        SimpleNamespace(
            comparisons=pl.DataFrame({"primary": [False]}),
            arms=pl.DataFrame([empty | {"arm": "other", "estimate": 0.8, "low": 0.7, "high": 0.9}, empty]),
            stored=SimpleNamespace(facts=facts),
            table=lambda _name: pl.DataFrame({"status": ["passed"], "code": ["gradient-scales"]}),
        )
    )
    line = next(line for line in capsys.readouterr().out.splitlines() if "focal" in line)
    assert line.split() == ["focal", "none", "none", "to", "none"]
