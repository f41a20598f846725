# SPDX-License-Identifier: Apache-2.0
"""A model and a batch in, an assertion out: every trainable parameter gets a useful gradient."""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gradguard.callback import GradGuard, GradGuardWarning
from lightning_gradguard.report import GradGuardError, Report

__all__ = ["NotTrainingError", "assert_trains", "observe"]

_NAMESPACES = ("pytorch_lightning", "lightning.pytorch")
_QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "devices": 1,
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,
    "limit_val_batches": 0,
    "logger": False,
    "num_sanity_val_steps": 0,
}


class NotTrainingError(GradGuardError, AssertionError):
    """What `assert_trains` raises; the text is the report."""


def assert_trains(
    module: nn.Module,
    data: object,
    loss: Callable[..., Tensor] | None = None,
    *,
    steps: int = 2,
    **options: Any,  # noqa: ANN401  # those of GradGuard
) -> Report:
    """Train for a few steps on the CPU and fail if a parameter gets no useful gradient.

    The module is trained in place, so hand in one that the test does not need afterwards.

    Args:
        module: a LightningModule of either namespace, or any module together with `loss`.
        data: a batch, which is used at every step, or an iterable of batches such as a DataLoader.
        loss: for a module without `training_step`: called as `loss(module(inputs), *rest)`, where a
            batch that is a tuple or a list is `(inputs, *rest)`; a batch of another kind is passed
            to the module whole.
        steps: optimizer steps.
        options: arguments of `GradGuard`, such as `ignore=("GG106",)`.

    Returns:
        The report of the run, for further assertions.

    Raises:
        NotTrainingError: something was found; an AssertionError, and a GradGuardError.
        TypeError: a module without `training_step` came without `loss`.

    Example:
        >>> batch = (torch.ones(4, 3), torch.ones(4, 1))
        >>> assert_trains(nn.Linear(3, 1), batch, nn.functional.mse_loss).coverage
        1.0
    """
    __tracebackhide__ = True
    guard = GradGuard(**{"patience": max(steps, 1), **options, "strict": False})
    fault = observe(guard, _subject(module, loss), data, steps)
    if guard.report.has_findings():
        raise NotTrainingError.of(guard.report, _last_words(fault))
    if fault is not None:
        raise fault
    return guard.report


def observe(guard: GradGuard, model: Any, data: object, steps: int) -> Exception | None:  # noqa: ANN401
    """Train a LightningModule for a few steps on the CPU, with a guard, quietly.

    Args:
        guard: the callback.
        model: a LightningModule of either namespace.
        data: a batch, an iterable of batches, or a LightningDataModule.
        steps: optimizer steps.

    Returns:
        What `fit` raised, or None.
    """
    try:
        with _quiet():
            trainer = import_module(_namespace(model)).Trainer(
                **_QUIET, max_steps=steps, max_epochs=-1, callbacks=[guard]
            )
            trainer.fit(model, **_feed(data, steps))
    except Exception as fault:  # noqa: BLE001  # the caller decides what it means
        return fault
    return None


def _last_words(fault: BaseException | None) -> str:
    ours = fault is None or isinstance(fault, GradGuardError)
    return "" if ours else str(fault).partition("\n")[0]


def _subject(module: nn.Module, loss: Callable[..., Tensor] | None) -> Any:  # noqa: ANN401
    """Return the module, as a LightningModule of some namespace."""
    if any(isinstance(module, base) for base in map(_lightning_module, _NAMESPACES) if base):
        return module
    if loss is None:
        got = type(module).__name__
        raise TypeError(
            f"expected a LightningModule, or a module together with `loss`, got {got} alone"
        )
    base = next(base for base in map(_lightning_module, _NAMESPACES) if base)
    return _wrapped(base, module, loss)


def _namespace(model: object) -> str:
    for name in _NAMESPACES:
        base = _lightning_module(name)
        if base is not None and isinstance(model, base):
            return name
    raise TypeError(f"expected a LightningModule, got {type(model).__name__}")


def _lightning_module(namespace: str) -> Any:  # noqa: ANN401  # a class of one namespace or the other
    try:
        return import_module(namespace).LightningModule
    except ImportError:
        return None


def _wrapped(base: Any, module: nn.Module, loss: Callable[..., Tensor]) -> Any:  # noqa: ANN401
    """Make a LightningModule of a plain one; its parameters keep their names in the report."""

    class Plain(base):  # type: ignore[misc]  # the base depends on what is installed
        def __init__(self) -> None:
            super().__init__()
            self._orig_mod = module  # a name that the guard leaves out

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ANN401, ARG002
            """Compute the loss as the caller has said."""
            inputs, *rest = batch if isinstance(batch, list | tuple) else (batch,)
            return loss(self._orig_mod(inputs), *rest)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            """Train what is not frozen."""
            return torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=1e-3)

    if not any(param.requires_grad for param in module.parameters()):
        raise NotTrainingError(f"{type(module).__name__} has no parameter that requires grad")
    return Plain()


class _Repeated:
    """One batch, as often as asked for."""

    def __init__(self, batch: object, times: int) -> None:
        self.batch, self.times = batch, times

    def __iter__(self) -> Iterator[object]:
        return iter([self.batch] * self.times)

    def __len__(self) -> int:
        return self.times


def _feed(data: object, steps: int) -> dict[str, object]:
    """Return the arguments that hand data to `fit`."""
    if hasattr(data, "train_dataloader"):
        return {"datamodule": data}
    is_batch = isinstance(data, Tensor | Mapping | list | tuple) or not isinstance(data, Iterable)
    return {"train_dataloaders": _Repeated(data, steps) if is_batch else data}


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what Lightning says about hardware and data loading, and the findings told twice."""
    loggers = [logging.getLogger(f"{name}.utilities.rank_zero") for name in _NAMESPACES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning\b")
            warnings.filterwarnings("ignore", category=GradGuardWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
