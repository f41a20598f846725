# SPDX-License-Identifier: Apache-2.0
"""One session on every rank, one verdict for the job: what is compared when, and what follows.

Every rank enters every comparison, whatever it has found; which ones there are follows from the
step alone. What goes wrong inside the guard on one rank is told like a finding, and handled on all.
"""

import logging
import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gradguard import diagnose
from lightning_gradguard.audit import states_of, total_norm
from lightning_gradguard.flow import State, held
from lightning_gradguard.ranks import (
    Answer,
    Event,
    Link,
    LostRankError,
    Note,
    Ranks,
    Reached,
    digest,
    merge_findings,
    reached,
    words,
)
from lightning_gradguard.report import Facts, GradGuardError, Report
from lightning_gradguard.rules import Diagnostic, Severity
from lightning_gradguard.session import Session

__all__ = ["Agreement", "Plan", "cadence"]

_log = logging.getLogger("lightning_gradguard")
# The first steps of a run are compared one by one; then at a price of at most this share of a step.
_EARLY = 100
_SHARE = 0.01
_RAREST = 1000
# A rank that fails or finishes waits this long, in s, for others to hear why.
_LAST_WORD = 5.0
_LAST_CALL = 30.0


@dataclass(slots=True)
class Plan:
    """How a strategy treats gradients.

    Attributes:
        kind: `ddp`, `sharded`, `tensor`, `deepspeed` or `other`.
        params: name -> parameter that the strategy exchanges gradients for, in their order.
        exchange: what happens to a gradient that only some ranks have: the others make them `wait`
            or abort, it is made a `mean` with zeros, or the ranks keep it for themselves (`none`).
        needs_all: the exchange needs a gradient of every parameter, as that of plain DDP.
        limits: what cannot be checked, and why.
        blind: nothing can be checked at all.
    """

    kind: str = "other"
    params: dict[str, Tensor] = field(default_factory=dict)
    exchange: str = "none"
    needs_all: bool = False
    limits: tuple[str, ...] = ()
    blind: bool = False

    @property
    def walks(self) -> bool:
        """Say whether the graph of one rank shows all that this rank uses."""
        return self.kind != "sharded"


@dataclass(frozen=True, slots=True)
class _Record:
    """What one rank brings when something is up."""

    event: int
    found: tuple[Diagnostic, ...]
    faults: tuple[tuple[str, str], ...]
    facts: Mapping[str, Any]
    link: int = 0
    suspect: bool = False
    failure: str = ""
    last: bool = False
    reached: bytes = b""
    blind: bool = False


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
        self.fresh: list[Diagnostic] = []
        self.fatal = False
        self.off = False
        self._names = list(plan.params)
        self._places = {id(p): i for i, p in enumerate(plan.params.values())}
        self._key = digest(self._names)
        self._whole = digest(b"\x01" * len(self._names))
        self._silenced: set[int] = set()
        self._sent = 0
        self._faults: list[tuple[str, str]] = []
        self._due = self._open = False
        self._first: int | None = None
        self._every: int | None = session.settings.agree_every_n_steps
        self._costs: list[float] = []
        self._periods: list[float] = []
        self._began = 0.0
        self._uneven: dict[str, tuple[tuple[int, ...], int]] = {}
        self._uses: dict[str, Any] = {}
        self._last = False
        self._compared = 0
        self._hooked: dict[str, State] = {}
        self._handles: list[Any] = []

    # -- the course of a run

    def start(self) -> None:
        """Make sure that all ranks hold the same parameters, and note what cannot be checked."""
        session, plan = self.session, self.plan
        session.sharded = plan.kind in {"sharded", "tensor", "deepspeed"}
        for limit in plan.limits:
            self.report.add_limit(limit)
        answer = self._compare(Note(Event.STEP, self._key, news=bool(plan.blind)))
        if answer.high.news:
            limits = dict.fromkeys(t for found in self.ranks.gather(plan.limits) for t in found)
            self._give_up("the gradients", "; ".join(limits))
        elif answer.differs("names"):
            self._give_up(
                "the ranks",
                "they hold different parameters, so nothing can be compared between them",
            )
        elif plan.kind == "deepspeed":
            self.session.hold(plan.params)
            self._watch_hooks()
        elif session.sharded:
            self._count_shards()

    def begin_batch(self, step: int, *, last: bool = False) -> None:
        """Decide from the step alone whether it is compared over ranks.

        Args:
            step: global step.
            last: this rank has no batch after this one.
        """
        self._last = last
        now = time.perf_counter()
        if self._began and len(self._periods) < _EARLY:
            self._periods.append(now - self._began)
        self._began = now
        if self._first is None:
            self._first = step
        early = self.session.settings.agree_every_n_steps is None and step - self._first < _EARLY
        self._due = self._open = not self.off and (early or step % (self._every or 1) == 0)

    def before_backward(self, loss: Tensor, exchanges: bool) -> None:  # noqa: FBT001 - of a hook
        """Compare what the losses of all ranks reach, before any of them waits for a gradient.

        Args:
            loss: what is about to be differentiated.
            exchanges: gradients are exchanged in this backward pass, not only added up.

        Raises:
            GradGuardError: a rank is gone.
        """
        if not self._due or self.off:
            return
        self._open = False
        started = time.perf_counter()
        look = self._look(loss)
        found = bytes(look.found) if self.plan.walks and exchanges else b""
        answer = self._compare(
            Note(
                Event.BACKWARD,
                self._key,
                digest(found),
                look.link,
                look.blind,
                self._has_news(),
                self._last,
            )
        )
        self._compared += bool(found)
        if answer.low == answer.high and not answer.high.news:
            self._expect_all(answer, found)
        else:
            self._resolve(answer, look, found, exchanges=exchanges)
        if len(self._costs) < _EARLY:
            self._costs.append(time.perf_counter() - started)
        self._settle_cadence()

    def before_step(self, optimizer: Any) -> None:  # noqa: ANN401
        """Merge the states of the final gradients over ranks.

        Raises:
            GradGuardError: a rank is gone.
        """
        session = self.session
        if not self._due or self.off:
            if not session.sharded and not self.off:
                self._try("audit", session.before_step, optimizer)
            return
        raw = session.enter_step(optimizer)
        if session.step % session.settings.every_n_steps:
            return
        named, states = self._try("audit", self._states, optimizer) or ({}, {})
        own = bytes(int(s) + 1 for s in states.values())
        answer = self._compare(Note(Event.STEP, digest(named), digest(own), news=self._has_news()))
        if answer.differs("event"):
            self._part_ways()
            return
        if answer.high.news:
            self._share()
        if answer.differs("names"):
            return
        if answer.differs("content"):
            largest = self.ranks.largest([int(s) for s in states.values()])
            states = {n: State(s) for n, s in zip(named, largest, strict=True)}
        self._try("audit", session.take_states, named, states, raw)
        if State.NONFINITE in states.values():
            self._share()

    def finish(self) -> None:
        """End the run together; a rank that ends before the others does not wait for ever."""
        self._try("audit", self.session.finish)
        if self.off:
            self._keep_own()
            return
        try:
            answer = self._compare(
                Note(Event.FINISH, self._key, news=self._has_news()), wait=_LAST_CALL
            )
            if answer.differs("event"):
                self._part_ways()
                return
            if answer.high.news:
                self._share()
            self._conclude(self._halved(final=True))
            self._take_facts()
        except (LostRankError, GradGuardError) as error:
            if self.fatal:
                raise
            self.report.add_limit(
                f"the findings of the last steps were not compared over ranks: {error.args[0]}"
            )
            self._keep_own()
        finally:
            self.close()

    def failed(self, error: BaseException) -> None:
        """Tell the others, if they are about to listen, that this rank has failed and why."""
        if isinstance(error, GradGuardError):
            self.close()
            return
        try:
            if self._open and not self.off and isinstance(error, Exception):
                self._open = False
                note = Note(Event.FAILED, self._key, news=1)
                self.ranks.compare(note, wait=_LAST_WORD)
                self._part_ways(f"{type(error).__name__}: {error}")
        except (LostRankError, GradGuardError):
            pass  # nobody listened; this rank's own error says it all
        finally:
            self._keep_own()
            self.close()

    def close(self) -> None:
        """Take the line and the hooks down; may run twice."""
        self.off = True
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.ranks.close()

    def take_fresh(self) -> list[Diagnostic]:
        """Return the findings of the job since the last call."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def fault(self, part: str, error: BaseException) -> None:
        """Take note of a bug in the guard on this rank, to be told at the next comparison."""
        if part not in {p for p, _ in self._faults} and not self.session.is_off(part):
            _log.error("gradguard: the %s failed on rank %d", part, self.ranks.rank, exc_info=error)
            self._faults.append((part, f"{type(error).__name__}: {error}"))

    def norm(self, optimizer: Any) -> Callable[[Sequence[Tensor]], float]:  # noqa: ANN401
        """Return what gives the L2 norm over all gradients of the job; every rank must call this.

        Cost: where gradients are spread over ranks, one read of every gradient and one message.
        """
        if not self.session.sharded or self.off:
            return total_norm
        squares = self._try("scalars", self._squares, optimizer)
        whole = math.sqrt(self.ranks.total([math.nan if squares is None else squares])[0])
        return lambda _grads: whole

    def _squares(self, optimizer: Any) -> float:  # noqa: ANN401
        grads = [p.grad for p in self.session.judged(optimizer).values() if p.grad is not None]
        return sum(total_norm([held(g)]) ** 2 / _copies(g) for g in grads)

    # -- comparing

    def _compare(self, note: Note, wait: float | None = None) -> Answer:
        try:
            return self.ranks.compare(note, wait)
        except LostRankError as error:
            if wait is None:
                self._lost(error)
            raise

    def _lost(self, error: LostRankError) -> None:
        """End this rank with an error that says what it waited for."""
        why = f"another rank is gone: {error}; its own output says why"
        self._conclude(diagnose.unchecked(self._scene(), f"global step {self.session.step}", why))
        self.fatal = self.off = True
        raise GradGuardError.of(self.report) from error

    def _look(self, loss: Tensor) -> Reached:
        look: Reached | None
        look = self._try("ranks", lambda: reached(loss, self._places, sharded=not self.plan.walks))
        if look is None:
            look = Reached(bytearray(len(self._names)), Link.PARAMETERS, blind=True)
        for place in self._silenced:
            look.found[place] = 1
        return look

    def _states(self, optimizer: Any) -> tuple[dict[str, Tensor], dict[str, State]]:  # noqa: ANN401
        if self.plan.kind != "deepspeed":
            named = self.session.judged(optimizer)
            return named, self.session.local_states(named)
        hooked, self._hooked = self._hooked, {}
        return dict(self.plan.params), {n: hooked.get(n, State.NONE) for n in self.plan.params}

    def _try(self, part: str, deed: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
        """Do this rank's own part of the work; it must not keep the rank from the comparison."""
        if self.session.is_off(part):
            return None
        try:
            return deed(*args)
        except Exception as error:  # noqa: BLE001 - told to all ranks at the next comparison
            self.fault(part, error)
            return None

    def _has_news(self) -> bool:
        return bool(self._faults) or len(self.session.report.diagnostics) > self._sent

    def _record(self, event: int = 0, **more: Any) -> _Record:  # noqa: ANN401
        """Collect what this rank has found since it last told, and forget it."""
        local = self.session.report.diagnostics
        found, self._sent = local[self._sent :], len(local)
        faults, self._faults = tuple(self._faults), []
        suspect = bool(self._try("audit", self.session.suspects))
        return _Record(event, found, faults, self._facts(), suspect=suspect, **more)

    def _facts(self) -> dict[str, Any]:
        self._try("audit", self.session.update_report)
        facts = asdict(Facts())
        return {name: getattr(self.session.report, name) for name in facts}

    def _share(self) -> None:
        """Make the findings of all ranks the findings of the job; every rank must call this."""
        self._take(self.ranks.gather(self._record()))

    def _take(self, records: Sequence[_Record], drop: frozenset[str] = frozenset()) -> None:
        suspects = [i for i, r in enumerate(records) if r.suspect]
        found = merge_findings([r.found for r in records], suspects)
        self._adopt_facts([r.facts for r in records])
        self._take_faults(records)
        self._conclude([d for d in found if d.code not in drop], wanted=True)

    def _take_faults(self, records: Sequence[_Record]) -> None:
        parts: dict[str, tuple[str, list[int]]] = {}
        for rank, record in enumerate(records):
            for part, text in record.faults:
                parts.setdefault(part, (text, []))[1].append(rank)
        for part, (text, where) in parts.items():
            why = f"on {words(where)}: {text}"
            self.session.shut(part)
            self.off |= part == "ranks"
            self.report.add_limit(f"the {part} failed {why}")
            self._conclude(diagnose.unchecked(self._scene(), f"the {part}", why))
            self.fatal |= self.session.settings.strict

    def _conclude(self, found: Sequence[Diagnostic], *, wanted: bool = False) -> bool:
        """Take findings into the report of the job; say whether one of them was new and counts."""
        loud = False
        for diagnostic in found:
            if not wanted and not self.session.wants(diagnostic):
                continue
            self.session.settle(diagnostic)
            if self.report.add(diagnostic) and diagnostic.severity is not Severity.INFO:
                self.fresh.append(diagnostic)
                loud = True
        self._sent = max(self._sent, len(self.session.report.diagnostics))
        return loud

    def _adopt_facts(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Take the numbers of rank 0 and the limits of all, the same on every rank."""
        limits = dict.fromkeys((*self.report.limits, *(t for f in facts for t in f["limits"])))
        self.report.update(**{**facts[0], "limits": tuple(limits)})

    def _take_facts(self) -> None:
        self._adopt_facts(self.ranks.gather(self._facts()))

    def _keep_own(self) -> None:
        """Without the others, the report holds what this rank has found."""
        local = self.session.report.diagnostics
        self._conclude(local[self._sent :], wanted=True)
        self._adopt_facts([self._facts()])

    # -- what follows

    def _expect_all(self, answer: Answer, found: bytes) -> None:
        """Under plain DDP, report what no rank reaches while all of them wait for it."""
        if not self.plan.needs_all or not found or answer.high.content == self._whole:
            return
        if answer.high.blind or answer.high.link != Link.PARAMETERS:
            return
        places = [i for i, hit in enumerate(found) if not hit]
        self._silenced.update(places)
        names = [self._names[i] for i in places]
        self._try(
            "ranks", lambda: self.session.emit(diagnose.awaited_parameters(self._scene(), names))
        )
        before = len(self.report.diagnostics)
        self._share()
        self.fatal |= len(self.report.diagnostics) > before and self.session.automatic

    def _resolve(self, answer: Answer, look: Reached, found: bytes, *, exchanges: bool) -> None:
        """Find out what the ranks differ in."""
        if answer.differs("event") or answer.differs("names") or answer.differs("last"):
            self._part_ways()
            return
        packed = zlib.compress(found)
        records = self.ranks.gather(
            self._record(Event.BACKWARD, link=look.link, blind=look.blind, reached=packed)
        )
        links = [r.link for r in records]
        apart = max(links) > Link.PARAMETERS and min(links) == Link.PARAMETERS
        self._take(records, frozenset({"GG101", "GG102"}) if apart else frozenset())
        if apart:
            self._divergent_loss(records, exchanges=exchanges)
        elif max(links) == Link.NOTHING:
            self.fatal |= any(d.code in {"GG101", "GG102"} for d in self.report.diagnostics)
        elif len({r.reached for r in records}) > 1:
            self._divergent_sets(records)
        else:
            self._expect_all(answer, found)

    def _divergent_loss(self, records: Sequence[_Record], *, exchanges: bool) -> None:
        lacking = [i for i, r in enumerate(records) if r.link != Link.PARAMETERS]
        having = [i for i, r in enumerate(records) if r.link == Link.PARAMETERS]
        own = (d for i in lacking for d in records[i].found if d.code in {"GG101", "GG102"})
        leaf = all(records[i].link == Link.LEAF for i in lacking)
        found = diagnose.divergent_losses(
            self._scene(bare=True), next(own, None), diagnose.Sides(having, lacking), leaf=leaf
        )
        self.fatal |= self._conclude(found) and (exchanges or not leaf)

    def _divergent_sets(self, records: Sequence[_Record]) -> None:
        """Report parameters that only some ranks use, at once where the exchange waits for them."""
        groups = self._groups(records)
        if self.plan.exchange != "wait":
            self._note_halved(groups)
            self._conclude(self._halved(final=False))
            return
        for having, places in groups.items():
            found = self._elect(having, places, f"at global step {self.session.step}")
            self._silenced.update(places)
            self.fatal |= self._conclude(found)

    def _groups(self, records: Sequence[_Record]) -> dict[tuple[int, ...], list[int]]:
        """Sort the parameters that only some ranks reach by those ranks.

        Cost: 0.3 us for each parameter and each different set, however many ranks share it.
        """
        kinds: dict[tuple[bytes, bool], list[int]] = {}
        for rank, record in enumerate(records):
            kinds.setdefault((record.reached, record.blind), []).append(rank)
        sets = [zlib.decompress(packed) for packed, _ in kinds]
        groups: dict[tuple[int, ...], list[int]] = {}
        for hits, places in _by_pattern(sets).items():
            parts = list(zip(hits, kinds.items(), strict=True))
            having = sorted(r for hit, (_, ranks) in parts if hit for r in ranks)
            blind = any(not hit and kind[1] for hit, (kind, _) in parts)
            if 0 < len(having) < len(records) and not blind:
                groups[tuple(having)] = places
        return groups

    def _note_halved(self, groups: Mapping[tuple[int, ...], Sequence[int]]) -> None:
        """Count how long the same ranks have been the only ones to use a parameter."""
        now = {self._names[i]: having for having, places in groups.items() for i in places}
        for name in [n for n, (having, _) in self._uneven.items() if now.get(n) != having]:
            del self._uneven[name]
        for name, having in now.items():
            self._uneven[name] = (having, self._uneven.get(name, (having, 0))[1] + 1)
            self._remember_use(name)

    def _remember_use(self, name: str) -> None:
        """Note where a parameter is used: the trace of this step is gone when patience is over."""
        if name not in self._uses:
            use = self._try("ranks", diagnose.first_use, self._scene(), [name])
            if use is not None:
                self._uses[name] = use

    def _halved(self, *, final: bool) -> list[Diagnostic]:
        """Report what the same ranks alone have used for all of the patience or of a short run."""
        enough = self._compared if final else self.session.settings.patience
        due: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for place, name in enumerate(self._names):
            having, run = self._uneven.get(name, ((), 0))
            if (
                run
                and run >= min(enough, self.session.settings.patience)
                and place not in self._silenced
            ):
                due.setdefault((having, run), []).append(place)
        found: list[Diagnostic] = []
        for (having, run), places in due.items():
            self._silenced.update(places)
            found += self._elect(having, places, f"in {run} of {self._compared} backward passes")
        return found

    def _elect(self, having: Sequence[int], places: Sequence[int], when: str) -> list[Diagnostic]:
        """Let the first rank that uses these parameters say where; every rank must call this."""
        names = [self._names[i] for i in places]
        lacking = [i for i in range(self.ranks.size) if i not in having]
        exchange = self.plan.exchange

        def build(*, bare: bool) -> list[Diagnostic]:
            scene = self._scene(when, bare=bare)
            use = None if bare else next((self._uses[n] for n in names if n in self._uses), None)
            return diagnose.divergent_parameters(
                scene, names, diagnose.Sides(having, lacking), exchange=exchange, use=use
            )

        mine = (
            self._try("ranks", lambda: build(bare=False)) if self.ranks.rank == having[0] else None
        )
        told: list[Diagnostic] | None = self.ranks.gather(mine)[having[0]]
        return build(bare=True) if told is None else told

    def _part_ways(self, failure: str = "") -> None:
        """Handle ranks that are at different places in the run; nothing is compared after it.

        Args:
            failure: the error with which this rank ends, if it does.

        Raises:
            GradGuardError: this rank would wait for one that has failed or finished.
        """
        event = Event.FAILED if failure else Event.STEP
        records = self.ranks.gather(self._record(event, failure=failure, last=self._last))
        self._take(records)
        self.off = True
        failures = [(i, r.failure) for i, r in enumerate(records) if r.failure]
        if failures:
            why = "; ".join(
                f"rank {i} raised before its backward pass: {text}" for i, text in failures
            )
        elif ending := [i for i, r in enumerate(records) if r.last]:
            why = (
                f"this is the last batch of {words(ending)}; the other ranks have more, and would "
                "wait for gradients that never come"
            )
        else:
            why = "some ranks take other steps than the rest, and each would wait for the other"
        self._conclude(
            diagnose.unchecked(self._scene(bare=True), f"global step {self.session.step}", why)
        )
        self.report.add_limit(
            f"what follows global step {self.session.step}: the ranks do not go on together"
        )
        self.fatal = True
        if not failure:
            raise GradGuardError.of(self.report)

    def _give_up(self, what: str, why: str) -> None:
        """Check nothing from here on, on no rank, and say so."""
        self._conclude(diagnose.unchecked(self._scene(bare=True), what, why))
        self.report.add_limit(f"{what}: {why}")
        self.session.shut("trace")
        self.session.shut("audit")
        self.close()

    def _scene(self, when: str = "", *, bare: bool = False) -> diagnose.Scene:
        return self.session.scene(when, bare=bare)

    # -- cadence

    def _settle_cadence(self) -> None:
        """Once, after the first steps, choose how often to compare, alike on every rank."""
        if (
            self._every is not None
            or self._first is None
            or self.session.step - self._first < _EARLY
        ):
            return
        # Whoever comes last does not wait: the least time over ranks is the price of the message.
        # The comparison before the optimizer step costs about as much again.
        price = round(2e6 * median(self._costs or [0.0]))
        period = round(1e6 * median(self._periods or [0.0]))
        answer = self._compare(Note(Event.STEP, names=price, content=period))
        self._every = cadence(answer.low.names, answer.high.content)

    # -- strategies

    def _watch_hooks(self) -> None:
        """Take the states where DeepSpeed shows them: when a gradient has been accumulated."""
        for name, param in self.plan.params.items():
            self._handles.append(param.register_post_accumulate_grad_hook(self._hook(name)))
        self.session.audit.numels = {n: _whole_numel(p) for n, p in self.plan.params.items()}

    def _hook(self, name: str) -> Callable[[Tensor], None]:
        def note(param: Tensor) -> None:
            def deed() -> None:
                state = states_of([param.grad])[0]
                self._hooked[name] = max(state, self._hooked.get(name, State.NONE))

            self._try("audit", deed)

        return note

    def _count_shards(self) -> None:
        """Learn the sizes of parameters whose shards do not tell them."""
        params = self.plan.params
        if any(hasattr(p, "to_local") for p in params.values()):
            self.session.audit.numels = {n: p.numel() for n, p in params.items()}
            return
        sizes = self.ranks.total([float(p.numel()) for p in params.values()])
        self.session.audit.numels = {n: round(s) for n, s in zip(params, sizes, strict=True)}


def _by_pattern(sets: Sequence[bytes]) -> dict[tuple[int, ...], list[int]]:
    """Sort places by which of the sets hold them.

    Example:
        >>> _by_pattern([bytes([1, 1, 0]), bytes([1, 0, 0])])
        {(1, 1): [0], (1, 0): [1], (0, 0): [2]}
    """
    found: dict[tuple[int, ...], list[int]] = {}
    for place, hits in enumerate(zip(*sets, strict=True)):
        found.setdefault(hits, []).append(place)
    return found


def cadence(price: float, period: float) -> int:
    """Return every how many steps to compare so that it costs at most 1 % of the time.

    Args:
        price: one comparison, in us.
        period: one step, in us.

    Example:
        >>> cadence(200, 50_000), cadence(200, 5_000), cadence(200, 0)
        (1, 4, 1000)
    """
    return min(_RAREST, max(1, math.ceil(price / (_SHARE * period)))) if period else _RAREST


def survey(trainer: Any, model: nn.Module, session: Session) -> Plan:  # noqa: ANN401, PLR0911 - a table  # noqa: ANN401
    """Find out how the strategy of a trainer treats gradients.

    Args:
        trainer: any object with `strategy` and `model`.
        model: the user's module.
        session: tells names and what is left out.
    """
    kinds = {c.__name__ for c in type(trainer.strategy).__mro__}
    wrapped = getattr(trainer, "model", None)
    params = session.trainable()
    if "DeepSpeedStrategy" in kinds:
        why = (
            "gradients after their reduction: DeepSpeed keeps them to itself, the states are those "
            "before it"
        )
        return Plan("deepspeed", params, "wait", limits=(why,))
    if isinstance(wrapped, torch.nn.parallel.DistributedDataParallel):
        left_out = getattr(wrapped, "parameters_to_ignore", ()) or ()
        params = {n: p for n, p in params.items() if n not in left_out}
        strict = not (wrapped.find_unused_parameters or wrapped.static_graph)
        return Plan("ddp", params, "wait" if strict else "mean", needs_all=strict)
    fully = [m for m in (wrapped, *model.modules()) if hasattr(m, "_use_orig_params")]
    if any(not m._use_orig_params for m in fully):  # type: ignore[union-attr]  # noqa: SLF001
        why = (
            "FSDP with `use_orig_params=False` keeps whole modules in one flat parameter; use "
            "`use_orig_params=True`"
        )
        return Plan("sharded", {}, limits=(why,), blind=True)
    if fully:
        return Plan("sharded", params, limits=(_sharded_limit("FSDP"),))
    if any(c.__name__ == "FSDPModule" for m in model.modules() for c in type(m).__mro__):
        return Plan("sharded", params, limits=(_sharded_limit("FSDP"),))
    if any(hasattr(p, "to_local") for p in params.values()):
        return Plan("tensor", params)
    why = (
        f"`{type(trainer.strategy).__name__}` is not known: how it exchanges gradients is taken "
        "from what they look like"
    )
    return Plan("other", params, limits=(why,))


def _sharded_limit(what: str) -> str:
    return (
        f"parameters that only some ranks use: under {what} the graph of one rank shows only its "
        "own part"
    )


def _copies(tensor: Tensor) -> int:
    """Return how many ranks hold the same values of a tensor that is spread over a mesh."""
    mesh, placements = getattr(tensor, "device_mesh", None), getattr(tensor, "placements", ())
    if mesh is None:
        return 1
    return math.prod(mesh.size(i) for i, p in enumerate(placements) if p.is_replicate())


def _whole_numel(param: Tensor) -> int:
    return int(getattr(param, "ds_numel", param.numel()))
