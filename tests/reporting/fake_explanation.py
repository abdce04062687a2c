"""An explanation whose page needs every sentence."""

import dataclasses

import numpy as np
from PIL import Image

from lossassay.biomarkers.heatmaps.explanation import ExplainedImage, Explanation, Measure
from lossassay.biomarkers.heatmaps.gallery_file import write_gallery
from lossassay.biomarkers.heatmaps.map_statistics import MapStatistic
from lossassay.study.folder.results import StudyResults

METHODS = (
    {"method": "grad_cam", "title": "Grad-CAM", "paper": "Selvaraju 2017", "layer": "features.1"},
    {"method": "integrated_gradients", "title": "integrated gradients", "paper": "Sundararajan 2017", "steps": 32},
    {"method": "occlusion", "title": "occlusion", "paper": "Zeiler 2014", "stride_share": None, "window_share": 0.125},
)
NUMBERS = {
    "insertion": ("area", "random", "moved", "gain_over_random", "gain_over_moved"),
    "deletion": ("area",),
    "regions": ("pointing", "energy", "region_share", "pointing_gain", "energy_gain"),
    "agreement": ("likeness",),
    "randomised": ("likeness", "likeness_absolute"),
}


def explained(number: int, kind: str, *, row: int | None, label: str | None, sides: int = 2) -> ExplainedImage:
    shape = (16,) * sides
    values = np.zeros(shape, dtype=np.float32)
    values[(slice(6, 12),) * sides] = 2.0
    region = np.zeros(shape, dtype=bool)
    region[:4, :4] = True
    return ExplainedImage(
        row=row,
        number=number,
        kind=kind,
        label=label,
        of_class="<b>ill</b>",
        score=1.25,
        probability=0.875,
        pixels=np.full((*shape, 1), 90, dtype=np.uint8),
        maps={method["method"]: values for method in METHODS},
        region=region if sides == 2 else None,
    )


def fake_explanation(*, measured: bool = True) -> Explanation:
    value = MapStatistic(
        estimate=0.5, low=0.25, high=0.75, n=12, patients=11, method="percentile bootstrap of patients"
    )
    unknown = MapStatistic(estimate=-0.5, low=np.nan, high=np.nan, n=1, patients=1, method="none")
    measures = [
        Measure(
            method="grad_cam",
            what=what,
            name=name,
            layer="features.1" if what == "randomised" else None,
            value=unknown if what == "agreement" else value,
        )
        for what, names in NUMBERS.items()
        for name in names
    ]
    return Explanation(
        run={"study": "chest", "run": "0a1b", "arm": "focal", "replicate": 0, "model": "paper_cnn"},
        class_names=("<b>ill</b>", "well"),
        images=(
            explained(1, "right", row=17, label="<b>ill</b>"),
            explained(2, "wrong", row=18, label="well"),
            explained(3, "undecided", row=19, label=""),
            explained(4, "row", row=20, label="well"),
            explained(5, "given", row=None, label=None, sides=3),
        ),
        methods=METHODS,
        measures=tuple(measures) if measured else (),
        measured_images=12 if measured else 0,
        notes=("2 marked images were left out.",),
    )


def fake_heatmaps(explanation: Explanation) -> dict[tuple[int, str], Image.Image]:
    picture = Image.new("RGB", (20, 10))
    return {(one.number, method["method"]): picture for one in explanation.images for method in explanation.methods}


def with_heatmaps(results: StudyResults) -> StudyResults:
    """Write a gallery of heat maps into the folder of results, about their first run."""
    found, run = fake_explanation(measured=False), results.tables["runs"].row(0, named=True)
    own = {"run": run["run"], "arm": run["arm"], "replicate": run["replicate"]}
    write_gallery(results.folder, dataclasses.replace(found, run=dict(found.run) | own, images=found.images[:3]))
    return results
