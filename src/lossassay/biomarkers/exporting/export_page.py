"""The README of an export, and the example that loads its weights."""

from collections.abc import Sequence

from lossassay.biomarkers.exporting.parity import Parity
from lossassay.biomarkers.exporting.plain_code import axes_in_words
from lossassay.biomarkers.loaded_run import LoadedRun

LOAD_EXAMPLE = """import torch
from safetensors.torch import load_file

from model import CLASS_NAMES, Network

network = Network().eval()
network.load_state_dict(load_file("weights.safetensors"))
with torch.inference_mode():
    features, scores, probabilities = network(torch.zeros(1, {shape}))  # your pixels in place of zeros
print(dict(zip(CLASS_NAMES, probabilities[0].tolist())))
"""

_USES = {
    "onnx": """## model.onnx: with onnxruntime

```python
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
check = np.load("check.npz")
features, scores, probabilities = session.run(None, {{"pixels": check["pixels"]}})
print(abs(probabilities - check["probabilities"]).max())  # about 1e-7
```
""",
    "torch": """## model.pt2: with torch alone

```python
import numpy as np, torch

network = torch.export.load("model.pt2").module()
check = np.load("check.npz")
features, scores, probabilities = network(torch.from_numpy(check["pixels"]))
```

A program of `torch.export` is read by the torch version that wrote it ({torch}) or a newer one.
""",
    "safetensors": """## weights.safetensors and model.py: with torch and safetensors

`model.py` is the network in plain torch layers, to read, to change or to train further. In this folder:

```
python load_example.py
```
""",
}


def export_page(run: LoadedRun, parity: Sequence[Parity], left_out: Sequence[str]) -> str:
    """Return the README of an export.

    Args:
        run: The run.
        parity: Of each written format.
        left_out: Why a format is missing.
    """
    import torch

    rows = [
        f"| {one.format} | {one.features:.1e} | {one.scores:.1e} | {one.probabilities:.1e} | {one.images} |"
        for one in parity
    ]
    uses = [_USES[one.format].format(torch=torch.__version__.split("+")[0]) for one in parity]
    missing = [f"Left out: {reason}\n" for reason in left_out]
    return "\n".join([_head(run).rstrip() + "\n", *uses, *missing, _TABLE_HEAD, *rows, ""])


_TABLE_HEAD = """## Checked against the run

Largest absolute differences on images of the test part, in single precision:

| format | features | scores | probabilities | images |
| - | - | - | - | - |"""


def _head(run: LoadedRun) -> str:
    calibrated = "" if run.calibration is None else f", with calibration ({run.calibration.method})"
    exams = (
        "The study scored an exam by the mean of the scores of its images: average `scores` before you compare.\n\n"
        if run.plan["data"].get("exams") is not None
        else ""
    )
    return f"""# {run.study.name}: arm {run.arm!r}, replicate {run.replicate}

Run {run.id} of a study made with lossassay. For research; not a medical device.

Every file here takes the same input and gives the same outputs:

- `pixels`, float32 {axes_in_words(run)}: grey levels as stored, 0 to {run.largest_value}. Normalisation is inside.
- `features` [batch, F]: the layer before the head.
- `scores` [batch, S]: raw scores of the head.
- `probabilities` [batch, {len(run.class_names)}]: of {", ".join(run.class_names)}. The link{calibrated} is inside.

`preprocessing.json` says how an image file becomes such pixels; `prepare.py`, where it is here, does it for files of
8 bits. `check.npz` has two made-up images and what the run says of them: what you run should give the same.

{exams}"""
