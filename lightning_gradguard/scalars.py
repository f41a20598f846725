# SPDX-License-Identifier: Apache-2.0
"""Write scalars and findings through the loggers of a Trainer, whichever they are."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lightning_gradguard.rules import Diagnostic


__all__ = ["log_findings", "log_scalars"]

_log = logging.getLogger("lightning_gradguard")


def log_scalars(trainer: Any, values: Mapping[str, float]) -> None:  # noqa: ANN401
    """Write one set of scalars to every logger; one that raises is left out and named once."""
    for logger in trainer.loggers:
        _guarded(logger, lambda it: it.log_metrics(dict(values), step=trainer.global_step))


def log_findings(trainer: Any, found: Sequence[Diagnostic]) -> None:  # noqa: ANN401
    """Show findings as text in the loggers that can show text."""
    for logger in trainer.loggers:
        for diagnostic in found:
            _guarded(logger, lambda it, d=diagnostic: _show(it, d, trainer.global_step))


def _show(logger: Any, diagnostic: Diagnostic, step: int) -> None:  # noqa: ANN401
    from lightning_gradguard.report import render

    text = render(diagnostic)
    experiment = getattr(logger, "experiment", None)
    if hasattr(experiment, "add_text"):
        experiment.add_text(f"gradguard/{diagnostic.code}", f"```text\n{text}\n```", step)
    elif hasattr(logger, "log_text"):
        logger.log_text("gradguard/findings", columns=["code", "text"], data=[[diagnostic.code, text]], step=step)


def _guarded(logger: Any, deed: Any) -> None:  # noqa: ANN401
    if getattr(logger, "_gradguard_failed", False):
        return
    try:
        deed(logger)
    except Exception as fault:  # noqa: BLE001 - a logger's bug must not stop a training
        logger._gradguard_failed = True  # noqa: SLF001 - so that it is said once
        _log.warning("gradguard: %s raised %r and gets no more records", type(logger).__name__, fault)
