# SPDX-License-Identifier: Apache-2.0
"""The Lightning shell: hooks in, decisions out, no logic of its own."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from lightning_gradguard import advice, scalars
from lightning_gradguard.gallery import Gallery
from lightning_gradguard.jobs import Agreement, meet
from lightning_gradguard.options import check_options
from lightning_gradguard.replay import Replay
from lightning_gradguard.report import GradGuardError, Report, render
from lightning_gradguard.routing import Routing
from lightning_gradguard.session import Session, Settings
from lightning_gradguard.trace import unseen

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

__all__ = ["GradGuard", "GradGuardWarning"]


@contextmanager
def _own_logger_kept() -> Iterator[None]:
    """Keep the logger of rank-zero messages: each namespace puts its own there when imported."""
    before = sys.modules.get("lightning_utilities.core.rank_zero")
    logger = getattr(before, "log", None)
    yield
    if before is not None and logger is not None:
        before.log = logger  # type: ignore[attr-defined]


def _bases() -> tuple[type, ...]:
    """Return the `Callback` class of every installed Lightning namespace."""
    found: list[type] = []
    with _own_logger_kept():
        for namespace in ("pytorch_lightning", "lightning.pytorch"):
            try:
                found.append(import_module(namespace).Callback)
            except ImportError:
                continue
    if not found:
        message = "GradGuard needs `pytorch_lightning` or `lightning`; neither could be imported"
        raise ImportError(message)
    return tuple(found)


_TORCH_TEXT = "element 0 of tensors does not require grad and does not have a grad_fn"


class GradGuardWarning(UserWarning):
    """A finding of a guard that is not strict; the text is the diagnostic."""


class GradGuard(*_bases()):  # type: ignore[misc]  # the bases depend on what is installed
    """Tell which parameters get no useful gradient, what is to blame, and what to write instead.

    Args:
        strict: raise `GradGuardError` for errors and warnings instead of warning.
        select: rule codes or prefixes to look for.
        ignore: rule codes or prefixes to leave out.
        ignore_params: `fnmatch` patterns over names as in `pl_module.named_parameters()`.
        patience: optimizer steps a suspicion may last before it becomes a finding.
        trace_steps: training batches traced operation by operation at the start of fit.
        every_n_steps: how often gradients are looked at, in optimizer steps.
        log_every_n_steps: how often scalars are logged, in steps; `None` takes the Trainer's own.
        agree_every_n_steps: how often ranks compare what their losses reach, in steps; `None` takes
            every step for the first 100, then as often as costs at most 1 % of the time.
        metrics: what to do about metrics that are recognised in the loss: `advise` names them,
            `route` computes them with torchmetrics from the next batch on, `off` does neither. Or
            name -> metric, fed from the dict that `training_step` returns.
        metric_keys: keys of that dict that hold predictions and target.
        report: file to write the report to at the end: `.json`, `.sarif`, `.md` or `.html`.
        figure: file to draw the gradient flow to at the end: `.png`, `.svg` or `.pdf`.
        figure_every_n_steps: how often the gradient flow is drawn for loggers that show pictures,
            in steps and where matplotlib is installed; 0 for never.

    Raises:
        ImportError: `report` or `figure` needs a package that is not installed.
        TypeError: an argument has the wrong type.
        ValueError: an argument has an impossible value; the message lists what is allowed.

    Logged metrics:
        `gradguard/coverage`, `gradguard/missing`, `gradguard/zero`, `gradguard/nonfinite`,
        `gradguard/grad_norm`, through every logger of the Trainer; `gradguard/<name>` once an epoch
        for every metric, in `trainer.callback_metrics` too.

    Example:
        >>> GradGuard(patience=0)
        Traceback (most recent call last):
        ...
        ValueError: expected `patience` to be at least 1, got 0
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        select: Sequence[str] = ("GG",),
        ignore: Sequence[str] = (),
        ignore_params: Sequence[str] = (),
        patience: int = 10,
        trace_steps: int = 1,
        every_n_steps: int = 1,
        log_every_n_steps: int | None = None,
        agree_every_n_steps: int | None = None,
        metrics: (
            "Literal['advise', 'route', 'off'] | Mapping[str, Any] | MetricCollection"
        ) = "advise",
        metric_keys: tuple[str, str] = ("preds", "target"),
        report: str | Path | None = None,
        figure: str | Path | None = None,
        figure_every_n_steps: int = 500,
    ) -> None:
        options = {k: v for k, v in locals().items() if k not in {"self", "__class__"}}
        check_options(options)
        self.settings = Settings(
            strict,
            tuple(select),
            tuple(ignore),
            tuple(ignore_params),
            patience,
            trace_steps,
            every_n_steps,
            agree_every_n_steps,
        )
        self.metrics = metrics
        self._routing = None if metrics in ("advise", "off") else Routing(metrics, metric_keys)
        self.log_every_n_steps = log_every_n_steps
        self.report_path = report
        self.figure_path = figure
        self.figure_every_n_steps = figure_every_n_steps
        self.report = Report()
        self._gallery = Gallery(self.report)
        self._session: Session | None = None
        self._state: dict[str, Any] = {}  # what a checkpoint made after the fit holds
        self._agreement: Agreement | None = None
        self._around: Callable[[], AbstractContextManager[Any]] | None = None
        self._norm: Callable[[Sequence[Tensor]], float] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave what belongs to a running fit behind."""
        return self.__dict__ | dict.fromkeys(("_session", "_agreement", "_around", "_norm"))

    # -- hooks

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Start a new report for every fit."""
        if stage == "fit":
            self.report = Report()
            self._agreement = None
            # On several ranks the report of a session is this rank's own; `report` is the job's.
            self._session = Session(
                self.settings, self.report if trainer.world_size == 1 else Report()
            )
            self._session.tracer.names_metrics = self.metrics != "off"
            routing = self._routing
            self._session.on_metrics = self._offer if routing is None else routing.watch
            self._gallery = Gallery(
                self.report, self.report_path, self.figure_path, self.figure_every_n_steps
            )

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Take note of module and optimizers."""
        if self._session is None:  # another guard works here, on all ranks alike
            return
        around = trainer.precision_plugin.train_step_context
        # Only one process can run a step again by itself.
        self._around = around if trainer.world_size == 1 else None
        self._safely("audit", self._attach, trainer, pl_module)
        if self._routing is not None:
            self._routing.start(pl_module, pl_module.device, trainer.global_rank)
        if trainer.world_size > 1:
            unseen(self._meet, trainer, pl_module)

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Trace the first batches."""
        if self._routing is not None:
            self._safely("metrics", self._routing.begin_batch, batch)
        # Without a trace the batches are counted all the same.
        part = "audit" if self._session is not None and "trace" in self._session.off else "trace"
        self._safely(part, self._begin_batch, trainer, pl_module, batch, batch_idx)
        if self._agreement is not None:
            last = _is_last(trainer, together=self._routing is not None)
            self._agreement.begin_batch(trainer.global_step, last=last)

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        """Look at the loss before its backward pass."""
        self._ask("trace", "before_backward", loss)
        if self._rests():
            return
        if self._agreement is not None:
            exchanges = getattr(trainer.model, "require_backward_grad_sync", True)
            unseen(self._agreement.before_backward, loss, exchanges)
        self._tell(trainer)
        if self._will_raise(self.report.diagnostics) and not loss.requires_grad:
            raise GradGuardError.of(self.report, _TORCH_TEXT)

    def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
        """Note which gradients are there."""
        if self._rests():
            return
        self._ask("audit", "after_backward")
        if self._agreement is not None:
            self._agreement.after_backward()

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Judge the final gradients."""
        session = self._session
        if session is None:
            return
        every = self.log_every_n_steps or trainer.log_every_n_steps
        # The same in a batch in which nothing is open; to ask the Trainer for it takes a while.
        step = session.step if self._rests() else trainer.global_step
        due = step % (every or 1) == 0
        if self._agreement is not None:
            unseen(self._agreement.before_step, optimizer)
            if every and due:  # with loggers or without: all ranks take part
                self._norm = unseen(self._agreement.norm, optimizer)
        else:
            self._safely("audit", session.before_step, optimizer)
        if due:
            self._safely("pictures", self._show_gradients, trainer, optimizer, every)
        if due and every:
            self._safely("scalars", self._log_scalars, trainer, optimizer)
        if not self._rests():
            self._tell(trainer)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Finish the batch."""
        if self._session is not None and self._rests():
            self._session.rest()
        else:
            self._ask("audit", "end_batch")
            self._tell(trainer)
        if self._routing is not None:
            unseen(self._routing.end_batch, outputs)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the metrics of the epoch."""
        if self._routing is not None:
            gather = self._agreement.exchange if self._agreement is not None else None
            scalars.log_epoch(trainer, unseen(self._routing.end_epoch, gather))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Turn what has lasted until here into findings, and sum up."""
        if self._agreement is not None:
            unseen(self._agreement.finish)
        else:
            self._ask("audit", "finish")
        self._end_routes()
        if trainer.is_global_zero:
            self._safely("report", self._gallery.close, trainer)
        self._tell(trainer)
        if self._session is not None and trainer.is_global_zero and not self.report.has_findings():
            print(self.report.closing, file=sys.stderr)  # noqa: T201 - the one line of a clean run
        self._state = self.state_dict()
        self._session = None

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Leave everything as it was, and name the operation if torch refused one."""
        self._ask("trace", "failed", exception)
        if isinstance(exception, KeyboardInterrupt):  # the user ends the fit here
            self._ask("audit", "finish")
        if self._agreement is not None:
            unseen(self._agreement.failed, exception)
        if trainer.is_global_zero:
            self._safely("report", self._gallery.close, trainer)
        if not isinstance(exception, GradGuardError):
            self._tell(trainer, may_raise=False)
        self._end_routes()
        self._session = None

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Leave a trace that is still being recorded."""
        if self._session is not None:
            self._ask("trace", "failed", RuntimeError("teardown"))
            self._session = None
        if self._agreement is not None:
            self._agreement.close()
            self._agreement = None
        if self._routing is not None:
            self._routing.close()

    # -- state

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        if self._session is None:
            return self._state
        metrics = {"metrics": self._routing.state_dict()} if self._routing is not None else {}
        return {"version": 1, "audit": self._session.audit.state_dict()} | metrics

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        if self._session is not None and state_dict.get("version") == 1:
            self._session.audit.load_state_dict(state_dict["audit"])
            if self._routing is not None:
                self._routing.load_state_dict(state_dict.get("metrics", {}))

    # -- deeds

    def _rests(self) -> bool:
        """Say whether there is nothing to tell in this batch, and nobody to agree with."""
        return self._session is not None and self._session.quiet and self._agreement is None

    def _attach(self, trainer: Any, pl_module: Any) -> None:
        assert self._session is not None  # noqa: S101 - `_safely` made sure
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        self._session.attach(
            pl_module,
            trainer.optimizers,
            automatic=pl_module.automatic_optimization,
            scaled=scaler is not None,
        )

    def _meet(self, trainer: Any, pl_module: Any) -> None:
        """Open the line to the other ranks; every rank comes here."""
        assert self._session is not None  # noqa: S101 - set up for this fit
        self._agreement = meet(trainer, pl_module, self._session, self.report)
        if self._agreement is None:
            self._session = None
            for diagnostic in self.report.diagnostics:
                warnings.warn(render(diagnostic), GradGuardWarning, stacklevel=2)

    def _offer(self, trace: Any, goal: Any) -> None:
        """Note what could be routed; a healthy training hears nothing of it."""
        for offer in advice.offers(trace, goal) if self.metrics == "advise" else ():
            self.report.add_offer(offer)

    def _end_routes(self) -> None:
        """Take the hooks of the routes out and say what was not routed."""
        if self._routing is not None:
            for limit in self._routing.limits:
                self.report.add_limit(limit)
            self._routing.close()

    def _ask(self, part: str, method: str, *args: Any) -> None:
        """Pass an event on to the session."""
        self._safely(part, getattr(self._session, method, None), *args)

    def _begin_batch(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        assert self._session is not None  # noqa: S101 - `_safely` made sure
        if not self._session.quiet or not pl_module.automatic_optimization:
            self._attach(trainer, pl_module)
        around = self._around if self._session.automatic else None
        replay = None if around is None else Replay(pl_module, (batch, batch_idx), around)
        self._session.begin_batch(trainer.global_step, batch, replay)

    def _safely(self, part: str, deed: Callable[..., Any] | None, *args: Any) -> None:
        """Do something; a bug in it switches the part off instead of stopping the training."""
        session = self._session
        if session is None or deed is None or part in session.off:
            return
        try:
            unseen(deed, *args)
        except Exception as fault:
            if self._agreement is not None:
                self._agreement.fault(part, fault)  # raised or switched off on all ranks alike
                return
            if self.settings.strict:
                raise
            session.switch_off(part, fault)

    def _tell(self, trainer: Any, *, may_raise: bool = True) -> None:
        """Raise or warn about the findings since the last call."""
        source = self._agreement or self._session
        fresh = source.take_fresh() if source is not None else []
        fatal = self._agreement is not None and self._agreement.fatal
        if not fresh and not fatal:
            return
        self._safely("loggers", scalars.log_findings, trainer, fresh)
        if (self.settings.strict or fatal) and may_raise:
            raise GradGuardError.of(self.report, _torch_text(fresh))
        if trainer.is_global_zero and not self._will_raise(fresh):
            texts: list[str] = []
            self._safely("report", lambda: texts.extend(render(d) for d in fresh))
            for text in texts:
                warnings.warn(text, GradGuardWarning, stacklevel=2)

    def _will_raise(self, fresh: Sequence[Any]) -> bool:
        return any(d.code == "GG101" for d in fresh)

    def _log_scalars(self, trainer: Any, optimizer: Any) -> None:
        assert self._session is not None  # noqa: S101 - `_safely` made sure
        if trainer.loggers:
            norm = {} if self._norm is None else {"norm": self._norm}
            scalars.log_scalars(trainer, self._session.scalars(optimizer, **norm))

    def _show_gradients(self, trainer: Any, optimizer: Any, every: int) -> None:
        assert self._session is not None  # noqa: S101 - `_safely` made sure
        self._gallery.step(trainer, self._session.judged(optimizer), every)


def _is_last(trainer: Any, *, together: bool) -> bool:
    """Say whether the other ranks can count on no batch of this rank after this one.

    Args:
        trainer: at the start of a batch.
        together: all ranks come to the end of every epoch, where metrics are put together.
    """
    if together and trainer.is_last_batch:
        return True
    epochs, steps = trainer.max_epochs, trainer.max_steps
    if steps is not None and 0 <= steps <= trainer.global_step + 1:
        return True
    return bool(
        trainer.is_last_batch and epochs is not None and 0 <= epochs <= trainer.current_epoch + 1
    )


def _torch_text(found: Sequence[Any]) -> str:
    return _TORCH_TEXT if any(d.code == "GG101" for d in found) else ""
