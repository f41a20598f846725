# SPDX-License-Identifier: Apache-2.0
"""Look at thousands of gradients every step with few calls, and single out those not alive.

A gradient of which one of 16 spread samples is not zero is alive. Steps in which that holds are
counted for all parameters together, on one clock; only the others are judged one by one. Nothing
waits for a CUDA device: numbers are copied without blocking and read at a later look.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from operator import is_, itemgetter
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard.flow import State, state_of
from lightning_gradguard.peek import FINITE, is_dense, peek

__all__ = ["Clock", "LateShelf", "Sampler", "Shelf", "Track", "can_sample"]

_SAMPLES = 16
# Up to here copying a whole gradient is cheaper than making a view of it.
_SMALL = 1024
# From here on putting gradients of one shape together by themselves is cheaper.
_PILE = 4
# Up to here reading gradients one by one is cheaper than gathering them.
_FEW = 32
# Looks that may be under way on a device; more would mean that results are never read.
_UNDER_WAY = 8


_flatten: Callable[[list[Tensor]], Tensor] = torch._C._nn.flatten_dense_tensors  # noqa: SLF001


class Clock:
    """Steps that a number of parameters have been alive in together."""

    __slots__ = ("count", "step")

    def __init__(self) -> None:
        self.count = 0
        self.step = -1

    def tick(self, step: int) -> None:
        """Count one step."""
        self.count += 1
        self.step = step


@dataclass(slots=True)
class Track:
    """The history of one parameter, counted in steps of its own optimizer.

    Attributes:
        numel: number of values.
        own_steps: observed steps, without those on the clock.
        own_alive: the same for steps with a non-zero gradient.
        run: length of the current run of steps without one.
        run_state: the states met in the current run.
        longest_gap: longest earlier run, before the gradient came back.
        first_dead: step at which the current run began.
        nonfinite: steps with NaN or inf in a row.
        cleared: steps at which a gradient was there after backward and gone before the optimizer.
        frozen_lr: observed steps with a learning rate of 0.
    """

    numel: int
    own_steps: int = 0
    own_alive: int = 0
    run: int = 0
    run_state: set[State] = field(default_factory=set)
    longest_gap: int = 0
    first_dead: int = -1
    own_last_step: int = -1
    nonfinite: int = 0
    nonfinite_ever: bool = False
    cleared: int = 0
    frozen_lr: int = 0
    clock: Clock | None = None
    joined: int = 0

    @property
    def steps(self) -> int:
        """Return the number of observed optimizer steps."""
        return self.own_steps + self._ticks()

    @property
    def alive(self) -> int:
        """Return the number of steps with a non-zero gradient."""
        return self.own_alive + self._ticks()

    @property
    def last_step(self) -> int:
        """Return the latest observed step."""
        return self.clock.step if self.clock is not None and self._ticks() else self.own_last_step

    @property
    def never(self) -> bool:
        """Say whether no step has brought a gradient so far."""
        return self.steps > 0 and self.alive == 0 and not self.nonfinite_ever

    @property
    def dead_state(self) -> State:
        """Return the strongest state of the current run: a zero is more than a None."""
        return max(self.run_state, default=State.NONE)

    def note(self, state: State, step: int) -> None:
        """Add the state of one optimizer step."""
        self._settle()
        self.own_steps += 1
        self.own_last_step = step
        self.nonfinite = self.nonfinite + 1 if state is State.NONFINITE else 0
        self.nonfinite_ever |= state is State.NONFINITE
        if state >= State.ALIVE:
            self.own_alive += state is State.ALIVE
            self.longest_gap = max(self.longest_gap, self.run)
            self.run, self.run_state, self.first_dead = 0, set(), -1
            return
        if self.run == 0:
            self.first_dead = step
        self.run += 1
        self.run_state.add(state)

    def join(self, clock: Clock) -> None:
        """Let a clock count from here on."""
        self._settle()
        self.clock, self.joined = clock, clock.count

    def leave(self) -> None:
        """Be judged by oneself from here on."""
        self._settle()
        self.clock = None

    def _ticks(self) -> int:
        return 0 if self.clock is None else self.clock.count - self.joined

    def _settle(self) -> None:
        ticks = self._ticks()
        if ticks and self.clock is not None:
            self.own_steps += ticks
            self.own_alive += ticks
            self.own_last_step = self.clock.step
            self.joined = self.clock.count


class Sampler:
    """Read 16 values of each of many gradients.

    Args:
        params: parameters on one device, whose gradients have their shapes and types.
        chosen: which of them to read, by index; all if left out.

    Attributes:
        order: the indices in the order of the sums.

    Cost: 0.2 us a gradient of up to 1,024 values, 1 us a larger one, and 30 us.
    """

    def __init__(self, params: Sequence[Tensor], chosen: Sequence[int] | None = None) -> None:
        chosen = range(len(params)) if chosen is None else chosen
        self._parts = [
            _Part([i for i in chosen if params[i].dtype is dtype], params)
            for dtype in dict.fromkeys(params[i].dtype for i in chosen)
        ]
        self.order = [i for part in self._parts for i in (*part.small, *part.large)]

    def sums(self, grads: Sequence[Any]) -> Tensor:
        """Return the sum of magnitudes of the samples of each gradient, in `order`.

        Args:
            grads: one for each parameter; those that are not read may be `None`.
        """
        with torch.no_grad():
            found = [part.table(grads).abs().sum(1) for part in self._parts]
            return found[0] if len(found) == 1 else torch.cat([f.double() for f in found])


class _Part:
    """The gradients of one type."""

    def __init__(self, members: list[int], params: Sequence[Tensor]) -> None:
        self._piles, self._rest = _piles(
            [i for i in members if params[i].numel() <= _SMALL], params
        )
        self.small = [i for pile in (*self._piles, self._rest) for i in pile]
        self._pick = [itemgetter(*pile) for pile in self._piles]
        self.large = [i for i in members if params[i].numel() > _SMALL]
        self._strides = [params[i].numel() // _SAMPLES for i in self.large]
        sizes = [params[i].numel() for i in self.small]
        starts = accumulate(sizes, initial=0)
        places = [
            start + k * size // _SAMPLES
            for start, size in zip(starts, sizes, strict=False)
            for k in range(_SAMPLES)
        ]
        self._places = _moved(torch.tensor(places), params[members[0]].device) if places else None

    def table(self, grads: Sequence[Any]) -> Tensor:
        """Return samples[n, 16] as floating point numbers of at least 32 bits."""
        found = []
        if self._places is not None:
            flat = self._all_small(grads)
            found.append(flat.index_select(0, self._places).view(-1, _SAMPLES))
        if self.large:
            rows = zip(self.large, self._strides, strict=True)
            found.append(torch.stack([_spread(grads[i], stride) for i, stride in rows]))
        table = found[0] if len(found) == 1 else torch.cat(found)
        return table.float() if table.element_size() < 4 else table  # noqa: PLR2004

    def _all_small(self, grads: Sequence[Any]) -> Tensor:
        """Return all values of the small gradients."""
        parts = [torch.cat(pick(grads)).reshape(-1) for pick in self._pick]
        if self._rest:
            parts.append(_flatten([grads[i] for i in self._rest]))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def _piles(small: Sequence[int], params: Sequence[Tensor]) -> tuple[list[list[int]], list[int]]:
    """Sort out what can be put together as it is, without making a view of each first."""
    by_shape: dict[torch.Size | None, list[int]] = {}
    for index in small:
        shape = params[index].shape
        by_shape.setdefault(shape[1:] if shape else None, []).append(index)
    rest = by_shape.pop(None, [])
    piles = list(by_shape.values())
    lone = [i for pile in piles if len(pile) < _PILE for i in pile]
    return [pile for pile in piles if len(pile) >= _PILE], [*rest, *lone]


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, without waiting for it."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _spread(grad: Tensor, stride: int) -> Tensor:
    """Return a view of 16 values of a gradient, wherever they lie in memory."""
    if is_dense(grad):
        return grad.as_strided((_SAMPLES,), (stride,))
    axis = max(range(grad.dim()), key=lambda d: grad.shape[d])
    step = grad.shape[axis] // _SAMPLES * grad.stride(axis)
    return grad.as_strided((_SAMPLES,), (step,))


def _shows_life(grad: Tensor | None) -> bool:
    """Say whether the samples of one gradient show that it is alive and finite."""
    if grad is None or not can_sample(grad):
        return False
    count = grad.numel()
    if count <= _SAMPLES:
        values = grad.flatten().tolist() if grad.dim() != 1 else grad.tolist()
    else:
        values = _spread(grad, count // _SAMPLES).tolist()
    return bool(0.0 < sum(map(abs, values)) < math.inf)  # NaN fails both


class Shelf:
    """Parameters of one optimizer on one device, most of which are alive at every step.

    Args:
        params: the parameters; none without values.
        tracks: their histories.
    """

    def __init__(self, params: Sequence[Tensor], tracks: Sequence[Track]) -> None:
        self.params, self.tracks = params, tracks
        self.clock = Clock()
        self._single = [i for i, p in enumerate(params) if not can_sample(p)]
        self._out = set(range(len(params)))
        self._back: list[int] = []
        self._present: list[int] = []
        self._sampler: Sampler | None = None

    def look(self, step: int) -> dict[int, State]:
        """Count a step; return the states of the parameters that it was not counted for.

        These are all whose gradient is not alive, and those that were not alive at the last look.
        """
        if not self._out and not self._back and self._show_life():
            self.clock.tick(step)
            return {}
        grads = [p.grad for p in self.params]
        states = self._missing(grads)
        for index in self._doubtful(grads):
            states[index] = state_of(grads[index])
        for index in self._out:
            states.setdefault(index, State.ALIVE)
        self._count(step, states)
        return states

    def restart(self) -> None:
        """Judge all parameters one by one at the next look."""
        self._out = set(range(len(self.params)))

    def _show_life(self) -> bool:
        """Say whether one value of each gradient shows that it is alive, where there are few.

        The value lies in another place at every step, so that in 16 steps all samples are read.
        """
        if len(self.params) > _FEW:
            return False
        share = self.clock.count % _SAMPLES / _SAMPLES
        for param in self.params:  # noqa: SIM110 - a generator would take longer
            if peek(param.grad, share) != FINITE:
                return False
        return True

    def _missing(self, grads: Sequence[Tensor | None]) -> dict[int, State]:
        """Find what has no gradient; plan the reading of what has one, if that has changed."""
        if len(self._present) == len(grads) and not any(map(is_, grads, repeat(None))):
            return {}
        present = [i for i, g in enumerate(grads) if g is not None]
        if present != self._present:
            self._present, self._sampler = present, None
        if len(present) == len(grads):
            return {}
        return dict.fromkeys(sorted(set(range(len(grads))) - set(present)), State.NONE)

    def _sums(self, grads: Sequence[Tensor | None]) -> tuple[list[int], Tensor] | None:
        """Return indices and the sums of their samples, if there is anything to sample."""
        if self._sampler is None:
            chosen = [i for i in self._present if i not in self._single]
            if not chosen:
                return None
            self._sampler = Sampler(self.params, chosen)
        return self._sampler.order, self._sampler.sums(grads)

    def _doubtful(self, grads: Sequence[Tensor | None]) -> list[int]:
        """Return the gradients whose samples do not show that they are alive and finite."""
        if len(self._present) - len(self._single) <= _FEW:
            return [i for i in self._present if i in self._single or not _shows_life(grads[i])]
        single = [i for i in self._single if grads[i] is not None]
        try:
            found = self._sums(grads)
        except RuntimeError:  # gradients of another layout than their parameters
            return self._present
        if found is None:
            return single
        indices, sums = found
        low, high = torch.aminmax(sums)
        if float(low) > 0.0 and float(high) < math.inf:  # NaN fails both
            return single
        weak = zip(indices, sums.tolist(), strict=True)
        return single + [i for i, s in weak if not 0.0 < s < math.inf]

    def _count(self, step: int, states: dict[int, State]) -> None:
        """Let the clock count for all but those that have a state of their own."""
        for index in self._back:
            if index not in states:
                self.tracks[index].join(self.clock)
        for index in states:
            self.tracks[index].leave()
        self.clock.tick(step)
        self._back = [i for i, s in states.items() if s is State.ALIVE]
        self._out = {i for i, s in states.items() if s is not State.ALIVE}


class Arrival:
    """Numbers on their way from a CUDA device; asking for them never waits.

    Not run on a device so far: the tests stand in for it with one whose numbers come a look later.
    """

    def __init__(self, numbers: Tensor) -> None:
        self._host = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
        self._host.copy_(numbers, non_blocking=True)
        self._event = torch.cuda.Event()
        self._event.record(torch.cuda.current_stream(numbers.device))

    def here(self) -> bool:
        """Say whether the numbers can be read."""
        return bool(self._event.query())

    def wait(self) -> None:
        """Wait for them; only at the end of a run."""
        self._event.synchronize()

    def values(self) -> list[float]:
        """Return the numbers."""
        return [float(v) for v in self._host.tolist()]


@dataclass(slots=True)
class _Look:
    """One look that is under way: which numbers will come, and for which step."""

    step: int
    sampled: list[int]
    exact: list[int]
    arrival: Arrival


class LateShelf(Shelf):
    """The same for a device that nobody waits for: a look returns what earlier looks have found.

    Args:
        params: the parameters; none without values.
        tracks: their histories.
        arrival: how numbers come to the host.
    """

    def __init__(
        self,
        params: Sequence[Tensor],
        tracks: Sequence[Track],
        arrival: Callable[[Tensor], Arrival] = Arrival,
    ) -> None:
        super().__init__(params, tracks)
        self._arrival = arrival
        self._looks: deque[_Look] = deque()
        self._doubts: dict[int, list[int]] = {}
        self.captured = False

    def look(self, step: int) -> dict[int, State]:
        """Begin a look at this step; return what is known now, which may be of an earlier step."""
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            self.captured = True
            return {}
        grads = [p.grad for p in self.params]
        missing = self._missing(grads)
        states: dict[int, State] = {}
        while self._looks and self._looks[0].arrival.here():
            look = self._looks.popleft()
            self._take(states)  # of the look before, if several have come
            states = self._judge(look)
        if len(self._looks) < _UNDER_WAY:
            self._begin(step, grads)
        for index in missing:
            self.tracks[index].leave()
        self._out.update(missing)
        return {i: s for i, s in states.items() if i not in self._doubts} | missing

    def drain(self) -> None:
        """Wait for the looks that are under way, and note what they found."""
        while self._looks:
            look = self._looks.popleft()
            look.arrival.wait()
            self._take(self._judge(look))

    def _take(self, states: dict[int, State]) -> None:
        for index, state in states.items():
            if index not in self._doubts:
                self.tracks[index].note(state, self.clock.step)

    def _judge(self, look: _Look) -> dict[int, State]:
        """Turn the numbers of a look into states; a zero sum is a doubt until all is read."""
        values = look.arrival.values()
        exact = dict(zip(look.exact, values[len(look.sampled) :], strict=True))
        states = {index: _exact_state(value) for index, value in exact.items()}
        for index, value in zip(look.sampled, values, strict=False):
            if index in exact:
                continue
            if value == 0.0:
                self._doubts.setdefault(index, []).append(look.step)
            if not 0.0 < value < math.inf or index in self._out:
                states[index] = _exact_state(value)
        for index in exact:
            for step in self._doubts.pop(index, []):
                self.tracks[index].note(states[index], step)
        self._count(look.step, states)
        return states

    def _begin(self, step: int, grads: Sequence[Tensor | None]) -> None:
        """Ask for the samples of all, and for a full read of those that are in doubt."""
        found = self._sums(grads)
        exact = sorted({*self._doubts, *self._out, *self._single} & set(self._present))
        indices, pieces = [], []
        if found is not None:
            indices, pieces = found[0], [found[1].double()]
        if exact:
            norms = [_largest(grads[i]) for i in exact]  # type: ignore[arg-type]
            pieces.append(torch.stack(norms).double())
        if pieces:
            self._looks.append(_Look(step, indices, exact, self._arrival(torch.cat(pieces))))


def _largest(grad: Tensor) -> Tensor:
    """Return the largest magnitude of a gradient, or NaN, without waiting for it."""
    with torch.no_grad():
        values = grad.coalesce().values() if grad.is_sparse else grad
        largest: Tensor = torch.linalg.vector_norm(values, math.inf)
        return largest.double()


def _exact_state(largest: float) -> State:
    if not largest < math.inf:
        return State.NONFINITE
    return State.ALIVE if largest else State.ZERO


def can_sample(tensor: Tensor) -> bool:
    """Say whether a few values of a tensor can be read by their places in memory."""
    return (
        tensor.layout is torch.strided
        and tensor.is_floating_point()
        and tensor.numel() > 0
        and type(tensor) in (Tensor, torch.nn.Parameter)
    )
