"""The gallery of heat maps of a study, kept in its out folder: small pictures and numbers, without torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lossassay.biomarkers.heatmaps.explanation import ExplainedImage, Explanation
from lossassay.stats.intervals import Array
from lossassay.study.folder.whole_files import explained

FILE = "heatmaps.npz"
_SIDE_PX = 128  # of what is kept


def write_gallery(folder: Path, explanation: Explanation) -> None:
    """Write heatmaps.npz: images and maps of at most 128 px a side; of a volume the slice with the strongest place.

    Args:
        folder: The out folder.
        explanation: One run and one kind of map; test images of the study alone.

    Raises:
        OutFolderError: If it cannot be written.
    """
    method = explanation.methods[0]["method"]
    flat = [_flat(image.pixels, image.maps[method]) for image in explanation.images]
    facts = {
        "run": dict(explanation.run),
        "class_names": explanation.class_names,
        "method": dict(explanation.methods[0]),
        "images": [_facts(image) for image in explanation.images],
    }
    with explained(folder):
        np.savez_compressed(
            folder / FILE,
            pixels=np.stack([pixels for pixels, _ in flat]),
            maps=np.stack([heatmap for _, heatmap in flat]),
            facts=np.array(json.dumps(facts, ensure_ascii=False), dtype=np.str_),
        )


def read_gallery(folder: Path) -> Explanation | None:
    """Read heatmaps.npz; None where there is none.

    Args:
        folder: The out folder.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        pixels, maps, facts = stored["pixels"], stored["maps"], json.loads(str(stored["facts"]))
    method = facts["method"]["method"]
    images = [
        ExplainedImage(**own, pixels=pixels[place], maps={method: maps[place]})
        for place, own in enumerate(facts["images"])
    ]
    return Explanation(
        run=facts["run"], class_names=tuple(facts["class_names"]), images=tuple(images), methods=(facts["method"],)
    )


def _facts(image: ExplainedImage) -> Mapping[str, Any]:
    names = ("row", "number", "kind", "label", "of_class", "score", "probability")
    return {name: getattr(image, name) for name in names}


def _flat(pixels: Array, heatmap: Array) -> tuple[Array, Array]:
    """Return [H W C] uint8 and [H W] float32 of a size that a page can hold."""
    if heatmap.ndim == 3:
        depth = strongest_place(heatmap)[0]
        pixels, heatmap = pixels[depth], heatmap[depth]
    if max(heatmap.shape) <= _SIDE_PX:
        return pixels, heatmap
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
    small = np.asarray(image.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX))
    coarse = Image.fromarray(heatmap).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    return small.reshape(_SIDE_PX, _SIDE_PX, -1), np.asarray(coarse)


def strongest_place(heatmap: Array) -> tuple[int, ...]:
    """Return where a map is largest; the middle where it is nowhere above 0.

    Args:
        heatmap: [H W] or [D H W].
    """
    if heatmap.max() <= 0:
        return tuple(side // 2 for side in heatmap.shape)
    return tuple(int(place) for place in np.unravel_index(heatmap.argmax(), heatmap.shape))
