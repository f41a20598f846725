# SPDX-License-Identifier: Apache-2.0
"""Looking at many gradients at once gives what single looks give, and never waits."""

import gc
import math
import random
import subprocess
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_gradguard import steady
from lightning_gradguard.audit import Audit, states_of, total_norm
from lightning_gradguard.flow import State
from lightning_gradguard.peek import peek
from lightning_gradguard.report import Report
from lightning_gradguard.session import Session, Settings
from lightning_gradguard.steady import Arrival, LateShelf, Sampler, Track
from lightning_gradguard.trace import Recorder
from lightning_gradguard.usual import usual_functions

STEPS = 40  # more than it takes to read every sample of a gradient once
KINDS: dict[str, Callable[[Tensor], Tensor | None]] = {
    "sparse": lambda p: (torch.rand(p.shape) < 2 / p.numel()).to(p.dtype),
    "none": lambda _: None,
    "zero": torch.zeros_like,
    "alive": torch.ones_like,
    "nan": lambda p: torch.full_like(p, math.nan),
}
COUNTS = (
    "steps",
    "alive",
    "run",
    "run_state",
    "longest_gap",
    "first_dead",
    "last_step",
    "nonfinite",
)


def plain(count: int) -> dict[str, Tensor]:
    """Return parameters of many shapes and of one type."""
    shapes = [(3,), (40, 40), (5, 7), (1,), (17,), (2, 3, 8, 9)]
    return {f"p{i}": nn.Parameter(torch.ones(shapes[i % len(shapes)])) for i in range(count)}


def parameters(count: int) -> dict[str, Tensor]:
    """Return the same and others of all types; the last is laid out in another order."""
    found = plain(count)
    found["half"] = nn.Parameter(torch.ones(2000, dtype=torch.half))
    found["double"] = nn.Parameter(torch.ones(9, dtype=torch.float64))
    found["complex"] = nn.Parameter(torch.ones(4, dtype=torch.complex64))
    found["turned"] = nn.Parameter(torch.ones(50, 60).t())
    return dict(found)


def give(params: dict[str, Tensor], kinds: Iterable[str]) -> None:
    """Set the gradients."""
    for param, kind in zip(params.values(), kinds, strict=True):
        param.grad = KINDS[kind](param.detach())


def look(audit: Audit, params: dict[str, Tensor], step: int) -> dict[str, State]:
    """Look as a session does."""
    return audit.observe(params, step, states=audit.look(params, step))


@pytest.mark.parametrize("make", [plain, parameters])
@pytest.mark.parametrize("count", [4, 60])
@pytest.mark.parametrize("seed", range(6))
def test_counts_are_those_of_single_looks(
    make: Callable[[int], dict[str, Tensor]], count: int, seed: int
) -> None:
    """Whatever comes in whatever order, every track says the same."""
    source = random.Random(seed)  # noqa: S311
    params = make(count)
    together, single = Audit(), Audit()
    weights = [(1, 1, 1, 1, 1), (0, 0, 1, 20, 0), (0, 1, 0, 90, 1), (5, 0, 0, 90, 0)][seed % 4]
    for step in range(STEPS):
        give(params, source.choices(list(KINDS), weights, k=len(params)))
        look(together, params, step)
        single.observe(params, step)
    for name, track in single.tracks.items():
        for count_name in COUNTS:
            assert getattr(together.tracks[name], count_name) == getattr(track, count_name)
    assert set(together.suspects()) == {n for n, t in single.tracks.items() if t.run}


@pytest.mark.parametrize("count", [4, 60])
@pytest.mark.parametrize("begin", [13, 14])
@pytest.mark.parametrize("kind", ["none", "zero", "nan"])
def test_late_failure_is_counted_at_once(count: int, begin: int, kind: str) -> None:
    """A failure that begins at step k has lasted for `patience` looks after that many steps."""
    params, patience = parameters(count), 5
    names = list(params)
    for failing in (names[0], names[1], "half"):
        audit = Audit()
        for step in range(begin + patience):
            give(params, [kind if n == failing and step >= begin else "alive" for n in names])
            look(audit, params, step)
        track = audit.tracks[failing]
        assert (track.nonfinite if kind == "nan" else track.run) == patience
        assert audit.suspects() == ([] if kind == "nan" else [failing])


def test_few_are_known_to_be_alive_by_one_number_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once all have been alive, nothing else is read of them, and another number at each step."""
    params = plain(6)
    audit = Audit()
    give(params, ["alive"] * len(params))
    for step in range(2):
        look(audit, params, step)
    read: list[float] = []

    def noted(grad: Tensor | None, share: float) -> int:
        read.append(share)
        return peek(grad, share)

    monkeypatch.setattr(steady, "peek", noted)
    monkeypatch.setattr(steady, "_shows_life", lambda _: pytest.fail("read in full"))
    for step in range(2, 18):
        assert look(audit, params, step) == {}
    assert len(read) == 16 * len(params)
    assert sorted(set(read)) == [turn / 16 for turn in range(16)]
    assert {track.alive for track in audit.tracks.values()} == {18}


def test_return_is_noticed() -> None:
    """A parameter that comes back joins the others, and its gap is remembered."""
    params = parameters(40)
    audit = Audit()
    for step in range(30):
        give(params, ["zero" if n == "p1" and 12 <= step < 16 else "alive" for n in params])
        look(audit, params, step)
    track = audit.tracks["p1"]
    assert track.run == 0
    assert track.longest_gap == 4
    assert track.steps == 30
    assert track.alive == 26
    assert audit.tracks["p0"].alive == 30


def test_only_what_is_not_alive_is_judged_singly() -> None:
    """Once all are alive, a look returns nothing; one failure returns one state."""
    params = parameters(50)
    audit = Audit()
    for step in range(4):
        give(params, ["alive"] * len(params))
        assert bool(look(audit, params, step)) is (step == 0) or step == 0 or "complex" in params
    give(params, ["none" if n == "p7" else "alive" for n in params])
    found = look(audit, params, 5)
    assert found["p7"] is State.NONE
    assert set(found) <= {"p7", "complex"}


def test_dropped_parameters_are_met_again() -> None:
    """A new set of parameters is looked at in full, and the counts go on."""
    params = parameters(4)
    audit = Audit()
    for step in range(3):
        give(params, ["alive"] * len(params))
        look(audit, params, step)
    fewer = {n: p for n, p in params.items() if n != "p2"}
    for step in range(3, 6):
        look(audit, fewer, step)
    assert audit.tracks["p0"].steps == 6
    assert audit.tracks["p2"].steps == 3


def test_sparse_and_strange_gradients() -> None:
    """Gradients that are not laid out like their parameters take the longer way."""
    table = nn.Embedding(40, 8, sparse=True)
    params: dict[str, Tensor] = {"table": table.weight} | parameters(40)
    audit = Audit()
    for step in range(14):
        give(params, ["alive"] * len(params))
        table.weight.grad = None
        table(torch.tensor([3])).sum().backward()
        look(audit, params, step)
    assert audit.tracks["table"].alive == 14
    assert audit.tracks["p3"].alive == 14


def test_samples_cover_every_layout() -> None:
    """Samples are values of the gradient itself, also where it is a part of a larger tensor."""
    whole = torch.zeros(100, 200)
    part = whole[:, ::2]
    whole[:, 1::2] = 1.0
    assert states_of([part]) == [State.ZERO]
    sums = Sampler([torch.zeros(100, 100)]).sums([part])
    assert sums.tolist() == [0.0]


class Slow(Arrival):
    """Numbers that can be read at the next look."""

    under_way: deque["Slow"] = deque()  # noqa: RUF012 - all that are on their way

    def __init__(self, numbers: Tensor) -> None:
        self.numbers, self.landed = numbers, False
        Slow.under_way.append(self)

    def here(self) -> bool:
        """Say whether somebody has waited."""
        return self.landed

    def wait(self) -> None:
        """Wait."""
        self.landed = True

    def values(self) -> list[float]:
        """Return them, once they are there."""
        assert self.landed
        return [float(v) for v in self.numbers.tolist()]


class NoReads(TorchDispatchMode):
    """Refuse to hand numbers to Python, which would wait for a device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Pass on what does not wait."""
        assert "_local_scalar_dense" not in str(func)
        assert "nonzero" not in str(func)
        return func(*args, **(kwargs or {}))


def late_run(
    kinds: Callable[[int], list[str]], steps: int
) -> tuple[list[Track], list[dict[int, State]]]:
    """Look for some steps at parameters whose numbers come one step late."""
    params = [p for n, p in parameters(40).items() if n != "turned"]
    tracks = [Track(p.numel()) for p in params]
    shelf = LateShelf(params, tracks, Slow)
    found = []
    for step in range(steps):
        for arrival in Slow.under_way:
            arrival.landed = True
        Slow.under_way.clear()
        for param, kind in zip(params, kinds(step), strict=True):
            param.grad = KINDS[kind](param.detach())
        landed = [look.arrival.values() for look in shelf._looks]
        del landed
        guard = NoReads() if not shelf._looks else None  # type: ignore[no-untyped-call]
        states = _look(shelf, step, guard)
        for index, state in states.items():
            tracks[index].note(state, step)
        found.append(states)
    shelf.drain()
    return tracks, found


def _look(shelf: LateShelf, step: int, guard: Any) -> dict[int, State]:
    if guard is None:
        return shelf.look(step)
    with guard:
        return shelf.look(step)


COUNT = 43


def test_late_numbers_are_counted() -> None:
    """All steps are counted in the end, although each is known one step late."""
    tracks, found = late_run(lambda _: ["alive"] * COUNT, 20)
    assert {t.steps for t in tracks} == {20}
    assert {t.alive for t in tracks} == {20}
    assert found[0] == {}


@pytest.mark.parametrize("kind", ["none", "zero", "nan"])
def test_late_failure_is_found_at_most_a_step_later(kind: str) -> None:
    """A failure at step k has been counted `patience` times after the look of step k + patience."""
    begin, patience = 7, 5
    tracks, _ = late_run(
        lambda step: [kind if i == 3 and step >= begin else "alive" for i in range(COUNT)],
        begin + patience + 1,
    )
    assert (tracks[3].nonfinite if kind == "nan" else tracks[3].run) >= patience
    assert tracks[4].alive == begin + patience + 1


def test_late_zeros_among_samples_are_read_in_full() -> None:
    """A gradient whose samples are zero and whose other values are not is alive."""
    param = nn.Parameter(torch.ones(5000))
    track = Track(5000)
    shelf = LateShelf([param], [track], Slow)
    for step in range(8):
        for arrival in Slow.under_way:
            arrival.landed = True
        Slow.under_way.clear()
        param.grad = torch.zeros(5000)
        param.grad[-1] = 1.0
        for state in shelf.look(step).values():
            track.note(state, step)
    shelf.drain()
    assert track.run == 0
    assert track.alive == track.steps > 4


def test_session_notices_what_optimizers_hold() -> None:
    """Added, frozen and replaced parameters are judged, or not, from that step on."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model[0].parameters(), 0.1)
    session = Session(Settings(), Report())
    session.attach(model, [optimizer], automatic=True, scaled=False)
    first = session.judged(optimizer)
    assert list(first) == ["0.weight", "0.bias"]
    assert session.judged(optimizer) is first
    optimizer.add_param_group({"params": list(model[1].parameters())})
    assert len(session.judged(optimizer)) == 4
    model[0].requires_grad_(requires_grad=False)
    assert list(session.judged(optimizer)) == ["1.weight", "1.bias"]
    model[1].weight = nn.Parameter(torch.ones(2, 2))
    session.roster.stale = True
    assert list(session.judged(optimizer)) == ["1.bias"]


def test_values_are_remembered_under_the_names_of_the_user() -> None:
    """A wrapper adds nothing to a name, in what is remembered as in what is judged."""
    model = nn.Module()
    model.add_module("_orig_mod", nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    session = Session(Settings(), Report())
    session.attach(model, [optimizer], automatic=True, scaled=False)
    session.lasting.remember_values()
    assert set(session.lasting._samples) == set(session.judged()) == {"weight", "bias"}


def test_samples_are_of_their_own_gradient() -> None:
    """Whatever shapes come together, each sum is that of one gradient."""
    shapes = [(2, 3), (), (5,), (4, 3), (3000,), (7, 3), (1, 3), (2, 2, 2), (6,), (1,), (9,)]
    grads = [torch.full(shape, float(i + 1)) for i, shape in enumerate(shapes)]
    sampler = Sampler(grads)
    found = dict(zip(sampler.order, sampler.sums(grads).tolist(), strict=True))
    assert found == {i: 16.0 * (i + 1) for i in range(len(shapes))}


def test_replaced_parameters_are_let_go() -> None:
    """A parameter that optimizer and module have dropped is not kept alive by the looks at it."""
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD([model.weight, model.bias], 0.1)
    session = Session(Settings(), Report())
    session.attach(model, [optimizer], automatic=True, scaled=False)
    for step in range(2):
        session.begin_batch(step, torch.ones(1, 2))
        loss = model(torch.ones(1, 2)).sum()
        session.before_backward(loss)
        loss.backward()
        session.after_backward()
        session.before_step(optimizer)
        session.end_batch()
    dropped = weakref.ref(model.weight)
    model.weight = nn.Parameter(torch.ones(2, 2))
    optimizer.param_groups[0]["params"][0] = model.weight
    session.judged(optimizer)
    session.judged()
    del loss
    gc.collect()
    assert dropped() is None
    assert session.audit.tracks["weight"].alive == 2


def test_norm_is_that_of_all_values() -> None:
    """Types, empty tensors and large half precision values do not disturb it."""
    grads = [
        torch.full((3,), 4e4, dtype=torch.half),
        torch.ones(4, dtype=torch.float64),
        torch.ones(0),
    ]
    assert total_norm(grads) == pytest.approx(math.hypot(4e4 * 3**0.5, 2.0), rel=1e-3)
    assert total_norm([]) == 0.0


def test_trace_stops_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit nothing is recorded any more, and the session says so once, as GG901."""
    monkeypatch.setitem(vars(Recorder)["__init__"].__kwdefaults__, "limit", 20)
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    session = Session(Settings(), Report())
    session.attach(model, [optimizer], automatic=True, scaled=False)
    x = torch.ones(1, 2)
    session.begin_batch(0, x)
    loss = model(x).detach().sum()
    for _ in range(50):
        loss = loss + 1.0
    assert session.tracer.now is not None
    assert len(session.tracer.now.trace.calls) == 20
    session.before_backward(loss)
    session.end_batch()
    assert [d.code for d in session.report.diagnostics] == ["GG901"]
    assert not session.tracer.kept


@pytest.mark.slow
def test_deep_graph_is_freed_after_it_was_walked() -> None:
    """A chain of 100,000 nodes is let go of; torch frees by recursion what Python has seen."""
    program = """
import torch
from torch import nn
from lightning_gradguard.report import Report
from lightning_gradguard.session import Session, Settings
model = nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
session = Session(Settings(), Report())
session.attach(model, [optimizer], automatic=True, scaled=False)
x = torch.ones(1, 2)
session.begin_batch(0, x)
loss = model(x).sum()
for _ in range(100_000):
    loss = loss + 1e-6
session.before_backward(loss)
loss.backward()
session.after_backward()
session.before_step(optimizer)
del loss
session.end_batch()
print(session.audit.tracks["weight"].alive)
"""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr[-2000:]


def test_usual_functions_change_nothing_in_place() -> None:
    """No in-place method, no exit and no attribute access is among the usual functions."""
    names = {usual.name for usual in usual_functions(["item"]).values()}
    assert {"add", "linear", "__add__", "softmax"} <= names
    assert not {n for n in names if n.endswith("_") and not n.endswith("__")}
    assert "item" not in names
