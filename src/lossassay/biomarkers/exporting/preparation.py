"""What someone else must know to make the pixels that an exported network takes: as data, and as a small program."""

import inspect
from importlib.metadata import version
from typing import Any

from lossassay.biomarkers.exporting.portable import INPUT, OUTPUTS, calibration_of
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.data import decode
from lossassay.data.decode import DecodeOptions

_RESIZE = {
    "pad": "scaled so that the longer side fits, then padded to a square on both sides with the grey value `padding`",
    "crop": "scaled so that the shorter side fits, then cut to a square around the middle",
    "stretch": "scaled to a square without keeping the aspect",
}
_SCALING = (
    "pixels are first averaged over whole blocks as far as both sides divide, then weighed bilinearly "
    "(Pillow: reduce, then resize with BILINEAR and reducing_gap 1.0)"
)

_TEMPLATE = '''"""Image files to the pixels that the network takes; needs Pillow and numpy.

    pixels = prepare("image.png")  # float32 [1, {size}, {size}, {channels}]
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from PIL import Image, ImageOps

OPTIONS = SimpleNamespace(
    image_size={size}, channels={channels}, resize={resize!r}, padding={padding}, background={background}
)


def prepare(path: str) -> np.ndarray:
    """Return the pixels of one image file of 8 bits, float32 [1 H W C], values 0 to 255."""
    with Image.open(path) as image:
        if image.mode == "F" or image.mode.startswith("I"):
            raise ValueError(f"{{path}} has more than 8 bits; the network was trained on images of 8 bits.")
        if image.format == "JPEG":
            image.draft("L" if OPTIONS.channels == 1 else None, _fitted_size(image.size, OPTIONS))
        image.load()
        upright = ImageOps.exif_transpose(image)
        square = _fit(_flatten(upright, OPTIONS), OPTIONS, OPTIONS.padding)
    side = OPTIONS.image_size
    return np.asarray(square, dtype=np.float32).reshape(1, side, side, OPTIONS.channels)


{parts}
'''


def preparation_facts(run: LoadedRun, options: DecodeOptions, kind: str) -> dict[str, Any]:
    """Return the content of preprocessing.json.

    Args:
        run: The run.
        options: How its images were read.
        kind: Of its data: ``"files"``, ``"dicom"``, ``"nifti"``, ``"npz"``, ``"digits"``.
    """
    slope, intercept = calibration_of(run)
    flat = options.dimensions == 2
    return {
        "made_by": f"lossassay {version('lossassay')}",
        "run": {"id": run.id, "arm": run.arm, "replicate": run.replicate, "study": run.study.name},
        "task": run.task,
        "class_names": list(run.class_names),
        "input": {
            "name": INPUT,
            "type": "float32",
            "shape": ["batch", *run.image_shape],
            "axes": ["batch", *(() if flat else ("depth",)), "height", "width", "channels"],
            "values": f"grey levels as stored, 0 to {run.largest_value}; normalisation is inside the network",
            "trained_on": run.plan["data"]["pixel_type"],
        },
        "outputs": {
            OUTPUTS[0]: "one number for each unit of the layer before the head",
            OUTPUTS[1]: f"raw scores of the head ({run.loss.spec.head})",
            OUTPUTS[2]: "one for each class, in the order of class_names; "
            + ("each from 0 to 1" if run.task == "multi_label" else "they sum to one"),
        },
        "image": {
            "kind": kind,
            "size_px": options.image_size,
            "dimensions": options.dimensions,
            "channels": options.channels,
            "colour": "grey, ITU-R 601 of RGB" if options.channels == 1 else "RGB; grey images are repeated",
            "sixteen_bits": "8-bit values are multiplied by 257" if run.largest_value > 255 else None,
            "orientation": "as the EXIF tag says",
            "resize": options.resize,
            "resize_rule": f"{_RESIZE[options.resize]}; {_SCALING}",
            "padding": options.padding,
            "background": options.background,
            "spacing_mm": options.spacing_mm,
            "preprocess": list(options.preprocess),
            **options.reading,
        },
        "normalisation": {
            "inside_the_network": True,
            "rule": "(pixels - mean) / sd, for each channel",
            "mean": list(run.facts["pixel_mean"]),
            "sd": list(run.facts["pixel_sd"]),
        },
        "link": {"inside_the_network": True, "name": run.loss.spec.link},
        "calibration": {
            "inside_the_network": True,
            "method": None if run.calibration is None else run.calibration.method,
            "rule": "logits become slope * logit + intercept",
            "slope": list(slope),
            "intercept": list(intercept),
        },
        "exams": "the study scored an exam by the mean of the scores of its images"
        if run.plan["data"].get("exams") is not None
        else None,
    }


def preparation_code(run: LoadedRun, options: DecodeOptions, kind: str) -> str | None:
    """Return the code of prepare.py, or None where plain files of 8 bits are not what the run was trained on.

    The arguments are those of `preparation_facts`.
    """
    plain = kind == "files" and not options.preprocess and options.spacing_mm is None and not options.reading
    if not plain or options.dimensions != 2 or run.largest_value > 255:
        return None
    functions = (decode._fitted_size, decode._flatten, decode._fit, decode._resize)
    return _TEMPLATE.format(
        size=options.image_size,
        channels=options.channels,
        resize=options.resize,
        padding=options.padding,
        background=options.background,
        parts="\n\n\n".join(inspect.getsource(function).strip() for function in functions),
    )
