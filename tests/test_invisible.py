# SPDX-License-Identifier: Apache-2.0
"""A training under guard is the same training, bit by bit, in every setting of the Trainer."""

import copy
import gc
import random
import sys
import warnings
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning import callbacks as pl_callbacks
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuard
from lightning_gradguard.callback import GradGuardWarning

STEPS = 6


def data(batch_size: int = 4, **options: Any) -> DataLoader[tuple[Tensor, ...]]:
    """Return 32 samples of 4 features, shuffled from the global random state."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(32, 4, generator=generator)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size, shuffle=True, **options)


class Net(pl.LightningModule):
    """Dropout draws, batch normalisation keeps buffers, `lost` is cut off if asked to be."""

    seen: Tensor
    hits: Tensor

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.broken, self.batch_size, self.lr = broken, 4, 0.01
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2))
        self.lost = nn.Linear(8, 8)
        self.head = nn.Linear(8, 1)
        self.register_buffer("seen", torch.zeros(()))
        self.body[0].register_forward_hook(lambda *_: None)
        self.head.weight.register_hook(lambda grad: grad * 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Run the branch that may be cut off, too."""
        hidden = self.body(x)
        branch = self.lost(hidden)
        out: Tensor = self.head(hidden + (branch.detach() if self.broken else branch))
        return out

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Add a term that cannot change anything, if broken."""
        x, y = batch
        out = self(x)
        self.hits = ((out > 0) == (y > 0)).float().mean()
        loss: Tensor = F.mse_loss(out, y) + (self.hits if self.broken else 0.01 * out.abs().mean())
        return loss

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor | None:
        """Log in the two ways there are, and draw from each generator."""
        loss = self.loss(batch)
        self.seen += len(batch[0])
        self.log("loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        self.log("hits", self.hits)
        self.log_dict({"draw": random.random() + float(np.random.rand())})  # noqa: NPY002, S311
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Log what the Trainer averages."""
        self.log("val_loss", self.loss(batch))

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return the data in batches of the size that a finder may change."""
        return data(self.batch_size)

    def configure_optimizers(self) -> Any:
        """Take an optimizer with state, and a schedule."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 2)]


class Manual(Net):
    """Two optimizers, each toggled and stepped by hand."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__(broken=broken)
        self.automatic_optimization = False

    def both(self) -> list[Any]:
        """Return the two optimizers."""
        found: Any = self.optimizers()
        return list(found)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Train the body, then the head."""
        for optimizer in self.both():
            self.toggle_optimizer(optimizer)
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch))
            optimizer.step()
            self.untoggle_optimizer(optimizer)

    def configure_optimizers(self) -> Any:
        """Split the parameters."""
        rest = [*self.lost.parameters(), *self.head.parameters()]
        return torch.optim.SGD(self.body.parameters(), 0.1), torch.optim.Adam(rest, 0.01)


class RawBackward(Manual):
    """Call `backward()` on the loss itself, behind the Trainer's back."""

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Accumulate two losses before each step."""
        for optimizer in self.both():
            optimizer.zero_grad()
            self.loss(batch).backward()
            (0.5 * self.loss(batch)).backward()
            optimizer.step()


class Lbfgs(Net):
    """Evaluate the closure several times a step."""

    def configure_optimizers(self) -> Any:
        """Three evaluations a step."""
        return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=3)


class Recomputed(Net):
    """Recompute the body during backward."""

    reentrant = False

    def forward(self, x: Tensor) -> Tensor:
        """Give the reentrant kind an input that requires grad, which it needs."""
        x = x.requires_grad_(self.reentrant)
        hidden = checkpoint(self.body, x, use_reentrant=self.reentrant)
        branch = self.lost(hidden)
        out: Tensor = self.head(hidden + (branch.detach() if self.broken else branch))
        return out


class Reentrant(Recomputed):
    """The same with the older kind of checkpointing."""

    reentrant = True


class Compiled(Net):
    """Compile the head, with a backend that needs no C++ compiler."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__(broken=broken)
        self.head.compile(backend="aot_eager")


class Moded(Net):
    """Open function and dispatch modes of one's own inside the step."""

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor | None:
        """Count what passes, and log the count."""
        kernels: Any = Kernels()  # type: ignore[no-untyped-call]
        with Calls() as calls, kernels:
            loss = super().training_step(batch, batch_idx)
        self.log_dict({"calls": float(calls.count), "kernels": float(kernels.count)})
        return loss


class Calls(TorchFunctionMode):
    """Count torch calls."""

    count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and pass on."""
        self.count += 1
        return func(*args, **(kwargs or {}))


class Kernels(TorchDispatchMode):
    """Count kernels."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and pass on."""
        self.count += 1
        return func(*args, **(kwargs or {}))


class Straddling(pl.Callback):
    """Open a mode when the guard has opened its own, and close it after the guard's."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Open."""
        self.mode: Any = Calls()
        self.mode.__enter__()  # type: ignore[no-untyped-call]

    def on_train_batch_end(self, *args: Any) -> None:
        """Close."""
        assert torch.overrides._get_current_function_mode() is self.mode
        self.mode.__exit__(None, None, None)
        self.counts.append(self.mode.count)

    def state_dict(self) -> dict[str, Any]:
        """Make the counts a part of what is compared."""
        return {"counts": self.counts}


class Enclosed(pl.Callback):
    """Open a mode before the guard opens its own, and close it first; both ends close the top."""

    def on_train_batch_start(self, *args: Any) -> None:
        """Open."""
        self.mode: Any = Calls()
        self.mode.__enter__()  # type: ignore[no-untyped-call]

    def on_before_backward(self, *args: Any) -> None:
        """Close."""
        self.mode.__exit__(None, None, None)


class Sized(Net):
    """Bring all data along, so that a finder can change the size of the batches."""

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return the same data."""
        return data(self.batch_size)


class Thaw(pl_callbacks.BaseFinetuning):
    """Freeze the body, thaw it in the second epoch."""

    def freeze_before_training(self, pl_module: pl.LightningModule) -> None:
        """Freeze."""
        self.freeze(pl_module.body, train_bn=False)

    def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
        """Thaw."""
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.body, optimizer)


class Lines(Logger):
    """Keep what is logged, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int | None, tuple[tuple[str, float], ...]]] = []

    name = "lines"
    version = 0

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Keep none."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep all but the guard's own records, in which there is nothing of the user's."""
        if any(name.startswith("gradguard/") for name in metrics):
            assert all(name == "epoch" or name.startswith("gradguard/") for name in metrics)
        else:
            self.lines.append((step, tuple(metrics.items())))


HOOKS = ("start", "before backward", "after backward", "before step", "end")


class Watcher(pl.Callback):
    """Note at every hook the gradients, and how many hooks hang on modules and parameters."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def _note(self, where: str, module: nn.Module) -> None:
        grads = [p.grad for p in module.parameters()]
        self.notes.append((where, hooks_of(module), plain([g for g in grads if g is not None])))

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look before the step."""
        self._note("start", pl_module)

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        """Look at the loss, too."""
        self._note("before backward", pl_module)
        self.notes.append(plain(loss))

    def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
        """Look at fresh gradients."""
        self._note("after backward", pl_module)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Look at final gradients."""
        self._note("before step", pl_module)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look after the step, and save on the way."""
        self._note("end", pl_module)
        if batch_idx in {1, 4}:
            trainer.save_checkpoint("middle.ckpt")


def hooks_of(module: nn.Module) -> dict[str, list[int]]:
    """Count the hooks of each module and parameter."""
    kinds = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks", "_backward_pre_hooks",
             "_state_dict_hooks", "_load_state_dict_pre_hooks")  # fmt: skip
    found = {n: [len(getattr(m, k)) for k in kinds] for n, m in module.named_modules()}
    for name, param in module.named_parameters():
        lists = (param._backward_hooks, param._post_accumulate_grad_hooks)
        found[f"parameter {name}"] = [len(hooks or ()) for hooks in lists]
    return found


def plain(item: Any) -> Any:
    """Turn tensors into dtype, shape and bytes, so that `==` means bit by bit."""
    if isinstance(item, Tensor):
        flat = item.detach().cpu().contiguous().reshape(-1)
        return str(item.dtype), tuple(item.shape), flat.view(torch.uint8).numpy().tobytes()
    if isinstance(item, Mapping):
        return [(str(key), plain(value)) for key, value in item.items()]
    if isinstance(item, (list, tuple)):
        return [plain(value) for value in item]
    return repr(item)


def random_states() -> dict[str, Any]:
    """Return the three global random states."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - the global one is the point
    return {"torch": torch.get_rng_state(), "numpy": numpy_state, "python": random.getstate()}


@dataclass(frozen=True)
class Setting:
    """A model and how it is trained."""

    model: Callable[..., Net] = Net
    options: Callable[[], dict[str, Any]] = dict
    loader: dict[str, Any] = field(default_factory=dict)
    validate: bool = False
    resume: bool = False


def with_callbacks(
    *makers: Callable[[], pl.Callback], **options: Any
) -> Callable[[], dict[str, Any]]:
    """Return Trainer options with fresh callbacks every time."""
    return lambda: {**options, "callbacks": [make() for make in makers]}


def half() -> dict[str, Any]:
    """Return a gradient scaler that starts with an overflow, so that a step is skipped."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**18, growth_interval=2)
    return {
        "plugins": [MixedPrecision("16-mixed", "cpu", scaler)],
        "max_steps": 24,
        "max_epochs": 3,
    }


SETTINGS = {
    "plain": Setting(),
    "bf16": Setting(options=lambda: {"precision": "bf16-mixed"}),
    "fp16 with a scaler": Setting(options=half),
    "double": Setting(options=lambda: {"precision": "64-true"}),
    "accumulation": Setting(options=lambda: {"accumulate_grad_batches": 3}),
    "clipping": Setting(options=lambda: {"gradient_clip_val": 0.1}),
    "clipping by value": Setting(
        options=lambda: {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"}
    ),
    "two optimizers by hand": Setting(Manual, lambda: {"max_steps": 2 * STEPS}),
    "raw backward": Setting(RawBackward, lambda: {"max_steps": 2 * STEPS}),
    "lbfgs": Setting(Lbfgs),
    "weight averaging": Setting(
        options=with_callbacks(
            lambda: pl_callbacks.StochasticWeightAveraging(0.01, 1), max_epochs=3, max_steps=24
        )
    ),
    "finetuning": Setting(options=with_callbacks(Thaw, max_steps=12, max_epochs=2)),
    "checkpointing": Setting(Recomputed),
    "reentrant checkpointing": Setting(Reentrant),
    "compiled": Setting(Compiled),
    "workers": Setting(loader={"num_workers": 1}),
    "validation": Setting(options=lambda: {"val_check_interval": 2}, validate=True),
    "sanity check": Setting(options=lambda: {"num_sanity_val_steps": 2}, validate=True),
    "resumed": Setting(resume=True),
    "learning rate finder": Setting(
        options=with_callbacks(lambda: pl_callbacks.LearningRateFinder(num_training_steps=16))
    ),
    "batch size finder": Setting(
        Sized,
        options=with_callbacks(
            lambda: pl_callbacks.BatchSizeFinder(steps_per_trial=1, max_trials=2)
        )
    ),
    "fast dev run": Setting(options=lambda: {"fast_dev_run": 3}),
    "profiler": Setting(options=lambda: {"profiler": "simple"}),
    "other modes": Setting(Moded),
    "straddling mode": Setting(options=with_callbacks(Straddling)),
    "enclosed mode": Setting(options=with_callbacks(Enclosed)),
    "anomaly mode": Setting(options=lambda: {"detect_anomaly": True}),
    "deterministic": Setting(options=lambda: {"deterministic": True}),
    "inference mode off": Setting(options=lambda: {"inference_mode": False}, validate=True),
    "early end": Setting(options=lambda: {"limit_train_batches": 3, "max_epochs": 2}),
}  # fmt: skip
if hasattr(pl_callbacks, "EMAWeightAveraging"):  # new in Lightning 2.6
    SETTINGS["moving average"] = Setting(options=with_callbacks(pl_callbacks.EMAWeightAveraging))


@dataclass
class Outcome:
    """Everything about a training that its user can see."""

    seen: dict[str, Any]
    caught: list[tuple[str, str]]
    findings: list[str]
    checkpoints: list[dict[str, Any]]
    metrics: list[str]


@pytest.fixture(autouse=True)
def _few_warnings() -> None:
    """Let a model have a validation step without data, and resume within an epoch."""
    warnings.filterwarnings("ignore", message="You defined a `validation_step`")
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before")


def train(name: str, guard: GradGuard | None, *, broken: bool) -> Outcome:
    """Train a setting from the same start, with or without a guard."""
    setting = SETTINGS[name]
    pl.seed_everything(7, verbose=False)
    torch._dynamo.reset()
    model = setting.model(broken=broken)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = Path("start.ckpt") if setting.resume else None
        if start is not None:
            first = trainer_for(setting, guard, [], max_steps=3)
            first.fit(model, data())
            first.save_checkpoint(start)
            model = setting.model(broken=broken)
        watcher, lines = Watcher(), Lines()
        trainer = trainer_for(setting, guard, [watcher], logger=lines)
        loader = None if setting.model is Sized else data(**setting.loader)
        trainer.fit(model, loader, data() if setting.validate else None, ckpt_path=start)
    torch.use_deterministic_algorithms(mode=False)
    trainer.save_checkpoint("end.ckpt")
    every: list[Any] = vars(trainer)["callbacks"]
    others = [c for c in every if not isinstance(c, GradGuard)]
    seen = {
        "keys": list(model.state_dict()),
        "weights": plain(model.state_dict()),
        "gradients": plain([p.grad for p in model.parameters()]),
        "optimizers": plain([o.state_dict() for o in trainer.optimizers]),
        "precision": plain(trainer.precision_plugin.state_dict()),
        "random": plain(random_states()),
        "collector": gc.get_threshold(),
        "logged": lines.lines,
        "metrics": plain(users_metrics(trainer)),
        "hooks": hooks_of(model),
        "hooks on the way": watcher.notes,
        "callbacks": [type(c).__name__ for c in others],
        "steps": (trainer.global_step, trainer.current_epoch),
    }  # fmt: skip
    own = [w for w in caught if issubclass(w.category, GradGuardWarning)]
    rest = [(w.category.__name__, str(w.message)) for w in caught if w not in own]
    saved = [torch.load(path, weights_only=False) for path in ("middle.ckpt", "end.ckpt")]
    return Outcome(seen, rest, [str(w.message) for w in own], saved, list(trainer.callback_metrics))


def users_metrics(trainer: pl.Trainer) -> dict[str, Tensor]:
    """Return what was logged by the model."""
    found = trainer.callback_metrics.items()
    return {name: value for name, value in found if not name.startswith("gradguard/")}


def trainer_for(
    setting: Setting, guard: GradGuard | None, extra: list[pl.Callback], **more: Any
) -> pl.Trainer:
    """Return a quiet Trainer; the guard comes first, so that the others see what it left."""
    options = setting.options() | more
    others = options.pop("callbacks", [])
    first = [c for c in others if isinstance(c, Enclosed)]
    rest = [c for c in others if c not in first]
    callbacks = [*first, *([guard] if guard else []), *rest, *extra]
    defaults: dict[str, Any] = {
        "accelerator": "cpu", "max_steps": STEPS, "max_epochs": 2, "log_every_n_steps": 2,
        "enable_checkpointing": False, "enable_progress_bar": False, "logger": False,
        "enable_model_summary": False, "num_sanity_val_steps": 0,
    }  # fmt: skip
    return pl.Trainer(**(defaults | options), callbacks=callbacks)


@cache
def unguarded(name: str, *, broken: bool) -> Outcome:
    """Train without a guard, once for all comparisons."""
    return train(name, None, broken=broken)


def own_entry_removed(saved: Mapping[str, Any]) -> Any:
    """Return what a checkpoint holds, without the entry of the guard among the callbacks."""
    rest = copy.copy(dict(saved))
    rest["callbacks"] = {k: v for k, v in rest.get("callbacks", {}).items() if "GradGuard" not in k}
    return plain(rest)


def without_route(notes: list[Any], expected: list[Any]) -> list[Any]:
    """Take the one forward hook that a route needs out of what was noted on the way."""
    counts = [note[1] for note in notes if note[0] in HOOKS]
    usual = [note[1] for note in expected if note[0] in HOOKS]
    for mine, theirs in zip(counts, usual, strict=True):
        for module, hooks in mine.items():
            if not module.startswith("parameter ") and hooks[1] == theirs[module][1] + 1:
                hooks[1] -= 1
    return notes


def assert_same(name: str, guard: GradGuard, *, broken: bool) -> Outcome:
    """Compare a guarded training with the unguarded one."""
    expected = unguarded(name, broken=broken)
    found = train(name, guard, broken=broken)
    way = "hooks on the way"
    if guard.metrics == "route":
        found.seen[way] = without_route(found.seen[way], expected.seen[way])
    for what, value in expected.seen.items():
        assert found.seen[what] == value, f"{what} differ in {name!r}"
    assert found.caught == expected.caught
    for mine, theirs in zip(found.checkpoints, expected.checkpoints, strict=True):
        assert own_entry_removed(mine) == own_entry_removed(theirs)
    assert not [d for d in guard.report.diagnostics if d.code == "GG901"]
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_training_is_the_same(name: str) -> None:
    """Weights, optimizers, random states, logs, hooks, warnings and checkpoints are equal."""
    found = assert_same(name, GradGuard(trace_steps=2), broken=False)
    assert not found.findings


@pytest.mark.parametrize("name", SETTINGS)
def test_training_is_the_same_when_nothing_is_open_any_more(name: str) -> None:
    """After so many steps without a suspicion the guard does what it does for ever after."""
    patience = 10 if name == "fp16 with a scaler" else 3  # it overflows for longer, on purpose
    found = assert_same(name, GradGuard(patience=patience), broken=False)
    assert not found.findings


@pytest.mark.parametrize("name", SETTINGS)
def test_training_is_the_same_while_a_finding_is_reported(name: str) -> None:
    """A cut branch is reported in the middle of the run, and nothing else changes."""
    assert assert_same(name, GradGuard(patience=2), broken=True).findings


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_training_is_the_same_while_a_metric_is_routed(name: str, *, broken: bool) -> None:
    """The accuracy is computed by torchmetrics, logged or in the loss, and nothing else changes."""
    guard = GradGuard(patience=2 if broken else 10, metrics="route")
    found = assert_same(name, guard, broken=broken)
    assert bool(found.findings) is broken
    assert "gradguard/accuracy" in found.metrics


class Dump(pl.Callback):
    """Write down what a rank has in the end."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Write weights, gradients and optimizer states of this rank."""
        seen = [
            plain(pl_module.state_dict()),
            plain([p.grad for p in pl_module.parameters()]),
            plain([o.state_dict() for o in trainer.optimizers]),
            plain(random_states()),
            hooks_of(pl_module),
            plain(users_metrics(trainer)),
        ]
        torch.save(seen, f"{self.name}-{trainer.global_rank}.pt")


@pytest.mark.ranks
@pytest.mark.parametrize("metrics", ["advise", "route"])
@pytest.mark.parametrize("broken", [False, True])
def test_training_on_two_ranks_is_the_same(metrics: Any, *, broken: bool) -> None:
    """Both processes of a DDP training end with the same bits, with a guard and without."""
    choices: dict[str, list[pl.Callback]] = {
        "plain": [],
        "guarded": [GradGuard(patience=2, metrics=metrics)],
    }
    for name, guards in choices.items():
        pl.seed_everything(7, verbose=False)
        strategy = DDPStrategy(
            process_group_backend="gloo", start_method="fork", find_unused_parameters=True
        )
        trainer = trainer_for(
            Setting(), None, [*guards, Dump(name)], devices=2, strategy=strategy, max_steps=4
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(Net(broken=broken), data())
    for rank in range(2):
        expected, found = (torch.load(f"{n}-{rank}.pt") for n in ("plain", "guarded"))
        assert found == expected


def test_watching_sees_a_difference() -> None:
    """The comparison notices one more random number and one more hook."""

    class Noisy(pl.Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, *args: Any) -> None:
            torch.rand(1)
            pl_module.head.register_forward_hook(lambda *_: None)

    guard: Any = Noisy()
    guard.report = GradGuard().report
    different = train("plain", guard, broken=False).seen
    expected = unguarded("plain", broken=False).seen
    changed = {what for what in expected if different[what] != expected[what]}
    assert {"weights", "random", "logged", "hooks", "hooks on the way"} <= changed


def test_checkpoint_loads_without_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training resumes from a guarded checkpoint where the package cannot be imported."""
    train("plain", GradGuard(), broken=True)
    saved = torch.load("middle.ckpt", weights_only=True)
    assert [key for key in saved["callbacks"] if "GradGuard" in key]
    trainer = trainer_for(Setting(), None, [], max_steps=STEPS)  # looks for installed extensions
    for name in [n for n in sys.modules if n.startswith("lightning_gradguard")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.warns(UserWarning, match="callbacks used to create the checkpoint"):
        trainer.fit(Net(broken=True), data(), ckpt_path="middle.ckpt")
    assert trainer.global_step == STEPS


def test_guard_can_join_at_a_resume() -> None:
    """A checkpoint written without a guard resumes with one, and the weights are the same."""
    train("plain", None, broken=False)
    weights = []
    choices: list[list[pl.Callback]] = [[], [GradGuard()]]
    for guards in choices:
        pl.seed_everything(3, verbose=False)
        model = Net()
        trainer_for(Setting(), None, guards).fit(model, data(), ckpt_path="middle.ckpt")
        weights.append(plain(model.state_dict()))
    assert weights[0] == weights[1]


class Remembered(torch.autograd.Function):
    """Leave a mark in the graph whose life is the life of the graph."""

    marks: list[weakref.ref[Any]] = []  # noqa: RUF012 - one list for one test at a time

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Hang an object on the node."""
        ctx.mark = Mark()
        Remembered.marks.append(weakref.ref(ctx.mark))
        return x * 1.0

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> Tensor:
        """Pass the gradient through."""
        return grads[0]


class Mark:
    """Something to refer to."""


class Results(Calls):
    """Refer weakly to everything that a step makes."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[weakref.ref[Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Refer to the results and pass them on."""
        out = func(*args, **(kwargs or {}))
        items = out if isinstance(out, (tuple, list)) else [out]
        self.made += [weakref.ref(item) for item in items if isinstance(item, Tensor)]
        return out


class Referred(Net):
    """Refer to all intermediates of each step."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__(broken=broken)
        self.results = Results()

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        """Mark the graph, too; numbers leave and come back on the way."""
        self.results.made += map(weakref.ref, batch)
        with self.results:
            x, y = batch
            marked = Remembered.apply(self(x))  # type: ignore[no-untyped-call]
            out = marked * float(y.abs().mean()) + self.head.weight.sum().item()
            loss: Tensor = F.mse_loss(out, y)
            return loss + (out > 0).float().mean() if self.broken else loss


class Survivors(pl.Callback):
    """Count what is still alive when a step is over, and when the next batch is made and begins."""

    def __init__(self) -> None:
        self.counts: list[tuple[int, int]] = []

    def _count(self, model: Any) -> None:
        tensors = sum(ref() is not None for ref in model.results.made)
        self.counts.append((tensors, sum(ref() is not None for ref in Remembered.marks)))

    def counted(self, model: Any, loader: Any) -> Any:
        """Return the same batches; each time one is asked for, it is counted what there is."""

        class Batches(torch.utils.data.IterableDataset[Any]):
            def __iter__(_self) -> Any:  # noqa: N805 - the outer one counts
                for batch in loader:
                    self._count(model)
                    yield batch
                    del batch

        return DataLoader(Batches(), batch_size=None)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *args: Any) -> None:
        """Count what the last step left."""
        self._count(pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
        """Count what the Trainer still holds."""
        self._count(pl_module)
        assert len(pl_module.results.made) > len(Remembered.marks) > 0


@pytest.mark.parametrize("broken", [False, True])
def test_nothing_is_kept_alive(*, broken: bool) -> None:
    """No tensor and no graph of a traced step outlives it for the guard's sake."""
    counts = []
    choices: list[list[pl.Callback]] = [
        [],
        [GradGuard(trace_steps=3, patience=2)],
        [GradGuard(patience=3)],  # without a finding, nothing is open after three steps
    ]
    for guards in choices:
        Remembered.marks.clear()
        model, survivors = Referred(broken=broken), Survivors()
        pl.seed_everything(3, verbose=False)
        batches = survivors.counted(model, data())
        trainer_for(Setting(), None, [*guards, survivors]).fit(model, batches)
        counts.append(survivors.counts)
    assert counts[0] == counts[1] == counts[2]


def test_model_dies_while_the_guard_lives() -> None:
    """After the fit, a guard whose report is still read holds no parameter."""
    guard = GradGuard(patience=2)
    model = Net(broken=True)
    trainer = trainer_for(Setting(), guard, [])
    trainer.fit(model, data())
    refs = [weakref.ref(p) for p in model.parameters()]
    del model, trainer
    for name in ("log", "log_dict"):  # the Trainer hangs the module's own methods on every callback
        delattr(guard, name)
    gc.collect()
    assert guard.report.has_findings()
    assert not [ref for ref in refs if ref() is not None]


def test_no_state_is_left_after_an_error() -> None:
    """A step that raises leaves no mode, no hook and no stance behind."""

    class Failing(Net):
        def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
            super().training_step(batch, batch_idx)
            raise ValueError(batch_idx)

    model = Failing()
    before = hooks_of(model)
    with pytest.raises(ValueError, match="0"):
        trainer_for(Setting(), GradGuard(), []).fit(model, data())
    assert hooks_of(model) == before
    assert torch._C._len_torch_function_stack() == 0
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks
