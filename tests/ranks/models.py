# SPDX-License-Identifier: Apache-2.0
"""One small module whose ranks can be made to differ in every way that matters.

A case is a word, or a word and where it happens: `unused@1` on rank 1, `unused@1+3` on rank 1 from
global step 3 on, `unused` on every rank; `only@0` is used on rank 0 alone. `fault_METHOD@1+1`,
alone or before such a word, is a bug in the guard on rank 1 from step 1 on. `raise_PLACE` raises in
a hook, in the optimizer, in the logger, in validation or between batches.
"""

import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import torch
from framework import pl
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lightning_gradguard import GradGuard


class Model(pl.LightningModule):
    """Two layers on the way to the loss, one beside it, and a frozen one."""

    def __init__(self, case: str, strategy: str) -> None:
        super().__init__()
        match = re.fullmatch(r"(\w+)(?:@(\d+))?(?:\+(\d+))?", case)
        assert match is not None
        self.word, self.where = match.group(1), match.group(2)
        self.since = int(match.group(3) or 0)
        self.kind = strategy
        self.body = nn.Linear(4, 4)
        self.side = nn.Linear(4, 1)
        self.tail = nn.Linear(4, 1)
        if strategy != "fsdp1_flat":
            self.frozen = nn.Linear(2, 2).requires_grad_(requires_grad=False)
        self.logged: dict[str, float] = {}
        if self.word.startswith("manual"):
            self.automatic_optimization = False

    def on(self, word: str) -> bool:
        """Say whether this is where and when a case happens."""
        here = self.where is None or int(self.where) == self.trainer.global_rank
        return word == self.word and here and self.trainer.global_step >= self.since

    def trip(self, place: str) -> None:
        """Raise where the case says so."""
        if self.on(f"raise_{place}"):
            raise ValueError(f"boom in {place}")

    def on_before_backward(self, loss: Tensor) -> None:
        """Run after the guard's own hook."""
        self.trip("before")

    def on_after_backward(self) -> None:
        """Run between backward and the optimizer."""
        self.trip("after")

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Run when the optimizer has stepped."""
        self.trip("end")
        if self.on("stop"):
            self.trainer.should_stop = True

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Run in the middle of training."""
        self.trip("validation")
        self.log("value", self.tail(self.body(batch[0])).mean(), sync_dist=True)

    def configure_model(self) -> None:
        """Shard the module where the strategy leaves that to it."""
        if self.kind.startswith("fsdp2"):
            from torch.distributed.fsdp import fully_shard

            mesh = self.device_mesh["data_parallel"]  # type: ignore[index]
            for unit in (self.body, self.side, self.tail) if self.kind == "fsdp2_units" else ():
                fully_shard(unit, mesh=mesh)
            fully_shard(self, mesh=mesh)
        elif self.kind == "tp":
            from torch.distributed.tensor.parallel import (
                ColwiseParallel,
                RowwiseParallel,
                parallelize_module,
            )

            plan = {"body": ColwiseParallel(), "tail": RowwiseParallel()}
            parallelize_module(self, self.device_mesh["tensor_parallel"], plan)  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        """Return the loss."""
        if self.on("raise"):
            raise ValueError("boom")
        if self.on("iteration"):
            raise StopIteration
        if self.on("interrupt"):
            raise KeyboardInterrupt
        if self.on("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        hidden: Tensor
        if self.on("checkpoint"):
            hidden = checkpoint(self.body, x.requires_grad_(), use_reentrant=True)
        else:
            hidden = self.body(x)
        loss: Tensor = self.tail(hidden).pow(2).mean()
        if not (self.on("unused") or (self.word == "only" and not self.on("only"))):
            scale = 0.0 if self.on("zero") else 1.0
            source = x if self.kind == "tp" else hidden
            loss = loss + scale * self.side(source).pow(2).mean()
        if self.on("nan"):
            loss = loss + (hidden.sum() * 0.0 - 1.0).sqrt()
        if self.on("nograd"):
            loss = loss.detach()
        if self.on("leaf"):
            loss = loss.detach().requires_grad_()
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Return the loss, or train by hand."""
        if self.on("flicker") and (batch_idx + self.trainer.global_rank) % 2:
            self.word, before = "unused", self.word
            self.where, place = None, self.where
            loss: Tensor = self(batch[0])
            self.word, self.where = before, place
        else:
            loss = self(batch[0])
        if self.on("none"):
            return None
        if self.word == "raise_logger":
            self.log("loss", loss)
        if self.automatic_optimization:
            return loss
        self._train_by_hand(loss, batch)
        return None

    def _train_by_hand(self, loss: Tensor, batch: Any) -> None:
        """Run one backward pass that is exchanged, and as many others as the case says."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        if self.word == "manual_local":  # nobody waits for these, so ranks may differ
            with self.trainer.model.no_sync():  # type: ignore[union-attr, operator]
                for _ in range(self.trainer.global_rank * 2):
                    self.manual_backward(self(batch[0]))
        self.manual_backward(loss)
        if self.on("manual_more"):
            self.manual_backward(self(batch[0]))
        optimizer.step()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return one optimizer over all that is not frozen."""
        params = [p for p in self.parameters() if p.requires_grad]
        return (
            Tripping(self, params) if self.word == "raise_step" else torch.optim.SGD(params, 0.01)
        )

    def train_dataloader(self) -> Any:
        """Return a few batches, fewer on one rank where the case says so."""
        if self.word == "raise_data":
            return torch.utils.data.DataLoader(Stream(6, self), batch_size=None)
        if self.word == "uneven":
            return torch.utils.data.DataLoader(
                Stream(2 if self.trainer.global_rank == int(self.where or 1) else 6),
                batch_size=None,
            )
        data = torch.utils.data.TensorDataset(torch.randn(64, 4))
        return torch.utils.data.DataLoader(data, batch_size=2)

    def val_dataloader(self) -> Any:
        """Return one batch where the case looks at validation."""
        data = torch.utils.data.TensorDataset(torch.randn(4, 4))
        loader = torch.utils.data.DataLoader(data, batch_size=2)
        return loader if "validation" in self.word else []


class Tripping(torch.optim.SGD):
    """An optimizer that raises where the case says so."""

    def __init__(self, model: Model, params: Any) -> None:
        super().__init__(params, 0.01)
        self.model = [model]

    def step(self, closure: Any = None) -> Any:
        """Step, after all."""
        value = super().step(closure)
        self.model[0].trip("step")
        return value


class Stream(torch.utils.data.IterableDataset[tuple[Tensor]]):
    """Batches without a length."""

    def __init__(self, count: int, model: Model | None = None) -> None:
        self.count, self.model = count, model

    def __iter__(self) -> Iterator[tuple[Tensor]]:
        """Yield the batches."""
        for _ in range(self.count):
            if self.model is not None:
                self.model.trip("data")
            yield (torch.randn(2, 4),)


class FaultyPart(pl.Callback):
    """Break a part of the guard on one rank at one step, as a bug in it would."""

    def __init__(self, guard: GradGuard, part: str, rank: int, step: int) -> None:
        self.guard, self.part, self.rank, self.step = guard, part, rank, step

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Put a method that raises in the place of one that works."""
        if trainer.global_rank == self.rank and trainer.global_step == self.step:
            session = self.guard._session
            setattr(session, self.part, _raise)


def _raise(*_args: object, **_kwargs: object) -> None:
    message = "a bug in the guard"
    raise ZeroDivisionError(message)


class Recorder(pl.loggers.logger.Logger):
    """A logger that keeps what it gets."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.seen: dict[str, float] = {}
        self.model = model

    @property
    def name(self) -> str:
        """Return the name."""
        return "recorder"

    @property
    def version(self) -> int:
        """Return the version."""
        return 0

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Keep the latest values."""
        self.model.trip("logger")
        self.seen.update({k: float(v) for k, v in metrics.items() if k.startswith("gradguard/")})

    def log_hyperparams(self, params: Any, *_args: Any, **_kwargs: Any) -> None:
        """Keep none."""


def build(case: str, strategy: str) -> Model:
    """Return the module for a case."""
    return Model(_split(case)[1], strategy)


def callbacks(case: str, guard: GradGuard) -> list[pl.Callback]:
    """Return what a case needs beside the guard."""
    match = re.fullmatch(r"fault_(\w+)@(\d+)\+(\d+)", _split(case)[0])
    if match is None:
        return []
    return [FaultyPart(guard, match.group(1), int(match.group(2)), int(match.group(3)))]


def _split(case: str) -> tuple[str, str]:
    """Return the bug in the guard, where there is one, and the bug in the user's module."""
    fault, _, rest = case.partition(" ") if case.startswith("fault") else ("", "", case)
    return fault, rest or "healthy"


def logged(model: Model) -> dict[str, float]:
    """Return the scalars of the guard that the logger of a run holds."""
    found = [lg.seen for lg in model.trainer.loggers if isinstance(lg, Recorder)]
    return found[0] if found else {}
