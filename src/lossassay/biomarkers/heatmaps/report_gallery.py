"""Makes the gallery of heat maps that stands in a study's report: Grad-CAM of the best arm's first replicate."""

from pathlib import Path

from lossassay.biomarkers.heatmaps.explain import explain_run
from lossassay.biomarkers.heatmaps.gallery_file import write_gallery
from lossassay.biomarkers.heatmaps.measures import ExplainOptions, OnProgress
from lossassay.biomarkers.loaded_run import finished_runs, load_run
from lossassay.catalogue.yardsticks import YARDSTICKS
from lossassay.errors import OutFolderError
from lossassay.study.folder.results import load_results

_IMAGES_PER_KIND = 3


def make_report_gallery(
    folder: Path, *, device: str = "cpu", on_progress: OnProgress = lambda what, done, total: None
) -> None:
    """Write heatmaps.npz in an out folder; the report shows it when it is drawn next.

    The run is the first replicate that did not diverge of the arm with the best mean on the test part. It is not chosen
    by its own result, so that what the page shows is what the arm usually does.

    Args:
        folder: The out folder of an analysed study.
        device: Where the network computes.
        on_progress: As for `explain_run`.

    Raises:
        OutFolderError: If the study is not analysed, has no run that did not diverge, or its images were changed.
        ModelError: If the network has no layer for Grad-CAM.
        DataError: If captum is not installed.
    """
    run = load_run(folder / "runs" / _run_to_show(folder), device=device)
    options = ExplainOptions(images_per_kind=_IMAGES_PER_KIND)
    write_gallery(folder, explain_run(run, options=options, on_progress=on_progress))


def _run_to_show(folder: Path) -> str:
    results = load_results(folder)
    metric = results.plan["metric"]
    sign = 1.0 if YARDSTICKS[metric].best == "high" else -1.0
    means = results.tables["arms"].filter(metric=metric).drop_nulls("estimate")  # null: no run of the arm is there
    ranked = sorted(means.iter_rows(named=True), key=lambda row: -sign * row["estimate"])
    for arm in [row["arm"] for row in ranked]:
        whole = [
            (facts["replicate"], run_id)
            for run_id, facts in finished_runs(folder, arm)
            if facts["status"] != "diverged"
        ]
        if whole:
            return min(whole)[1]
    raise OutFolderError(f"Every run in {folder} diverged, so there is none to draw heat maps of. Change the training.")
