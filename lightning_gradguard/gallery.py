# SPDX-License-Identifier: Apache-2.0
"""What is shown beside the text of a run: pictures while it goes on, files and a status at its end.

The callback only passes on when a step and when the run ends; which of the many places a user may
look at wants something, and when, is decided here.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lightning_gradguard import environment, html, plots, scalars
from lightning_gradguard.report import Report

__all__ = ["Gallery"]

_log = logging.getLogger("lightning_gradguard")


class Gallery:
    """The pictures and files of one run.

    Args:
        report: of the run; also carries the gradients as last measured.
        report_path: where to write it, or None.
        figure_path: where to draw the gradient flow, or None.
        figure_every_n_steps: how often at most loggers get a picture; 0 for never.
    """

    def __init__(
        self,
        report: Report,
        report_path: str | Path | None = None,
        figure_path: str | Path | None = None,
        figure_every_n_steps: int = 0,
    ) -> None:
        self.report = report
        self.report_path = report_path
        self.figure_path = figure_path
        self.figure_every_n_steps = figure_every_n_steps
        self._measured: dict[str, plots.Gradient] = {}
        self._hung_at: int | None = None
        self._is_closed = False

    def step(self, trainer: Any, named: Mapping[str, Tensor], every: int) -> None:  # noqa: ANN401
        """Look at the gradients before an optimizer step, where a picture of them is wanted.

        Args:
            trainer: whose loggers show it.
            named: name -> parameter of this optimizer.
            every: the logging cadence, in steps.
        """
        if not trainer.is_global_zero or trainer.global_step % max(every, 1):
            return
        hang = self._is_due(trainer)
        if hang or self.figure_path is not None or self._wants_bars():
            self._measured |= {g.name: g for g in plots.measure(named)}
            self.report.gradients = tuple(self._measured.values())
            self.report.gradients_step = trainer.global_step
        if hang:
            self._hung_at = trainer.global_step
            picture = plots.draw(self.report.gradients, trainer.global_step)
            scalars.log_picture(trainer, plots.pixels(picture))

    def _wants_bars(self) -> bool:
        return self.report_path is not None and Path(self.report_path).suffix == ".html"

    def _is_due(self, trainer: Any) -> bool:  # noqa: ANN401
        if not self.figure_every_n_steps or not plots.is_available():
            return False
        since = None if self._hung_at is None else trainer.global_step - self._hung_at
        return (since is None or since >= self.figure_every_n_steps) and scalars.shows_pictures(
            trainer
        )

    def close(self, trainer: Any) -> None:  # noqa: ANN401
        """Write the files, tell the service that runs the job, and set the status of the run."""
        if self._is_closed or not trainer.is_global_zero:
            return
        self._is_closed = True
        if self.report_path is not None:
            _write(self.report_path, self.report.write, self.report_path)
        if self.figure_path is not None:
            figure = (self.report.gradients, self.figure_path, self.report.gradients_step)
            _write(self.figure_path, plots.save, *figure)
        _write("the summary of the job", environment.publish, self.report)
        scalars.log_status(trainer, html.status_of(self.report))


def _write(target: str | Path, deed: Callable[..., None], *args: Any) -> None:  # noqa: ANN401
    """Write a file; a full disk or a folder that is gone hides neither a finding nor a training."""
    try:
        deed(*args)
    except OSError as fault:
        _log.error("gradguard: could not write %s: %s", target, fault)
