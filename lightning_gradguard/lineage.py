# SPDX-License-Identifier: Apache-2.0
"""Reachability queries on a trace: what the loss is made of, and where a parameter is cut off.

Data flow is wider than gradient flow. A cut is an edge that carries data on to a loss and no
gradient back; it is found by following what a parameter feeds until the first value that cannot
carry a gradient any further.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lightning_gradguard import ops
from lightning_gradguard.dataflow import depends, operand_depends
from lightning_gradguard.source import Site, Stack
from lightning_gradguard.syntax import callee, is_bare, maker_of, reflows
from lightning_gradguard.trace import FUNCTION, Call, LossView, Slot, Trace, Value

__all__ = ["Cut", "Lineage", "Term", "function_name"]


_MAX_CUTS = 12
_MAX_EXITS = 200
_SUBTRACT = frozenset(["sub", "__sub__", "__rsub__", "__isub__", "sub_", "rsub", "subtract"])
_ADDITIVE = _SUBTRACT | {"add", "__add__", "__radd__", "__iadd__", "add_"}
_SCALING = frozenset([
    "mul", "__mul__", "__rmul__", "__imul__", "mul_", "multiply", "div", "__truediv__",
    "__itruediv__", "div_", "true_divide", "divide", "neg", "__neg__", "negative", "neg_",
])  # fmt: skip
_PASSING = frozenset([
    "clone", "view", "reshape", "squeeze", "unsqueeze", "float", "double", "half", "to", "type",
    "type_as", "contiguous", "mean", "sum", "flatten", "as_tensor", "requires_grad_",
    "requires_grad=", "nanmean", "nansum", "detach_",
])  # fmt: skip

_JOINING = frozenset(["stack", "cat", "hstack", "vstack", "concat", "concatenate"])
# Classes that take a tensor without being seen, by the name of the call that stands for them.
_WRAPPERS = {"Parameter": "Parameter", "alias": "Variable"}
_MAX_PARTS = 50  # of a sum without a gradient

# An operand of an addition: the call, its place there, and its value, `None` for a plain number.
_Part = tuple[Call, int, Value | None]
# Where an operand is added, its place there, and where it was made.
_Place = tuple[Stack, int, Stack]


@dataclass(frozen=True, slots=True)
class Cut:
    """An edge that carries data but no gradient.

    Attributes:
        call: the call at which the gradient is lost.
        value: the input that could carry one.
        output: what it became, `None` where it left torch.
        reentry: the call at which an exited value came back, if known.
    """

    call: Call
    value: Value
    output: Value | None
    reentry: Call | None = None

    @property
    def kind(self) -> ops.Kind:
        """Say how the gradient is lost."""
        if self.call.off is not None and self.call.off.how != FUNCTION:
            return ops.Kind.STOP
        if self.call.is_exit:
            return ops.Kind.EXIT
        row = ops.OPS.get(self.call.name.removesuffix("="))
        if row is None:
            return ops.Kind.CUT
        return row.kind

    @property
    def op(self) -> str:
        """Return the public name of what cuts."""
        off = self.call.off
        if off is not None and off.how != FUNCTION:
            return off.how
        return function_name(self.call) if off is not None else self.call.public

    @property
    def stack(self) -> Stack:
        """Return where it happens: the switch of the grad mode, or the call."""
        off = self.call.off
        if off is not None and off.how == FUNCTION:
            return self.call.stack[1:] or self.call.stack
        return off.stack if off is not None and off.stack else self.call.stack

    @property
    def site(self) -> object:
        """Return what two cuts with the same cause have in common."""
        off = self.call.off
        if off is not None and off.decorated is not None:
            return off.decorated
        return (self.op, self.stack[:1] or self.call.index)

    @property
    def doubt(self) -> int:
        """Return how unlikely the cut is to be the cause: branches and masks only select."""
        boolean = self.output is not None and str(self.output.dtype) == "torch.bool"
        return 2 if self.call.name == "__bool__" else int(boolean)


@dataclass(frozen=True, slots=True)
class Term:
    """One additive part of a loss that no gradient can pass.

    Attributes:
        call: the addition it takes part in.
        position: index of the operand in that call.
        value: the operand, `None` for a plain number.
        cuts: where its gradient was lost.
    """

    call: Call
    position: int
    value: Value | None
    cuts: tuple[Cut, ...]


class Lineage:
    """Queries on one trace.

    Args:
        trace: the record of a step.
        judged: names of the parameters that an optimizer trains.
        unfinished: other losses of the step may follow, with parameters of their own.

    Cost: linear in the number of calls, and only paid once something is wrong.
    """

    def __init__(self, trace: Trace, judged: Collection[str], *, unfinished: bool = False) -> None:
        self.trace, self.unfinished = trace, unfinished
        self.judged = frozenset(judged)
        for call in trace.calls:
            if call.func is None and call.name in _WRAPPERS:
                call.stack = _wrapped_at(call)
        self.reached = self._reached(trace.losses)
        self._links: dict[int, list[Call]] | None = None
        self._backlinks: dict[int, list[Call]] = {}
        self._known: frozenset[Site] = frozenset()
        self._ranks: dict[tuple[int, int], tuple[int, int, int, int]] = {}

    # -- what reaches what

    @staticmethod
    def _reached(losses: Iterable[LossView]) -> tuple[frozenset[int], frozenset[str]]:
        """Return the nodes from which a graph leads to a parameter, and those parameters."""
        views = list(losses)
        seqs = {seq for view in views for seq in _leading_to_parameters(view)}
        return frozenset(seqs), frozenset(name for view in views for name in view.params)

    def connected(self, value: Value) -> bool:
        """Say whether a gradient of some loss flows into a value."""
        if value.kind == "param":
            return value.name in self.reached[1]
        return value.rg and value.seq in self.reached[0]

    def ancestors(self, values: Iterable[Value]) -> set[Value]:
        """Return every value from which data flows into the given ones, outside torch as well."""
        self._link()
        seen: set[Value] = set(values)
        stack = list(seen)
        while stack:
            value = stack.pop()
            below = list(value.parents)
            if value.call is not None:
                for source in self._backlinks.get(value.call.index, ()):
                    below.extend(source.inputs)
            for parent in below:
                if parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return seen

    def from_params(self) -> set[Value]:
        """Return every value that data of a judged parameter flows into, inside torch."""
        tainted = {v for n, v in self.trace.params.items() if n in self.judged}
        for call in self.trace.calls:
            if any(v in tainted for v in call.inputs):
                tainted.update(o for o in call.outputs if not tainted.isdisjoint(o.parents))
        return tainted

    # -- cuts

    def cuts(self, losses: Iterable[Value]) -> dict[Value, tuple[Cut, ...]]:
        """Return value -> the first cuts on its ways to some losses, the likeliest culprit first.

        Only values that could carry a gradient are listed; a value whose ways all stay alive, or
        lead nowhere, has none.
        """
        goal = self.ancestors(losses)
        found: dict[Value, dict[tuple[int, int], Cut]] = {}
        for call in reversed(self.trace.calls):
            for value, live in zip(call.inputs, call.live, strict=True):
                if live or value.rg:
                    self._edge(call, value, goal, found)
        return {
            v: tuple(sorted(c.values(), key=lambda k: self.rank(k, goal)))
            for v, c in found.items()
            if c
        }

    def rank(self, cut: Cut, goal: set[Value]) -> tuple[int, int, int, int]:
        """Return the order in which cuts on the same way are to be blamed, the likeliest first.

        A deliberate stop in front of an operation that cuts anyway costs nothing; of the rest, the
        cut whose data goes through more trained parameters is the main road.
        """
        key = (cut.call.index, cut.output.index if cut.output is not None else -1)
        known = self._ranks.get(key)
        if known is None:
            through, smooth = self._downstream(cut, goal)
            row = ops.find(cut.call.name)
            meant = cut.kind is ops.Kind.STOP or (row is not None and row.draws)
            idle = meant and not smooth
            known = self._ranks[key] = (cut.doubt, int(idle), -len(through), cut.call.index)
        return known

    def _downstream(self, cut: Cut, goal: set[Value]) -> tuple[set[str], bool]:
        """Return the trained parameters that a cut's data meets, and whether a way on is smooth."""
        start = (
            [cut.output]
            if cut.output is not None
            else list(cut.reentry.outputs if cut.reentry else ())
        )
        tainted, smooth, met = set(start), set(start), set[str]()
        for call in self.trace.calls[cut.call.index + 1 :]:
            if not any(v in tainted for v in call.inputs):
                continue
            met.update(v.name for v in call.inputs if v.kind == "param" and v.name in self.judged)
            clean = any(v in smooth for v in call.inputs) and not _cuts_anyway(call)
            for output in call.outputs:
                if output in goal and not tainted.isdisjoint(output.parents):
                    tainted.add(output)
                    if clean and output.dtype.is_floating_point:
                        smooth.add(output)
        return met, not self._ends().isdisjoint(smooth)

    def _edge(
        self,
        call: Call,
        value: Value,
        goal: set[Value],
        found: dict[Value, dict[tuple[int, int], Cut]],
    ) -> None:
        """Carry what is known about the outputs of a call back to one of its inputs."""
        mine = found.setdefault(value, {})
        if call.is_exit:
            back = next((c for c in self._links_of(call) if not goal.isdisjoint(c.outputs)), None)
            if back is not None:
                mine[call.index, -1] = Cut(call, value, None, back)
            return
        for output in call.outputs:
            if value not in output.parents:
                continue
            if self._carries(value, output):
                for key, cut in found.get(output, {}).items():
                    if len(mine) < _MAX_CUTS:
                        mine[key] = cut
            elif output in goal:
                mine[call.index, output.index] = Cut(call, value, output)

    def _carries(self, value: Value, output: Value) -> bool:
        """Say whether a gradient can flow from an output of a call back to one of its inputs."""
        if not output.rg or output.seq < 0:  # a value without a node is a new leaf
            return False
        if output.kind == "shared" and value is not output.parents[0]:
            return False
        return not self.connected(output) or self.connected(value)

    def furthest(self, name: str) -> Call | None:
        """Return the last call that a gradient of the parameter could have come from."""
        start = self.trace.params.get(name)
        if start is None:
            return None
        tainted, last = {start}, None
        for call in self.trace.calls:
            if any(v in tainted for v in call.inputs) and not _logs(call):
                fresh = [o for o in call.outputs if o.rg and not tainted.isdisjoint(o.parents)]
                tainted.update(fresh)
                last = call if fresh else last
        return last

    def main_cuts(
        self, name: str, cuts: tuple[Cut, ...], goals: Collection[Value] = ()
    ) -> tuple[Cut, ...]:
        """Leave out the cuts whose data joins a way that is alive, and is cut again further on.

        The idiom `x + (q - x).detach()` is such a cut: what it stops comes back with `x`.
        """
        if not cuts[1:]:
            return cuts
        live = self._live_from(self.trace.params[name])
        ends = set(goals) or self._ends()
        main = tuple(c for c in cuts if self._gets_past(c, live, ends))
        return self._recorded_first(name, main or cuts)

    def _recorded_first(self, name: str, cuts: tuple[Cut, ...]) -> tuple[Cut, ...]:
        """Put cuts behind a recorded pass before an unrecorded one through the same layers.

        The unrecorded pass is then a reference, as the values of a rollout are.
        """
        if not _switched_off(cuts[0]):
            return cuts
        met = self._downstream(cuts[0], self.ancestors(self._ends()))[0]
        met |= {v.name for v in cuts[0].call.inputs if v.kind == "param"} - {name}
        if not met:
            return cuts
        return tuple(
            sorted(cuts, key=lambda c: _switched_off(c) or not met <= self._behind(c.value))
        )

    def _behind(self, end: Value) -> set[str]:
        """Return the trained parameters to which a gradient could flow back from a value."""
        live = {end}
        for call in reversed(self.trace.calls):
            for output in live.intersection(call.outputs):
                live.update(
                    v for v in call.inputs if v in output.parents and self._carries(v, output)
                )
        return {v.name for v in live if v.kind == "param" and v.name in self.judged}

    def _ends(self) -> set[Value]:
        return {v.value for v in self.trace.losses if v.value is not None}

    def _live_from(self, start: Value) -> set[Value]:
        """Return the values through which a gradient could still flow back to a value."""
        live = {start}
        for call in self.trace.calls:
            for value in call.inputs:
                if value in live:
                    live.update(
                        o for o in call.outputs if value in o.parents and self._carries(value, o)
                    )
        return live

    def _gets_past(self, cut: Cut, live: set[Value], ends: Collection[Value]) -> bool:
        """Say whether the data of a cut reaches an end without meeting a value that is alive."""
        start = [cut.output] if cut.output is not None else self._reentered(cut.call, live)
        tainted = {o for o in start if o not in live}
        for call in self.trace.calls[cut.call.index + 1 :]:
            if not tainted.isdisjoint(call.inputs):
                after = self._reentered(call, live) if call.is_exit else call.outputs
                tainted.update(
                    o
                    for o in after
                    if o not in live and (call.is_exit or not tainted.isdisjoint(o.parents))
                )
        return not tainted.isdisjoint(ends)

    def _reentered(self, call: Call, live: set[Value]) -> list[Value]:
        """Return what is made of the plain values of an exit, nothing if that is alive."""
        entries = self._links_of(call)
        if entries and live.issuperset(entries[0].outputs):
            return []
        return [o for entry in entries for o in entry.outputs]

    # -- values that leave torch and come back

    def _links_of(self, call: Call) -> list[Call]:
        self._link()
        return (self._links or {}).get(call.index, [])

    def _link(self) -> None:
        """Tie every exit of a trainable value to the calls that its plain value goes into."""
        if self._links is not None:
            return
        self._links = {}
        if not any(c.is_exit for c in self.trace.calls):
            return
        tainted = {v for n, v in self.trace.params.items() if n in self.judged}
        entries = [c for c in self.trace.calls if _takes_python(c)]
        left = 0
        for call in self.trace.calls:
            back = call.index in self._backlinks
            if back or not tainted.isdisjoint(call.inputs):
                tainted.update(o for o in call.outputs if back or not tainted.isdisjoint(o.parents))
            if call.is_exit and call.inputs and call.inputs[0] in tainted and left < _MAX_EXITS:
                left += 1
                self._link_exit(call, entries)

    def _link_exit(self, leaving: Call, entries: list[Call]) -> None:
        """Tie one exit to the later calls that its plain value goes into."""
        if not self._known:
            self._known = frozenset(c.stack[0] for c in self.trace.calls if _gives_tensors(c))
        later = [e for e in entries if e.index > leaving.index]
        links = [e for e in later if _linked(leaving, e, self._known)]
        if links and self._links is not None:
            self._links[leaving.index] = links
        for entry in links:
            self._backlinks.setdefault(entry.index, []).append(leaving)

    # -- terms

    def dead_terms(self, view: LossView) -> list[Term]:
        """Return the additive parts of a loss whose way to the parameters is cut."""
        spine, found = self._spine(view)
        parts = [p for f in found for p in _summands(f)]
        lively = _lively_places(spine)
        parts = [p for p in parts if _place(*p) not in lively]
        terms = [t for t in (self._term(*p) for p in parts) if t.cuts]
        return [] if any(_is_relabel(t, spine) for t in terms) else terms

    def live_terms(self, view: LossView) -> list[Term]:
        """Return the operands of the sums that a loss is made of which do carry a gradient."""
        spine, _ = self._spine(view)
        return [
            Term(call, position, operand, ())
            for value in spine
            if (call := value.call) is not None and call.name in _ADDITIVE | _JOINING
            for position, operand in enumerate(call.inputs)
            if operand in spine and operand is not value
        ]

    def discarded_sums(self, view: LossView) -> list[Call]:
        """Return sums with a part of the loss whose result nobody reads, as `loss.add(penalty)`."""
        spine, _ = self._spine(view)
        used = self.trace.uses()
        return [c for c in self.trace.calls if _is_lost_sum(c, spine, used)]

    def _term(self, call: Call, position: int, value: Value | None) -> Term:
        goals = (
            [value] if value is not None else [v for e in self._exits_into(call) for v in e.inputs]
        )
        if not goals:
            return Term(call, position, value, ())
        inside = self.ancestors(goals)
        cuts = self.cuts(goals)
        sources = [v for v in inside if v.kind == "param" and v.name in self.judged and v.rg]
        if self.unfinished:  # another loss of the step has yet to train them
            sources = [v for v in sources if self.connected(v) or not _is_kept_out(cuts.get(v, ()))]
        if any(not self.connected(v) for v in sources):
            return Term(call, position, value, ())  # their own finding says it all
        every = {c.site: c for s in sources for c in self.main_cuts(s.name, cuts.get(s, ()), goals)}
        if value is None:
            leaving = self._exits_into(call)
            every |= {
                (c.index,): Cut(c, c.inputs[0], None, call)
                for c in leaving
                if c.live[0] and sources
            }
        return Term(
            call, position, value, tuple(sorted(every.values(), key=lambda k: self.rank(k, inside)))
        )

    def _exits_into(self, call: Call) -> list[Call]:
        self._link()
        leaving = self._backlinks.get(call.index, [])
        return [
            e for e in leaving if e.name != "__bool__" and _number_comes_from(e, call, self._known)
        ]

    def _spine(self, view: LossView) -> tuple[set[Value], list[_Part]]:
        """Walk down the sums and scalings of a loss.

        Returns:
            The values met on the way, and the operands there that cannot carry a gradient.
        """
        spine: set[Value] = set()
        found: list[_Part] = []
        stack = [view.value] if view.value is not None else []
        while stack:
            value = stack.pop()
            if value in spine:
                continue
            spine.add(value)
            call = value.call
            if call is None or not _is_linear(call, value):
                continue
            for position, operand in enumerate(call.inputs):
                if operand is value or operand not in value.parents:
                    continue
                if self.connected(operand):
                    stack.append(operand)
                elif call.name in _ADDITIVE or call.name in _JOINING:
                    found.append((call, position, operand))
            if _adds_number(call):
                found.append((call, -1, None))
        return spine, found


def _summands(part: _Part) -> list[_Part]:
    """Return the parts of an operand that is a sum itself; what is no sum is its only part."""
    found: list[_Part] = []
    stack = [part]
    while stack and len(found) <= _MAX_PARTS:
        call, position, value = stack.pop()
        inner = value.call if value is not None and not value.shape else None
        if value is None or inner is None or inner.name not in _ADDITIVE - _SUBTRACT:
            found.append((call, position, value))
            continue
        below = [(inner, n, v) for n, v in enumerate(inner.inputs) if v in value.parents]
        stack += reversed(below)
        if _adds_number(inner):
            found.append((inner, -1, None))
    return found if not stack else [part]


def _adds_number(call: Call) -> bool:
    return call.name in _ADDITIVE and any(_is_number(c) and c != 0 for c in call.constants)


def _is_lost_sum(call: Call, spine: set[Value], used: Mapping[Value, list[Call]]) -> bool:
    """Say whether a call adds something live to a part of the loss and drops the result."""
    if (
        call.name not in {"add", "sub", "__add__", "__sub__", "__radd__"}
        or len(call.outputs) != 1
        or not call.stack
    ):
        return False
    result = call.outputs[0]
    if (
        not result.rg
        or result.shape
        or result in spine
        or used.get(result)
        or result.tensor_id in {v.tensor_id for v in call.inputs}
    ):
        return False
    return (
        any(v in spine for v in call.inputs)
        and any(v.rg and v not in spine for v in call.inputs)
        and is_bare(call.stack[0])
    )


def _is_linear(call: Call, value: Value) -> bool:
    """Say whether a call only adds, scales or reshapes: its operands are terms of the loss."""
    small = len(value.shape) == 0
    if call.name in _ADDITIVE:
        return small or (len(value.shape) == 1 and call.name not in _SUBTRACT)
    if call.name in _SCALING:
        return all(not v.shape for v in call.inputs if not v.rg)
    return call.name in _PASSING or call.name in _JOINING


def _is_relabel(term: Term, spine: set[Value]) -> bool:
    """Recognise `loss - loss.detach() + value`, or `loss + (value - loss).detach()`.

    The detached value, or what it takes away, is itself a part of the loss: only the number that
    the loss shows is another one.
    """
    stopped = [c.value for c in term.cuts if c.kind is ops.Kind.STOP]
    return any(v in spine or _subtrahend(v) in spine for v in stopped)


def _subtrahend(value: Value) -> Value | None:
    """Return what a value was made by taking away, if it is a difference of two tensors."""
    call = value.call
    if call is None or call.name not in _SUBTRACT or len(call.inputs) != 2:  # noqa: PLR2004
        return None
    return call.inputs[0 if call.name in {"__rsub__", "rsub"} else 1]


def _lively_places(spine: set[Value]) -> set[_Place]:
    """Return the operands of additions that carry a gradient, if only in another turn of a loop."""
    calls = [v.call for v in spine if v.call is not None and v.call.stack]
    return {_place(c, n, o) for c in calls for n, o in enumerate(c.inputs) if o in spine}


def _place(call: Call, position: int, operand: Value | None) -> _Place:
    """Return where an operand is added and where it was made: the same in each turn of a loop.

    A loop over several terms makes each of them elsewhere, and scales them all at one place.
    """
    maker = operand.call if operand is not None else None
    while maker is not None and _is_scaled_or_passed(maker):
        maker = maker.inputs[0].call
    return call.stack[:1], position, maker.stack[:1] if maker is not None else ()


def _is_scaled_or_passed(call: Call) -> bool:
    """Say whether a call changes the scale or the form of one value that another call has made."""
    return (
        call.name in _SCALING | _PASSING
        and len(call.inputs) == 1
        and call.inputs[0].call is not None
        and call.inputs[0].call is not call
    )


def _is_kept_out(cuts: tuple[Cut, ...]) -> bool:
    """Say whether all ways of a parameter were stopped on purpose, as a GAN keeps its generator."""
    return bool(cuts) and all(c.kind is ops.Kind.STOP for c in cuts)


def _wrapped_at(call: Call) -> Stack:
    """Return where an unseen wrapper was put around a value that `call` is the first to read."""
    for depth, site in enumerate(call.stack):
        made = maker_of(site, _WRAPPERS[call.name])
        if made is not None:
            return (made, *call.stack[depth + 1 :])
    return call.stack


def function_name(call: Call) -> str:
    """Return the class name of the custom Function that a call runs in."""
    return call.stack[0][0].co_qualname.rpartition(".")[0] or FUNCTION if call.stack else FUNCTION


def _switched_off(cut: Cut) -> bool:
    return cut.call.off is not None and cut.call.off.how != FUNCTION


def _cuts_anyway(call: Call) -> bool:
    row = ops.OPS.get(call.name)
    return row is not None and row.kind in {ops.Kind.CUT, ops.Kind.ZERO, ops.Kind.EXIT}


def _logs(call: Call) -> bool:
    return bool(call.stack) and callee(call.stack[0]) in {"log", "log_dict", "print"}


def _is_number(constant: object) -> bool:
    return isinstance(constant, (int, float)) and not isinstance(constant, bool)


def _takes_python(call: Call) -> bool:
    """Say whether plain Python values may enter torch at a call."""
    if call.is_exit:
        return False
    if not call.inputs or any(v.kind == "unknown" for v in call.inputs):
        return True
    if call.recipe is None:
        return call.func is not None
    plain = _leaves((*call.recipe[0], *call.recipe[1].values()))
    return any(_is_number(p) and not _is_empty_start(p, call) for p in plain)


def _gives_tensors(call: Call) -> bool:
    """Say whether what stands in the source at a call is no plain value."""
    return call.func is not None and not call.is_exit and bool(call.stack and call.outputs)


def _leaves(parts: Iterable[object]) -> Iterator[object]:
    """Yield the constants in nested arguments, those of slices too."""
    for part in parts:
        if isinstance(part, (list, tuple)):
            yield from _leaves(part)
        elif isinstance(part, slice):
            yield from (part.start, part.stop, part.step)
        elif type(part) is not Slot:
            yield part


def _is_empty_start(constant: object, call: Call) -> bool:
    """Say whether a constant is the 0 that `sum` starts with."""
    return _is_number(constant) and constant == 0 and call.name in _ADDITIVE


def _leading_to_parameters(view: LossView) -> Iterator[int]:
    """Yield the sequence numbers of the nodes below which a parameter lies, or may lie unseen."""
    above: dict[int, list[int]] = {}
    for node, children in enumerate(view.children):
        for child in children:
            above.setdefault(child, []).append(node)
    stack = [
        *view.params.values(),
        *(i for i, name in enumerate(view.names) if name in view.opaque),
    ]
    seen = set(stack)
    while stack:
        for parent in above.get(stack.pop(), ()):
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return (seq for seq, node in view.seqs.items() if node in seen)


def _number_comes_from(leaving: Call, addition: Call, known: frozenset[Site]) -> bool:
    """Say whether the plain number in an addition is made from what an exit returned."""
    left = addition.name in {"__radd__", "__rsub__"}
    told = operand_depends(leaving.stack, addition.stack, known, left=left)
    number = leaving.exit_value
    return any(c == number for c in addition.constants if _is_number(c)) if told is None else told


def _is_telling(number: object) -> bool:
    """Say whether two places that hold the same number hold it for the same reason."""
    return isinstance(number, float) and number != round(number, 3)


def _numbers_of(call: Call) -> list[object]:
    return [c for c in (*call.constants, *call.keywords.values()) if _is_number(c)]


def _linked(leaving: Call, entry: Call, known: frozenset[Site]) -> bool:
    """Say whether the plain value of an exit goes into a later call."""
    number = leaving.exit_value
    if _is_telling(number) and number in _numbers_of(entry):
        return True
    told = depends(leaving.stack, entry.stack, known)
    if told is None:
        return not entry.inputs and bool(entry.stack) and not reflows(entry.stack[0])
    return told
