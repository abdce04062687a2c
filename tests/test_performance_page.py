"""The performance page holds the tables of the newest records, and the benchmarks' own arithmetic is right."""

import inspect
import re
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import benchmarks.__main__ as front
from benchmarks import feature_quality, loading, runner, training, whole_study
from benchmarks.__main__ import BENCHMARKS, GOALS, IN_TURN, PAGE, benchmark, page_tables, write_docs
from lossassay.config.load import parse_study


def test_the_page_holds_the_tables_of_the_newest_records() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, made in page_tables().items():
        assert f"<!-- table: {name} -->\n{made}\n<!-- end -->" in page, f"python -m benchmarks --write-docs ({name})"


def test_the_page_has_a_place_for_every_benchmark_and_no_other() -> None:
    places = re.findall(r"<!-- table: (.*?) -->", PAGE.read_text(encoding="utf-8"))
    assert sorted(places) == sorted([GOALS, *BENCHMARKS])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_keeps_the_convention(name: str) -> None:
    module = benchmark(name)
    assert isinstance(module.TITLE, str)
    assert list(inspect.signature(module.main).parameters) == ["arguments"]
    assert list(inspect.signature(module.tables).parameters) == ["record"]


def test_tables_are_written_between_their_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n<!-- table: {GOALS} -->\nold\n<!-- end -->\nAfter.\n", encoding="utf-8")
    write_docs(page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert page_tables()[GOALS] in text


def test_one_benchmark_that_cannot_run_does_not_keep_the_others_from_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = []

    def run(name: str) -> SimpleNamespace:
        def main(arguments: list[str]) -> None:
            if name == IN_TURN[1]:
                raise SystemExit("There are no images.")
            done.append(name)

        return SimpleNamespace(main=main)

    monkeypatch.setattr(front, "benchmark", run)
    monkeypatch.setattr(front, "goals", lambda: "the goals")
    assert front.run_all() == 1
    assert done == [IN_TURN[0], *IN_TURN[2:]]
    printed = capsys.readouterr()
    assert "the goals" in printed.out
    assert f"{IN_TURN[1]} was not measured: There are no images." in printed.err


def test_each_side_is_first_in_one_round() -> None:
    orders = [runner.rotated(["a", "b", "c"], turn) for turn in range(4)]
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_ratios_stay_within_a_round() -> None:
    """The machine is twice as slow in the second round: the ratio does not notice."""
    assert runner.ratios([10, 5, 30], [5, 2.5, 10]) == {"median": 2, "smallest": 2, "largest": 3}


def test_a_goal_that_is_not_reached_says_so() -> None:
    cells = [runner.Goal(asked="speed", found=found, least=2.0).row()[2:] for found in (1.99, 2.0, None)]
    assert cells == [["1.99", "**no**"], ["2.00", "yes"], ["not measured", ""]]


def _script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_processes_of_a_side_wait_for_each_other() -> None:
    """The first one is warm long before the second one, and goes on only afterwards."""
    text = (
        "import json, sys, time; time.sleep({}); warm = time.time(); print('ready', flush=True); sys.stdin.readline(); "
        "print(json.dumps([warm, time.time()]))"
    )
    first, second = runner.answers([_script(text.format(0)), _script(text.format(0.5))])
    assert max(first[0], second[0]) <= min(first[1], second[1])


@pytest.mark.parametrize("number", [1, 2])
def test_a_side_that_fails_says_why(number: int) -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        runner.answers([_script("raise SystemExit('no such thing')")] * number)


def test_a_record_names_no_place_on_the_machine(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_peer_versions", lambda: {"keras": "3"})
        patch.setattr(runner, "commit", lambda: "abc")
        facts = runner.facts("loading", ["--data", str(tmp_path / "images"), "--rounds", "3"])
    assert facts["command"] == "python -m benchmarks loading --data images --rounds 3"
    assert str(tmp_path) not in str(facts)


PEAKS = [{"bf16_gflops": 100.0, "fp32_gflops": 50.0, "copy_gbytes": 10.0, "threads": 2}] * 2


def training_record(**speeds: float) -> dict[str, Any]:
    processes = [{"images": 100, "seconds": 10.0, "loading_seconds": 0.5}]
    sides = {name: {"images_per_second": speed, "processes": processes} for name, speed in speeds.items()}
    rounds = [{"size": 300, "peaks": PEAKS, "sides": sides}]
    flops = {"300": 1e9}
    return {"rounds": rounds, "flops_per_image": flops, "summary": training.summary(rounds, flops)}


def test_training_goals_come_from_the_sides_they_name() -> None:
    record = training_record(ours=60.0, keras_tensorflow=10.0, torch=20.0)
    found = {goal.asked: goal for goal in training.goals(record)}
    assert found["training at 300 px against Keras on TensorFlow"].found == pytest.approx(6)
    assert found["training at 300 px against PyTorch, the loop of its tutorial"].row()[-1] == "**no**"
    assert found["training at 64 px against Keras on TensorFlow"].found is None
    assert found["share of the measured bf16 peak in training at 300 px"].found == pytest.approx(0.6)


def test_training_tables_hold_every_side() -> None:
    text = training.tables(training_record(ours=60.0, keras_tensorflow=10.0))
    assert "| Keras on TensorFlow | 10.0 (10.0, 10.0) | 6.00 (6.00, 6.00) | 10 % |" in text
    assert "bf16 matrix product, GFLOP/s | 100 (100, 100)" in text
    assert "ours waits for images | 5.00% (5.00%, 5.00%)" in text


def test_the_paper_s_network_costs_what_the_page_says() -> None:
    """9 x C_in x C_out products per pixel and convolution, three times for a step: 8.7 GFLOP at 300 px."""
    assert training.flops_per_image(32) == pytest.approx(3 * forward_flops(32), rel=0.02)


def forward_flops(size: int) -> float:
    total, widths = 0.0, (1, 32, 64, 128, 256, 256)
    for block in range(5):
        total += 2 * 9 * widths[block] * widths[block + 1] * (size // 2**block) ** 2
    units = (256 * (size // 32) ** 2, 256, 128, 3)
    return total + 2 * sum(before * after for before, after in pairwise(units))


def test_loading_is_compared_with_the_best_pass_that_reads_files() -> None:
    """MONAI's pass through its memory reads no file; the ratio to beat is Keras's second pass."""
    speeds = {
        "ours": [300.0, 9_000.0],
        "load_keras": [100.0, 200.0],
        "load_torch": [50.0, 60.0],
        "load_monai": [10.0, 5_000.0],
    }
    sides = {name: {"images": 8, "images_per_second": both} for name, both in speeds.items()}
    record = {"summary": loading.summary([{"folder": "symbols", "sides": sides}])}
    assert record["summary"]["symbols"]["ours_to_best_peer"]["median"] == pytest.approx(1.5)
    assert [goal.row()[-1] for goal in loading.goals(record)] == ["**no**", ""]
    assert "| MONAI `CacheDataset`, two workers: going through it | 5,000 (5,000, 5,000) | 0.06" in loading.tables(
        record
    )


def test_the_quality_of_features_is_measured_on_twelve_losses() -> None:
    study = parse_study(feature_quality.study(Path("cxr3.csv"), arms=12, replicates=5))
    assert (len(study.arms), study.evidence.replicates) == (12, 5)
    rounds = [{"seconds": seconds, "runs": 60, "values": 1} for seconds in (290.0, 300.0, 310.0)]
    record = {"options": {"arms": 12, "replicates": 5}, "rounds": rounds}
    assert feature_quality.goals(record)[0].row()[2:] == ["2.00", "yes"]
    assert "| 60 | 3 | 300 (290, 310) | 5.0 |" in feature_quality.tables(record)


def test_a_whole_study_is_compared_by_wall_time() -> None:
    runs = [{"accuracy": 0.5}, {"accuracy": 0.7}]
    sides = {name: {"seconds": seconds, "runs": runs} for name, seconds in (("ours", 10.0), ("keras_tensorflow", 45.0))}
    record = {"options": {"replicates": 6, "epochs": 10}, "summary": whole_study.summary([{"sides": sides}])}
    assert whole_study.goals(record)[0].row()[2:] == ["4.50", "yes"]
    assert "| `lossassay run` | 2 | 10 (10, 10) | 0.600 |" in whole_study.tables(record)
