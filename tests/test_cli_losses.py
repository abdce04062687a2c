"""`lossassay losses` and `lossassay check-loss`."""

import json
import sys
from pathlib import Path

import pytest

from lossassay.catalogue.losses import FAMILY_OF, LOSSES
from lossassay.cli import main
from tests.study.helpers import write_images
from tests.test_cli import lossassay, lossassay_apart

KEYS = (
    "name title when formula paper tasks labels kind link hyper_parameters aliases oracle",
    "family head output inputs low equals variant_of elsewhere differs proof bounded",
)

OWN = """
import torch.nn.functional as F


def good(scores, labels, *, gamma=1.0):
    log_p = F.log_softmax(scores, -1).gather(-1, labels[:, None].long()).squeeze(-1)
    return -gamma * log_p


def batch_mean(scores, labels):
    return good(scores, labels).mean()


def broken(scores, labels):
    raise RuntimeError("no such thing")
"""


@pytest.fixture
def own_module(tmp_path: Path) -> Path:
    (tmp_path / "own_losses_for_tests.py").write_text(OWN)
    (tmp_path / "unreadable_for_tests.py").write_text("def broken(:\n")
    return tmp_path


def called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    """Run the command line in this process."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["lossassay", *arguments])
    monkeypatch.setenv("COLUMNS", "140")
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr()
    return int(left.value.code or 0), printed.out, printed.err


def test_the_list_names_families_tasks_and_what_each_is_proven_by() -> None:
    found = lossassay("losses")
    assert found.returncode == 0, found.stderr
    for name in LOSSES:
        assert name in found.stdout
    for family in set(FAMILY_OF.values()):
        assert f"\n{family}" in f"\n{found.stdout}"
    assert "oracle, identities" in found.stdout
    assert "not proven" not in found.stdout
    assert f"{len(LOSSES)} losses in" in found.stdout


def test_the_list_needs_no_torch() -> None:
    import subprocess

    code = (
        "import sys; from lossassay.cli import app\n"
        "try:\n    app(['losses', '--json'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'polars', 'scipy', 'numpy', 'altair'} & set(sys.modules)), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr.strip() == "[]"


def test_a_task_narrows_the_list() -> None:
    names = [entry["name"] for entry in json.loads(lossassay("losses", "--task", "ordinal", "--json").stdout)]
    assert names == [name for name, spec in LOSSES.items() if spec.trains("ordinal")]


def test_every_entry_as_json_has_every_key_and_a_green_proof() -> None:
    entries = json.loads(lossassay("losses", "--json").stdout)
    assert [entry["name"] for entry in entries] == list(LOSSES)
    for entry in entries:
        assert set(entry) == set(" ".join(KEYS).split())
        assert "passed" in (entry["proof"]["oracle"], entry["proof"]["identities"])
        assert "failed" not in entry["proof"].values()
    focal = next(entry for entry in entries if entry["name"] == "focal")
    assert focal["equals"][0]["other"] == "sparse_categorical_crossentropy"
    assert focal["equals"][0]["at"] == {"gamma": 0.0}
    assert focal["hyper_parameters"] == ["gamma = 2.0 (a number, 0 or more; focusing; 0 gives cross-entropy)"]


def test_one_loss_in_full_with_its_curve_in_the_terminal() -> None:
    found = lossassay("losses", "focal")
    assert found.returncode == 0, found.stderr
    for words in (
        r"-(1 - p_y)^\gamma \log p_y",
        "Lin et al. 2017",
        "gamma = 2.0 (a number, 0 or more",
        "with gamma = 0: sparse_categorical_crossentropy",
        "keras: keras.losses.CategoricalFocalCrossentropy",
        "oracle, identities",
        "score of the true class minus the others",
        "gradient of the value",
    ):
        assert words in found.stdout
    assert any(0x2800 < ord(sign) < 0x2900 for sign in found.stdout)
    assert "\x1b[" not in found.stdout


def test_the_chart_goes_to_svg_or_png(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    svg, png = tmp_path / "a.svg", tmp_path / "a.PNG"
    code, out, err = called(capsys, monkeypatch, "losses", "bce", "--chart", str(svg))
    assert (code, "binary_crossentropy" in out) == (0, True)
    assert f"Chart: {svg}" in err
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    code, out, _ = called(capsys, monkeypatch, "losses", "bce", "--chart", str(png), "--json")
    assert (code, json.loads(out)[0]["name"]) == (0, "binary_crossentropy")
    assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("focall",), "Did you mean 'focal'?"),
        (("compound",), "A sum of losses has no entry of its own"),
        (("--chart", "a.svg"), "--chart draws one loss"),
        (("focal", "--chart", "a.pdf"), "writes .svg or .png, got 'a.pdf'"),
        (("focal", "--chart", "nowhere/a.svg"), "cannot be written"),
        (("focal", "--suggest", "digits"), "cannot be used together"),
        (("focal", "--task", "ordinal"), "--task is for the list"),
        (("--task", "both"), "--task"),
        (("--suggest", "nowhere"), "There is no file or folder called nowhere"),
        (("no_such_module:loss",), "cannot be imported"),
    ],
)
def test_bad_questions_get_an_answer_and_code_2(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = called(capsys, monkeypatch, "losses", *arguments)
    assert code == 2
    assert words in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_arms_are_proposed_for_a_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_images(tmp_path / "images", per_class=4)
    code, out, _ = called(capsys, monkeypatch, "losses", "--suggest", str(folder))
    assert code == 0
    assert "# 12 images, 3 classes: left 4, middle 4, right 4" in out
    assert 'loss = "label_smoothing"' in out
    assert "has 4 of 12 images" in out
    study = tmp_path / "study.toml"
    study.write_text(
        'name = "x"\n[data]\npath = "images"\norder = ["left", "middle", "right"]\n[[arms]]\nloss = "cce"\n'
    )
    code, out, _ = called(capsys, monkeypatch, "losses", "--suggest", str(study), "--json")
    data = json.loads(out)
    assert (code, data["task"], data["counts"]) == (0, "ordinal", {"left": 4, "middle": 4, "right": 4})
    assert "coral" in [entry["loss"] for entry in data["suggestions"]]


def test_pages_are_written_to_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lossassay.reporting.loss_pages.figure", lambda name: "<svg/>")
    code, out, _ = called(capsys, monkeypatch, "losses", "--write-docs", str(tmp_path / "pages"))
    assert (code, out.strip()) == (0, str(tmp_path / "pages" / "README.md"))
    assert (tmp_path / "pages" / "focal.md").exists()


def test_a_loss_of_ones_own_that_averages_cannot_be_drawn(own_module: Path) -> None:
    found = lossassay_apart("losses", "own_losses_for_tests:batch_mean", cwd=own_module)
    assert found.returncode == 2
    assert "returned shape [] for 97 examples; expected one number for each" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_loss_of_ones_own_is_checked_and_drawn(own_module: Path) -> None:
    found = lossassay("check-loss", "own_losses_for_tests:good", cwd=own_module)
    assert found.returncode == 0, found.stderr
    assert "one number per example" in found.stdout
    assert "NO" not in found.stdout
    shown = lossassay("losses", "own_losses_for_tests:good", cwd=own_module)
    assert shown.returncode == 0, shown.stderr
    assert "gamma = 1.0" in shown.stdout
    assert "not proven" in shown.stdout


def test_a_wrong_loss_of_ones_own_leaves_with_1(own_module: Path) -> None:
    found = lossassay_apart("check-loss", "own_losses_for_tests:batch_mean", cwd=own_module)
    assert found.returncode == 1
    assert "shape [] for 6 examples" in found.stdout
    broken = lossassay("check-loss", "own_losses_for_tests:broken", "--json", cwd=own_module)
    assert broken.returncode == 1
    assert {entry["detail"] for entry in json.loads(broken.stdout)} == {"RuntimeError: no such thing"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_losses_for_tests:broken", "cannot be drawn: RuntimeError: no such thing"),
        ("unreadable_for_tests:broken", "cannot be imported: SyntaxError"),
    ],
)
def test_a_loss_of_ones_own_that_cannot_be_drawn_says_why(
    name: str, words: str, own_module: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_module)
    code, _, err = called(capsys, monkeypatch, "losses", name)
    assert code == 2
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:loss", "cannot be imported"),
        ("own_losses_for_tests:missing", "has no 'missing'"),
        ("unreadable_for_tests:broken", "SyntaxError"),
        ("focall", "Did you mean 'focal'?"),
    ],
)
def test_a_loss_that_is_not_there_leaves_with_2(
    name: str, words: str, own_module: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_module)
    code, out, err = called(capsys, monkeypatch, "check-loss", name)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_a_loss_of_the_catalogue_can_be_checked_with_any_number_of_classes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = called(capsys, monkeypatch, "check-loss", "logit_adjustment", "--classes", "3")
    assert code == 0
    assert "logit_adjustment, 3 classes" in out
    assert called(capsys, monkeypatch, "check-loss", "focal", "--classes", "1")[0] == 2
