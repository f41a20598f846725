# SPDX-License-Identifier: Apache-2.0
"""Which ranks alone use a parameter, and for how long they have been the only ones."""

import zlib
from collections.abc import Mapping, Sequence

__all__ = ["Group", "Uneven", "groups_of"]

Group = dict[tuple[int, ...], list[int]]


class Uneven:
    """The parameters that only some ranks have used, comparison after comparison.

    Layers that are dropped at random are used on some ranks only as well, and train well. So what
    counts is a run of comparisons in which the very same ranks were the only ones.

    Args:
        patience: length of such a run that is reported.

    Example:
        >>> uneven = Uneven(patience=2)
        >>> for group in ({(0,): [5]}, {}, {(0,): [5]}):
        ...     uneven.note(group)
        >>> uneven.due()
        {}
        >>> uneven.note({(0,): [5]})
        >>> uneven.due()
        {((0,), 2): [5]}
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.compared = 0
        self._runs: dict[int, tuple[tuple[int, ...], int]] = {}
        self._told: set[int] = set()

    def note(self, groups: Mapping[tuple[int, ...], Sequence[int]]) -> None:
        """Take in one comparison.

        Args:
            groups: ranks -> places of the parameters that only these ranks use; empty where all
                ranks use the same ones.
        """
        self.compared += 1
        now = {place: having for having, places in groups.items() for place in places}
        before = self._runs
        self._runs = {
            place: (having, before[place][1] + 1 if before.get(place, ((),))[0] == having else 1)
            for place, having in now.items()
        }

    def due(self, *, final: bool = False) -> dict[tuple[tuple[int, ...], int], list[int]]:
        """Return (ranks, length of the run) -> places that are to be reported, once.

        Args:
            final: nothing follows; in a run shorter than the patience all of it is enough.
        """
        enough = min(self.patience, self.compared) if final else self.patience
        found: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for place, (having, length) in self._runs.items():
            if length >= enough and place not in self._told:
                found.setdefault((having, length), []).append(place)
                self._told.add(place)
        return found


def groups_of(packed: Sequence[bytes], blind: Sequence[bool]) -> Group:
    """Sort the parameters that only some ranks reach by those ranks.

    Args:
        packed: what each rank reaches, one byte a parameter, compressed.
        blind: whether a rank may use more than its graph shows; nothing is said about what such a
            rank lacks.

    Cost: 0.3 us for each parameter and each different set, however many ranks share it.

    Example:
        >>> sets = [zlib.compress(bytes(s)) for s in ([1, 1, 0], [1, 0, 0])]
        >>> groups_of(sets, [False, False]), groups_of(sets, [False, True])
        ({(0,): [1]}, {})
    """
    kinds: dict[tuple[bytes, bool], list[int]] = {}
    for rank, kind in enumerate(zip(packed, blind, strict=True)):
        kinds.setdefault(kind, []).append(rank)
    groups: Group = {}
    for hits, places in _by_pattern([zlib.decompress(p) for p, _ in kinds]).items():
        sides = list(zip(hits, kinds.items(), strict=True))
        having = sorted(r for hit, (_, ranks) in sides if hit for r in ranks)
        unsure = any(not hit and kind[1] for hit, (kind, _) in sides)
        if 0 < len(having) < len(packed) and not unsure:
            groups[tuple(having)] = places
    return groups


def _by_pattern(sets: Sequence[bytes]) -> dict[tuple[int, ...], list[int]]:
    """Sort places by which of the sets hold them.

    Example:
        >>> _by_pattern([bytes([1, 1, 0]), bytes([1, 0, 0])])
        {(1, 1): [0], (1, 0): [1], (0, 0): [2]}
    """
    found: dict[tuple[int, ...], list[int]] = {}
    for place, hits in enumerate(zip(*sets, strict=True)):
        found.setdefault(hits, []).append(place)
    return found
