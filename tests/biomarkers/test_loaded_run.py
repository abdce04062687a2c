"""A run that is loaded says what it said when it was trained."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lossassay.biomarkers.loaded_run import finished_runs, load_run
from lossassay.data.cache import open_cache
from lossassay.errors import OutFolderError
from lossassay.study.folder.store import Store


def test_a_loaded_run_gives_the_stored_scores_and_probabilities(finished_study: Path) -> None:
    for run_id, _ in finished_runs(finished_study):
        run = load_run(finished_study / "runs" / run_id)
        stored = Store(finished_study).predictions(run_id, "test")
        images = open_cache(run.study.data).images[stored["row"].to_numpy()]
        with torch.no_grad():
            scores = run.model(run.normalised(images)).numpy()
        np.testing.assert_allclose(scores, stored["scores"].to_numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            run.probabilities(stored["scores"].to_numpy()), stored["probabilities"].to_numpy(), atol=1e-6
        )
        assert (run.parts()[stored["row"].to_numpy()] == 2).all()


def test_an_out_folder_stands_for_its_best_run_on_the_validation_part(finished_study: Path) -> None:
    best = load_run(finished_study)
    of_arm = load_run(finished_study, arm="label_smoothing")
    assert of_arm.arm == "label_smoothing"
    reached = {
        run_id: max(Store(finished_study).history(run_id)["validation_yardstick"])
        for run_id, _ in finished_runs(finished_study)
    }
    assert reached[best.id] == max(reached.values())
    assert best.class_names == tuple("0123456789")


def test_what_is_no_usable_run_is_refused(finished_study: Path, tmp_path: Path) -> None:
    with pytest.raises(OutFolderError, match=r"is no run and no out folder .* Expected OUT/runs/ID"):
        load_run(tmp_path)
    with pytest.raises(OutFolderError, match=r"has no arm 'label_smoothin'\. .* Did you mean 'label_smoothing'\?"):
        load_run(finished_study, arm="label_smoothin")
    copy = tmp_path / "copy"
    shutil.copytree(finished_study, copy)
    run_id = next(iter(finished_runs(copy)))[0]
    (copy / "runs" / run_id / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(OutFolderError, match=r"cannot be read as the weights of this run"):
        load_run(copy / "runs" / run_id)
    facts = json.loads((copy / "runs" / run_id / "run.json").read_text())
    (copy / "runs" / run_id / "run.json").write_text(json.dumps(facts | {"status": "diverged"}))
    with pytest.raises(OutFolderError, match=r"diverged: its weights are not finite"):
        load_run(copy / "runs" / run_id)
