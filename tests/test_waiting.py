# SPDX-License-Identifier: Apache-2.0
"""A guarded step never waits for a device: what would wait is refused, on a CPU and on a GPU.

Whatever hands numbers to Python waits for a CUDA device. On a machine without one the guard takes
the way of such a device with numbers that come late, and every call that would have waited fails.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuard
from lightning_gradguard.steady import Arrival, LateShelf, Track

STEPS = 120
SETTLED = 15  # steps of the first looks, which may wait
READS = ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "__index__",
         "__array__", "nonzero", "equal", "allclose", "is_nonzero", "unique")  # fmt: skip
CALLS = ("equal", "allclose", "nonzero", "is_nonzero", "unique", "masked_select")
gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Model(pl.LightningModule):
    """Many small layers, so that samples are gathered; one of them is cut off if asked to be."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(20))
        self.lost = nn.Linear(8, 8)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return a loss that is never zero."""
        (x,) = batch
        for layer in self.layers:
            x = x + 0.1 * layer(x)
        branch = self.lost(x)
        loss = F.mse_loss(x + (branch.detach() if self.broken else branch), torch.ones_like(x))
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Take one whose step reads nothing."""
        return torch.optim.SGD(self.parameters(), 0.01)


def train(*callbacks: pl.Callback, model: Model | None = None, **options: Any) -> Model:
    """Train on the CPU unless told otherwise; return the model."""
    pl.seed_everything(3, verbose=False)
    model = model or Model()
    data = DataLoader(TensorDataset(torch.randn(4 * STEPS, 8)), 4)
    defaults: dict[str, Any] = {
        "accelerator": "cpu", "devices": 1, "max_epochs": 1, "log_every_n_steps": 1000,
        "enable_checkpointing": False, "enable_progress_bar": False, "logger": False,
        "enable_model_summary": False,
    }  # fmt: skip
    pl.Trainer(**(defaults | options), callbacks=list(callbacks)).fit(model, data)
    return model


class Late(Arrival):
    """Numbers that can be read two looks later."""

    under_way: deque["Late"] = deque(maxlen=2)  # noqa: RUF012 - of one test at a time

    def __init__(self, numbers: Tensor) -> None:
        self._numbers = numbers.detach().clone()
        Late.under_way.append(self)

    def here(self) -> bool:
        """Say whether two more looks have begun."""
        return self not in Late.under_way

    def wait(self) -> None:
        """Be there."""

    def values(self) -> list[float]:
        """Return them by a way that is not refused: in truth they lie in pinned memory."""
        return _listed(self._numbers)


_listed: Callable[[Tensor], list[float]] = torch.Tensor.tolist


def refuse(*_args: object, **_kwargs: object) -> None:
    """Stand in for what waits."""
    pytest.fail("the guard has waited for numbers")


@contextmanager
def no_reads() -> Iterator[None]:
    """Refuse all ways in which numbers come to Python."""
    with pytest.MonkeyPatch.context() as patch:
        for name in READS:
            patch.setattr(Tensor, name, refuse)
        for name in CALLS:
            patch.setattr(torch, name, refuse)
        yield


@contextmanager
def no_waiting() -> Iterator[None]:
    """Let torch itself raise where a device is waited for."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def watched(refusing: Callable[[], Any], **options: Any) -> GradGuard:
    """Return a guard whose hooks run under a watch once the first looks are over."""

    class Watched(GradGuard):
        """Count the steps that were watched."""

        watched_steps = 0

    def under_watch(name: str) -> Callable[..., None]:
        hook = getattr(GradGuard, name)

        def watch(self: Watched, trainer: Any, *args: Any) -> None:
            if trainer.global_step < SETTLED:
                hook(self, trainer, *args)
                return
            self.watched_steps += name == "on_before_optimizer_step"
            with refusing():
                hook(self, trainer, *args)

        return watch

    names = ("on_train_batch_start", "on_before_backward", "on_after_backward",
             "on_before_optimizer_step", "on_train_batch_end")  # fmt: skip
    for name in names:
        setattr(Watched, name, under_watch(name))
    return Watched(strict=True, **options)


class TestStandIn:
    """The way of a CUDA device, on a CPU."""

    @pytest.fixture(autouse=True)
    def _as_on_a_device(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Late.under_way.clear()
        monkeypatch.setattr("lightning_gradguard.audit.Shelf", partial(LateShelf, arrival=Late))
        # Only on a CPU is the loss read at once; the random state lies on the host in any case.
        monkeypatch.setattr("lightning_gradguard.session._is_finite", lambda _: True)
        monkeypatch.setattr("lightning_gradguard.replay.Replay.has_drawn", lambda _: False)

    def test_no_step_reads_a_number(self) -> None:
        """A hundred steps, and all of them are counted in the end."""
        guard: Any = watched(no_reads)
        train(guard)
        assert guard.watched_steps == STEPS - SETTLED
        assert guard.report.coverage == 1.0
        assert not guard.report.has_findings()

    def test_a_cut_branch_is_found_without_reading(self) -> None:
        """A parameter without a gradient is known without its numbers."""
        guard: Any = watched(no_reads, ignore=["GG104", "GG203"])
        train(guard, model=Model(broken=True))
        assert guard.watched_steps == STEPS - SETTLED
        assert guard.report.coverage < 1.0


def test_the_way_of_a_cpu_is_refused() -> None:
    """The watch notices numbers that are read at once."""
    with pytest.raises(pytest.fail.Exception, match="has waited"):
        train(watched(no_reads))


@gpu
@needs_gpu
class TestDevice:
    """The same on a device."""

    def test_no_step_waits(self) -> None:
        """Torch raises for every wait in a hundred guarded steps."""
        guard: Any = watched(no_waiting)
        train(guard, accelerator="gpu")
        assert guard.watched_steps == STEPS - SETTLED
        assert guard.report.coverage == 1.0

    def test_half_precision_with_a_scaler_is_the_same(self) -> None:
        """Weights are equal bit by bit while the scale settles, and nothing is reported."""
        guard = GradGuard()
        found = train(guard, accelerator="gpu", precision="16-mixed").state_dict()
        expected = train(accelerator="gpu", precision="16-mixed").state_dict()
        assert all(torch.equal(found[name], value) for name, value in expected.items())
        assert not guard.report.has_findings()

    def test_memory_peak_is_the_same(self) -> None:
        """A traced step needs at most 1 % more at its peak."""
        peaks = []
        choices: list[list[pl.Callback]] = [[], [], [GradGuard()]]  # the first one warms up
        for guards in choices:
            torch.cuda.reset_peak_memory_stats()
            train(*guards, accelerator="gpu", max_steps=1)
            peaks.append(torch.cuda.max_memory_allocated())
        assert peaks[2] <= 1.01 * peaks[1]

    def test_captured_steps_are_left_alone(self) -> None:
        """Nothing is looked at while a graph is captured, and the shelf says so."""
        param = nn.Parameter(torch.ones(64, device="cuda"))
        param.grad = torch.ones_like(param)
        shelf = LateShelf([param], [Track(64)])
        torch.cuda.synchronize()
        with torch.cuda.graph(torch.cuda.CUDAGraph()):
            param.grad.mul_(2.0)
            assert shelf.look(0) == {}
        assert shelf.captured
        shelf.look(1)
        shelf.drain()
        assert shelf.tracks[0].alive == 1
