# SPDX-License-Identifier: Apache-2.0
"""Does a value made here depend on a plain Python value read there: taint through names and branches."""

import ast
from collections.abc import Iterator

from lightning_gradguard.source import Site, Stack
from lightning_gradguard.syntax import MUTATORS, contains, dotted, function_node, node_at

__all__ = ["depends", "operand_depends"]


def depends(source: Stack, target: Stack) -> bool | None:
    """Say whether the value made at `target` depends on a plain Python value read at `source`.

    Both positions are looked up in the innermost function that they have in common. Names that are
    assigned from the source, containers that it is put into and branches that it decides carry the
    dependence on.

    Returns:
        `None` where there is no common function or no source text.
    """
    frames = {site[0]: site for site in reversed(target)}
    for site in source:
        other = frames.get(site[0])
        if other is not None:
            return _depends_within(site, other)
    return None


def operand_depends(source: Stack, target: Stack, *, left: bool) -> bool | None:
    """Say the same as `depends`, of one side of the addition at `target` only.

    Returns:
        `None` where there is no common function, no source text, or no addition there.
    """
    frames = {site[0]: site for site in reversed(target)}
    shared = next(((s, frames[s[0]]) for s in source if s[0] in frames), None)
    if shared is None:
        return None
    scope, origin, goal = function_node(shared[0][0]), node_at(shared[0]), node_at(shared[1])
    if scope is None or origin is None:
        return None
    if isinstance(goal, ast.BinOp):
        operand: ast.AST = goal.left if left else goal.right
    elif isinstance(goal, (ast.AugAssign, ast.Call)):
        operand = goal.value if isinstance(goal, ast.AugAssign) else goal
    else:
        return None
    tainted, _ = _taint(scope, origin)
    return _is_tainted(operand, origin, tainted)


def _depends_within(source: Site, target: Site) -> bool | None:
    scope, origin, goal = function_node(source[0]), node_at(source), node_at(target)
    if scope is None or origin is None or goal is None:
        return None
    if origin is goal:
        return True
    tainted, decided = _taint(scope, origin)
    if any(n is goal or contains(n, goal) for n in decided):
        return True
    return _is_tainted(goal, origin, tainted)


def _taint(scope: ast.AST, origin: ast.AST) -> tuple[set[str], list[ast.AST]]:
    """Return the names that carry the origin's value, and the statements that it decides about."""
    tainted: set[str] = set()
    decided: list[ast.AST] = []
    while True:
        before = len(tainted), len(decided)
        for node in ast.walk(scope):
            _spread(node, origin, tainted, decided, scope)
        if (len(tainted), len(decided)) == before:
            return tainted, decided


def _spread(
    node: ast.AST, origin: ast.AST, tainted: set[str], decided: list[ast.AST], scope: ast.AST
) -> None:
    """Carry the taint over one node."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
        if node.value is not None and _is_tainted(node.value, origin, tainted):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            tainted.update(name for t in targets for name in _bases(t))
    elif isinstance(node, (ast.For, ast.comprehension)):
        if _is_tainted(node.iter, origin, tainted):
            tainted.update(_bases(node.target))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in MUTATORS and any(_is_tainted(a, origin, tainted) for a in node.args):
            tainted.update(_bases(node.func.value))
    elif (
        isinstance(node, (ast.If, ast.While))
        and node not in decided
        and _is_tainted(node.test, origin, tainted)
    ):
        decided.append(node)
        body = [*node.body, *node.orelse]
        if any(
            isinstance(n, (ast.Return, ast.Continue, ast.Break)) for b in body for n in ast.walk(b)
        ):
            decided.extend(_after(scope, node))
        for child in (n for b in body for n in ast.walk(b)):
            if isinstance(child, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                tainted.update(name for t in targets for name in _bases(t))


def _after(scope: ast.AST, node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements that follow a node in its block."""
    for parent in ast.walk(scope):
        for block in ("body", "orelse", "finalbody"):
            children = getattr(parent, block, None)
            if isinstance(children, list) and node in children:
                yield from children[children.index(node) + 1 :]


def _is_tainted(node: ast.AST, origin: ast.AST, tainted: set[str]) -> bool:
    for child in ast.walk(node):
        if child is origin:
            return True
        if isinstance(child, ast.Name) and child.id in tainted:
            return True
        if isinstance(child, ast.Attribute) and dotted(child) in tainted:
            return True
    return False


def _bases(target: ast.AST) -> Iterator[str]:
    """Yield the names that an assignment to `target` changes."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute):
        yield dotted(target)
    elif isinstance(target, (ast.Subscript, ast.Starred)):
        yield from _bases(target.value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _bases(element)
