# SPDX-License-Identifier: Apache-2.0
"""From the loss of one rank to the parameters that its graph reaches, before its backward pass."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from torch import Tensor

__all__ = ["Link", "Reached", "digest", "reached"]

# Recomputation inside backward: the graph shows nothing of what such a region uses.
_BLINDING = "CheckpointFunctionBackward"


class Link(IntEnum):
    """How a loss hangs together with the parameters."""

    PARAMETERS = 0
    LEAF = 1  # it requires grad, but reaches no parameter
    NOTHING = 2  # it does not require grad


@dataclass(slots=True)
class Reached:
    """What the graph of one loss reaches on this rank.

    Attributes:
        found: one byte a parameter, 1 where the graph ends in it.
        link: how the loss hangs together with the parameters.
        blind: the graph holds a region that shows nothing of what it uses.
    """

    found: bytearray
    link: Link
    blind: bool = False


def reached(loss: Tensor, places: Mapping[int, int], *, sharded: bool = False) -> Reached:
    """Walk the autograd graph below a loss.

    Args:
        loss: float[], any device; no value is read.
        places: id of a parameter -> its place in the vector.
        sharded: the graph may end in leaves of shards; any leaf that is no scalar counts as one.

    Cost: 0.3 us a node on one CPU thread.

    Example:
        >>> import torch
        >>> w = torch.nn.Parameter(torch.ones(3))
        >>> reached((2 * w).sum(), {id(w): 0}).found[0]
        1
    """
    result = Reached(bytearray(len(places)), Link.NOTHING)
    if loss.grad_fn is None:
        _note_leaf(loss, places, result, sharded=sharded)
        return result
    result.link = Link.LEAF
    stack = [loss.grad_fn]
    seen = set(stack)
    while stack:
        node = stack.pop()
        below = node.next_functions
        if not below:
            variable = getattr(node, "variable", None)
            if variable is not None:
                _note_leaf(variable, places, result, sharded=sharded)
            continue
        if type(node).__name__ == _BLINDING:
            result.blind, result.link = True, Link.PARAMETERS
        for child, _ in below:
            if child is not None and child not in seen:
                seen.add(child)
                stack.append(child)
    return result


def _note_leaf(leaf: Tensor, places: Mapping[int, int], result: Reached, *, sharded: bool) -> None:
    if not leaf.requires_grad:
        return
    place = places.get(id(leaf))
    if place is not None:
        result.found[place] = 1
        result.link = Link.PARAMETERS
    elif sharded and leaf.dim() > 0:
        result.link = Link.PARAMETERS
    elif result.link is Link.NOTHING:
        result.link = Link.LEAF


def digest(content: Iterable[str] | bytes | bytearray) -> int:
    """Return 56 bits that stand for names or states.

    Example:
        >>> digest(["a", "b"]) == digest(["a", "b"]), digest(["a", "b"]) == digest(["ab"])
        (True, False)
    """
    if not isinstance(content, bytes | bytearray):
        content = "\n".join(content).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=7).digest(), "big")
