# SPDX-License-Identifier: Apache-2.0
"""From a Trainer's strategy to how it treats gradients, and where their states can be read."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gradguard.audit import states_of, total_norm
from lightning_gradguard.flow import State, held
from lightning_gradguard.session import Session

__all__ = ["AccumulateHooks", "Plan", "square_of", "survey", "whole_numel"]


@dataclass(slots=True)
class Plan:
    """How a strategy treats gradients.

    Attributes:
        kind: `ddp`, `sharded`, `tensor`, `deepspeed` or `other`.
        params: name -> parameter that the strategy exchanges gradients for, in their order.
        exchange: what happens to a gradient that only some ranks have: the others make them `wait`
            or abort, it is made a `mean` with zeros, or the ranks keep it for themselves (`none`).
        needs_all: the exchange needs a gradient of every parameter, as that of plain DDP.
        limits: what cannot be checked, and why.
        blind: nothing can be checked at all.
    """

    kind: str = "other"
    params: dict[str, Tensor] = field(default_factory=dict)
    exchange: str = "none"
    needs_all: bool = False
    limits: tuple[str, ...] = ()
    blind: bool = False

    @property
    def walks(self) -> bool:
        """Say whether the graph of one rank shows all that this rank uses."""
        return self.kind != "sharded"

    @property
    def spreads(self) -> bool:
        """Say whether the gradients of one rank are not yet those of the job."""
        return self.kind in {"sharded", "tensor", "deepspeed"}

    @property
    def has_local_shards(self) -> bool:
        """Say whether parameters are shards that do not know the size of the whole."""
        return self.kind == "sharded" and not any(map(_is_spread, self.params.values()))


def survey(trainer: Any, model: nn.Module, session: Session) -> Plan:  # noqa: ANN401
    """Find out how the strategy of a trainer treats gradients.

    Args:
        trainer: any object with `strategy` and `model`.
        model: the user's module.
        session: tells names and what is left out.
    """
    kinds = {c.__name__ for c in type(trainer.strategy).__mro__}
    wrapped = getattr(trainer, "model", None)
    params = session.trainable()
    if "DeepSpeedStrategy" in kinds:
        return Plan("deepspeed", params, "wait", limits=(_DEEPSPEED,))
    if isinstance(wrapped, torch.nn.parallel.DistributedDataParallel):
        return _survey_ddp(wrapped, params)
    if _is_sharded(wrapped, model):
        return _survey_shards(wrapped, model, params)
    if any(map(_is_spread, params.values())):
        return Plan("tensor", params)
    why = (
        f"`{type(trainer.strategy).__name__}` is not known: how it exchanges gradients is taken "
        "from what they look like"
    )
    return Plan("other", params, limits=(why,))


_DEEPSPEED = (
    "gradients after their reduction: DeepSpeed keeps them to itself, what is seen are those "
    "before it"
)
_SHARDED = (
    "parameters that only some ranks use: under FSDP the graph of one rank shows only its own part"
)
_FLAT = (
    "FSDP with `use_orig_params=False` keeps whole modules in one flat parameter; use "
    "`use_orig_params=True`"
)


def _survey_ddp(
    wrapped: torch.nn.parallel.DistributedDataParallel, params: Mapping[str, Tensor]
) -> Plan:
    left_out = getattr(wrapped, "parameters_to_ignore", ()) or ()
    strict = not (wrapped.find_unused_parameters or wrapped.static_graph)
    kept = {n: p for n, p in params.items() if n not in left_out}
    return Plan("ddp", kept, "wait" if strict else "mean", needs_all=strict)


def _is_sharded(wrapped: Any, model: nn.Module) -> bool:  # noqa: ANN401 - whatever a Trainer holds
    """Say whether FSDP, in one of its two forms, spreads the parameters of a module."""
    second = any(c.__name__ == "FSDPModule" for m in model.modules() for c in type(m).__mro__)
    return second or bool(_units(wrapped, model))


def _units(wrapped: Any, model: nn.Module) -> list[Any]:  # noqa: ANN401
    """Return the units of FSDP in its first form."""
    return [m for m in (wrapped, *model.modules()) if hasattr(m, "_use_orig_params")]


def _survey_shards(
    wrapped: Any,  # noqa: ANN401
    model: nn.Module,
    params: dict[str, Tensor],
) -> Plan:
    if any(not unit._use_orig_params for unit in _units(wrapped, model)):  # noqa: SLF001
        return Plan("sharded", {}, limits=(_FLAT,), blind=True)
    return Plan("sharded", params, limits=(_SHARDED,))


class AccumulateHooks:
    """The states of gradients where a strategy shows them only while they are accumulated.

    Args:
        named: name -> parameter.
        guarded: calls something so that an error in it stays inside the guard.
    """

    def __init__(
        self, named: Mapping[str, Tensor], guarded: Callable[[Callable[[], None]], object]
    ) -> None:
        self._names = tuple(named)
        self._guarded = guarded
        self._seen: dict[str, State] = {}
        self._handles = [
            p.register_post_accumulate_grad_hook(partial(self._accumulated, n))
            for n, p in named.items()
        ]

    def _accumulated(self, name: str, param: Tensor) -> None:
        self._guarded(partial(self._note, name, param))

    def _note(self, name: str, param: Tensor) -> None:
        state = states_of([param.grad])[0]
        self._seen[name] = max(state, self._seen.get(name, State.NONE))

    def take(self) -> dict[str, State]:
        """Return the state of every parameter since the last call."""
        seen, self._seen = self._seen, {}
        return {n: seen.get(n, State.NONE) for n in self._names}

    def remove(self) -> None:
        """Take the hooks out; may run twice."""
        for handle in self._handles:
            handle.remove()
        self._handles = []


def square_of(grads: Sequence[Tensor]) -> float:
    """Return this rank's part of the squared L2 norm over the gradients of the job."""
    return sum(total_norm([held(g)]) ** 2 / _copies(g) for g in grads)


def _copies(tensor: Tensor) -> int:
    """Return how many ranks hold the same values of a tensor that is spread over a mesh."""
    mesh, placements = getattr(tensor, "device_mesh", None), getattr(tensor, "placements", ())
    if mesh is None:
        return 1
    return math.prod(mesh.size(i) for i, p in enumerate(placements) if p.is_replicate())


def _is_spread(tensor: Tensor) -> bool:
    """Say whether a tensor knows that it is spread over a mesh."""
    return hasattr(tensor, "to_local")


def whole_numel(param: Tensor) -> int:
    """Return the number of values of a parameter over all ranks, where the parameter knows it."""
    return int(getattr(param, "ds_numel", param.numel()))
