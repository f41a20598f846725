# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: models, a Trainer that alternates treatments, results, tables."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import Logger
from torch import Tensor, nn
from torch.nn import functional as F

Times = dict[str, dict[int, float]]  # treatment -> round -> seconds a step
RESULTS = Path(__file__).parent / "results"
WARM = 14  # steps of each treatment that do not count: a guard looks closer at the first ten
QUIET: dict[str, Any] = {
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,
    "max_epochs": 1,
    "num_sanity_val_steps": 0,
}


class Mlp(nn.Module):
    """0.67 million values in 6 tensors."""

    batch = (64, 784)

    def __init__(self) -> None:
        super().__init__()
        widths = (784, 512, 512, 10)
        layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
        self.net = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])

    def forward(self, x: Tensor) -> Tensor:
        """Return logits[n, 10]."""
        return self.net(x)  # type: ignore[no-any-return]


class Conv(nn.Module):
    """A small network for images of 32 x 32, in 14 tensors."""

    batch = (32, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in ((3, 32), (32, 64), (64, 128))
        ]
        self.net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(2048, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits[n, 10]."""
        return self.net(x)  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """An encoder of 6 layers: 11 million values in 76 tensors."""

    batch = (8, 64)

    def __init__(self, width: int = 384, layers: int = 6) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, width)
        self.position = nn.Parameter(torch.zeros(64, width))
        layer = nn.TransformerEncoderLayer(width, 6, 4 * width, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits[n, 10] of whole sequences."""
        tokens = (x * 100).abs().long() % 1000
        return self.head(self.encoder(self.embedding(tokens) + self.position).mean(1))  # type: ignore[no-any-return]


class Many(nn.Module):
    """2,000 small tensors in 1,000 layers."""

    batch = (32, 16)

    def __init__(self, layers: int = 1000) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits[n, 16]."""
        for layer in self.layers:
            x = x + 0.01 * layer(x)
        return x


MODELS: dict[str, type[Any]] = {"mlp": Mlp, "conv": Conv, "transformer": Transformer, "many": Many}


class Training(pl.LightningModule):
    """Train a network on random labels, with the logging that most people have."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Return the cross entropy."""
        x, y = batch
        loss = F.cross_entropy(self.net(x), y)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Take the most common optimizer."""
        return torch.optim.AdamW(self.parameters(), lr=1e-4)


class Memory(Logger):
    """A logger that keeps the last record; stands for any, without the time of a disk."""

    name = "memory"
    version = 0

    def __init__(self) -> None:
        super().__init__()
        self.last: Mapping[str, float] = {}

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Keep none."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:  # noqa: ARG002
        """Keep the last."""
        self.last = metrics


class Repeat:
    """The same batch, as often as wanted."""

    def __init__(self, shape: Sequence[int], steps: int) -> None:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(*shape, generator=generator)
        self.batch, self.steps = (x, torch.randint(0, 10, (shape[0],), generator=generator)), steps

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over them."""
        return iter([self.batch] * self.steps)


@dataclass
class Treatment:
    """Something that is done to a training, to be compared with nothing."""

    name: str
    callbacks: Sequence[pl.Callback] = ()
    enter: Callable[[pl.LightningModule], None] = lambda _: None
    leave: Callable[[pl.LightningModule], None] = lambda _: None
    fresh: Callable[[], Sequence[pl.Callback]] | None = None  # new callbacks for every block
    every: int = 1  # takes part in every so many rounds: what costs twice a step needs few


class Alternate(pl.Callback):
    """Give each treatment a short block of steps in turn, in one run with the same weights.

    Args:
        treatments: what to compare; the order is turned around in every other round.
        block: steps a block. Unless there is only one, the first is not counted: it pays for the
            change.
        rounds: how often each treatment gets its turn.
    """

    def __init__(self, treatments: Sequence[Treatment], block: int, rounds: int) -> None:
        self.treatments, self.block, self.rounds = treatments, block, rounds
        self.times: Times = {t.name: {} for t in treatments}
        self._turns = [
            (r, t)
            for r in range(rounds)
            for t in (treatments, treatments[::-1])[r % 2]
            if r % t.every == t.every - 1
        ]
        self._marks: list[float] = []
        self._now: Treatment | None = None
        self._round = 0

    @property
    def steps(self) -> int:
        """Return how many steps it takes; the last one only ends the last block."""
        return len(self._turns) * self.block + 1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the callbacks that take turns."""
        for treatment in self.treatments:
            _start(treatment.callbacks, trainer, pl_module)

    def on_train_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: object,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Change treatments between blocks, and take the time."""
        turn, place = divmod(batch_idx, self.block)
        self._marks.append(now())
        if place:
            return
        if self._now is not None:
            self._now.leave(pl_module)
            times = [b - a for a, b in pairwise(self._marks)]
            self.times[self._now.name][self._round] = statistics.median(times[1:] or times)
        self._round, self._now = self._turns[turn] if turn < len(self._turns) else (0, None)
        callbacks = self._now.callbacks if self._now is not None else ()
        if self._now is not None and self._now.fresh is not None:
            callbacks = self._now.fresh()
            _start(callbacks, trainer, pl_module)
        vars(trainer)["callbacks"][:] = [self, *callbacks]
        if self._now is not None:
            self._now.enter(pl_module)
        self._marks = [now()]


def _start(
    callbacks: Sequence[pl.Callback], trainer: pl.Trainer, module: pl.LightningModule
) -> None:
    for callback in callbacks:
        callback.setup(trainer, module, "fit")
        callback.on_train_start(trainer, module)


def now() -> float:
    """Return the time when the device has done what was asked for.

    On a CPU it is the time of this thread, in which all work is done: other processes of a shared
    machine do not count, nor do background threads of a logger.
    """
    if not torch.cuda.is_available():
        return time.thread_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes, on the same clock."""
    start = now()
    work()
    return now() - start


def alternate(
    net: nn.Module,
    treatments: Sequence[Treatment],
    block: int,
    rounds: int,
    training: type[Training] = Training,
) -> Alternate:
    """Train a network while treatments take turns; return the times."""
    pl.seed_everything(0, verbose=False)
    warm = -(-WARM // block)  # whole rounds
    turns = Alternate(treatments, block, rounds + warm)
    trainer = pl.Trainer(
        **QUIET, accelerator="auto", devices=1, logger=Memory(), callbacks=[turns],
        max_steps=turns.steps, log_every_n_steps=50,
    )  # fmt: skip
    trainer.fit(training(net), Repeat(net.batch, turns.steps))  # type: ignore[arg-type]
    turns.times = {
        name: {r: seconds for r, seconds in times.items() if r >= warm}
        for name, times in turns.times.items()
    }
    turns.rounds = rounds
    return turns


def ratios(times: Times, name: str, base: str = "plain") -> dict[str, float]:
    """Compare the blocks of a treatment with the blocks of the plain training, round by round."""
    mine, theirs = times[name], times[base]
    found = middle_half((mine[r] / theirs[r] for r in mine if r in theirs), 4)
    return found | {"ms": round(1000 * statistics.median(mine.values()), 4)}


def middle_half(values: Iterable[float], digits: int) -> dict[str, float]:
    """Return the median of some values and the ends of the middle half of them."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return {
        "median": round(statistics.median(ordered), digits),
        "low": round(ordered[quarter], digits),
        "high": round(ordered[-quarter - 1], digits),
    }


def origin() -> dict[str, Any]:
    """Return hardware, versions and date, without which a number says nothing."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "clock": "wall" if torch.cuda.is_available() else "thread",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning": pl.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def write(name: str, results: Any) -> Path:  # noqa: ANN401
    """Write results beside their origin."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"origin": origin(), "results": results}, indent=1) + "\n")
    return path


def read(name: str) -> Any:  # noqa: ANN401
    """Read what `write` wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def quiet() -> None:
    """Silence what Lightning says about hardware; take one thread unless told otherwise."""
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
