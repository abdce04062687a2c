"""Our figures beside the paper's, and what the paper's gap is worth."""

from pathlib import Path
from typing import Any

import numpy as np

from lossassay import stats
from lossassay.study.folder.results import StudyResults, load_results
from lossassay.study.folder.whole_files import explained, write_json
from lossassay.study.presets import PAPER, PAPER_HARDWARE, PAPER_LOSSES, PAPER_SOFTWARE


def add_paper(folder: Path, which: str) -> dict[str, Any]:
    """Write the comparison with the paper into facts.json, and return it: title, columns, rows, notes."""
    results = load_results(folder)
    paper = {
        "title": PAPER[which]["title"],
        "columns": ["", "sparse, here", "categorical, here", "sparse, paper", "categorical, paper"],
        "rows": [*_measured(results, which), *_settings(results, which)],
        "notes": _notes(results, which),
    }
    with explained(folder):
        write_json(folder / "facts.json", results.facts | {"paper": paper})
    return paper


def _measured(results: StudyResults, which: str) -> list[list[str]]:
    def ours(column: str, form: str) -> list[str]:
        runs = results.tables["runs"]
        means = [runs.filter(runs["arm"] == loss)[column].mean() for loss in PAPER_LOSSES]
        return ["diverged" if mean is None else format(mean, form) for mean in means]

    def theirs(key: str, form: str) -> list[str]:
        return [format(PAPER[which][loss][key], form) for loss in PAPER_LOSSES]

    return [
        ["training time, s", *ours("train_seconds", ",.2f"), *theirs("train_seconds", ",.2f")],
        ["test accuracy", *ours("accuracy", ".2%"), *theirs("accuracy", ".2%")],
        ["test loss", *ours("own_loss", ".4f"), *theirs("test_loss", ".4f")],
    ]


def _settings(results: StudyResults, which: str) -> list[list[str]]:
    plan, paper = results.plan, PAPER[which]
    data, machine = plan["data"], plan["environment"]
    hardware = (
        f"{machine['gpu'] or machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB"
    )
    epochs = str(results.study.training.epochs)
    return [
        _both("images", f"{data['rows']:,}", f"{paper['images']:,}"),
        _both("classes", str(len(data["class_names"])), str(paper["classes"])),
        _both("image size, px", _size(data["image_shape"][0]), _size(paper["image_size"])),
        _both("epochs", epochs, "not given" if paper["epochs_note"] else str(paper["epochs"])),
        _both("runs per loss", str(results.study.evidence.most), "1"),
        _both("software", f"PyTorch {machine['torch'].split('+')[0]}, {plan['engine']['precision']}", PAPER_SOFTWARE),
        _both("hardware", hardware, PAPER_HARDWARE),
    ]


def _both(label: str, ours: str, theirs: str) -> list[str]:
    return [label, ours, ours, theirs, theirs]


def _size(side: int) -> str:
    return f"{side} x {side} x 1"


def _notes(results: StudyResults, which: str) -> list[str]:
    paper = PAPER[which]
    gap = abs(paper[PAPER_LOSSES[0]]["accuracy"] - paper[PAPER_LOSSES[1]]["accuracy"])
    runs = results.tables["runs"]
    accuracy = runs.filter(runs["arm"] == PAPER_LOSSES[0])["accuracy"].to_numpy()
    notes = [
        "The two losses are one function of two label encodings: with the same seeds every score is equal, "
        "so a gap between two runs comes from the runs, not from the losses."
    ]
    if gap == 0:
        notes.append("The paper's two accuracies are equal as printed, so there is no gap to weigh.")
    elif len(accuracy) < 2:
        notes.append(
            f"What the paper's gap of {100 * gap:.2f} points is worth needs the noise floor: "
            "give --replicates 2 or more (10 is a good start)."
        )
    else:
        floor = stats.noise_floor(np.asarray(accuracy))
        share = stats.share_of_pairs_at_least(np.asarray(accuracy), gap)
        notes.append(
            f"Noise floor here: two single runs of one and the same loss differ by {100 * floor.median:.2f} points in "
            f"the median and by up to {100 * floor.largest:.2f} ({floor.pairs} pairs of {floor.replicates} runs). "
            f"The paper's gap of {100 * gap:.2f} points is reached or passed by {100 * share:.0f} % of these pairs."
        )
    if paper["epochs_note"]:
        notes.append(paper["epochs_note"])
    classes = len(results.plan["data"]["class_names"])
    if classes != paper["classes"]:
        notes.append(f"The data here have {classes} classes, the paper's {paper['classes']}: times and scores shift.")
    return notes
