"""Compiled features against plain ones: the same training up to rounding, the same names, the same bits again."""

from dataclasses import replace

import numpy as np
import pytest

from lossassay.engine.one import train
from lossassay.engine.spec import Checkpoint
from tests.engine.helpers import make_data, make_spec, with_engine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # torch's compiler uses what Python will drop
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def test_compiled_features_train_as_plain_ones_do() -> None:
    data, spec = make_data(), make_spec("center_loss", epochs=2)
    spec = replace(spec, hyper_parameters={"centre_weight": 0.01})
    saved: list[Checkpoint] = []

    def keep(checkpoint: Checkpoint) -> None:
        saved.append(replace(checkpoint, tensors={k: v.clone() for k, v in checkpoint.tensors.items()}))

    plain = train(spec, data)
    compiled = train(with_engine(spec, kernels="compiled"), data, save=keep)
    assert set(compiled.weights) == set(plain.weights)
    np.testing.assert_allclose(compiled.test.probabilities, plain.test.probabilities, atol=0.02)
    resumed = train(with_engine(spec, kernels="compiled"), data, resume=saved[0])
    assert np.array_equal(resumed.test.scores, compiled.test.scores)
