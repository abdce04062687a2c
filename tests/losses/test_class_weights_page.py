"""The page on class weights prints what it says it prints."""

import contextlib
import io
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "class-weights.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_prints_its_numbers() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (expected,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/class-weights.md", "exec"), {})
    assert printed.getvalue() == expected
    assert PAGE.splitlines()[0] == "# Class weights: 0.8705 or 54.4052"


def test_the_arithmetic_in_the_text_is_right() -> None:
    scores = torch.tensor([[2.3, 2.1, 4.5], [4.2, 3.2, 5.1]])
    costs = F.cross_entropy(scores, torch.tensor([1, 2]), reduction="none")
    assert [f"{cost:.4f}" for cost in costs.tolist()] == ["2.5836", "0.4422"]
    total = 25 * costs[0].item() + 100 * costs[1].item()
    assert total / 2 == pytest.approx(54.4052, abs=1e-4)
    assert total / 125 == pytest.approx(0.8705, abs=1e-4)
    for said in ("2.5836", "0.4422", f"{total:.4f}", "25 + 100 = 125", "62.5"):
        assert said in PAGE, said
