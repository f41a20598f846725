# SPDX-License-Identifier: Apache-2.0
"""From what the losses of all ranks reach to findings about where they differ."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import Tensor

from lightning_gradguard import diagnose
from lightning_gradguard.jobs.outbox import Record
from lightning_gradguard.jobs.reach import Link, Reached, digest, reached
from lightning_gradguard.jobs.strategy import Plan
from lightning_gradguard.jobs.uneven import Uneven, groups_of
from lightning_gradguard.jobs.verdict import Verdict
from lightning_gradguard.ranks import Answer, Ranks
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Span

__all__ = ["Losses"]

_LOST = frozenset({"GG101", "GG102"})


class Losses:
    """What the losses of all ranks reach, step after step.

    Args:
        ranks: the line between them.
        verdict: where findings go.
        plan: how the strategy treats gradients.
    """

    def __init__(self, ranks: Ranks, verdict: Verdict, plan: Plan) -> None:
        self.ranks, self.verdict, self.plan = ranks, verdict, plan
        self.session, self.outbox = verdict.session, verdict.outbox
        self._uneven = Uneven(self.session.settings.patience)
        self._names = list(plan.params)
        self._places = {id(p): i for i, p in enumerate(plan.params.values())}
        self._whole = digest(b"\x01" * len(self._names))
        self._silenced: set[int] = set()
        self._uses: dict[int, Span] = {}

    def look(self, loss: Tensor, *, exchanges: bool) -> Reached:
        """Return what the loss of this rank reaches; parameters that were reported count as such.

        Args:
            loss: what is about to be differentiated.
            exchanges: gradients are exchanged in this backward pass; otherwise nobody waits for
                them, and the set is left empty.
        """
        look: Reached | None = self.outbox.attempt("ranks", self._walk, loss)
        if look is None:
            look = Reached(bytearray(len(self._names)), Link.PARAMETERS, blind=True)
        for place in self._silenced:
            look.found[place] = 1
        if not (exchanges and self.plan.walks):
            look.found = bytearray()
        return look

    def _walk(self, loss: Tensor) -> Reached:
        return reached(loss, self._places, sharded=not self.plan.walks)

    def follow(self, answer: Answer, look: Reached, step: int) -> None:
        """Report what the ranks differ in, or what all of them lack; every rank must call this.

        Args:
            answer: what the notes of the ranks range over.
            look: what this rank has noted.
            step: global step.
        """
        if answer.low == answer.high and not answer.high.news:
            self._settle_equal(answer, look)
        else:
            self._resolve(answer, look, step)

    def tell_halved(self, *, final: bool = False) -> None:
        """Report what the same ranks alone have used for all of the patience or of a short run."""
        for (having, length), places in self._uneven.due(final=final).items():
            self._silenced.update(places)
            when = f"in {length} of {self._uneven.compared} compared backward passes"
            self.verdict.conclude(self._elect(having, places, when) or ())

    def _settle_equal(self, answer: Answer, look: Reached) -> None:
        """Under plain DDP, report what no rank reaches while all of them wait for it."""
        if look.found:
            self._uneven.note({})
        if not self.plan.needs_all or not look.found or answer.high.content == self._whole:
            return
        if answer.high.blind or answer.high.link != Link.PARAMETERS:
            return
        places = [i for i, hit in enumerate(look.found) if not hit]
        self._silenced.update(places)
        self.outbox.attempt("ranks", self._emit_awaited, [self._names[i] for i in places])
        before = len(self.verdict.report.diagnostics)
        self.verdict.share(self.ranks)
        told = len(self.verdict.report.diagnostics) > before
        self.verdict.fatal |= told and self.session.automatic

    def _emit_awaited(self, names: Sequence[str]) -> None:
        self.session.emit(diagnose.awaited_parameters(self.session.scene(), names))

    def _resolve(self, answer: Answer, look: Reached, step: int) -> None:
        """Exchange what each rank reaches and has found, and make the findings of it."""
        packed = zlib.compress(look.found)
        records: list[Record] = self.ranks.gather(
            self.outbox.empty(link=look.link, blind=look.blind, reached=packed)
        )
        links = [r.link for r in records]
        apart = max(links) > Link.PARAMETERS and min(links) == Link.PARAMETERS
        self.verdict.take(records, _LOST if apart else frozenset())
        if apart:
            self._divergent_loss(records, step, exchanges=bool(look.found) or not self.plan.walks)
        elif max(links) == Link.NOTHING:
            self.verdict.fatal |= any(d.code in _LOST for d in self.verdict.report.diagnostics)
        elif len({r.reached for r in records}) > 1:
            self._divergent_sets(records, step)
        else:
            self._settle_equal(answer, look)

    def _divergent_loss(self, records: Sequence[Record], step: int, *, exchanges: bool) -> None:
        """Report that the loss of some ranks trains nothing, which the others would wait for."""
        lacking = [i for i, r in enumerate(records) if r.link != Link.PARAMETERS]
        having = [i for i in range(self.ranks.size) if i not in lacking]
        sides = diagnose.Sides(having, lacking)
        own = (d for i in lacking for d in records[i].found if d.code in _LOST)
        leaf = all(records[i].link == Link.LEAF for i in lacking)
        when = f"at global step {step}"
        deed = partial(self._lost_loss, next(own, None), sides, when, leaf=leaf)
        found = self._hear([lacking[0], having[0]], deed)
        self.verdict.fatal |= self._stops(found) and (exchanges or not leaf)

    def _lost_loss(
        self, base: Diagnostic | None, sides: diagnose.Sides, when: str, *, leaf: bool
    ) -> list[Diagnostic]:
        scene = self.session.scene(when, bare=True)
        return diagnose.divergent_losses(scene, base, sides, leaf=leaf)

    def _divergent_sets(self, records: Sequence[Record], step: int) -> None:
        """Report parameters that only some ranks use, at once where the exchange waits for them."""
        groups = groups_of([r.reached for r in records], [r.blind for r in records])
        if self.plan.exchange != "wait":
            self._uneven.note(groups)
            self._remember_uses(groups)
            self.tell_halved()
            return
        for having, places in groups.items():
            self._silenced.update(places)
            found = self._elect(having, places, f"at global step {step}")
            self.verdict.fatal |= self._stops(found)

    def _remember_uses(self, groups: Mapping[tuple[int, ...], Sequence[int]]) -> None:
        """Note where parameters are used: the trace of this step is gone when patience is over."""
        for place in (p for places in groups.values() for p in places if p not in self._uses):
            use = self.outbox.attempt("ranks", self._first_use, [self._names[place]])
            if use is not None:
                self._uses[place] = use

    def _first_use(self, names: Sequence[str]) -> Span | None:
        return diagnose.first_use(self.session.scene(), names)

    def _elect(
        self, having: Sequence[int], places: Sequence[int], when: str
    ) -> list[Diagnostic] | None:
        """Let the first rank that uses these parameters say where; every rank must call this."""
        other = next(i for i in range(self.ranks.size) if i not in having)
        return self._hear([having[0], other], partial(self._divergent, having, places, when))

    def _stops(self, found: list[Diagnostic] | None) -> bool:
        """Take in a finding that leaves ranks waiting, and say whether the job has to end here."""
        return found is None or self.verdict.conclude(found)

    def _hear(
        self, speakers: Sequence[int], deed: Callable[[], list[Diagnostic]]
    ) -> list[Diagnostic] | None:
        """Return what one rank finds, less what the user does not want to hear.

        One rank decides for all: whether a comment in a source file asks for silence must not
        differ between ranks of which some would then wait.

        Args:
            speakers: who is asked, one after another until one gives an answer.
            deed: makes the findings.

        Returns:
            the same on every rank; `None` where a bug in the guard kept all speakers from it.
        """
        for speaker in speakers:
            mine = None
            if self.ranks.rank == speaker:
                mine = self.outbox.attempt("ranks", self._wanted, deed)
            told: list[Diagnostic] | None = self.ranks.gather(mine)[speaker]
            if told is not None:
                return told
        return None

    def _wanted(self, deed: Callable[[], list[Diagnostic]]) -> list[Diagnostic]:
        return [d for d in deed() if self.session.wants(d)]

    def _divergent(
        self, having: Sequence[int], places: Sequence[int], when: str
    ) -> list[Diagnostic]:
        use = next((self._uses[p] for p in places if p in self._uses), None)
        names = [self._names[i] for i in places]
        sides = diagnose.Sides(having, [i for i in range(self.ranks.size) if i not in having])
        return diagnose.divergent_parameters(
            self.session.scene(when), names, sides, exchange=self.plan.exchange, use=use
        )
