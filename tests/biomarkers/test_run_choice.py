"""Which run a path stands for: never by the test part, and the same in every command."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from lossassay.biomarkers.run_choice import find_run, finished_runs
from lossassay.errors import OutFolderError

ARMS = ("categorical_crossentropy", "label_smoothing")


@pytest.fixture
def study(finished_study: Path, tmp_path: Path) -> Path:
    """A copy of the study whose runs have another history; four replicates: two runs are copied twice."""
    copy = tmp_path / "out"
    shutil.copytree(finished_study, copy)
    plan = json.loads((copy / "plan.json").read_text())
    for entry in list(plan["runs"]):
        more = {**entry, "id": f"{entry['id'][:-1]}_", "replicate": entry["replicate"] + 2}
        shutil.copytree(copy / "runs" / entry["id"], copy / "runs" / more["id"])
        plan["runs"].append(more)
    (copy / "plan.json").write_text(json.dumps(plan))
    return copy


def reach(folder: Path, by_arm: dict[str, list[float]]) -> dict[tuple[str, int], str]:
    """Write what each run reaches on the validation part; return the names of the runs."""
    names = {}
    for entry in json.loads((folder / "plan.json").read_text())["runs"]:
        own = folder / "runs" / entry["id"]
        names[entry["arm"], entry["replicate"]] = entry["id"]
        history = pl.read_parquet(own / "history.parquet")
        values = pl.lit(by_arm[entry["arm"]][entry["replicate"]])
        history.with_columns(validation_yardstick=values).write_parquet(own / "history.parquet")
    return names


def diverge(folder: Path, name: str) -> None:
    path = folder / "runs" / name / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "diverged"}))


def test_the_middle_run_of_the_arm_with_the_best_mean(study: Path) -> None:
    names = reach(study, {ARMS[0]: [0.99, 0.1, 0.1, 0.1], ARMS[1]: [0.5, 0.8, 0.6, 0.7]})
    assert find_run(study) == (study, names[ARMS[1], 3])
    assert find_run(study, replicate="best")[1] == names[ARMS[1], 1]
    assert find_run(study, arm=ARMS[0], replicate="best")[1] == names[ARMS[0], 0]
    assert find_run(study, arm=ARMS[0], replicate=2)[1] == find_run(study, ARMS[0], "2")[1] == names[ARMS[0], 2]
    assert find_run(study, replicate=0)[1] == names[ARMS[1], 0]


def test_predictions_of_the_test_part_take_no_part(study: Path) -> None:
    reach(study, {ARMS[0]: [0.9, 0.8, 0.7, 0.6], ARMS[1]: [0.5, 0.8, 0.6, 0.7]})
    before = find_run(study)
    for path in study.glob("runs/*/predictions.parquet"):
        path.unlink()
    assert find_run(study) == before


def test_an_arm_with_a_diverged_run_comes_last_and_can_be_named(study: Path) -> None:
    names = reach(study, {ARMS[0]: [0.9, 0.9, 0.9, 0.9], ARMS[1]: [0.5, 0.8, 0.6, 0.7]})
    diverge(study, names[ARMS[0], 0])
    assert find_run(study)[1] == names[ARMS[1], 3]
    assert find_run(study, arm=ARMS[0], replicate=1)[1] == names[ARMS[0], 1]
    with pytest.raises(
        OutFolderError, match=r"no replicate 0 that finished without diverging\. Expected one of 1, 2, "
    ):
        find_run(study, arm=ARMS[0], replicate=0)


def test_where_every_run_diverged_nothing_is_chosen(study: Path) -> None:
    for run_id, _ in finished_runs(study, ARMS[0]):
        diverge(study, run_id)
    with pytest.raises(OutFolderError, match=r"Every finished run of arm 'categorical_crossentropy' in .* diverged"):
        find_run(study, arm=ARMS[0])
    assert find_run(study)[1] in {run_id for run_id, _ in finished_runs(study, ARMS[1])}


def test_a_study_without_finished_runs(study: Path) -> None:
    shutil.rmtree(study / "runs")
    (study / "runs").mkdir()
    with pytest.raises(OutFolderError, match=r"holds no finished run\. Expected one or more\. Run the study first"):
        find_run(study)


def test_strange_choices_are_refused(study: Path) -> None:
    run_id = next(finished_runs(study))[0]
    with pytest.raises(OutFolderError, match=r"replicate 'middle' was named\. Expected median, best, or a number"):
        find_run(study, replicate="middle")
    with pytest.raises(OutFolderError, match=r"is one run, and a replicate \(1\) was named too\. Name the out folder"):
        find_run(study / "runs" / run_id, replicate=1)
    with pytest.raises(OutFolderError, match=r"has no arm 'label_smoothin'\. .* Did you mean 'label_smoothing'\?"):
        find_run(study, arm="label_smoothin")
