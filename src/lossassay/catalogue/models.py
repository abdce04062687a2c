"""Every model by name: what it is, what can be set, where its code lives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lossassay.catalogue.parameters import Parameter


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What is true of a model, as data.

    Args:
        function: ``module:function`` that builds it.
        title: One line for people.
        source: Paper, with what the paper leaves open.
        options: What ``[training.model_options]`` may set.
    """

    function: str
    title: str
    source: str
    options: Mapping[str, Parameter] = field(default_factory=dict)


MODELS: dict[str, ModelSpec] = {
    "paper_cnn": ModelSpec(
        function="lossassay.models.paper_cnn:paper_cnn",
        title="Five blocks of convolution, ReLU, batch normalisation and max pooling; two dense layers with dropout",
        source="Seo and Cho; the paper does not give widths, dense sizes or the dropout rate: the defaults are ours",
        options={
            "widths": Parameter(
                default=(32, 64, 128, 256, 256), kind="integers", low=1, meaning="channels of the five blocks"
            ),
            "dense": Parameter(default=(256, 128), kind="integers", low=1, meaning="units of the two dense layers"),
            "dropout": Parameter(default=0.5, low=0.0, high=0.95, meaning="share of dense units dropped in training"),
        },
    ),
    "resnet18": ModelSpec(
        function="lossassay.models.resnet:resnet18",
        title="ResNet-18 with a 3x3 stem for inputs below 96 px and the 7x7 stem from there on",
        source="He et al. 2016, CVPR, arXiv:1512.03385, table 1",
        options={
            "width": Parameter(default=64, kind="integer", low=1, meaning="channels of the first stage"),
        },
    ),
}
