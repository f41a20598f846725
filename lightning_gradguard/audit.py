# SPDX-License-Identifier: Apache-2.0
"""Gradients in, one state a parameter and step out; what each parameter's history says.

Knows no Lightning and prints nothing. A gradient counts as alive when one of a handful of strided
samples is non-zero; only the few without are read in full, so that the cost hardly grows with size.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard.flow import State, held, state_of
from lightning_gradguard.steady import LateShelf, Sampler, Shelf, Track, can_sample

__all__ = ["Audit", "Track", "states_of", "value_sample"]

_SAMPLES = 16
# Sets of parameters that are remembered; who changes them at every step leaves old ones behind.
_GROUPS = 64


class Audit:
    """All tracks, by parameter name."""

    def __init__(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.numels: dict[str, int] = {}  # where a parameter does not tell its own
        self._groups: dict[int, _Group] = {}
        self._suspects: dict[str, None] = {}
        self._sampler: tuple[tuple[int, ...], Sampler | None] | None = None

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
            self._restart()
            named = {n: p for n, p in named.items() if not (empty_ok and _is_empty(p))}
            states = dict(zip(named, states_of([p.grad for p in named.values()]), strict=True))
        known: dict[str, State] = {n: s for n, s in states.items() if s is not State.EMPTY}
        for name, state in known.items():
            track = self.track(name, named[name])
            track.note(state, step)
            if track.run:
                self._suspects[name] = None
            else:
                self._suspects.pop(name, None)
        return known

    def look(self, named: Mapping[str, Tensor], step: int) -> dict[str, State]:
        """Count a step for all parameters that are alive; return the states of the others.

        Args:
            named: name -> judged parameter; the same mapping as long as it holds the same.
            step: global step.

        Returns:
            name -> state, to be passed on to `observe`: of what is not alive now, or was not at the
            last look, or is looked at for the first time.

        Cost: about 1 us a parameter.

        Example:
            >>> p = torch.nn.Parameter(torch.ones(2)); named = {"p": p}; audit = Audit()
            >>> p.grad = torch.ones(2)
            >>> for step in range(3):
            ...     _ = audit.observe(named, step, states=audit.look(named, step))
            >>> audit.tracks["p"].alive
            3
        """
        group = self._groups.get(id(named))
        if group is None or group.named is not named or not all(map(_unborn, group.unborn)):
            group = self._groups[id(named)] = self._group(named)
        found: dict[str, State] = {}
        for names, shelf in group.shelves:
            found.update((names[i], state) for i, state in shelf.look(step).items())
        return found

    def forget(self, named: Mapping[str, Tensor]) -> None:
        """Let go of a set of parameters that is no longer asked for; its counts stay."""
        group = self._groups.pop(id(named), None)
        for names, shelf in group.shelves if group is not None else ():
            if isinstance(shelf, LateShelf):
                shelf.drain()
            for name in names:
                self.tracks[name].leave()

    def suspects(self) -> list[str]:
        """Return the parameters that had no gradient when they were last looked at."""
        return [n for n in self._suspects if self.tracks[n].run]

    def drain(self) -> None:
        """Take in what is still on its way from a device."""
        for group in self._groups.values():
            for names, shelf in group.shelves:
                if isinstance(shelf, LateShelf):
                    shelf.drain()
                    self._suspects.update((n, None) for n in names if self.tracks[n].run)

    def captured(self) -> bool:
        """Say whether a step was not looked at because a CUDA graph was being captured."""
        shelves = [s for group in self._groups.values() for _, s in group.shelves]
        return any(isinstance(s, LateShelf) and s.captured for s in shelves)

    def _group(self, named: Mapping[str, Tensor]) -> "_Group":
        """Sort parameters onto one shelf a device."""
        if len(self._groups) >= _GROUPS:
            self.drain()
            self._groups.clear()
        by_device: dict[torch.device, list[str]] = {}
        for name, param in named.items():
            if not _is_empty(param):
                by_device.setdefault(param.device, []).append(name)
        shelves = []
        for device, names in by_device.items():
            kind = LateShelf if device.type == "cuda" else Shelf
            tracks = [self.track(n, named[n]) for n in names]
            for track in tracks:
                track.leave()
            shelves.append((names, kind([named[n] for n in names], tracks)))
        return _Group(named, shelves, [p for p in named.values() if _unborn(p)])

    def _restart(self) -> None:
        for group in self._groups.values():
            for _, shelf in group.shelves:
                shelf.restart()

    def local(self, named: Mapping[str, Tensor]) -> dict[str, State]:
        """Return the states of what this rank holds; a shard without values is `EMPTY`.

        Cost: about 1 us a parameter, and about 10 us for one that is spread over ranks.
        """
        found = self._sampled_at_once(named)
        if found is not None:
            return found
        grads = [None if p.grad is None else held(p.grad) for p in named.values()]
        states = dict(zip(named, states_of(grads), strict=True))
        empty = (n for n, p in named.items() if _is_empty(p) or held(p).numel() == 0)
        return states | dict.fromkeys(empty, State.EMPTY)

    def _sampled_at_once(self, named: Mapping[str, Tensor]) -> dict[str, State] | None:
        """Return the states where all gradients are there and plain, else `None`."""
        grads = [p.grad for p in named.values()]
        if not all(type(g) is Tensor and g.layout is torch.strided for g in grads):
            return None
        key = tuple(map(id, named.values()))
        if self._sampler is None or self._sampler[0] != key:
            plain = all(can_sample(p) for p in named.values())
            same = len({p.device for p in named.values()}) == 1
            self._sampler = (key, Sampler(list(named.values())) if plain and same else None)
        sampler = self._sampler[1]
        types = [p.dtype for p in named.values()]
        if sampler is None or types != [g.dtype for g in grads if g is not None]:
            return None
        states = [State.ALIVE] * len(grads)
        sums = sampler.sums([g for g in grads if g is not None]).tolist()
        for index, total in zip(sampler.order, sums, strict=True):
            if not 0.0 < total < math.inf:
                states[index] = state_of(grads[index])
        return dict(zip(named, states, strict=True))

    def track(self, name: str, param: Tensor) -> Track:
        """Return the track of a parameter, starting one if needed."""
        found = self.tracks.get(name)
        if found is None:
            found = self.tracks[name] = Track(self.numels.get(name) or _numel(param))
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the counts that a resumed run carries on with."""
        return {
            n: {"numel": t.numel, "steps": t.steps, "alive": t.alive}
            for n, t in self.tracks.items()
        }

    def load_state_dict(self, state: Mapping[str, Mapping[str, int]]) -> None:
        """Take up the counts of an earlier run."""
        self._groups.clear()
        for name, counts in state.items():
            self.tracks[name] = Track(counts["numel"], counts["steps"], counts["alive"])

    def coverage(self) -> float:
        """Return the fraction of trainable values whose parameter has had a non-zero gradient."""
        total = sum(t.numel for t in self.tracks.values())
        reached = sum(t.numel for t in self.tracks.values() if t.alive)
        return reached / total if total else 1.0


@dataclass(frozen=True, slots=True)
class _Group:
    """The parameters of one optimizer."""

    named: Mapping[str, Tensor]
    shelves: list[tuple[list[str], Shelf]]
    unborn: list[Tensor]


def states_of(grads: Sequence[Tensor | None]) -> list[State]:
    """Return the state of each gradient; exact, at the price of a few samples where it is alive.

    Cost: about 3 us a gradient on the CPU whatever its size, plus one full read of each gradient
        whose samples are all zero.
    """
    states = [State.NONE if g is None else State.ZERO for g in grads]
    plain = [i for i, g in enumerate(grads) if g is not None and can_sample(g)]
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
    groups: dict[tuple[Any, ...], list[Tensor]] = {}
    for grad in dense:
        if grad.numel():
            groups.setdefault((grad.device, grad.dtype, type(grad)), []).append(grad)
    return math.hypot(*(_norm(group) for group in groups.values()))


def _norm(grads: list[Tensor]) -> float:
    """Return the L2 norm of tensors of one type on one device."""
    if type(grads[0]) is not Tensor:
        return math.hypot(*(float(torch.linalg.vector_norm(g)) for g in grads))
    wide = torch.float32 if grads[0].element_size() == 2 else None  # noqa: PLR2004
    norms = torch.stack(torch._foreach_norm(grads, 2, dtype=wide))  # noqa: SLF001
    return float(torch.linalg.vector_norm(norms.double()))


def value_sample(param: Tensor) -> list[float]:
    """Return a few values of a parameter, to see later whether it has moved."""
    if _is_empty(param) or not can_sample(param):
        return []
    return list(_samples(param.detach()).tolist())


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


def _is_empty(param: Tensor) -> bool:
    return _unborn(param) or param.numel() == 0


def _unborn(param: Tensor) -> bool:
    return torch.nn.parameter.is_lazy(param)


def _numel(param: Tensor) -> int:
    return 0 if _is_empty(param) else param.numel()
