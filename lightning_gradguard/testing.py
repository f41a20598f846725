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

__all__ = ["NotTrainingError", "assert_trains"]

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
    subject, namespace = _subject(module, loss)
    trainer = import_module(namespace).Trainer(
        **_QUIET, max_steps=steps, max_epochs=-1, callbacks=[guard]
    )
    failure: NotTrainingError | None = None
    with _quiet():
        try:
            trainer.fit(subject, _batches(data, steps))
        except Exception as fault:
            if not guard.report.has_findings():
                raise
            failure = NotTrainingError.of(guard.report, _last_words(fault))
    if failure is None and guard.report.has_findings():
        failure = NotTrainingError.of(guard.report)
    if failure is not None:
        raise failure
    return guard.report


def _last_words(fault: BaseException) -> str:
    return "" if isinstance(fault, GradGuardError) else str(fault).partition("\n")[0]


def _subject(module: nn.Module, loss: Callable[..., Tensor] | None) -> tuple[Any, str]:
    """Return what a Trainer can train, and the namespace of that Trainer."""
    for name in _NAMESPACES:
        base = _lightning_module(name)
        if base is not None and isinstance(module, base):
            return module, name
    if loss is None:
        message = (
            f"expected a LightningModule, or a module together with `loss`, got {type(module).__name__}"
        )
        raise TypeError(message)
    name = next(name for name in _NAMESPACES if _lightning_module(name) is not None)
    return _wrapped(_lightning_module(name), module, loss), name


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
            self.module = module

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ANN401, ARG002
            inputs, *rest = batch if isinstance(batch, list | tuple) else (batch,)
            return loss(self.module(inputs), *rest)

        def configure_optimizers(self) -> torch.optim.Optimizer:
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


def _batches(data: object, steps: int) -> Iterable[object]:
    is_batch = isinstance(data, Tensor | Mapping | list | tuple) or not isinstance(data, Iterable)
    return _Repeated(data, steps) if is_batch else data  # type: ignore[return-value]  # narrowed


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
