"""The gallery of heat maps on the study's page: a few test images of each kind, each with its map beside it."""

from dataclasses import dataclass

from markupsafe import Markup

from lossassay.biomarkers.heatmaps.explanation import ExplainedImage
from lossassay.biomarkers.heatmaps.gallery_file import read_gallery
from lossassay.reporting import formatting
from lossassay.reporting.heatmap_pictures import as_uri, small_picture
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import arm, breakable
from lossassay.study.folder.results import StudyResults

_KINDS = ("right", "wrong", "undecided")


@dataclass(frozen=True, kw_only=True)
class SmallPicture:
    """One image with its map."""

    source: Markup  # data URI
    text: str  # for readers who do not see it
    width: int
    height: int
    caption: Markup


@dataclass(frozen=True, kw_only=True)
class HeatmapGallery:
    """What stands on the page.

    Args:
        text: What it is, and of which run.
        kinds: Heading, what the kind means, and its pictures.
    """

    text: Markup
    kinds: list[tuple[Markup, Markup, list[SmallPicture]]]


def heatmap_gallery(results: StudyResults, m: Messages) -> HeatmapGallery | None:
    """Return the gallery; None where it was not made, or its run is no longer one of the study's.

    Args:
        results: Of the study; heatmaps.npz lies in its folder.
        m: The sentences.
    """
    found = read_gallery(results.folder)
    if found is None or found.run["run"] not in set(results.tables["runs"]["run"]):
        return None
    method = found.methods[0]
    text = m(
        "heatmaps.text",
        arm=arm(found.run["arm"]),
        number=found.run["replicate"] + 1,
        method=method["title"],
        paper=method["paper"],
    )
    kinds = [
        (m(f"explain.kind.{kind}"), m(f"explain.kind_text.{kind}"), drawn)
        for kind in _KINDS
        if (drawn := [_drawn(one, method["method"], m) for one in found.images if one.kind == kind])
    ]
    return HeatmapGallery(text=text, kinds=kinds)


def _drawn(image: ExplainedImage, method: str, m: Messages) -> SmallPicture:
    fields = {
        "row": image.row,
        "class_name": breakable(image.of_class),
        "score": formatting.significant(image.score),
        "probability": formatting.probability(image.probability),
        "label": breakable(image.label or m.text("explain.no_finding")),
    }
    drawn = small_picture(image, method)
    return SmallPicture(
        source=as_uri(drawn),
        text=m.text("heatmaps.picture", **fields | {"class_name": image.of_class}),
        width=drawn.width // 2,
        height=drawn.height // 2,
        caption=m("heatmaps.caption", **fields),
    )
