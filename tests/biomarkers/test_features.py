"""Features are those of the network, whatever the size of the batches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lossassay.biomarkers.features.layers import layer_names, outputs
from lossassay.biomarkers.loaded_run import load_run
from lossassay.data.cache import open_cache
from lossassay.errors import ModelError


def test_features_go_into_the_head(finished_study: Path) -> None:
    run = load_run(finished_study)
    images = open_cache(run.study.data).images
    rows = np.array([5, 3, 1_000, 7])
    said = outputs(run, images, rows, batch_size=3)
    assert said.features.shape == (4, 8)
    with torch.no_grad():
        scores = run.model.head(torch.from_numpy(said.features)).numpy()  # type: ignore[operator,union-attr]
    np.testing.assert_allclose(scores, said.scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(said.probabilities.sum(axis=1), 1, atol=1e-5)
    alone = outputs(run, images, rows[2:3])
    np.testing.assert_allclose(alone.features[0], said.features[2], rtol=1e-4, atol=1e-5)


def test_maps_are_averaged_over_their_positions(finished_study: Path) -> None:
    run = load_run(finished_study)
    images = open_cache(run.study.data).images
    first = next(name for name in layer_names(run) if name.endswith("0.0"))
    said = outputs(run, images, np.arange(2), layer=first)
    with torch.no_grad():
        maps = run.model.get_submodule(first)(run.normalised(images[:2]))
    np.testing.assert_allclose(said.features, maps.mean(dim=(2, 3)).numpy(), rtol=1e-4, atol=1e-5)


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(finished_study: Path) -> None:
    run = load_run(finished_study)
    with pytest.raises(ModelError, match=r"has no layer 'feature'\. Its layers: .*Did you mean 'features'\?"):
        outputs(run, open_cache(run.study.data).images, np.arange(2), layer="feature")
