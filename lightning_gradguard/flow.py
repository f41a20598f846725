# SPDX-License-Identifier: Apache-2.0
"""Watch one backward pass node by node: where a gradient died, vanished from the graph, or broke.

Hooks on the autograd nodes of one traced step note, for every edge, whether the gradient that left
it was missing, zero, alive or not finite. A query then climbs from a parameter to the nodes at
which a live gradient went in and none came out. Numbers for the explanation are read from the
tensors that the node itself saved for its backward pass.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from lightning_gradguard.trace import LossView

__all__ = ["Flow", "Kill", "State", "family_of", "held", "state_of"]

_SAVED = ("result", "self", "other", "mat1", "mat2", "vec1", "vec2", "input", "weight", "output",
          "condition", "min", "max", "threshold", "dim", "total_weight", "index", "target", "mask",
          "min_val", "max_val", "exponent", "result0", "result1", "lambd", "batch1", "batch2",
          "tensor1", "tensor2", "rounding_mode", "vec", "p")  # fmt: skip
# For products: the edge whose gradient is lost -> the edge of the other factor.
_SWAP = {0: 1, 1: 0}
_SWAP_ADDED = {1: 2, 2: 1}
_PARTNER = {"Mul": _SWAP, "Mm": _SWAP, "Bmm": _SWAP, "Convolution": _SWAP, "Linear": _SWAP,
            "Dot": _SWAP, "Mv": _SWAP, "Addmm": _SWAP_ADDED, "Addmv": _SWAP_ADDED,
            "Baddbmm": _SWAP_ADDED, "Addcmul": _SWAP_ADDED, "Div": {1: 0}}  # fmt: skip
# The saved tensors that hold the operands of the edges.
_OPERANDS = {"Mul": ("self", "other"), "Mm": ("self", "mat2"), "Bmm": ("self", "mat2"),
             "Convolution": ("input", "weight"), "Linear": ("input", "weight"),
             "Dot": ("self", "tensor"), "Mv": ("self", "vec"), "Addmm": ("", "mat1", "mat2"),
             "Addmv": ("", "mat", "vec"),
             "Baddbmm": ("", "batch1", "batch2"), "Addcmul": ("", "tensor1", "tensor2"),
             "Div": ("self", "other")}  # fmt: skip

# Operations that pass a gradient or stop it entry by entry, as their input has it.
_GATES = frozenset([
    "Relu", "Threshold", "Clamp", "ClampMin", "ClampMax", "Hardtanh", "Hardsigmoid", "Hardswish",
    "Relu6", "Softshrink", "Hardshrink", "Sigmoid", "Tanh", "Exp", "Erf", "Softplus", "LogSigmoid",
    "Where", "MaskedFill",
])  # fmt: skip

# Operations that show parts of a value, or add them up: of zeros they make zeros.
_PICKING = frozenset([
    "Select", "Slice", "Index", "Gather", "IndexSelect", "Unbind", "Split", "Squeeze", "Unsqueeze",
    "View", "UnsafeView", "Transpose", "T", "Permute", "Expand", "Clone", "Sum", "Mean",
])  # fmt: skip

_Grads = tuple[Tensor | None, ...]


class State(IntEnum):
    """What a gradient is; ordered so that the largest of several is the state of their union."""

    EMPTY = -1  # no values at all
    NONE = 0
    ZERO = 1
    ALIVE = 2
    NONFINITE = 3


@dataclass(slots=True)
class Kill:
    """A node at which a gradient changed for the worse.

    Attributes:
        node: index of the node in the view.
        name: class name of the node, as in `RoundBackward0`.
        seq: its sequence number, -1 if unknown.
        how: `zero`, `none`, `nonfinite`, `empty`, `cancel` or `hook`.
        edge: which input of the operation lost its gradient.
        heals: a parameter that blocks it receives a gradient itself.
        facts: numbers read from the saved tensors.
    """

    node: int
    name: str
    seq: int
    how: str
    edge: int = 0
    heals: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


class Flow:
    """The states of all edges of one backward pass.

    Args:
        view: the walk of the loss.
        nodes: the nodes of that walk, hooked here and held until `close()`.

    Cost: one hook of 3 to 6 us a node plus one read of every gradient; used on traced steps only.
    """

    def __init__(self, view: LossView, nodes: list[Node]) -> None:
        self.view = view
        self.fault: Exception | None = None
        self.edges: dict[tuple[int, int], State] = {}
        self.inputs: dict[int, State] = {}
        self.facts: dict[int, dict[str, Any]] = {}
        self._seqs = {index: seq for seq, index in view.seqs.items()}
        self._living: set[int] | None = None
        self._nodes: list[Node] | None = nodes
        self._handles = [
            node.register_hook(self._hook(index))
            for index, node in enumerate(nodes)
            if view.children[index]
        ]

    def close(self) -> None:
        """Take the hooks off and let the graph go."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._nodes = None

    def _hook(self, index: int) -> Callable[[_Grads, _Grads], None]:
        def after(grad_inputs: _Grads, grad_outputs: _Grads) -> None:
            """Note the gradients that a node has handed on."""
            try:
                self._note(index, grad_inputs, grad_outputs)
            except Exception as fault:  # noqa: BLE001 - it would end the user's backward pass
                self.fault = fault

        return after

    def _note(self, index: int, grad_inputs: _Grads, grad_outputs: _Grads) -> None:
        """Take down the states of the gradients that leave a node."""
        worst = State.ALIVE
        for edge, grad in enumerate(grad_inputs):
            if edge < len(self.view.children[index]) and self.view.children[index][edge] >= 0:
                state = state_of(grad)
                seen = self.edges.get((index, edge), State.NONE)
                self.edges[index, edge] = max(state, seen)
                worst = state if state is not State.ALIVE else worst
        if worst is not State.ALIVE:
            self._explain(index, grad_outputs)

    def _explain(self, index: int, grad_outputs: _Grads) -> None:
        states = [state_of(g) for g in grad_outputs if g is not None]
        self.inputs[index] = max(states, default=State.NONE)
        if self._nodes is not None and index not in self.facts:
            self.facts[index] = _saved_facts(self._nodes[index])
            if self.inputs[index] is State.ZERO and family_of(self.view.names[index]) in _GATES:
                self.facts[index]["closed"] = _is_closed(self._nodes[index], grad_outputs)

    # -- queries

    def kills(self, leaf: int) -> list[Kill]:
        """Return the places where the gradient of one leaf was lost, nearest to the loss first.

        Args:
            leaf: node index of the leaf, from `LossView.params`.
        """
        found: list[Kill] = []
        above = self._above()
        stack, seen = [leaf], {leaf}
        while stack:
            node = stack.pop()
            entering = above.get(node, [])
            alive = [e for e in entering if self.edges.get(e, State.NONE) >= State.ALIVE]
            if alive and (node == leaf or self.inputs.get(node) is State.ZERO):
                found.append(self._meeting(node, alive))
            for parent, edge in entering:
                if (parent, edge) in alive:
                    continue
                if self._dies_at(parent, edge):
                    found.extend(self._blame(parent, edge))
                elif parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return sorted(_distinct(found), key=lambda k: k.node)

    def refusals(self, leaf: int) -> list[Kill]:
        """Return the nodes that got a gradient, zero or not, and handed none on towards a leaf."""
        found: list[Kill] = []
        stack, seen = [leaf], {leaf}
        while stack:
            for parent, edge in self._above().get(stack.pop(), ()):
                none = self.edges.get((parent, edge)) is State.NONE
                if none and self._came(parent) is not State.NONE:
                    found.append(self._kill(parent, "none", edge))
                elif parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return sorted(_distinct(found), key=lambda k: k.node)

    def barrier(self, leaf: int, stops: Callable[[Kill], bool]) -> list[Kill]:
        """Return nodes that together stand on every way from the loss to one leaf.

        Args:
            leaf: node index of the leaf.
            stops: says whether a node lets no gradient through, whatever arrives.

        Returns:
            Those nearest to the leaf; nothing if one way is free.
        """
        found: list[Kill] = []
        stack, seen = [leaf], {leaf}
        while stack:
            node = stack.pop()
            if node == 0:  # the loss itself
                return []
            for parent, edge in self._above().get(node, ()):
                if parent in seen:
                    continue
                seen.add(parent)
                kill = self._kill(parent, "zero", edge)
                kill.facts["zero_factor"] = self._has_zero_constant(kill)
                if stops(kill):
                    found.append(kill)
                else:
                    stack.append(parent)
        return found

    def _has_zero_constant(self, kill: Kill) -> bool:
        """Say whether the other factor of a product is zero and comes from no parameter."""
        other = _PARTNER.get(family_of(kill.name), {}).get(kill.edge)
        return other is not None and self._child(kill.node, other) < 0 and _is_zero(kill, other)

    def _child(self, node: int, edge: int) -> int:
        children = self.view.children[node]
        return children[edge] if edge < len(children) else -1

    def broke(self) -> list[Kill]:
        """Return the nodes that turned finite gradients into others, nearest to the loss first."""
        origins: dict[int, int] = {}
        for (node, edge), state in sorted(self.edges.items()):
            if state is State.NONFINITE and self._came(node) is not State.NONFINITE:
                origins.setdefault(node, edge)
        return [self._kill(node, "nonfinite", edge) for node, edge in origins.items()]

    def stuck(self) -> Kill | None:
        """Return the node whose turn it was when the backward pass broke off, if any is left.

        Torch runs the nodes of one thread from the latest to the earliest.
        """
        ran = {node for node, _ in self.edges}
        left = (seq for seq, node in self.view.seqs.items() if node not in ran)
        waiting = (s for s in left if max(self.view.children[self.view.seqs[s]], default=-1) >= 0)
        seq = max(waiting, default=-1)
        return self._kill(self.view.seqs[seq], "none", 0) if seq >= 0 else None

    def live_leaves(self, node: int) -> bool:
        """Say whether a live gradient runs from a node down to some leaf."""
        if self._nodes is not None:  # still under way
            return node in self._alive_above_leaves()
        if self._living is None:
            self._living = self._alive_above_leaves()
        return node in self._living

    def _alive_above_leaves(self) -> set[int]:
        """Return the nodes from which a live gradient runs down to some leaf, and the leaves."""
        above = self._above()
        stack = [n for n, children in enumerate(self.view.children) if not children]
        found = set(stack)
        while stack:
            for parent, edge in above.get(stack.pop(), ()):
                if (
                    parent not in found
                    and self.edges.get((parent, edge), State.NONE) >= State.ALIVE
                ):
                    found.add(parent)
                    stack.append(parent)
        return found

    def deaths(self, node: int) -> list[Kill]:
        """Return where the gradient of one value dies, if no live gradient of it reaches a leaf."""
        return [] if self.live_leaves(node) else self._deaths_below(node)

    def below(self, node: int) -> frozenset[int]:
        """Return the leaves to which the graph leads down from a node."""
        stack, seen = [node], {node}
        while stack:
            for child in self.view.children[stack.pop()]:
                if child >= 0 and child not in seen:
                    seen.add(child)
                    stack.append(child)
        return frozenset(n for n in seen if not self.view.children[n])

    def live_ways(self, leaf: int) -> int:
        """Return on how many edges a live gradient arrived at a leaf."""
        entering = self._above().get(leaf, ())
        return sum(self.edges.get(e, State.NONE) >= State.ALIVE for e in entering)

    def _blame(self, node: int, edge: int) -> list[Kill]:
        """Return the kill at an edge, or those that made the other factor of a product zero."""
        kill = self._died(node, edge)
        other = _PARTNER.get(family_of(kill.name), {}).get(edge)
        if other is None or not _is_zero(kill, other):
            return self._at_edge(node, edge)
        child = self._child(node, other)
        kill.facts["zero_factor"] = True
        if child < 0:
            return [kill]
        alive = self.edges.get((node, other), State.NONE) >= State.ALIVE
        kill.heals = alive and self.live_leaves(child)
        deeper = self._deaths_below(child) if alive and not kill.heals else []
        for further in deeper:
            further.facts["aside"] = True
        return deeper or self._closed_gates(child) or [kill]

    def _died(self, node: int, edge: int) -> Kill:
        state = self.edges.get((node, edge), State.NONE)
        return self._kill(node, _how(state, self._came(node)), edge)

    def _at_edge(self, node: int, edge: int) -> list[Kill]:
        """Return the kill at an edge, or the closed gates that left a product with zeros only."""
        kill = self._died(node, edge)
        family = family_of(kill.name)
        other = edge if family == "Prod" else _PARTNER.get(family, {}).get(edge, -1)
        multiplied = other >= 0 and family != "Prod" and _is_zero(kill, other)
        kill.facts |= {"zero_factor": True} if multiplied else {}
        zero = family == "Prod" or multiplied
        return (self._closed_gates(self._child(node, other)) if zero else []) or [kill]

    def _closed_gates(self, node: int) -> list[Kill]:
        """Return the gate that made a value all zero, as the clamp behind `wh[:, 0] * wh[:, 1]`."""
        while node >= 0 and family_of(self.view.names[node]) in _PICKING:
            node = self._child(node, 0)
        closed = node >= 0 and self.facts.get(node, {}).get("closed")
        return [self._kill(node, "zero", 0)] if closed else []

    def _deaths_below(self, node: int) -> list[Kill]:
        """Return the kills met when live gradients are followed down from a node."""
        found, stack, seen = [], [node], {node}
        while stack:
            current = stack.pop()
            for edge, child in enumerate(self.view.children[current]):
                if child < 0:
                    continue
                alive = self.edges.get((current, edge), State.NONE) >= State.ALIVE
                if alive and self.inputs.get(child) is State.ZERO:
                    entering = [
                        e
                        for e in self._above()[child]
                        if self.edges.get(e, State.NONE) >= State.ALIVE
                    ]
                    found.append(self._meeting(child, entering))
                elif self._dies_at(current, edge):
                    found.extend(self._at_edge(current, edge))
                elif child not in seen:
                    seen.add(child)
                    stack.append(child)
        return found

    def _meeting(self, node: int, alive: list[tuple[int, int]]) -> Kill:
        """Return the kill at a node whose incoming gradients are zero only when they meet."""
        kill = self._kill(node, "cancel" if len(alive) > 1 else "hook", 0)
        kill.facts["meets_at"] = self._common(sorted({parent for parent, _ in alive}))
        return kill

    def _common(self, nodes: list[int]) -> int:
        """Return the sequence number of the operation in which several nodes come together."""
        uphill = [self.upstream(n) for n in nodes]
        shared = frozenset.intersection(*uphill) if uphill else frozenset()
        return min((self._seqs[n] for n in shared if n in self._seqs), default=-1)

    def upstream(self, node: int) -> frozenset[int]:
        """Return a node and all nodes between it and the loss."""
        above, stack, seen = self._above(), [node], {node}
        while stack:
            for parent, _ in above.get(stack.pop(), ()):
                if parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return frozenset(seen)

    def _came(self, node: int) -> State:
        return self.inputs.get(node, State.ALIVE)

    def _dies_at(self, node: int, edge: int) -> bool:
        state = self.edges.get((node, edge))
        came = self._came(node)
        return (
            state is not None
            and state < State.ALIVE
            and (came >= State.ALIVE or came is State.EMPTY)
        )

    def _kill(self, node: int, how: str, edge: int) -> Kill:
        kill = Kill(node, self.view.names[node], self._seqs.get(node, -1), how, edge)
        kill.facts = dict(self.facts.get(node, {}))
        return kill

    def _above(self) -> dict[int, list[tuple[int, int]]]:
        if not hasattr(self, "_cached_above"):
            self._cached_above: dict[int, list[tuple[int, int]]] = {}
            for node, children in enumerate(self.view.children):
                for edge, child in enumerate(children):
                    if child >= 0:
                        self._cached_above.setdefault(child, []).append((node, edge))
        return self._cached_above


def state_of(grad: Tensor | None) -> State:
    """Return the state of one gradient, exactly and with one read of its values.

    Example:
        >>> state_of(torch.zeros(3)), state_of(None), state_of(torch.tensor([1e-30]))
        (<State.ZERO: 1>, <State.NONE: 0>, <State.ALIVE: 2>)
    """
    if grad is None:
        return State.NONE
    grad = held(grad.detach())
    if grad.is_nested:
        grad = torch.cat([part.reshape(-1) for part in grad.unbind()])
    elif grad.is_sparse:
        grad = grad.coalesce().values()
    elif grad.layout is not torch.strided:
        grad = grad.to_dense()
    if grad.numel() == 0:
        return State.EMPTY
    if grad.is_complex():
        grad = torch.view_as_real(grad.resolve_conj())
    low, high = (float(v) for v in torch.aminmax(grad))
    if not (-torch.inf < low and high < torch.inf):
        return State.NONFINITE
    return State.ZERO if low == 0.0 == high else State.ALIVE


def held(tensor: Tensor) -> Tensor:
    """Return what this rank holds of a spread tensor; reading more would take a collective."""
    spread: Callable[[], Tensor] | None = getattr(tensor, "to_local", None)
    return tensor if spread is None else spread()


def _how(state: State, came: State) -> str:
    if came is State.EMPTY:
        return "empty"
    return "none" if state is State.NONE else "zero"


def _distinct(kills: Iterable[Kill]) -> Iterator[Kill]:
    seen = set()
    for kill in kills:
        if (kill.node, kill.how, kill.edge) not in seen:
            seen.add((kill.node, kill.how, kill.edge))
            yield kill


def family_of(name: str) -> str:
    """Return the operation of a node, as in `Addmm` for `AddmmBackward0`."""
    return name.partition("Backward")[0]


def _is_zero(kill: Kill, operand: int) -> bool:
    names = _OPERANDS.get(family_of(kill.name), ())
    fact = kill.facts.get(names[operand]) if operand < len(names) else None
    return isinstance(fact, dict) and bool(fact.get("zero"))


def _saved_facts(node: Node) -> dict[str, Any]:
    """Read numbers from the tensors that a node saved; whatever cannot be read is left out."""
    facts: dict[str, Any] = {}
    for name in _SAVED:
        try:
            saved = getattr(node, f"_saved_{name}", None)
        except RuntimeError:  # already released
            continue
        if isinstance(saved, Tensor):
            facts[name] = _numbers(saved)
        elif isinstance(saved, (int, float, bool, tuple)):
            facts[name] = saved
    return facts


def _is_closed(node: Any, grads: _Grads) -> bool:  # noqa: ANN401 - torch types no call of it
    """Say whether an operation that got a zero gradient would have stopped any other as well."""
    try:
        with torch.no_grad():
            made: Any = node(*(None if g is None else _probe(g) for g in grads))
    except RuntimeError:  # what it saved cannot be read again
        return False
    results = made if isinstance(made, tuple) else (made,)
    return all(g is None or state_of(g) is State.ZERO for g in results)


def _probe(grad: Tensor) -> Tensor:
    """Return a gradient of the same shape whose entries all differ and are not zero."""
    ramp = torch.linspace(1, 2, grad.numel(), device=grad.device, dtype=torch.float32)
    return ramp.to(grad.dtype).reshape(grad.shape)


def _numbers(tensor: Tensor) -> dict[str, Any]:
    """Describe a tensor by shape, range and shares."""
    tensor = held(tensor.detach())
    facts: dict[str, Any] = {
        "shape": tuple(tensor.shape),
        "dtype": str(tensor.dtype).removeprefix("torch."),
    }
    if tensor.numel() == 0 or tensor.layout is not torch.strided or tensor.is_complex():
        return facts
    if tensor.is_quantized:
        return facts
    low, high = (float(v) for v in torch.aminmax(tensor))
    facts |= {"min": low, "max": high, "zero": low == 0.0 == high}
    facts["positive"] = float((tensor > 0).sum()) / tensor.numel()
    facts["finite"] = bool(torch.isfinite(tensor).all())
    return facts
