# SPDX-License-Identifier: Apache-2.0
"""A failing step is run again on a copy, and nothing shows that it was."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_gradguard.replay import Replay, random_state_of


class Net(pl.LightningModule):
    """A step that draws random numbers, counts in a buffer, and logs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.norm = nn.BatchNorm1d(3)
        self.count: Tensor
        self.register_buffer("count", torch.zeros(()))
        self.kept: Any = None
        self.seen: list[float] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """Compute a loss with dropout."""
        self.count += 1
        hidden = nn.functional.dropout(self.norm(batch), 0.5)
        loss: Tensor = self.layer(hidden).mean()
        self.log("loss", loss)
        self.seen.append(loss.item())
        return loss


def state() -> tuple[Any, ...]:
    """Return the random states of torch, numpy and Python."""
    numpy: Any = np.random.get_state()  # noqa: NPY002 - the state that users share
    return torch.get_rng_state().tolist(), random.getstate(), numpy[1].tolist(), numpy[2]


@pytest.fixture
def model() -> Net:
    """Return a module whose `log` works without a Trainer."""
    net = Net()
    net.log = lambda *_args, **_kwargs: None  # type: ignore[method-assign]
    return net


class TestReplay:
    """`Replay`."""

    def test_gives_the_same_loss(self, model: Net) -> None:
        """Random numbers are drawn as the first time."""
        batch = torch.ones(4, 3).cumsum(0)
        replay = Replay(model, (batch, 0)).mark()
        first = model.training_step(batch, 0)
        model.norm.reset_running_stats()
        again = replay.run(replay.copy())
        assert again is not None
        assert torch.equal(first, again)

    def test_knows_whether_numbers_were_drawn(self, model: Net) -> None:
        """From the mark on; without one it does not say so."""
        replay = Replay(model, (torch.ones(4, 3), 0))
        torch.rand(1)
        assert not replay.has_drawn()
        assert not replay.mark().has_drawn()
        torch.rand(1)
        assert replay.has_drawn()

    def test_leaves_devices_alone_that_are_not_the_models(
        self, model: Net, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Torch would set up every GPU of the machine, or warn of it, unless told which to take."""
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        replay = Replay(model, (torch.ones(4, 3), 0)).mark()
        assert replay.run(replay.copy()) is not None

    def test_runs_without_a_mark(self, model: Net) -> None:
        """With the random state of the moment, which stays as it is."""
        replay = Replay(model, (torch.ones(4, 3), 0))
        before = state()
        assert replay.run(replay.copy()) is not None
        assert state() == before

    def test_leaves_no_trace(self, model: Net) -> None:
        """Weights, buffers, gradients, random states and lists of the module are as before."""
        replay = Replay(model, (torch.ones(4, 3), 0)).mark()
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        before = state()
        loss = replay.run(replay.copy())
        assert loss is not None
        loss.backward()
        assert state() == before
        assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
        assert all(param.grad is None for param in model.parameters())
        assert model.seen == []

    def test_restores_random_states_after_an_error(self, model: Net) -> None:
        """A step that raises again draws nothing either."""
        replay = Replay(model, (torch.ones(4, 7), 0)).mark()
        before = state()
        with pytest.raises(RuntimeError):
            replay.run(replay.copy())
        assert state() == before

    def test_copy_shares_no_parameter(self, model: Net) -> None:
        """The twin can be trained to pieces."""
        twin = Replay(model, (torch.ones(4, 3), 0)).copy()
        mine = {id(param) for param in model.parameters()}
        assert not mine & {id(param) for param in twin.parameters()}

    def test_copy_logs_nothing(self, model: Net) -> None:
        """What the second run logs goes nowhere."""
        logged: list[str] = []
        model.log = lambda name, *_args, **_kwargs: logged.append(name)  # type: ignore[method-assign]
        replay = Replay(model, (torch.ones(4, 3), 0)).mark()
        replay.run(replay.copy())
        assert logged == []

    def test_copies_a_module_that_keeps_a_graph(self, model: Net) -> None:
        """A hidden state with a history cannot be copied as it is, and is detached."""
        model.kept = model.layer(torch.ones(1, 3))
        twin: Any = Replay(model, (torch.ones(4, 3), 0)).copy()
        assert torch.equal(twin.kept, model.kept)
        assert twin.kept.grad_fn is None
        assert model.kept.grad_fn is not None

    def test_runs_in_its_context(self, model: Net) -> None:
        """Mixed precision surrounds the second run as it did the first."""
        entered: list[str] = []

        @contextmanager
        def around() -> Iterator[None]:
            entered.append("in")
            yield
            entered.append("out")

        replay = Replay(model, (torch.ones(4, 3), 0), around).mark()
        replay.run(replay.copy())
        assert entered == ["in", "out"]

    @pytest.mark.parametrize("form", ["tensor", "dict", "none"])
    def test_understands_what_steps_return(self, form: str) -> None:
        """A loss, a dict with a loss, or no loss; with or without a batch index."""

        class Plain(nn.Module):
            def training_step(self, batch: Tensor) -> Any:
                total = batch.sum()
                return {"tensor": total, "dict": {"loss": total}, "none": None}[form]

        replay = Replay(Plain(), (torch.ones(3), 0)).mark()
        loss = replay.run(replay.copy())
        assert (loss is None) == (form == "none")
        assert loss is None or loss.item() == 3.0


def test_random_state_is_borrowed() -> None:
    """Inside, torch draws from the given state; outside, everybody goes on where they were."""
    torch.manual_seed(1)
    wanted = torch.get_rng_state()
    expected = torch.rand(2)
    torch.manual_seed(2)
    before = state()
    with random_state_of(wanted):
        assert torch.equal(torch.rand(2), expected)
        random.random()  # noqa: S311 - not for security
        np.random.rand()  # noqa: NPY002 - the state that users share
    assert state() == before
