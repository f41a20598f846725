# SPDX-License-Identifier: Apache-2.0
"""Gradients in, one state a parameter and step out; what each parameter's history says.

Knows no Lightning and prints nothing. A gradient counts as alive when one of a handful of strided
samples is non-zero; only the few without are read in full, so that the cost hardly grows with size.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard.flow import State, state_of


__all__ = ["Audit", "Track", "states_of", "value_sample"]

_SAMPLES = 16


@dataclass(slots=True)
class Track:
    """The history of one parameter, counted in steps of its own optimizer.

    Attributes:
        numel: number of values.
        steps: observed optimizer steps.
        alive: steps with a non-zero gradient.
        run: length of the current run of steps without one.
        run_state: the states met in the current run.
        longest_gap: longest earlier run, before the gradient came back.
        first_dead: step at which the current run began.
        nonfinite: steps with NaN or inf in a row.
        cleared: steps at which a gradient was there after backward and gone before the optimizer.
        frozen_lr: observed steps with a learning rate of 0.
        unmoved: steps after which the version counter of the parameter had not changed.
    """

    numel: int
    steps: int = 0
    alive: int = 0
    run: int = 0
    run_state: set[State] = field(default_factory=set)
    longest_gap: int = 0
    first_dead: int = -1
    last_step: int = -1
    nonfinite: int = 0
    nonfinite_ever: bool = False
    cleared: int = 0
    frozen_lr: int = 0
    unmoved: int = 0

    def note(self, state: State, step: int) -> None:
        """Add the state of one optimizer step."""
        self.steps += 1
        self.last_step = step
        self.nonfinite = self.nonfinite + 1 if state is State.NONFINITE else 0
        self.nonfinite_ever |= state is State.NONFINITE
        if state >= State.ALIVE:
            self.alive += state is State.ALIVE
            self.longest_gap = max(self.longest_gap, self.run)
            self.run, self.run_state, self.first_dead = 0, set(), -1
            return
        if self.run == 0:
            self.first_dead = step
        self.run += 1
        self.run_state.add(state)

    @property
    def never(self) -> bool:
        """Say whether no step has brought a gradient so far."""
        return self.steps > 0 and self.alive == 0 and not self.nonfinite_ever

    @property
    def dead_state(self) -> State:
        """Return the strongest state of the current run: a zero is more than a None."""
        return max(self.run_state, default=State.NONE)


class Audit:
    """All tracks, by parameter name."""

    def __init__(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.numels: dict[str, int] = {}  # where a parameter does not tell its own
        self.norm_squared = 0.0

    def observe(
        self,
        named: Mapping[str, Tensor],
        step: int,
        *,
        empty_ok: bool = True,
        states: Mapping[str, State] | None = None,
    ) -> dict[str, State]:
        """Take the gradients as they are before an optimizer step.

        Args:
            named: name -> judged parameter.
            step: global step.
            empty_ok: leave parameters without values out.
            states: what all ranks together have found; looked up here where it is `None`.

        Returns:
            name -> state.

        Example:
            >>> p = torch.nn.Parameter(torch.ones(2)); audit = Audit()
            >>> audit.observe({"p": p}, 0)
            {'p': <State.NONE: 0>}
        """
        if states is None:
            named = {n: p for n, p in named.items() if not (empty_ok and _is_empty(p))}
            states = dict(zip(named, states_of([p.grad for p in named.values()]), strict=True))
        known = {n: s for n, s in states.items() if s is not State.EMPTY}
        for name, state in known.items():
            self.track(name, named[name]).note(state, step)
        return known

    @staticmethod
    def local(named: Mapping[str, Tensor]) -> dict[str, State]:
        """Return the states of what this rank holds; a shard without values is `EMPTY`."""
        grads = [_local_part(p.grad) for p in named.values()]
        states = dict(zip(named, states_of(grads), strict=True))
        empty = (n for n, p in named.items() if _is_empty(p) or _local_part(p).numel() == 0)  # type: ignore[union-attr]
        return states | dict.fromkeys(empty, State.EMPTY)

    def track(self, name: str, param: Tensor) -> Track:
        """Return the track of a parameter, starting one if needed."""
        found = self.tracks.get(name)
        if found is None:
            found = self.tracks[name] = Track(self.numels.get(name) or _numel(param))
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the counts that a resumed run carries on with."""
        return {n: {"numel": t.numel, "steps": t.steps, "alive": t.alive} for n, t in self.tracks.items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, int]]) -> None:
        """Take up the counts of an earlier run."""
        for name, counts in state.items():
            self.tracks[name] = Track(counts["numel"], counts["steps"], counts["alive"])

    def coverage(self) -> float:
        """Return the fraction of trainable values whose parameter has received a non-zero gradient."""
        total = sum(t.numel for t in self.tracks.values())
        reached = sum(t.numel for t in self.tracks.values() if t.alive)
        return reached / total if total else 1.0


def states_of(grads: Sequence[Tensor | None]) -> list[State]:
    """Return the state of each gradient; exact, at the price of a few samples where it is alive.

    Cost: about 3 us a gradient on the CPU whatever its size, plus one full read of each gradient
        whose samples are all zero.
    """
    states = [State.NONE if g is None else State.ZERO for g in grads]
    plain = [i for i, g in enumerate(grads) if g is not None and _can_sample(g)]
    for index, state in zip(plain, _sampled([grads[i] for i in plain]), strict=True):  # type: ignore[misc]
        states[index] = state
    for index, grad in enumerate(grads):
        if grad is not None and states[index] is State.ZERO:
            states[index] = state_of(grad)
    return states


def total_norm(grads: Sequence[Tensor]) -> float:
    """Return the L2 norm over all values of all gradients, in units of loss / parameter.

    Cost: one read of every gradient.
    """
    dense = [g.coalesce().values() if g.is_sparse else g for g in (g.detach() for g in grads)]
    norms = [torch.linalg.vector_norm(g).float() for g in dense if g.numel()]
    return float(torch.linalg.vector_norm(torch.stack([n.cpu() for n in norms]))) if norms else 0.0


def value_sample(param: Tensor) -> list[float]:
    """Return a few values of a parameter, to see later whether it has moved."""
    if _is_empty(param) or not _can_sample(param):
        return []
    return [float(v) for v in _samples(param.detach()).double()]


def _sampled(grads: Sequence[Tensor]) -> list[State]:
    """Judge gradients by their samples alone; ZERO means that the samples do not tell."""
    result: list[State] = [State.ZERO] * len(grads)
    for members in _by_device(grads):
        pieces = [_samples(grads[i].detach()) for i in members]
        table = torch.cat([p.float() for p in pieces]).tolist()
        start = 0
        for i, piece in zip(members, pieces, strict=True):
            values = table[start : start + len(piece)]
            start += len(piece)
            if any(v != v or v in (float("inf"), float("-inf")) for v in values):  # noqa: PLR0124 - NaN
                result[i] = state_of(grads[i])
            elif any(values):
                result[i] = State.ALIVE
    return result


def _local_part(tensor: Tensor | None) -> Tensor | None:
    """Return what this rank holds of a tensor that is spread over ranks."""
    spread = getattr(tensor, "to_local", None)
    return tensor if spread is None else spread()


def _by_device(grads: Sequence[Tensor]) -> Iterable[list[int]]:
    groups: dict[torch.device, list[int]] = {}
    for index, grad in enumerate(grads):
        groups.setdefault(grad.device, []).append(index)
    return groups.values()


def _samples(tensor: Tensor) -> Tensor:
    """Return at most a handful of values, spread over the tensor."""
    flat = tensor.reshape(-1) if tensor.is_contiguous() else tensor.flatten()[:_SAMPLES]
    count = flat.numel()
    return flat if count <= _SAMPLES else flat[:: count // _SAMPLES][:_SAMPLES]


def _can_sample(tensor: Tensor) -> bool:
    return (
        tensor.layout is torch.strided
        and tensor.is_floating_point()
        and tensor.numel() > 0
        and type(tensor) in (Tensor, torch.nn.Parameter)
    )


def _is_empty(param: Tensor) -> bool:
    return isinstance(param, torch.nn.parameter.UninitializedTensorMixin) or param.numel() == 0


def _numel(param: Tensor) -> int:
    return 0 if _is_empty(param) else param.numel()
