"""Contact sheets: a few images of each class, and the worst errors, as small pictures inside the page."""

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from markupsafe import Markup
from PIL import Image

from lossassay.reporting import formatting
from lossassay.reporting.messages import Messages
from lossassay.reporting.words import breakable
from lossassay.study.folder.results import Gallery, StudyResults

_QUALITY = 80  # WebP; a 64 px image takes about 1 kB
_LARGEST_SHEET = 160  # images of all classes together, so that the page stays small


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One image with its row id."""

    source: Markup  # data URI
    text: str  # for readers who do not see it
    row: int
    caption: Markup


def class_sheets(results: StudyResults, m: Messages) -> list[tuple[Markup, list[Picture]]]:
    """Return some images of each class."""
    sheets: dict[str, list[Picture]] = {}
    if results.gallery is None:
        return []
    chosen = [index for index, kind in enumerate(results.gallery.kinds) if kind == "class"]
    number = len({results.gallery.labels[index] for index in chosen})
    for index in chosen:
        label = results.gallery.labels[index]
        row = int(results.gallery.rows[index])
        sheet = sheets.setdefault(label, [])
        if len(sheet) < max(1, _LARGEST_SHEET // number):
            text = m.text("gallery.image", row=row, label=label)
            caption = m("gallery.row", row=row)
            sheet.append(Picture(source=_data_uri(results.gallery, index), text=text, row=row, caption=caption))
    return [(breakable(label), sheet) for label, sheet in sheets.items()]


def worst_errors(results: StudyResults, m: Messages) -> list[Picture]:
    """Return the most surely wrong test predictions, each row once."""
    if results.gallery is None:
        return []
    errors: dict[int, dict[str, Any]] = {}
    for error in results.tables["worst_errors"].iter_rows(named=True):
        known = errors.setdefault(error["row"], error)
        if error["probability_of_truth"] < known["probability_of_truth"]:
            errors[error["row"]] = error
    pictures = []
    for index, kind in enumerate(results.gallery.kinds):
        row = int(results.gallery.rows[index])
        if kind == "error" and row in errors:
            error = errors[row]
            fields = {
                "row": row,
                "true": error["label"],
                "predicted": error["predicted"],
                "probability": formatting.probability(error["probability_of_truth"]),
            }
            text, caption = m.text("gallery.error_text", **fields), m("gallery.error", **fields)
            pictures.append(Picture(source=_data_uri(results.gallery, index), text=text, row=row, caption=caption))
    return pictures


def _data_uri(gallery: Gallery, index: int) -> Markup:
    return data_uri(gallery.images[index])


def data_uri(pixels: Any) -> Markup:
    """Return a small image, [H W] or [H W 3] uint8, as an address that holds it."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, format="WEBP", quality=_QUALITY, method=4)
    return Markup("data:image/webp;base64,{}").format(base64.b64encode(stream.getvalue()).decode("ascii"))
