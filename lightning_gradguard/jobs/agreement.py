# SPDX-License-Identifier: Apache-2.0
"""One session on every rank, one verdict for the job: what is compared when, and what follows.

Every rank enters every comparison, whatever it has found; which ones there are follows from the
step alone. What goes wrong inside the guard on one rank is told like a finding, and handled on all.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from lightning_gradguard import diagnose
from lightning_gradguard.audit import total_norm
from lightning_gradguard.flow import State
from lightning_gradguard.jobs.cadence import Cadence, cadence
from lightning_gradguard.jobs.losses import Losses
from lightning_gradguard.jobs.outbox import Outbox, Record
from lightning_gradguard.jobs.reach import digest
from lightning_gradguard.jobs.strategy import (
    AccumulateHooks,
    Plan,
    square_of,
    survey,
    whole_numel,
)
from lightning_gradguard.jobs.verdict import Verdict
from lightning_gradguard.ranks import Answer, Event, LostRankError, Note, Ranks, words
from lightning_gradguard.report import GradGuardError, Report
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.session import Session

__all__ = ["Agreement", "meet"]

_log = logging.getLogger("lightning_gradguard")
# A rank that fails or finishes waits this long, in s, for others to hear why.
_LAST_WORD = 5.0
_LAST_CALL = 30.0


def meet(trainer: Any, model: nn.Module, session: Session, report: Report) -> "Agreement | None":  # noqa: ANN401
    """Open the line to the other ranks; every rank must call this.

    Args:
        trainer: any object with `strategy` and `model`.
        model: the user's module.
        session: what this rank sees.
        report: where the findings of the job go; says why, where there is nothing to compare.
    """
    if not Ranks.available():
        kind = type(trainer.strategy).__name__
        report.add_limit(f"`{kind}` does not run on torch's own processes")
        return None
    limit = getattr(trainer.strategy, "_timeout", None)
    try:
        ranks = Ranks(limit.total_seconds() if limit is not None else None)
    except LostRankError as error:
        report.add_limit(f"the ranks: {error}")
        for diagnostic in diagnose.unchecked(session.scene(bare=True), "the ranks", str(error)):
            report.add(diagnostic)
        return None
    agreement = Agreement(ranks, session, report, _plan(trainer, model, session))
    agreement.start()
    return agreement


def _plan(trainer: Any, model: nn.Module, session: Session) -> Plan:  # noqa: ANN401
    try:
        return survey(trainer, model, session)
    except Exception as error:  # noqa: BLE001 - told to all ranks, which then check nothing
        return Plan(limits=(f"the strategy could not be read: {error!r}",), blind=True)


class Agreement:
    """What all ranks know together.

    Args:
        ranks: the line between them.
        session: what this rank sees; its report is for this rank only.
        report: where the findings of the job go, the same on every rank.
        plan: how the strategy treats gradients.
    """

    def __init__(self, ranks: Ranks, session: Session, report: Report, plan: Plan) -> None:
        self.ranks, self.session, self.report, self.plan = ranks, session, report, plan
        self.outbox = Outbox(session, ranks.rank)
        self.verdict = Verdict(self.outbox, report)
        self._closed = False
        self._cadence = Cadence(session.settings.agree_every_n_steps)
        self._losses = Losses(ranks, self.verdict, plan)
        self._key = digest(plan.params)
        self._hooks: AccumulateHooks | None = None
        self._step = 0
        self._due = self._last = self._talking = self._waited_for = False
        self._where = "before its first step"

    @property
    def off(self) -> bool:
        """Say whether the ranks have stopped talking to each other."""
        return self._closed or self.verdict.lame

    @property
    def fatal(self) -> bool:
        """Say whether going on would leave ranks waiting for each other."""
        return self.verdict.fatal

    # -- the course of a run

    def start(self) -> None:
        """Make sure that all ranks hold the same parameters, and note what cannot be checked."""
        plan = self.plan
        self.session.sharded = plan.spreads
        for limit in plan.limits:
            self.report.add_limit(limit)
        with self._line():
            answer = self._compare(Note(Event.START, self._key, news=bool(plan.blind)))
            if answer.high.news:
                limits = dict.fromkeys(t for found in self.ranks.gather(plan.limits) for t in found)
                self._give_up("the gradients", "; ".join(limits))
            elif answer.differs("names"):
                why = "they hold different parameters, so nothing can be compared between them"
                self._give_up("the ranks", why)
            else:
                self._learn_sizes()
                self._due = True

    def begin_batch(self, step: int, *, last: bool = False) -> None:
        """Decide from the step alone whether it is compared over ranks.

        Args:
            step: global step.
            last: this rank has no batch after this one.
        """
        self._step, self._last, self._waited_for = step, last, False
        self._where = "before its backward pass"
        self._due = self._cadence.begin(step, time.perf_counter())

    def before_backward(self, loss: Tensor, exchanges: bool) -> None:  # noqa: FBT001 - of a hook
        """Compare what the losses of all ranks reach, before any of them waits for a gradient.

        Args:
            loss: what is about to be differentiated.
            exchanges: gradients are exchanged in this backward pass, not only added up.

        Raises:
            GradGuardError: a rank is gone, or is somewhere else in the run.
        """
        # Where a user runs backward passes that nobody waits for, ranks may run more or fewer.
        if not self._listens or not (exchanges or self.session.automatic):
            return
        started = time.perf_counter()
        with self._line():
            look = self._losses.look(loss, exchanges=exchanges)
            content = (digest(look.found), look.link, look.blind)
            answer = self._compare(
                Note(Event.BACKWARD, self._key, *content, self.outbox.is_full, self._last)
            )
            if answer.differs("names") or answer.differs("last"):
                self._part_ways()
            self._losses.follow(answer, look, self._step)
            self._cadence.spent(time.perf_counter() - started)
            self._settle_cadence()
        self._where = "in its backward pass"
        self._waited_for = exchanges

    def after_backward(self) -> None:
        """Take note that the gradients of a backward pass have been exchanged."""
        self._where = "after its backward pass"
        self._waited_for = False

    def before_step(self, optimizer: Any) -> None:  # noqa: ANN401
        """Merge the states of the final gradients over ranks.

        Raises:
            GradGuardError: a rank is gone, or is somewhere else in the run.
        """
        if not self._listens:
            if not self.session.sharded and not self.off:
                self.outbox.attempt("audit", self.session.before_step, optimizer)
            return
        with self._line():
            self._merge_states(optimizer)

    def finish(self) -> None:
        """End the run together; a rank that ends before the others does not wait for ever."""
        self.outbox.attempt("audit", self.session.finish)
        if self.off:
            self.verdict.keep_own()
            return
        try:
            news = self.outbox.is_full
            answer = self._compare(Note(Event.FINISH, self._key, news=news), wait=_LAST_CALL)
            if answer.high.news:
                self.verdict.share(self.ranks)
            self._losses.tell_halved(final=True)
            self.verdict.adopt(self.ranks.gather(self.outbox.facts()))
        except Exception as error:  # a bug in the guard, or nobody there
            if isinstance(error, GradGuardError) and self.fatal:
                raise
            self.report.add_limit(
                f"the findings of the last steps were not compared over ranks: {error}"
            )
            self.verdict.keep_own()
        finally:
            self.close()

    def failed(self, error: BaseException) -> None:
        """Tell the others, if they are about to listen, that this rank has failed and why."""
        if isinstance(error, GradGuardError):
            self.close()
            return
        try:
            if self._can_be_heard and isinstance(error, Exception):
                self.ranks.compare(Note(Event.FAILED, self._key, news=1), wait=_LAST_WORD)
                self._part_ways(f"{self._where}: {type(error).__name__}: {error}")
        except Exception as other:  # noqa: BLE001 - nobody listened; this rank's own error counts
            _log.debug("gradguard: no other rank heard of the failure", exc_info=other)
        finally:
            self.verdict.keep_own()
            self.close()

    def close(self) -> None:
        """Take the line and the hooks down; may run twice."""
        self._closed = True
        if self._hooks is not None:
            self._hooks.remove()
        self.ranks.close()

    def take_fresh(self) -> list[Diagnostic]:
        """Return the findings of the job since the last call."""
        return self.verdict.take_fresh()

    def fault(self, part: str, error: BaseException) -> None:
        """Take note of a bug in the guard on this rank, to be told at the next comparison."""
        self.outbox.fault(part, error)

    def norm(self, optimizer: Any) -> Callable[[Sequence[Tensor]], float]:  # noqa: ANN401
        """Return what gives the L2 norm over all gradients of the job; every rank must call this.

        Cost: where gradients are spread over ranks, one read of every gradient and two messages.
        """
        if not self.session.sharded or self.off:
            return total_norm
        whole = math.nan
        with self._line():
            self._compare(Note(Event.SCALARS, self._key))
            square = self.outbox.attempt("scalars", self._square, optimizer)
            whole = math.sqrt(self.ranks.total([math.nan if square is None else square])[0])
        return lambda _grads: whole

    def exchange(self, thing: Any) -> list[Any]:  # noqa: ANN401
        """Return what every rank brings to the end of an epoch.

        Returns:
            one thing a rank, in their order; nothing for each where the ranks do not talk.
        """
        theirs: list[Any] = [()] * self.ranks.size
        if not self.off:
            with self._line():
                self._compare(Note(Event.EPOCH, self._key))
                theirs = self.ranks.gather(thing)
        return theirs

    # -- comparing

    @property
    def _listens(self) -> bool:
        """Say whether the ranks compare something in this step."""
        return self._due and not self.off

    @property
    def _can_be_heard(self) -> bool:
        """Say whether the next thing that the others do may be a comparison.

        In the middle of a talk they expect something else, and hear that the line ends; in the
        middle of a backward pass they wait for gradients.
        """
        return self._listens and not self._talking and not self._waited_for

    @contextmanager
    def _line(self) -> Iterator[None]:
        """Talk to the other ranks; whatever goes wrong, the training does not stop for a bug."""
        self._talking = True
        try:
            yield
        except LostRankError as error:
            self._lost(error)
        except GradGuardError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug in the guard
            self._break_off(error)
        finally:
            self._talking = False

    def _compare(self, note: Note, wait: float | None = None) -> Answer:
        """Compare a note; ranks that are at different places in the run end here."""
        answer = self.ranks.compare(note, wait)
        if answer.differs("event"):
            self._part_ways()
        return answer

    def _lost(self, error: LostRankError) -> None:
        """End this rank with an error that says what it waited for."""
        self.verdict.keep_own()
        why = f"another rank is gone: {error}; its own output says why"
        self.verdict.unchecked(f"global step {self._step}", why)
        self.verdict.fatal = self._closed = True
        raise GradGuardError.of(self.report) from error

    def _break_off(self, error: Exception) -> None:
        """After a bug in what all ranks do alike, compare nothing any more."""
        _log.error("gradguard: the comparison of ranks failed and is off", exc_info=error)
        why = f"{type(error).__name__}: {error}"
        self.report.add_limit(f"the comparison of ranks failed with {why}")
        self.close()
        self.verdict.unchecked("the comparison of ranks", why)
        self.verdict.fatal |= self.session.settings.strict

    def _merge_states(self, optimizer: Any) -> None:  # noqa: ANN401
        raw = self.outbox.attempt("audit", self.session.enter_step, optimizer)
        if self._step % self.session.settings.every_n_steps:
            return
        named, states = self.outbox.attempt("audit", self._states, optimizer) or ({}, {})
        own = bytes(int(s) + 1 for s in states.values())
        news = self.outbox.is_full
        answer = self._compare(Note(Event.STEP, digest(named), digest(own), news=news))
        if answer.high.news:
            self.verdict.share(self.ranks)
        if answer.differs("names"):
            return
        if answer.differs("content"):
            largest = self.ranks.largest([int(s) for s in states.values()])
            states = {n: State(s) for n, s in zip(named, largest, strict=True)}
        self.outbox.attempt("audit", self.session.take_states, named, states, raw)
        if State.NONFINITE in states.values():
            self.verdict.share(self.ranks)

    def _states(self, optimizer: Any) -> tuple[dict[str, Tensor], dict[str, State]]:  # noqa: ANN401
        if self._hooks is not None:
            return dict(self.plan.params), self._hooks.take()
        named = self.session.judged(optimizer)
        return named, self.session.local_states(named)

    def _square(self, optimizer: Any) -> float:  # noqa: ANN401
        params = self.session.judged(optimizer).values()
        return square_of([p.grad for p in params if p.grad is not None])

    def _settle_cadence(self) -> None:
        """Once, after the first steps, choose how often to compare, alike on every rank."""
        if not self._cadence.is_open:
            return
        price, period = self._cadence.measured
        answer = self._compare(Note(Event.CADENCE, names=price, content=period))
        # Whoever comes last does not wait: the least time over ranks is the price of the message.
        self._cadence.every = cadence(answer.low.names, answer.high.content)

    def _part_ways(self, failure: str = "") -> None:
        """Handle ranks that are at different places in the run; nothing is compared after it.

        Args:
            failure: the error with which this rank ends, if it does, and where.

        Raises:
            GradGuardError: this rank would wait for one that has failed or finished.
        """
        records: list[Record] = self.ranks.gather(
            self.outbox.empty(failure=failure, last=self._last)
        )
        self.verdict.take(records)
        self._closed = True
        if all(r.failure for r in records):  # each keeps its own error, and none waits for another
            return
        self.verdict.unchecked(f"global step {self._step}", _why_apart(records))
        self.report.add_limit(
            f"what follows global step {self._step}: the ranks do not go on together"
        )
        self.verdict.fatal = True
        if not failure:
            raise GradGuardError.of(self.report)

    def _give_up(self, what: str, why: str) -> None:
        """Check nothing from here on, on no rank, and say so."""
        self.verdict.unchecked(what, why)
        self.report.add_limit(f"{what}: {why}")
        self.session.shut("trace")
        self.session.shut("audit")
        self.close()

    def _learn_sizes(self) -> None:
        """Learn the sizes of parameters that shards do not tell, and where states can be read."""
        plan, audit = self.plan, self.session.audit
        if plan.kind == "deepspeed":
            self.session.hold(plan.params)
            self._hooks = AccumulateHooks(plan.params, self._within_audit)
            audit.numels = {n: whole_numel(p) for n, p in plan.params.items()}
        elif plan.has_local_shards:
            sizes = self.ranks.total([float(p.numel()) for p in plan.params.values()])
            audit.numels = {n: round(s) for n, s in zip(plan.params, sizes, strict=True)}
        elif plan.spreads:
            audit.numels = {n: p.numel() for n, p in plan.params.items()}

    def _within_audit(self, deed: Callable[[], None]) -> object:
        return self.outbox.attempt("audit", deed)


def _why_apart(records: Sequence[Record]) -> str:
    """Say why the ranks do not go on together.

    Example:
        >>> _why_apart([Record(), Record(last=True)])  # doctest: +ELLIPSIS
        'this is the last batch of rank 1; the other ranks have more, and would wait for ...'
    """
    failures = [(i, r.failure) for i, r in enumerate(records) if r.failure]
    if failures:
        return "; ".join(f"rank {i} raised {failure}" for i, failure in failures)
    if ending := [i for i, r in enumerate(records) if r.last]:
        return (
            f"this is the last batch of {words(ending)}; the other ranks have more, and would "
            "wait for gradients that never come"
        )
    return "some ranks take other steps than the rest, and each would wait for the other"
