"""What the package shows to its users, and what it must not do behind their backs."""

import subprocess
import sys
from pathlib import Path

import lossassay

PACKAGE = Path(lossassay.__file__).parent


def run_python(code: str) -> str:
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def test_every_public_name_is_there() -> None:
    for name in lossassay.__all__:
        assert getattr(lossassay, name) is not None, name
    assert dir(lossassay) == lossassay.__all__


def test_an_unknown_name_is_refused() -> None:
    code = "import lossassay\ntry:\n    lossassay.nothing\nexcept AttributeError as error:\n    print(error)"
    assert run_python(code) == "module 'lossassay' has no attribute 'nothing'"


def test_importing_the_package_and_checking_a_study_need_no_torch() -> None:
    code = (
        "import sys, lossassay, lossassay.cli, lossassay.config, lossassay.catalogue.losses\n"
        "print(sorted({'torch', 'polars', 'scipy', 'sklearn', 'numpy'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_nothing_is_unpickled() -> None:
    """No code of ours loads pickles, and every array is loaded with pickles refused."""
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("import pickle", "torch.load(", "joblib.load", "allow_pickle=True"):
            assert word not in text, f"{word} in {path.name}"
