# SPDX-License-Identifier: Apache-2.0
"""Who is judged: the parameters that optimizers hold, under the names that users know."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import chain, compress
from operator import is_, not_
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Roster", "clean", "names_of", "params_of", "rate_of", "raw_of"]

_PREFIXES = re.compile(r"_fsdp_wrapped_module\.|_orig_mod\.|_checkpoint_wrapped_module\.")


class Roster:
    """The module, its optimizers, and what of them is judged.

    Args:
        patterns: names of parameters to leave out, as `ignore_params` of the guard.
        forget: told what an optimizer held before its parameters changed.

    Attributes:
        model: the module in training.
        optimizers: what the run steps with.
        ever: name -> parameter that was judged at any time of the run.
        stale: the modules have to be walked again for new parameters.
    """

    def __init__(
        self, patterns: Sequence[str], forget: Callable[[Mapping[str, Tensor]], None]
    ) -> None:
        self.model: nn.Module = nn.Module()
        self.optimizers: Sequence[Any] = ()
        self.ever: dict[str, Tensor] = {}
        self.stale = True
        self._patterns, self._forget = patterns, forget
        self._used_patterns: set[str] = set()
        self._judged: dict[int, _Judged] = {}
        self._known_names: dict[int, str] = {}

    def names(self) -> dict[int, str]:
        """Return id -> user's name for every registered parameter, tied ones once."""
        return names_of(self.model)

    def judged(self, optimizer: Any = None) -> dict[str, Tensor]:  # noqa: ANN401
        """Return name -> parameter that requires grad and sits in an optimizer."""
        held = [optimizer] if optimizer is not None else self.optimizers
        params = params_of(*held)
        live = [p.requires_grad for p in params]
        known = self._judged.get(id(optimizer))
        if not self.stale and known is not None and known.holds(params, live):
            return known.named
        kept = self._judge_anew(params)
        if known is not None and _same(known.named, kept):
            kept = known.named
        elif known is not None:
            self._forget(known.named)
        self._judged[id(optimizer)] = _Judged(params, live, kept)
        return kept

    def kept(self, optimizer: Any) -> dict[str, Tensor] | None:  # noqa: ANN401
        """Return what was judged of an optimizer, if it still holds the same and moves it.

        Whether something was frozen is not asked: its gradient will be missing.
        """
        known = self._judged.get(id(optimizer))
        if self.stale or known is None or not known.goes_on(_groups_of(optimizer)):
            return None
        return known.named

    def _judge_anew(self, params: Sequence[Tensor]) -> dict[str, Tensor]:
        """Walk the modules for the names of what is held and requires grad."""
        if self.stale or not all(id(p) in self._known_names for p in params):
            if self.stale:  # every optimizer has to look again
                self._judged = {k: replace(j, live=[]) for k, j in self._judged.items()}
            self._known_names, self.stale = self.names(), False
        names = self._known_names
        found = {names[id(p)]: p for p in params if p.requires_grad and id(p) in names}
        kept = {n: p for n, p in found.items() if not self.ignores(n)}
        self.ever.update(kept)
        return kept

    def trainable(self) -> dict[str, Tensor]:
        """Return name -> registered parameter that requires grad, in an optimizer or not."""
        names = self.names()
        params = ((names[id(p)], p) for p in self.model.parameters() if p.requires_grad)
        return {n: p for n, p in params if not self.ignores(n)}

    def ignores(self, name: str) -> bool:
        """Say whether the user wants nothing to be said of a parameter."""
        hits = [p for p in self._patterns if fnmatchcase(name, p)]
        self._used_patterns.update(hits)
        return bool(hits)

    def outsiders(self) -> dict[str, Tensor]:
        """Return registered parameters that require grad and sit in no optimizer."""
        held = {id(p) for p in params_of(*self.all_optimizers())}
        return {n: p for n, p in self.trainable().items() if id(p) not in held}

    def all_optimizers(self) -> list[Any]:
        """Return torch's own optimizers, those that modules keep for themselves included."""
        own = [
            v
            for m in self.model.modules()
            for v in vars(m).values()
            if isinstance(v, torch.optim.Optimizer)
        ]
        return [raw_of(o) for o in (*self.optimizers, *own) if hasattr(o, "param_groups")]

    def idle_patterns(self) -> list[str]:
        """Return the patterns that no trainable parameter has matched."""
        return [p for p in self._patterns if p not in self._used_patterns]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What an optimizer held when its parameters were last named."""

    params: list[Tensor]
    live: list[bool]
    named: dict[str, Tensor]

    def goes_on(self, groups: Sequence[Mapping[str, Any]]) -> bool:
        """Say whether the optimizer holds the same, moves it, and has unfrozen nothing."""
        held = [group["params"] for group in groups]
        if sum(map(len, held)) != len(self.live) or any(rate_of(g) == 0.0 for g in groups):
            return False
        same = all(map(is_, chain.from_iterable(held), self.params))
        frozen = compress(self.params, map(not_, self.live))
        return same and not any(p.requires_grad for p in frozen)

    def holds(self, params: list[Tensor], live: list[bool]) -> bool:
        """Say whether the optimizer still holds the same, and the same requires grad."""
        if live != self.live or len(params) != len(self.params):
            return False
        return all(map(is_, params, self.params))


def rate_of(group: Mapping[str, Any]) -> float:
    """Return the learning rate of a group, NaN where that would mean waiting for a device."""
    rate = group.get("lr", 1.0)
    if type(rate) is float:
        return rate
    return math.nan if isinstance(rate, Tensor) and rate.device.type != "cpu" else float(rate)


def clean(name: str) -> str:
    """Return the user's name of a parameter or module, without what wrappers put into it."""
    return _PREFIXES.sub("", name)


def names_of(model: nn.Module) -> dict[int, str]:
    """Return id -> user's name of every parameter of a module, tied ones once."""
    return {id(p): clean(n) for n, p in model.named_parameters()}


def raw_of(optimizer: Any) -> Any:  # noqa: ANN401
    """Return torch's own optimizer, without what Lightning wraps around it."""
    return getattr(optimizer, "optimizer", optimizer)


def params_of(*optimizers: Any) -> list[Tensor]:  # noqa: ANN401
    """Return what some optimizers hold, in their order."""
    return [p for o in optimizers for g in _groups_of(o) for p in g["params"]]


def _groups_of(optimizer: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401
    groups: Sequence[Mapping[str, Any]] = getattr(optimizer, "param_groups", ())
    return groups


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Say whether two mappings hold the same tensors under the same names."""
    return list(one) == list(other) and all(map(is_, one.values(), other.values()))
