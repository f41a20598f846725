# SPDX-License-Identifier: Apache-2.0
"""Questions about the user's source text: which expression stands here, what does a name depend on.

Everything is answered from the syntax tree of the file, on demand, and every answer may be "unknown":
notebooks, `exec` and missing files have no tree.
"""

import ast
import functools
import linecache
import re
from collections.abc import Iterable, Iterator
from types import CodeType

from lightning_gradguard.source import (
    Site,
    Span,
    Stack,
    display_path,
    is_project_file,
    raw_position,
)

__all__ = [
    "attribute_span", "calls_named", "decorator_span", "depends", "expression", "method_span",
    "node_at", "operands", "reflows", "statement", "suppressions", "target_name", "text_of", "with_span",
]  # fmt: skip

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SUPPRESSION = re.compile(r"#\s*gradguard:\s*ignore\[([A-Z0-9,\s]*)\]")
_MUTATORS = frozenset(
    {"append", "extend", "insert", "update", "add", "setdefault", "appendleft", "copy_"}
)


@functools.lru_cache(maxsize=256)
def tree(filename: str) -> ast.Module | None:
    """Return the syntax tree of a file, `None` where there is no source."""
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError):
        return None


@functools.lru_cache(maxsize=1024)
def function_node(code: CodeType) -> ast.AST | None:
    """Return the node of the function that `code` was compiled from."""
    module = tree(code.co_filename)
    if module is None or not module.body:
        return None
    name = code.co_name
    best: ast.AST | None = None
    for node in ast.walk(module):
        if isinstance(node, _FUNCTIONS) and node.name == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
        elif (
            isinstance(node, ast.Lambda)
            and name == "<lambda>"
            and node.lineno == code.co_firstlineno
        ):
            best = node
    if best is None and name == "<module>":
        return module
    if best is None and name in {"<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>"}:
        return _enclosing_function(module, code.co_firstlineno)
    return best


def node_at(site: Site) -> ast.AST | None:
    """Return the smallest expression or statement that covers the position of a site."""
    scope = function_node(site[0])
    if scope is None:
        return None
    line, end_line, start, end = raw_position(site)
    best: ast.AST | None = None
    for node in ast.walk(scope):
        if _covers(node, line, start, end_line, end) and (
            best is None or _size(node) <= _size(best)
        ):
            best = node
    return best


def expression(site: Site) -> str:
    """Return the source text of the expression at a site, `""` if unknown."""
    node = node_at(site)
    return text_of(node, site[0].co_filename) if isinstance(node, ast.expr) else ""


def text_of(node: ast.AST | None, filename: str) -> str:
    """Return the source text of a node on one line, `""` if unknown."""
    if node is None:
        return ""
    source = "".join(linecache.getlines(filename))
    segment = ast.get_source_segment(source, node) if source else None
    return re.sub(r"\s+", " ", segment) if segment else ""


def operands(site: Site) -> list[str]:
    """Return the texts of what an expression works on: receiver and arguments, or both sides."""
    node = node_at(site)
    filename = site[0].co_filename
    parts: list[ast.AST] = []
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and not _is_namespace(node.func.value):
            parts.append(node.func.value)
        parts += [*node.args, *(k.value for k in node.keywords)]
    elif isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
    elif isinstance(node, (ast.Attribute, ast.Subscript)):
        parts = [node.value]
    elif isinstance(node, ast.UnaryOp):
        parts = [node.operand]
    elif isinstance(node, ast.AugAssign):
        parts = [node.target, node.value]
    return [text_of(p, filename) for p in parts]


def statement(site: Site) -> ast.stmt | None:
    """Return the innermost statement at a site."""
    scope = function_node(site[0])
    if scope is None:
        return None
    line, end_line, start, end = raw_position(site)
    found = [
        n
        for n in ast.walk(scope)
        if isinstance(n, ast.stmt) and _covers(n, line, start, end_line, end)
    ]
    return min(found, key=_size, default=None)


def is_bare(site: Site) -> bool:
    """Say whether the expression at a site is a statement of its own, so that its value is dropped."""
    node = statement(site)
    return isinstance(node, ast.Expr) and node.value is node_at(site)


def callee(site: Site) -> str:
    """Return the name of the function that the expression at a site calls, `""` for other expressions."""
    node = node_at(site)
    return _callee(node) if isinstance(node, ast.Call) else ""


def target_name(site: Site) -> str:
    """Return the name that the statement at a site assigns, or `return`, or `""`."""
    node = statement(site)
    if isinstance(node, ast.Return):
        return "return"
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return text_of(node.targets[0], site[0].co_filename)
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        return text_of(node.target, site[0].co_filename)
    return ""


def span_of(node: ast.AST, filename: str, function: str, label: str = "") -> Span:
    """Return the span of a syntax node."""
    line = getattr(node, "lineno", 1)
    text = linecache.getline(filename, line).rstrip("\n")
    raw = text.encode()
    column = len(raw[: getattr(node, "col_offset", 0)].decode(errors="ignore")) + 1
    same = getattr(node, "end_lineno", line) == line
    stop = raw[: node.end_col_offset] if same else raw.rstrip()  # type: ignore[attr-defined]
    end = len(stop.decode(errors="ignore")) + 1
    return Span(display_path(filename), line, column, max(end, column + 1), function, text, label)


def decorator_span(code: CodeType, names: Iterable[str]) -> Span | None:
    """Return the span of the decorator of a function that carries one of the names."""
    node = function_node(code)
    wanted = set(names)
    for decorator in getattr(node, "decorator_list", ()):
        if wanted & _names(decorator):
            found = span_of(decorator, code.co_filename, code.co_qualname)
            return Span(
                found.path,
                found.line,
                max(found.column - 1, 1),
                found.end_column,
                found.function,
                found.text,
            )
    return None


def with_span(site: Site, names: Iterable[str]) -> Span | None:
    """Return the span of the `with` item around a site that carries one of the names."""
    scope = function_node(site[0])
    line, end_line, start, end = raw_position(site)
    wanted = set(names)
    best: ast.expr | None = None
    for node in ast.walk(scope) if scope is not None else ():
        if isinstance(node, (ast.With, ast.AsyncWith)) and _covers(
            node, line, start, end_line, end
        ):
            best = next(
                (i.context_expr for i in node.items if wanted & _names(i.context_expr)), best
            )
    return None if best is None else span_of(best, site[0].co_filename, site[0].co_qualname)


def attribute_span(cls: type, attribute: str) -> Span | None:
    """Return the span of the last `self.attribute = ...` (or class-level name) in a class or its bases."""
    for owner in cls.__mro__:
        found = _class_node(owner)
        if found is None:
            continue
        node, filename = found
        for child in node.body:
            if isinstance(child, (ast.Assign, ast.AnnAssign)) and _names_in_class(child, attribute):
                return span_of(child, filename, owner.__qualname__)
        for child in ast.walk(node):
            if isinstance(child, (ast.Assign, ast.AnnAssign)) and _assigns(child, attribute):
                return span_of(
                    child, filename, f"{owner.__qualname__}.{_function_around(node, child)}"
                )
            if isinstance(child, ast.Call) and _registers(child, attribute):
                return span_of(
                    child, filename, f"{owner.__qualname__}.{_function_around(node, child)}"
                )
    return None


def attribute_spans(cls: type, attribute: str) -> list[Span]:
    """Return the spans of all assignments of `self.attribute` in a class, in the order of lines."""
    found = _class_node(cls)
    if found is None:
        return []
    node, filename = found
    hits = [
        c
        for c in ast.walk(node)
        if isinstance(c, (ast.Assign, ast.AnnAssign)) and _assigns(c, attribute, anywhere=True)
    ]
    spans = [span_of(c, filename, f"{cls.__qualname__}.{_function_around(node, c)}") for c in hits]
    return sorted(spans, key=lambda s: s.line)


def method_span(cls: type, method: str) -> Span | None:
    """Return the span of the `def` line of a method."""
    code = getattr(getattr(cls, method, None), "__code__", None)
    node = function_node(code) if code is not None else None
    if code is None or not isinstance(node, _FUNCTIONS):
        return None
    text = linecache.getline(code.co_filename, node.lineno).rstrip("\n")
    column = len(text) - len(text.lstrip()) + 1
    return Span(
        display_path(code.co_filename),
        node.lineno,
        column,
        len(text.rstrip()) + 1,
        code.co_qualname,
        text,
    )


def calls_named(code: CodeType, names: Iterable[str]) -> list[Span]:
    """Return the spans of calls in a function whose callee has one of the names."""
    node, wanted = function_node(code), set(names)
    calls = [c for c in ast.walk(node) if isinstance(c, ast.Call)] if node is not None else []
    named = sorted((c for c in calls if _callee(c) in wanted), key=lambda c: c.lineno)
    return [span_of(c, code.co_filename, code.co_qualname) for c in named]


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


def reflows(site: Site) -> bool:
    """Say whether the arguments of the call at a site are all literals."""
    node = node_at(site)
    if not isinstance(node, ast.Call):
        return False
    values = [*node.args, *(k.value for k in node.keywords if k.arg not in {"device", "dtype"})]
    return all(not any(isinstance(n, (ast.Name, ast.Call)) for n in ast.walk(v)) for v in values)


def suppressions(filename: str, line: int) -> frozenset[str]:
    """Return the codes that a `# gradguard: ignore[...]` comment on a line names."""
    match = _SUPPRESSION.search(linecache.getline(filename, line))
    return (
        frozenset(c.strip() for c in match.group(1).split(",") if c.strip())
        if match
        else frozenset()
    )


def _depends_within(source: Site, target: Site) -> bool | None:
    scope, origin, goal = function_node(source[0]), node_at(source), node_at(target)
    if scope is None or origin is None or goal is None:
        return None
    if origin is goal:
        return True
    tainted, decided = _taint(scope, origin)
    if any(n is goal or _contains(n, goal) for n in decided):
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
        if node.func.attr in _MUTATORS and any(_is_tainted(a, origin, tainted) for a in node.args):
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
        if isinstance(child, ast.Attribute) and _dotted(child) in tainted:
            return True
    return False


def _contains(outer: ast.AST, inner: ast.AST) -> bool:
    return any(child is inner for child in ast.walk(outer))


def _bases(target: ast.AST) -> Iterator[str]:
    """Yield the names that an assignment to `target` changes."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute):
        yield _dotted(target)
    elif isinstance(target, (ast.Subscript, ast.Starred)):
        yield from _bases(target.value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _bases(element)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _names(node: ast.AST) -> set[str]:
    return {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)} | {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name)
    }


def _callee(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_namespace(node: ast.AST) -> bool:
    """Say whether an expression is a module such as `torch` or `F` rather than a value."""
    return _dotted(node) in {
        "torch",
        "F",
        "nn.functional",
        "torch.nn.functional",
        "np",
        "torch.linalg",
    }


def _covers(node: ast.AST, line: int, start: int, end_line: int, end: int) -> bool:
    first = getattr(node, "lineno", None)
    if first is None:
        return False
    begins = (first, node.col_offset) <= (line, start)  # type: ignore[attr-defined]
    return begins and (node.end_lineno, node.end_col_offset) >= (end_line, end)  # type: ignore[attr-defined]


def _size(node: ast.AST) -> tuple[int, int]:
    lines = node.end_lineno - node.lineno  # type: ignore[attr-defined]
    return lines, node.end_col_offset - (node.col_offset if lines == 0 else 0)  # type: ignore[attr-defined]


def _enclosing_function(module: ast.Module, line: int) -> ast.AST:
    found = [
        n
        for n in ast.walk(module)
        if isinstance(n, _FUNCTIONS) and n.lineno <= line <= (n.end_lineno or 0)
    ]
    return min(found, key=_size, default=module)


@functools.lru_cache(maxsize=512)
def _class_node(cls: type) -> tuple[ast.ClassDef, str] | None:
    """Return the node of a class and the file it stands in."""
    codes = [getattr(f, "__code__", None) for f in vars(cls).values()]
    filename = next(
        (c.co_filename for c in codes if c is not None and c.co_filename[:1] != "<"), None
    )
    module = tree(filename) if filename else None
    if module is None or filename is None:
        return None
    wanted = cls.__qualname__.rpartition(".")[2]
    found = [n for n in ast.walk(module) if isinstance(n, ast.ClassDef) and n.name == wanted]
    return (found[-1], filename) if found else None


def _function_around(scope: ast.AST, node: ast.AST) -> str:
    for function in ast.walk(scope):
        if isinstance(function, _FUNCTIONS) and _contains(function, node):
            return function.name
    return "<class>"


def _assigns(node: ast.Assign | ast.AnnAssign, attribute: str, *, anywhere: bool = False) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    flat = [e for t in targets for e in (t.elts if isinstance(t, (ast.Tuple, ast.List)) else [t])]
    owned = [t for t in flat if isinstance(t, ast.Attribute) and t.attr == attribute]
    if any(anywhere or _dotted(t.value) == "self" for t in owned):
        return True
    return any(_is_instance_dict(t, attribute) for t in flat)


def _names_in_class(node: ast.Assign | ast.AnnAssign, attribute: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(t, ast.Name) and t.id == attribute for t in targets)


def _is_instance_dict(target: ast.AST, attribute: str) -> bool:
    """Recognise `self.__dict__["name"] = ...` and a name in a class body."""
    if not isinstance(target, ast.Subscript) or not isinstance(target.slice, ast.Constant):
        return False
    return target.slice.value == attribute and _dotted(target.value).endswith("__dict__")


def _registers(node: ast.Call, attribute: str) -> bool:
    if _callee(node) not in {
        "register_parameter",
        "add_module",
        "register_module",
        "register_buffer",
        "setattr",
        "__setattr__",
    }:
        return False
    return any(isinstance(a, ast.Constant) and a.value == attribute for a in node.args)


def element_span(cls: type, path: list[str] | tuple[str, ...], kind: str) -> Span | None:
    """Return the span of one layer inside the container that `self.path[0]` is assigned.

    Args:
        cls: class that makes the assignment.
        path: attribute and then positions, as in `["net", "3"]`.
        kind: class name of the layer.
    """
    found = _class_node(cls)
    if found is None:
        return None
    node, filename = found
    for child in ast.walk(node):
        if isinstance(child, (ast.Assign, ast.AnnAssign)) and _assigns(child, path[0]):
            element = _element(child.value, path[1:])
            if element is None:
                calls = [
                    c for c in ast.walk(child) if isinstance(c, ast.Call) and _callee(c) == kind
                ]
                element = calls[0] if len(calls) == 1 else None
            return span_of(element, filename, cls.__qualname__) if element is not None else None
    return None


def _element(node: ast.AST | None, path: list[str] | tuple[str, ...]) -> ast.AST | None:
    for key in path:
        if not isinstance(node, ast.Call) or not key.isdigit():
            return None
        args = node.args
        if len(args) == 1 and isinstance(args[0], (ast.List, ast.Tuple)):
            args = args[0].elts
        if int(key) >= len(args) or any(isinstance(a, ast.Starred) for a in args[: int(key) + 1]):
            return None
        node = args[int(key)]
    return node


def filling_span(cls: type, attribute: str) -> Span | None:
    """Return where a container attribute is filled: its assignment, or what appends to an empty one."""
    found = _class_node(cls)
    whole = attribute_span(cls, attribute)
    if found is None or whole is None:
        return whole
    node, filename = found
    values = [
        c.value
        for c in ast.walk(node)
        if isinstance(c, (ast.Assign, ast.AnnAssign)) and _assigns(c, attribute)
    ]
    if not all(_is_empty_container(v) for v in values):
        return whole
    filled = next((c for c in ast.walk(node) if _fills(c, f"self.{attribute}")), None)
    if filled is None:
        return whole
    return span_of(filled, filename, f"{cls.__qualname__}.{_function_around(node, filled)}")


def _is_empty_container(value: ast.AST | None) -> bool:
    if isinstance(value, ast.Call):
        return _callee(value) in {"list", "dict", "OrderedDict", "defaultdict", "set", "deque"}
    return isinstance(value, (ast.List, ast.Dict, ast.Tuple)) and "Call(" not in ast.dump(value)


def _fills(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        func = node.value.func
        return (
            isinstance(func, ast.Attribute)
            and func.attr in _MUTATORS
            and _dotted(func.value) == name
        )
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        return _dotted(node.targets[0].value) == name
    return isinstance(node, ast.AugAssign) and _dotted(node.target) == name


def mention_span(cls: type, path: str, *, outside: Iterable[str]) -> Span | None:
    """Return the first call that takes `self.path` as an argument, in methods other than those named."""
    found, skipped = _class_node(cls), set(outside)
    if found is None:
        return None
    node, filename = found
    for method in node.body:
        if not isinstance(method, _FUNCTIONS) or method.name in skipped:
            continue
        for call in ast.walk(method):
            if isinstance(call, ast.Call) and any(_dotted(a) == f"self.{path}" for a in call.args):
                return span_of(call, filename, f"{cls.__qualname__}.{method.name}")
    return None


def clearing_span(cls: type) -> Span | None:
    """Return where a class drops gradients between backward and step, if it does so itself."""
    found = _class_node(cls)
    if found is None:
        return None
    node, filename = found
    for method in node.body:
        hit = _clearing(method) if isinstance(method, _FUNCTIONS) else None
        if hit is not None:
            return span_of(hit, filename, f"{cls.__qualname__}.{method.name}")  # type: ignore[union-attr]
    return None


def _clearing(method: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST | None:
    """Return `zero_grad()` after a backward call, `p.grad = None`, or what a gradient hook runs first."""
    hook = method.name in {
        "on_after_backward",
        "on_before_optimizer_step",
        "configure_gradient_clipping",
    }
    backward = [
        c.lineno for c in ast.walk(method) if isinstance(c, ast.Call) and "backward" in _callee(c)
    ]
    for child in ast.walk(method):
        if isinstance(child, ast.Call) and _callee(child) == "zero_grad":
            late = any(line < child.lineno for line in backward)
            if hook or late or method.name in {"backward", "optimizer_step"}:
                return child
        if isinstance(child, ast.Assign) and isinstance(child.targets[0], ast.Attribute):
            if child.targets[0].attr == "grad":
                return child
    body = [b for b in method.body if not _is_docstring(b)]
    return body[0] if hook and body else None


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def return_span(cls: type, method: str) -> Span | None:
    """Return the span of the last `return` of a method."""
    code = getattr(getattr(cls, method, None), "__code__", None)
    node = function_node(code) if code is not None else None
    if code is None or node is None:
        return None
    last = _last_return(node)
    return span_of(last, code.co_filename, code.co_qualname) if last is not None else None


def _last_return(node: ast.AST) -> ast.Return | None:
    found = [n for n in ast.walk(node) if isinstance(n, ast.Return)]
    return max(found, key=lambda n: n.lineno, default=None)


def sibling_return_span(code: CodeType, method: str) -> Span | None:
    """Return the last `return` of another method of the class in which a function stands."""
    module = tree(code.co_filename)
    for cls in ast.walk(module) if module is not None else ():
        if not isinstance(cls, ast.ClassDef) or not cls.lineno <= code.co_firstlineno <= (
            cls.end_lineno or 0
        ):
            continue
        for child in cls.body:
            if isinstance(child, _FUNCTIONS) and child.name == method:
                last = _last_return(child)
                name = f"{cls.name}.{method}"
                return span_of(last, code.co_filename, name) if last is not None else None
    return None


def calls_in_file(filename: str, names: Iterable[str], *, outside: Iterable[str]) -> list[Span]:
    """Return the spans of calls with one of the names in the functions of a file, leaving some functions out."""
    module, wanted, skipped = tree(filename), set(names), set(outside)
    found = []
    for function in ast.walk(module) if module is not None else ():
        if isinstance(function, _FUNCTIONS) and function.name not in skipped:
            calls = (
                c for c in ast.walk(function) if isinstance(c, ast.Call) and _callee(c) in wanted
            )
            found += [span_of(c, filename, function.name) for c in calls]
    return found


def file_of(cls: type) -> str | None:
    """Return the file of the user's project in which a class is defined."""
    codes = (getattr(f, "__code__", None) for f in vars(cls).values())
    filename = next((c.co_filename for c in codes if c is not None), None)
    return filename if filename is not None and is_project_file(filename) else None


def all_suppressions(filename: str) -> list[tuple[Span, frozenset[str]]]:
    """Return the `# gradguard: ignore[...]` comments of a file with the codes they name."""
    found = []
    for number, line in enumerate(linecache.getlines(filename), 1):
        match = _SUPPRESSION.search(line)
        if match:
            text = line.rstrip("\n")
            span = Span(
                display_path(filename), number, match.start() + 1, match.end() + 1, "", text
            )
            found.append((span, suppressions(filename, number)))
    return found


def assignments_in_file(filename: str, attribute: str) -> list[Span]:
    """Return the spans of the assignments to an attribute of whatever object in a file."""
    module = tree(filename)
    found = [
        node
        for node in (ast.walk(module) if module is not None else ())
        if isinstance(node, ast.Assign) and _assigns(node, attribute, anywhere=True)
    ]
    return [span_of(node, filename, "") for node in found]
