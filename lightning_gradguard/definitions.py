# SPDX-License-Identifier: Apache-2.0
"""Where the user's classes assign, register, fill and clear what they hold."""

import ast
import functools
from collections.abc import Collection, Iterable, Iterator, Sequence

from lightning_gradguard.source import Span, is_project_file
from lightning_gradguard.syntax import (
    FUNCTIONS,
    MUTATORS,
    called_name,
    contains,
    dotted,
    span_of,
    targets_of,
    tree,
)

__all__ = [
    "assignments_in_file",
    "attribute_span",
    "attribute_spans",
    "clearing_span",
    "file_of",
    "filling_span",
    "filling_spans",
    "mention_span",
]

_REGISTERING = frozenset(
    {
        "register_parameter",
        "add_module",
        "register_module",
        "register_buffer",
        "setattr",
        "__setattr__",
    }
)
_GRADIENT_HOOKS = frozenset(
    {"on_after_backward", "on_before_optimizer_step", "configure_gradient_clipping"}
)


def attribute_span(cls: type, attribute: str) -> Span | None:
    """Return where a class or one of its bases defines an attribute, in a method or in its body."""
    for owner in cls.__mro__:
        found = _class_node(owner)
        if found is None:
            continue
        node, filename = found
        for line in _assignments(node.body):
            if _names_in_class(line, attribute):
                return span_of(line, filename, owner.__qualname__)
        for child in ast.walk(node):
            if _defines(child, attribute):
                return _span_in(owner, child)
        for method in _methods(node):
            if method.name == attribute:  # a cached property
                made = [n for n in ast.walk(method) if isinstance(n, ast.Return)]
                return _span_in(owner, made[-1] if made else method)
    return None


def attribute_spans(cls: type, attribute: str) -> list[Span]:
    """Return the spans of all assignments of `self.attribute` in a class, in the order of lines."""
    found = _class_node(cls)
    nodes = _assignments(ast.walk(found[0])) if found is not None else ()
    hits = [n for n in nodes if _assigns(n, attribute, anywhere=True)]
    return sorted((s for n in hits if (s := _span_in(cls, n)) is not None), key=lambda s: s.line)


def filling_span(cls: type, attribute: str) -> Span | None:
    """Return where a container is filled: its assignment, or what appends to an empty one."""
    found = _class_node(cls)
    whole = attribute_span(cls, attribute)
    if found is None or whole is None:
        return whole
    made = [n.value for n in _assignments(ast.walk(found[0])) if _assigns(n, attribute)]
    if not all(_is_empty_container(value) for value in made):
        return whole
    filled = next((n for n in ast.walk(found[0]) if _fills(n, f"self.{attribute}")), None)
    return whole if filled is None else _span_in(cls, filled)


def filling_spans(cls: type, attribute: str) -> list[Span]:
    """Return the spans of what puts something into the container `self.attribute`."""
    found = _class_node(cls)
    hits = [n for n in ast.walk(found[0]) if _fills(n, f"self.{attribute}")] if found else []
    return sorted((s for n in hits if (s := _span_in(cls, n)) is not None), key=lambda s: s.line)


def mention_span(cls: type, path: str, *, outside: Iterable[str]) -> Span | None:
    """Return the first call that takes `self.path` as an argument, outside of the methods named."""
    found, skipped = _class_node(cls), set(outside)
    for method in _methods(found[0]) if found is not None else ():
        if method.name in skipped:
            continue
        for call in ast.walk(method):
            if isinstance(call, ast.Call) and any(dotted(a) == f"self.{path}" for a in call.args):
                return _span_in(cls, call)
    return None


def clearing_span(cls: type) -> Span | None:
    """Return where a class drops gradients between backward and step, if it does so itself."""
    found = _class_node(cls)
    hits = (_clearing(method) for method in _methods(found[0])) if found is not None else ()
    hit = next((h for h in hits if h is not None), None)
    return _span_in(cls, hit) if hit is not None else None


def file_of(cls: type) -> str | None:
    """Return the file of the user's project in which a class is defined."""
    codes = (getattr(f, "__code__", None) for f in vars(cls).values())
    filename = next((c.co_filename for c in codes if c is not None), None)
    return filename if filename is not None and is_project_file(filename) else None


def assignments_in_file(filename: str, attribute: str) -> list[Span]:
    """Return the spans of the assignments to an attribute of whatever object in a file."""
    module = tree(filename)
    found = [
        node
        for node in (ast.walk(module) if module is not None else ())
        if isinstance(node, ast.Assign) and _assigns(node, attribute, anywhere=True)
    ]
    return [span_of(node, filename, "") for node in found]


@functools.lru_cache(maxsize=512)
def _class_node(cls: type) -> tuple[ast.ClassDef, str] | None:
    """Return the node of a class and the file it stands in."""
    codes = [c for f in vars(cls).values() if (c := getattr(f, "__code__", None)) is not None]
    filename = next((c.co_filename for c in codes if tree(c.co_filename) is not None), None)
    module = tree(filename) if filename else None
    if module is None or filename is None:
        return None
    wanted = cls.__qualname__.rpartition(".")[2]
    named = [n for n in ast.walk(module) if isinstance(n, ast.ClassDef) and n.name == wanted]
    first = {c.co_firstlineno for c in codes if c.co_filename == filename}
    holding = [n for n in named if any(n.lineno <= line <= (n.end_lineno or 0) for line in first)]
    best = holding or named
    return (best[-1], filename) if best else None


def _function_around(scope: ast.AST, node: ast.AST) -> str:
    for function in ast.walk(scope):
        if isinstance(function, FUNCTIONS) and contains(function, node):
            return function.name
    return "<class>"


def _assigns(node: ast.Assign | ast.AnnAssign, attribute: str, *, anywhere: bool = False) -> bool:
    flat = [e for t in targets_of(node) for e in getattr(t, "elts", [t])]
    owned = [t for t in flat if isinstance(t, ast.Attribute) and t.attr == attribute]
    if any(anywhere or dotted(t.value) == "self" for t in owned):
        return True
    return any(_is_instance_dict(t, attribute) for t in flat)


def _names_in_class(node: ast.Assign | ast.AnnAssign, attribute: str) -> bool:
    return any(isinstance(t, ast.Name) and t.id == attribute for t in targets_of(node))


def _is_instance_dict(target: ast.AST, attribute: str) -> bool:
    """Recognise `self.__dict__["name"] = ...`."""
    if not isinstance(target, ast.Subscript) or not isinstance(target.slice, ast.Constant):
        return False
    return target.slice.value == attribute and dotted(target.value).endswith("__dict__")


def _registers(node: ast.Call, attribute: str) -> bool:
    constants = [a.value for a in node.args if isinstance(a, ast.Constant)]
    return called_name(node) in _REGISTERING and attribute in constants


def _defines(node: ast.AST, attribute: str) -> bool:
    """Say whether a node gives `self` an attribute, by assignment or by registration."""
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return _assigns(node, attribute)
    return isinstance(node, ast.Call) and _registers(node, attribute)


def _assignments(nodes: Iterable[ast.AST]) -> Iterator[ast.Assign | ast.AnnAssign]:
    return (n for n in nodes if isinstance(n, (ast.Assign, ast.AnnAssign)))


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [m for m in node.body if isinstance(m, FUNCTIONS)]


def _span_in(cls: type, node: ast.AST) -> Span | None:
    """Return the span of a node that stands in the body of a class."""
    found = _class_node(cls)
    if found is None:
        return None
    return span_of(node, found[1], f"{cls.__qualname__}.{_function_around(found[0], node)}")


def _is_empty_container(value: ast.AST | None) -> bool:
    if isinstance(value, ast.Call):
        return called_name(value) in {"list", "dict", "OrderedDict", "defaultdict", "set", "deque"}
    return isinstance(value, (ast.List, ast.Dict, ast.Tuple)) and "Call(" not in ast.dump(value)


def _fills(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        func = node.value.func
        return (
            isinstance(func, ast.Attribute) and func.attr in MUTATORS and dotted(func.value) == name
        )
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        return dotted(node.targets[0].value) == name
    return isinstance(node, ast.AugAssign) and dotted(node.target) == name


def _clearing(method: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST | None:
    """Return `zero_grad()` after a backward call, `p.grad = None`, or where a hook begins."""
    hook = method.name in _GRADIENT_HOOKS
    calls = [c for c in ast.walk(method) if isinstance(c, ast.Call)]
    backward = [c.lineno for c in calls if "backward" in called_name(c)]
    anywhere = hook or method.name in {"backward", "optimizer_step"}
    for child in ast.walk(method):
        if isinstance(child, ast.Call) and called_name(child) == "zero_grad":
            if anywhere or any(line < child.lineno for line in backward):
                return child
        elif isinstance(child, ast.Assign) and _sets_grad(child):
            return child
    body = [b for b in method.body if not _is_docstring(b)]
    return body[0] if hook and body else None


def _sets_grad(node: ast.Assign) -> bool:
    target = node.targets[0]
    return isinstance(target, ast.Attribute) and target.attr == "grad"


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def took_part(filename: str, line: int, classes: Collection[type]) -> bool:
    """Say whether a line stands in one of the classes, their bases, or in no class of its file."""
    module = tree(filename)
    names = {base.__name__ for cls in classes for base in cls.__mro__}
    around = [
        node.name
        for node in (ast.walk(module) if module is not None else ())
        if isinstance(node, ast.ClassDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return not around or not names.isdisjoint(around)


def layer_span(cls: type, path: Sequence[str], kind: str) -> Span | None:
    """Return the span of one layer inside what a class assigns to `self.path[0]`.

    Args:
        cls: class that makes the assignment.
        path: attribute and then positions, as in `["net", "3"]`.
        kind: class name of the layer.
    """
    found = _class_node(cls)
    node, filename = found if found is not None else (None, "")
    for child in ast.walk(node) if node is not None else ():
        if isinstance(child, ast.Assign | ast.AnnAssign) and _assigns(child, path[0]):
            named = [
                c for c in ast.walk(child) if isinstance(c, ast.Call) and called_name(c) == kind
            ]
            element = _element(child.value, path[1:]) or (named[0] if len(named) == 1 else None)
            return span_of(element, filename, cls.__qualname__) if element is not None else None
    return None


def _element(node: ast.AST | None, keys: Sequence[str]) -> ast.AST | None:
    """Return the argument of nested container calls at some positions, if they are written out."""
    for key in keys:
        if not isinstance(node, ast.Call) or not key.isdigit():
            return None
        items = node.args
        if len(items) == 1 and isinstance(items[0], ast.List | ast.Tuple):
            items = items[0].elts
        if int(key) >= len(items) or any(isinstance(i, ast.Starred) for i in items[: int(key) + 1]):
            return None
        node = items[int(key)]
    return node
