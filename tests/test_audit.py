# SPDX-License-Identifier: Apache-2.0
"""States of gradients and what their history says."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lightning_gradguard.audit import Audit, Track, states_of, total_norm, value_sample
from lightning_gradguard.flow import State, state_of

SPECIAL = [0.0, -0.0, 1e-45, -1e-30, 1.0, 3e38, math.inf, -math.inf, math.nan]


def param(grad: Tensor | None, numel: int = 3) -> nn.Parameter:
    """Make a parameter with a gradient."""
    made = nn.Parameter(torch.ones(numel if grad is None else grad.shape))
    made.grad = grad
    return made


class TestStatesOf:
    """`states_of`."""

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 90), st.integers(0, 89), st.sampled_from(SPECIAL), st.booleans()
            ),
            max_size=5,
        )
    )
    def test_samples_never_change_the_answer(
        self, cases: list[tuple[int, int, float, bool]]
    ) -> None:
        """Zero and alive are told apart exactly, wherever the one value hides."""
        grads = []
        for size, place, value, transposed in cases:
            grad = torch.zeros(size * 2)
            if place < grad.numel():
                grad[place] = value
            grads.append(grad.reshape(size, 2).T if transposed else grad)
        for found, exact in zip(states_of(grads), map(state_of, grads), strict=True):
            # A value that is not finite among finite ones may pass as alive; zero may not.
            same = found is exact
            assert same or (found, exact) == (State.ALIVE, State.NONFINITE)

    def test_all_kinds_at_once(self) -> None:
        """None, dense, sparse, complex, half and empty gradients keep their order."""
        grads: list[Any] = [
            None,
            torch.zeros(40),
            torch.eye(3).to_sparse(),
            torch.zeros(2, dtype=torch.complex64),
            torch.full((2,), 6e-8, dtype=torch.float16),
            torch.zeros(0),
            torch.tensor(float("nan")),
        ]
        assert states_of(grads) == [
            State.NONE,
            State.ZERO,
            State.ALIVE,
            State.ZERO,
            State.ALIVE,
            State.EMPTY,
            State.NONFINITE,
        ]

    def test_gradient_is_not_touched(self) -> None:
        """Looking changes neither values nor versions."""
        grad = torch.arange(50.0)
        version = grad._version
        states_of([grad])
        assert grad._version == version


class TestTrack:
    """`Track`."""

    @staticmethod
    def track(*states: State) -> Track:
        """Note some states from step 0 on."""
        made = Track(3)
        for step, state in enumerate(states):
            made.note(state, step)
        return made

    def test_a_run_begins_and_ends(self) -> None:
        """A gradient ends the run and leaves the longest gap behind."""
        track = self.track(State.NONE, State.ZERO, State.ALIVE, State.NONE)
        assert (track.steps, track.alive, track.run) == (4, 1, 1)
        assert (track.longest_gap, track.first_dead) == (2, 3)
        assert not track.never

    def test_zero_is_more_than_nothing(self) -> None:
        """A run of both is a run of zeros."""
        assert self.track(State.NONE, State.ZERO, State.NONE).dead_state is State.ZERO
        assert self.track(State.NONE, State.NONE).dead_state is State.NONE

    def test_not_finite_is_not_alive(self) -> None:
        """It ends a run of zeros, and is counted by itself in a row."""
        track = self.track(State.ZERO, State.NONFINITE, State.NONFINITE)
        assert (track.run, track.alive, track.nonfinite) == (0, 0, 2)
        assert not track.never
        track.note(State.ALIVE, 3)
        assert track.nonfinite == 0

    def test_never_needs_a_look(self) -> None:
        """Without any step there is nothing to say."""
        assert not Track(3).never
        assert self.track(State.NONE).never


class TestAudit:
    """`Audit`."""

    def test_observes_by_name(self) -> None:
        """One state and one track for each parameter with values."""
        audit = Audit()
        named = {
            "dead": param(None),
            "zero": param(torch.zeros(2)),
            "live": param(torch.ones(5)),
            "empty": param(torch.ones(0)),
        }
        states = audit.observe(named, 7)
        assert states == {"dead": State.NONE, "zero": State.ZERO, "live": State.ALIVE}
        assert set(audit.tracks) == set(states)
        assert audit.tracks["dead"].first_dead == 7

    def test_coverage_is_a_share_of_values(self) -> None:
        """Five of ten values have had a gradient."""
        audit = Audit()
        assert audit.coverage() == 1.0
        audit.observe({"a": param(torch.ones(5)), "b": param(None, 5)}, 0)
        assert audit.coverage() == 0.5

    def test_counts_survive_a_checkpoint(self) -> None:
        """The sums come along, the run begins anew."""
        audit, later = Audit(), Audit()
        audit.observe({"a": param(torch.ones(5))}, 0)
        audit.observe({"a": param(None, 5)}, 1)
        later.load_state_dict(audit.state_dict())
        track = later.tracks["a"]
        assert (track.numel, track.steps, track.alive, track.run) == (5, 2, 1, 0)

    def test_lazy_parameter_is_left_out(self) -> None:
        """A parameter without a shape has nothing to look at."""
        lazy = nn.LazyLinear(2).weight
        assert Audit().observe({"lazy": lazy}, 0) == {}


class TestNumbers:
    """`total_norm` and `value_sample`."""

    @pytest.mark.parametrize("sparse", [False, True])
    def test_norm_is_taken_over_everything(self, *, sparse: bool) -> None:
        """Several gradients count as one vector."""
        grads = [torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])]
        grads = [grad.to_sparse() for grad in grads] if sparse else grads
        assert total_norm(grads) == pytest.approx(5.0)

    def test_norm_of_nothing(self) -> None:
        """No gradient, and gradients without values, have length 0."""
        assert total_norm([]) == 0.0
        assert total_norm([torch.zeros(0)]) == 0.0

    def test_sample_sees_a_small_change(self) -> None:
        """A parameter that has moved has other values."""
        weight = nn.Parameter(torch.linspace(0, 1, 100).reshape(10, 10))
        before = value_sample(weight)
        assert 0 < len(before) <= 32
        with torch.no_grad():
            weight.mul_(1 + 1e-6)
        assert value_sample(weight) != before

    def test_sample_of_what_has_no_values(self) -> None:
        """Empty and lazy parameters have no sample."""
        assert value_sample(torch.zeros(0)) == []
        assert value_sample(nn.LazyLinear(2).weight) == []
