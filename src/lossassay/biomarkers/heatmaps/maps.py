"""Heat maps: how much each place of an image speaks for a class, by three methods of captum."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossassay import losses
from lossassay.biomarkers.heatmaps.map_layer import last_map_layer, named_map_layer
from lossassay.biomarkers.loaded_run import LoadedRun
from lossassay.engine.spec import Array
from lossassay.errors import DataError, unknown_name

_BATCH_CELLS = 2**20  # numbers of the input that one pass through the network takes at most


@dataclass(frozen=True, kw_only=True)
class HeatmapOptions:
    """How maps are made.

    Args:
        layer: Of Grad-CAM; None: see `map_layer.last_map_layer`.
        steps: Of integrated gradients, points between the training mean and the image.
        window_share: Side of the occluding window by the side of the image.
        stride_share: Step of the window by the side of the image; None: half a window, in volumes a whole one.
    """

    layer: str | None = None
    steps: int = 32
    window_share: float = 0.125
    stride_share: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise DataError(f"Integrated gradients with {self.steps} steps came. Expected 1 or more, such as 32.")
        for name, share in (("window", self.window_share), ("stride", self.stride_share)):
            if share is not None and not 0 < share <= 1:
                raise DataError(f"The {name} of the occlusion has the share {share}. Expected more than 0, at most 1.")
        if self.stride_share is not None and self.stride_share > self.window_share:
            raise DataError(
                f"The stride of the occlusion ({self.stride_share}) is larger than its window ({self.window_share}), "
                "and places between would never be covered. Choose a stride of at most the window."
            )


@dataclass(frozen=True, kw_only=True)
class MapMethod:
    """One kind of map.

    Args:
        title: For people.
        maps: From the network, images [B C ...], classes [B] and options to maps [B ...].
        paper: Where it was described.
        signed: Whether places can speak against the class.
    """

    title: str
    maps: Callable[["ClassScores", Tensor, Tensor, HeatmapOptions], Tensor]
    paper: str
    signed: bool


class ClassScores(nn.Module):
    """A run's network with one score per class behind it, whatever its loss trained; captum differentiates these.

    Args:
        run: The run.
        model: Its network, or a changed copy of it.
    """

    def __init__(self, run: LoadedRun, model: nn.Module | None = None) -> None:
        super().__init__()
        self.model = run.model if model is None else model
        self._run = run

    def forward(self, images: Tensor) -> Tensor:
        """Return one score for each class, [B K]: what softmax (multi-label: sigmoid) turns into probabilities."""
        run = self._run
        return losses.class_logits(
            self.model(images).float(),
            link=run.loss.spec.link,
            num_classes=len(run.class_names),
            task=run.task,
            hyper_parameters=run.loss.hyper_parameters,
        )


def heatmaps(
    run: LoadedRun,
    images: Array,
    classes: Array,
    *,
    method: str = "grad_cam",
    options: HeatmapOptions | None = None,
    model: nn.Module | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Array:
    """Return one map for each image: large where the image speaks for the class, below 0 where against it.

    Args:
        run: The run.
        images: [M H W C] or [M D H W C], as the study stores them.
        classes: Number of the class that each map is about, [M].
        method: A name of `METHODS`.
        options: How.
        model: In place of the run's own network, a changed copy of it.
        on_progress: Called with the images done.

    Returns:
        float32 [M H W] or [M D H W].

    Raises:
        UnknownNameError: If there is no such method.
        ModelError: If the layer does not exist or has no positions.
        DataError: If captum is not installed.
    """
    if method not in METHODS:
        raise unknown_name("kind of heat map", method, METHODS)
    require_captum()
    options = options or HeatmapOptions()
    network = ClassScores(run, model).eval()
    found = []
    for first in range(0, len(images), 8):
        own = slice(first, first + 8)
        targets = torch.as_tensor(np.asarray(classes[own], dtype=np.int64), device=run.device)
        pixels = run.normalised(np.asarray(images[own]))
        found.append(METHODS[method].maps(network, pixels, targets, options).detach().float().cpu().numpy())
        on_progress(first + len(targets))
    return np.concatenate(found) if found else np.zeros((0, *images.shape[1:-1]), dtype=np.float32)


@torch.inference_mode()
def class_scores(run: LoadedRun, images: Array) -> tuple[Array, Array]:
    """Return the score and the probability of every class, [M K] each."""
    network, found, raw = ClassScores(run).eval(), [], []
    for first in range(0, len(images), 64):
        pixels = run.normalised(np.asarray(images[first : first + 64]))
        found.append(network(pixels).cpu().numpy())
        raw.append(run.model(pixels).float().cpu().numpy())
    return np.concatenate(found), run.probabilities(np.concatenate(raw))


def require_captum() -> None:
    """Refuse to draw maps where captum is not installed.

    Raises:
        DataError: With the command that installs it.
    """
    try:
        import captum  # noqa: F401
    except ImportError:
        raise DataError(
            "Heat maps were asked for, and captum is not installed. Expected the extra 'explain'. "
            'Run: pip install "lossassay[explain]"'
        ) from None


def _grad_cam(network: ClassScores, images: Tensor, classes: Tensor, options: HeatmapOptions) -> Tensor:
    from captum.attr import LayerGradCam

    model = network.model
    layer = named_map_layer(model, options.layer, images) if options.layer else last_map_layer(model, images)
    coarse = LayerGradCam(network, layer).attribute(
        images.requires_grad_(), target=classes, relu_attributions=True
    )  # [B 1 h w]
    mode = "bilinear" if images.ndim == 4 else "trilinear"
    fine: Tensor = F.interpolate(coarse, size=images.shape[2:], mode=mode, align_corners=False)
    return fine[:, 0]


def _integrated_gradients(network: ClassScores, images: Tensor, classes: Tensor, options: HeatmapOptions) -> Tensor:
    from captum.attr import IntegratedGradients

    found: Tensor = IntegratedGradients(network).attribute(
        images.requires_grad_(),
        baselines=0.0,  # the mean of the training part
        target=classes,
        n_steps=options.steps,
        internal_batch_size=max(len(images), _BATCH_CELLS // images[0].numel()),
    )
    return found.sum(dim=1)


@torch.no_grad()
def _occlusion(network: ClassScores, images: Tensor, classes: Tensor, options: HeatmapOptions) -> Tensor:
    from captum.attr import Occlusion

    side, dimensions = images.shape[-1], images.ndim - 2
    share = options.stride_share or options.window_share / (2 if dimensions == 2 else 1)
    window, stride = (max(1, round(side * one)) for one in (options.window_share, share))
    found: Tensor = Occlusion(network).attribute(
        images,
        sliding_window_shapes=(images.shape[1], *(window,) * dimensions),
        strides=(images.shape[1], *(min(stride, window),) * dimensions),
        baselines=0.0,
        target=classes,
        perturbations_per_eval=max(1, min(64, _BATCH_CELLS // images.numel())),
    )
    return found.mean(dim=1)  # the same in every channel, which are covered together


METHODS: dict[str, MapMethod] = {
    "grad_cam": MapMethod(title="Grad-CAM", maps=_grad_cam, paper="Selvaraju 2017, arXiv:1610.02391", signed=False),
    "integrated_gradients": MapMethod(
        title="integrated gradients",
        maps=_integrated_gradients,
        paper="Sundararajan 2017, arXiv:1703.01365",
        signed=True,
    ),
    "occlusion": MapMethod(title="occlusion", maps=_occlusion, paper="Zeiler 2014, arXiv:1311.2901", signed=True),
}


def facts_of(method: str, options: HeatmapOptions) -> dict[str, Any]:
    """Return what a page says of how maps were made."""
    known: dict[str, dict[str, Any]] = {
        "grad_cam": {"layer": options.layer or "behind the last convolution"},
        "integrated_gradients": {"steps": options.steps, "baseline": "mean of the training part"},
        "occlusion": {
            "window_share": options.window_share,
            "stride_share": options.stride_share,
            "baseline": "mean of the training part",
        },
    }
    return {"method": method, "title": METHODS[method].title, "paper": METHODS[method].paper, **known[method]}
