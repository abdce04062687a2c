"""Schedules and optimisers."""

import pytest
import torch
from torch import nn

from lossassay.config import TrainingConfig
from lossassay.engine.optim import flatten_state, learning_rate_at, make_optimizer, restore_state


def rates(schedule: str) -> list[float]:
    training = TrainingConfig(schedule=schedule, learning_rate=0.5)  # type: ignore[arg-type]
    return [learning_rate_at(step, 100, training) for step in range(100)]


def test_constant() -> None:
    assert set(rates("constant")) == {0.5}


def test_cosine_falls_from_the_rate_to_nearly_nothing() -> None:
    values = rates("cosine")
    assert values[0] == 0.5
    assert values[50] == pytest.approx(0.25)
    assert values[99] < 0.001
    assert values == sorted(values, reverse=True)


def test_one_cycle_rises_for_three_tenths_and_then_falls() -> None:
    values = rates("one_cycle")
    assert values[0] == pytest.approx(0.02)
    assert values[30] == max(values) == pytest.approx(0.5)
    assert values[:31] == sorted(values[:31])
    assert values[30:] == sorted(values[30:], reverse=True)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_state_survives_a_round_trip(name: str) -> None:
    """Steps after restoring give the bits of steps without."""
    training = TrainingConfig(optimizer=name, weight_decay=0.01)  # type: ignore[arg-type]

    def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            model(torch.ones(2, 3, 8, 8)).square().mean().backward()
            optimizer.step()

    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        generator = torch.Generator().manual_seed(0)
        model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        return model, make_optimizer(model, training, "cpu")

    straight, optimizer = fresh()
    steps(straight, optimizer, 4)
    first, optimizer = fresh()
    steps(first, optimizer, 2)
    second, again = fresh()
    second.load_state_dict(first.state_dict())
    restore_state(again, {key: value.contiguous().clone() for key, value in flatten_state(optimizer).items()})
    steps(second, again, 2)
    for expected, found in zip(straight.parameters(), second.parameters(), strict=True):
        assert torch.equal(expected, found)
