# SPDX-License-Identifier: Apache-2.0
"""Does a value made here depend on a plain Python value read there: names, containers, branches."""

import ast
import functools
from collections.abc import Iterator, Sequence
from types import CodeType
from typing import NamedTuple

from lightning_gradguard.source import Site, Stack
from lightning_gradguard.syntax import (
    FUNCTIONS,
    MUTATORS,
    contains,
    dotted,
    function_node,
    node_at,
    targets_of,
    tree,
)

__all__ = ["depends", "operand_depends"]

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NO_SITES: frozenset[Site] = frozenset()


def depends(source: Stack, target: Stack, known: frozenset[Site] = _NO_SITES) -> bool | None:
    """Say whether the value made at `target` depends on a plain Python value read at `source`.

    Both positions are looked up in the innermost function that they have in common. Names that are
    assigned from the source, containers that it is put into and branches that it decides carry the
    dependence on.

    Args:
        source: where the plain value is read.
        target: where the other value is made.
        known: positions whose results are no plain values, so that they carry nothing on.

    Returns:
        `None` where there is no common function or no source text.
    """
    nodes = _nodes(source, target)
    if nodes is None:
        return None
    scope, origin, goal = nodes
    if origin is goal:
        return True
    taint = _taint(scope, origin, known)
    if any(contains(n, goal) for n in taint.decided) or taint.feeds(goal):
        return True
    return _read_later(source, target, known)


def _read_later(
    source: Stack, target: Stack, known: frozenset[Site], goal: ast.AST | None = None
) -> bool:
    """Say whether a function below the common one keeps the value where the target reads it.

    What a function puts on an object or into a global outlives its call; other functions find it
    there, by the same attribute or the same name.
    """
    frames = {site[0] for site in target}
    inner = (site for site in source if site[0] not in frames)
    kept = frozenset(k for site in inner for k in _kept(site, known))
    common = {site[0] for site in source}
    for site in target if kept else ():
        scope, node = function_node(site[0]), goal or node_at(site)
        if scope is None or node is None:
            continue
        if _reader(scope, _spellings(kept, site[0]), known).feeds(node):
            return True
        if site[0] in common:
            break
    return False


class _Kept(NamedTuple):
    """A name that outlives the call in which it got its value.

    Attributes:
        name: the attribute, or the global.
        attribute: it is an attribute.
        owner: class of the method that has put it on its `self`; else empty.
    """

    name: str
    attribute: bool = False
    owner: str = ""


@functools.lru_cache(maxsize=512)
def _kept(site: Site, known: frozenset[Site]) -> frozenset[_Kept]:
    """Return the attributes and globals that carry the value made at a position."""
    code = site[0]
    scope, origin = function_node(code), node_at(site)
    if scope is None or origin is None:
        return frozenset()
    local = {*code.co_varnames, *code.co_cellvars}
    found = set()
    for spelled in _taint(scope, origin, known).names:
        holder, dot, name = spelled.rpartition(":")[2].rpartition(".")
        if dot:
            found.add(
                _Kept(name, attribute=True, owner=_class_of(code) if holder == "self" else "")
            )
        elif name not in local:
            found.add(_Kept(name))
    return frozenset(found)


def _spellings(kept: frozenset[_Kept], code: CodeType) -> frozenset[str]:
    """Return how a function may spell what was kept: `name`, `.attribute` or `self.attribute`."""
    found = {f".{k.name}" if k.attribute else k.name for k in kept}
    mine = (k for k in kept if k.attribute and _is_same_self(k.owner, code))
    return frozenset(found.union(f"self.{k.name}" for k in mine))


def _is_same_self(owner: str, code: CodeType) -> bool:
    """Say whether `self` of a method may be the object on which a value was put."""
    cls = _class_of(code)
    return not owner or owner == cls or _are_kin(owner, cls, code.co_filename)


def _class_of(code: CodeType) -> str:
    return code.co_qualname.rpartition(".")[0]


@functools.lru_cache(maxsize=512)
def _are_kin(one: str, other: str, filename: str) -> bool:
    """Say whether two classes are bases of each other, or of a third one in the same file."""
    module = tree(filename)
    classes = [n for n in (ast.walk(module) if module else ()) if isinstance(n, ast.ClassDef)]
    bases = {c.name: {dotted(b).rpartition(".")[2] for b in c.bases} - {c.name} for c in classes}

    def line(name: str) -> set[str]:
        """Return a class and all its bases."""
        return {name}.union(*(line(b) for b in bases.get(name, ())))

    return any({one, other} <= line(name) for name in bases)


@functools.lru_cache(maxsize=512)
def _reader(scope: ast.AST, kept: frozenset[str], known: frozenset[Site]) -> "_Taint":
    return _Taint(scope, None, known, kept)


def operand_depends(
    source: Stack, target: Stack, known: frozenset[Site] = _NO_SITES, *, left: bool
) -> bool | None:
    """Say the same as `depends`, of one side of the addition at `target` only.

    Returns:
        `None` where there is no common function, no source text, or no addition there.
    """
    nodes = _nodes(source, target)
    if nodes is None:
        return None
    scope, origin, goal = nodes
    operand = _operand(goal, left=left)
    if operand is None:
        return None
    taint = _taint(scope, origin, known)
    found = taint.feeds(operand) if operand is goal else taint.reaches(operand)
    return found or _read_later(source, target, known, operand)


def _nodes(source: Stack, target: Stack) -> tuple[ast.AST, ast.AST, ast.AST] | None:
    """Return the innermost common function of two positions, and the expressions at both."""
    shared = _shared(source, target)
    if shared is None:
        return None
    scope, origin, goal = function_node(shared[0][0]), node_at(shared[0]), node_at(shared[1])
    if scope is None or origin is None or goal is None:
        return None
    return scope, origin, goal


def _shared(source: Stack, target: Stack) -> tuple[Site, Site] | None:
    frames = {site[0]: site for site in reversed(target)}
    return next(((s, frames[s[0]]) for s in source if s[0] in frames), None)


def _operand(addition: ast.AST, *, left: bool) -> ast.AST | None:
    if isinstance(addition, ast.BinOp):
        return addition.left if left else addition.right
    if isinstance(addition, ast.AugAssign):
        return addition.value
    return addition if isinstance(addition, ast.Call) else None


class _Taint:
    """What the value of one expression goes into, within one function.

    Attributes:
        names: names and dotted attributes that carry the value, as `_Scopes` spells them.
        decided: statements that run or not because of it.

    Args:
        scope: the function.
        origin: the expression, `None` for a value from elsewhere.
        known: as in `depends`.
        kept: how the function may read the value from elsewhere, as `_spellings` has it.
    """

    def __init__(
        self,
        scope: ast.AST,
        origin: ast.AST | None,
        known: frozenset[Site],
        kept: frozenset[str] = frozenset(),
    ) -> None:
        self._scope, self._origin, self._kept = scope, origin, kept
        self._known = _known_nodes(scope, known)
        self._spell = _Scopes(scope).spell
        self.names: set[str] = set()
        self.decided: list[ast.AST] = []
        if origin is not None and isinstance(getattr(origin, "ctx", None), ast.Store):
            self._take([origin])  # a generator is unpacked here
        before = None
        while before != (before := (len(self.names), len(self.decided))):
            for node in ast.walk(scope):
                self._spread(node)

    def reaches(self, node: ast.AST) -> bool:
        """Say whether the value takes part in what an expression returns."""
        return node is self._origin or (node not in self._known and self.feeds(node))

    def feeds(self, node: ast.AST) -> bool:
        """Say whether the value takes part in an expression, whatever that returns."""
        if node is self._origin or (self._kept and _reads(node, self._kept)):
            return True
        if isinstance(node, (ast.Name, ast.Attribute)) and self._spell(node) in self.names:
            return True
        return any(self.reaches(child) for child in ast.iter_child_nodes(node))

    def _spread(self, node: ast.AST) -> None:
        """Carry the taint over one node."""
        if isinstance(node, (ast.If, ast.While)):
            if node not in self.decided and self.reaches(node.test):
                self._decide(node)
            return
        if node in self._known and node is not self._origin:
            return
        sources, targets = _transfer(node)
        if any(self.reaches(s) for s in sources):
            self._take(targets)

    def _decide(self, branch: ast.If | ast.While) -> None:
        """Let a branch carry the taint to all that it assigns, and to all that it may skip."""
        self.decided.append(branch)
        inside = [n for b in (*branch.body, *branch.orelse) for n in ast.walk(b)]
        if any(isinstance(n, (ast.Return, ast.Continue, ast.Break)) for n in inside):
            self.decided.extend(_after(self._scope, branch))
        for child in inside:
            if isinstance(child, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
                self._take(targets_of(child))

    def _take(self, targets: Sequence[ast.AST]) -> None:
        self.names.update(self._spell(base) for t in targets for base in _bases(t))


def _reads(node: ast.AST, kept: frozenset[str]) -> bool:
    """Say whether an expression reads a value that another function has kept."""
    if not isinstance(getattr(node, "ctx", None), ast.Load):
        return False
    if isinstance(node, ast.Attribute):
        bare = isinstance(node.value, ast.Name) and node.value.id == "self"
        return f"{'self' if bare else ''}.{node.attr}" in kept
    return isinstance(node, ast.Name) and node.id in kept


@functools.lru_cache(maxsize=512)
def _taint(scope: ast.AST, origin: ast.AST, known: frozenset[Site]) -> _Taint:
    return _Taint(scope, origin, known)


@functools.lru_cache(maxsize=64)
def _known_nodes(scope: ast.AST, known: frozenset[Site]) -> frozenset[ast.AST]:
    """Return the expressions of a function that stand at known positions."""
    nodes = (node_at(site) for site in known if function_node(site[0]) is scope)
    return frozenset(n for n in nodes if n is not None)


class _Scopes:
    """Spells names so that those of lambdas, inner functions and comprehensions stay apart."""

    def __init__(self, scope: ast.AST) -> None:
        self._owner: dict[ast.AST, str] = {}
        self._mark(scope, {}, outermost=True)

    def spell(self, node: ast.AST) -> str:
        """Return a dotted name, preceded by the number of the inner scope that binds it."""
        base = node
        while isinstance(base, ast.Attribute):
            base = base.value
        return self._owner.get(base, "") + dotted(node)

    def _mark(self, node: ast.AST, bound: dict[str, str], *, outermost: bool = False) -> None:
        mine = [] if outermost else _bound_by(node)
        if mine:
            bound = bound | dict.fromkeys(mine, f"{id(node)}:")
        if isinstance(node, ast.Name) and node.id in bound:
            self._owner[node] = bound[node.id]
        for child in ast.iter_child_nodes(node):
            self._mark(child, bound)


def _bound_by(node: ast.AST) -> list[str]:
    """Return the names that a lambda, an inner function or a comprehension has for itself."""
    if isinstance(node, (ast.Lambda, *FUNCTIONS)):
        args = node.args
        return [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    if isinstance(node, _COMPREHENSIONS):
        names = [n for g in node.generators for n in ast.walk(g.target)]
        return [n.id for n in names if isinstance(n, ast.Name)]
    return []


def _transfer(node: ast.AST) -> tuple[Sequence[ast.AST], Sequence[ast.AST]]:
    """Return what a node reads, and what it changes accordingly."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
        return [node.value] if node.value is not None else [], targets_of(node)
    if isinstance(node, (ast.For, ast.comprehension)):
        return [node.iter], [node.target]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return (node.args, [node.func.value]) if node.func.attr in MUTATORS else ([], [])
    return [], []


def _after(scope: ast.AST, node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements that follow a node in its block."""
    for parent in ast.walk(scope):
        for block in ("body", "orelse", "finalbody"):
            children = getattr(parent, block, None)
            if isinstance(children, list) and node in children:
                yield from children[children.index(node) + 1 :]


def _bases(target: ast.AST) -> Iterator[ast.AST]:
    """Yield the names that an assignment to `target` changes."""
    if isinstance(target, (ast.Name, ast.Attribute)):
        yield target
    elif isinstance(target, (ast.Subscript, ast.Starred)):
        yield from _bases(target.value)
    elif isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute):
        yield from _bases(target.func.value)  # what an object hands out belongs to it
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _bases(element)
