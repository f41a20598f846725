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

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SUPPRESSION = re.compile(r"#\s*gradguard:\s*ignore\[([A-Z0-9,\s]*)\]")
MUTATORS = frozenset(
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
        if isinstance(node, FUNCTIONS) and node.name == name:
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
    return called_name(node) if isinstance(node, ast.Call) else ""


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


def method_span(cls: type, method: str) -> Span | None:
    """Return the span of the `def` line of a method."""
    code = getattr(getattr(cls, method, None), "__code__", None)
    node = function_node(code) if code is not None else None
    if code is None or not isinstance(node, FUNCTIONS):
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
    named = sorted((c for c in calls if called_name(c) in wanted), key=lambda c: c.lineno)
    return [span_of(c, code.co_filename, code.co_qualname) for c in named]


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


def contains(outer: ast.AST, inner: ast.AST) -> bool:
    return any(child is inner for child in ast.walk(outer))


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _names(node: ast.AST) -> set[str]:
    return {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)} | {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name)
    }


def called_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_namespace(node: ast.AST) -> bool:
    """Say whether an expression is a module such as `torch` or `F` rather than a value."""
    return dotted(node) in {
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
        if isinstance(n, FUNCTIONS) and n.lineno <= line <= (n.end_lineno or 0)
    ]
    return min(found, key=_size, default=module)


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
            if isinstance(child, FUNCTIONS) and child.name == method:
                last = _last_return(child)
                name = f"{cls.name}.{method}"
                return span_of(last, code.co_filename, name) if last is not None else None
    return None


def calls_in_file(filename: str, names: Iterable[str], *, outside: Iterable[str]) -> list[Span]:
    """Return the spans of calls with one of the names in the functions of a file, leaving some functions out."""
    module, wanted, skipped = tree(filename), set(names), set(outside)
    found = []
    for function in ast.walk(module) if module is not None else ():
        if isinstance(function, FUNCTIONS) and function.name not in skipped:
            calls = (
                c
                for c in ast.walk(function)
                if isinstance(c, ast.Call) and called_name(c) in wanted
            )
            found += [span_of(c, filename, function.name) for c in calls]
    return found


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


def decorated_in_file(filename: str, name: str) -> list[Span]:
    """Return the spans of the decorators of a file that carry a name."""
    module = tree(filename)
    functions = (
        [n for n in ast.walk(module) if isinstance(n, FUNCTIONS)] if module is not None else []
    )
    return [
        span_of(d, filename, f.name)
        for f in functions
        for d in f.decorator_list
        if name in _names(d)
    ]
