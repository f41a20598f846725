# SPDX-License-Identifier: Apache-2.0
"""Write scalars, findings and pictures through the loggers of a Trainer, whichever they are.

A logger is known by what it can do, not by its class, so that nothing here imports one. One that
raises is left out from then on, and named once; its bug must not stop a training.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from lightning_gradguard.report import render
from lightning_gradguard.rules import Diagnostic

__all__ = [
    "log_epoch",
    "log_findings",
    "log_picture",
    "log_scalars",
    "log_status",
    "shows_pictures",
]

_log = logging.getLogger("lightning_gradguard")
_PICTURE = "gradguard/gradient_flow"
_STATUS = "gradguard/status"


def log_scalars(trainer: Any, values: Mapping[str, float]) -> None:  # noqa: ANN401
    """Write one set of scalars to every logger."""
    for logger in trainer.loggers:
        _guarded(logger, lambda it: it.log_metrics(dict(values), step=trainer.global_step))


def log_epoch(trainer: Any, values: Mapping[str, float]) -> None:  # noqa: ANN401
    """Write the metrics of an epoch to every logger, and to where callbacks look for them."""
    if values:
        trainer.callback_metrics.update(
            {name: torch.tensor(value) for name, value in values.items()}
        )
        log_scalars(trainer, {**values, "epoch": trainer.current_epoch})


def log_findings(trainer: Any, found: Sequence[Diagnostic]) -> None:  # noqa: ANN401
    """Show findings as text in the loggers that can show text."""
    for logger in trainer.loggers:
        for diagnostic in found:
            _guarded(logger, partial(_show, diagnostic=diagnostic, step=trainer.global_step))


def _show(logger: Any, diagnostic: Diagnostic, step: int) -> None:  # noqa: ANN401
    text = render(diagnostic)
    experiment: Any = getattr(logger, "experiment", None)
    if hasattr(experiment, "add_text"):
        experiment.add_text(f"gradguard/{diagnostic.code}", f"```text\n{text}\n```", step)
    elif hasattr(logger, "log_text"):
        row = [diagnostic.code, str(diagnostic.severity), diagnostic.message, text]
        columns = ["code", "level", "message", "text"]
        logger.log_text(f"gradguard/{diagnostic.code}", columns=columns, data=[row], step=step)
    elif _has_artifacts(logger, experiment):
        name = f"gradguard/{diagnostic.code}-step{step}.txt"
        experiment.log_text(logger.run_id, text, name)


def shows_pictures(trainer: Any) -> bool:  # noqa: ANN401
    """Say whether a logger of the Trainer can show a picture."""
    return any(map(_shows_pictures, trainer.loggers))


def _shows_pictures(logger: Any) -> bool:  # noqa: ANN401
    if hasattr(logger, "log_image"):
        return True
    experiment: Any = getattr(logger, "experiment", None)
    return hasattr(experiment, "add_image") or _has_artifacts(logger, experiment)


def log_picture(trainer: Any, pixels: Any) -> None:  # noqa: ANN401
    """Show a picture in the loggers that can.

    Args:
        trainer: whose loggers to use.
        pixels: uint8[height, width, 3].
    """
    for logger in trainer.loggers:
        _guarded(logger, partial(_hang, pixels=pixels, step=trainer.global_step))


def _hang(logger: Any, pixels: Any, step: int) -> None:  # noqa: ANN401
    experiment: Any = getattr(logger, "experiment", None)
    if hasattr(experiment, "add_image"):
        experiment.add_image(_PICTURE, pixels, step, dataformats="HWC")
    elif hasattr(logger, "log_image"):
        logger.log_image(_PICTURE, [pixels], step=step)
    elif _has_artifacts(logger, experiment):
        experiment.log_image(logger.run_id, pixels, f"{_PICTURE}-step{step}.png")


def log_status(trainer: Any, status: str) -> None:  # noqa: ANN401
    """Write the outcome into the summary of the run, where alerts and filters look for it."""
    for logger in trainer.loggers:
        _guarded(logger, partial(_conclude, status=status))


def _conclude(logger: Any, status: str) -> None:  # noqa: ANN401
    experiment: Any = getattr(logger, "experiment", None)
    if hasattr(experiment, "summary") and hasattr(logger, "log_image"):
        experiment.summary[_STATUS] = status
    elif _has_artifacts(logger, experiment):
        experiment.set_tag(logger.run_id, _STATUS, status)


def _has_artifacts(logger: Any, experiment: Any) -> bool:  # noqa: ANN401
    """Say whether a logger keeps files by run, as MLflow does."""
    return hasattr(logger, "run_id") and hasattr(experiment, "set_tag")


def _guarded(logger: Any, deed: Callable[[Any], None]) -> None:  # noqa: ANN401
    if getattr(logger, "_gradguard_failed", False):
        return
    try:
        deed(logger)
    except Exception as fault:  # noqa: BLE001 - see above
        logger._gradguard_failed = True  # noqa: SLF001 - so that it is said once
        name = type(logger).__name__
        _log.warning("gradguard: %s raised %r and gets no more records", name, fault)
