# SPDX-License-Identifier: Apache-2.0
"""What is read from memory is what torch says, and nothing is read that is not there."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lightning_gradguard.peek import _BITS, FINITE, UNREAD, UNUSUAL, ZERO, peek

NUMBERS = [0.0, -0.0, 1.0, -1.0, 1e-7, -6e-8, 3e4, math.inf, -math.inf, math.nan, 5e-324, 1e-40]


def expected(number: Tensor) -> int:
    """Ask torch."""
    if not bool(torch.isfinite(number)):
        return UNUSUAL
    return FINITE if bool(number) else ZERO


@pytest.mark.parametrize("dtype", _BITS)
def test_every_type_is_read_as_torch_reads_it(dtype: torch.dtype) -> None:
    """Zeros of both signs, numbers too small for a bit of the exponent, infinities and NaN."""
    info = torch.finfo(dtype)
    numbers = [*NUMBERS, info.tiny, info.tiny * info.eps, info.max, info.min]
    tensor = torch.tensor(numbers, dtype=dtype)
    for place, number in enumerate(tensor):
        assert peek(tensor, place / len(tensor)) == expected(number)


@given(st.lists(st.floats(width=32), min_size=1, max_size=40), st.floats(0, 1, exclude_max=True))
def test_the_place_is_within_the_tensor(numbers: list[float], share: float) -> None:
    """Whatever the size, the number is one of its own."""
    tensor = torch.tensor(numbers)
    assert peek(tensor, share) == expected(tensor[int(len(numbers) * share)])


def test_other_orders_in_memory() -> None:
    """Channels may come last; gaps between the numbers are not stepped into."""
    images = torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert {peek(images, turn / 16) for turn in range(16)} == {FINITE}
    assert peek(torch.zeros(4, 6)[:, ::2]) == UNREAD
    assert peek(torch.ones(3).expand(5, 3)) == UNREAD
    assert peek(torch.ones(4, 6).t()) == UNREAD


STRANGE: dict[str, Callable[[], Tensor | None]] = {
    "none": lambda: None,
    "empty": lambda: torch.ones(0),
    "the end of another": lambda: torch.ones(4)[4:],
    "a part of another": lambda: torch.ones(4)[2:],
    "integer": lambda: torch.ones(3, dtype=torch.long),
    "complex": lambda: torch.ones(3, dtype=torch.complex64),
    "sparse": lambda: torch.ones(3).to_sparse(),
    "compressed": lambda: torch.ones(3, 3).to_sparse_csr(),
    "parameter": lambda: nn.Parameter(torch.ones(3)),
    "meta": lambda: torch.ones(3, device="meta"),
    "without memory": lambda: freed(torch.ones(3)),
    "a part without memory": lambda: freed(torch.ones(3)[1:]),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
}


def freed(tensor: Tensor) -> Tensor:
    """Return a tensor whose memory was given back, as sharding does."""
    tensor.untyped_storage().resize_(0)
    return tensor


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.filterwarnings("ignore:Sparse CSR", "ignore:.*quantize", "ignore:.*deprecated")
def test_what_is_not_plain_is_left_alone(name: str) -> None:
    """Nothing is read where it may not lie, or may be no number."""
    assert peek(STRANGE[name]()) == UNREAD


def test_wrapped_tensors_are_left_alone() -> None:
    """Within a transformation a tensor has no memory of its own."""
    seen: list[int] = []

    def step(x: Tensor) -> Tensor:
        seen.append(peek(x))
        return x.sum()

    torch.vmap(step)(torch.ones(2, 3))
    torch.func.grad(step)(torch.ones(3))
    assert seen == [UNREAD, UNREAD]
