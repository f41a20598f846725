# SPDX-License-Identifier: Apache-2.0
"""Questions about the user's source text: which expression, statement or call stands here.

Everything is answered from the syntax tree of the file, on demand, and every answer may be
"unknown": notebooks, `exec` and missing files have no tree.
"""

import ast
import functools
import linecache
import re
import tokenize
from collections.abc import Iterable
from dataclasses import replace
from types import CodeType

from lightning_gradguard.source import Site, Span, display_path, raw_position

__all__ = [
    "FUNCTIONS",
    "MUTATORS",
    "all_suppressions",
    "called_name",
    "callee",
    "calls_in_file",
    "calls_named",
    "contains",
    "decorated_in_file",
    "decorator_span",
    "dotted",
    "expression",
    "function_node",
    "is_bare",
    "maker_of",
    "method_span",
    "node_at",
    "operands",
    "reflows",
    "return_span",
    "sibling_return_span",
    "span_of",
    "statement",
    "suppressions",
    "target_name",
    "targets_of",
    "text_of",
    "tree",
    "with_span",
]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Methods that put their arguments into what they are called on.
MUTATORS = frozenset(
    {"append", "extend", "insert", "update", "add", "setdefault", "appendleft", "copy_"}
)
_SUPPRESSION = re.compile(r"#\s*gradguard:\s*ignore\[([A-Z0-9,\s]*)\]")
_COMPREHENSIONS = frozenset({"<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>"})
_NAMESPACES = frozenset(
    {
        "torch",
        "F",
        "nn",
        "nn.functional",
        "torch.nn",
        "torch.nn.functional",
        "np",
        "torch.linalg",
        "torch.autograd",
    }
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
    if code.co_name == "<module>":
        return module
    if code.co_name in _COMPREHENSIONS:
        return _enclosing_function(module, code.co_firstlineno)
    made = [n for n in ast.walk(module) if _compiles_to(n, code)]
    return made[-1] if made else None


def _compiles_to(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
    if not isinstance(node, FUNCTIONS) or node.name != code.co_name:
        return False
    return min(n.lineno for n in (node, *node.decorator_list)) == code.co_firstlineno


def node_at(site: Site) -> ast.AST | None:
    """Return the smallest expression or statement that covers the position of a site."""
    return min(reversed(_covering(site)), key=_size, default=None)


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
    found = [n for n in _covering(site) if isinstance(n, ast.stmt)]
    return min(found, key=_size, default=None)


def is_bare(site: Site) -> bool:
    """Say whether the expression at a site is a statement of its own, its value dropped."""
    node = statement(site)
    return isinstance(node, ast.Expr) and node.value is node_at(site)


def maker_of(site: Site, name: str) -> Site | None:
    """Return the call of a name that has made an operand of the expression at a site.

    It stands in the expression itself, or assigns a name that the expression reads.
    """
    node, scope = node_at(site), function_node(site[0])
    if node is None or scope is None:
        return None
    read = {dotted(n) for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute))}
    makers = [
        call
        for outer in ast.walk(scope)
        if outer is node or (isinstance(outer, ast.Assign) and _assigns(outer, read, node))
        for call in ast.walk(outer)
        if isinstance(call, ast.Call) and called_name(call) == name
    ]
    return _site_of(max(makers, key=lambda c: c.lineno), site[0]) if makers else None


def _assigns(statement: ast.Assign, names: set[str], before: ast.AST) -> bool:
    """Say whether a statement assigns one of some names, and stands before a node."""
    earlier = statement.lineno <= getattr(before, "lineno", 0)
    return earlier and any(dotted(t) in names for t in statement.targets)


def _site_of(node: ast.expr, code: CodeType) -> Site | None:
    """Return the last instruction of a function that belongs to an expression as a whole."""
    wanted = (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
    found = [i for i, position in enumerate(code.co_positions()) if position == wanted]
    return (code, 2 * found[-1]) if found else None


def callee(site: Site) -> str:
    """Return the name of what the expression at a site calls, `""` for other expressions."""
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
    wanted = set(names)
    for decorator in getattr(function_node(code), "decorator_list", ()):
        if wanted & _names(decorator):
            found = span_of(decorator, code.co_filename, code.co_qualname)
            return replace(found, column=max(found.column - 1, 1))  # with its `@`
    return None


def with_span(site: Site, names: Iterable[str]) -> Span | None:
    """Return the span of the `with` item around a site that carries one of the names."""
    wanted = set(names)
    blocks = [n for n in _covering(site) if isinstance(n, (ast.With, ast.AsyncWith))]
    for block in reversed(blocks):
        for item in block.items:
            if wanted & _names(item.context_expr):
                return span_of(item.context_expr, site[0].co_filename, site[0].co_qualname)
    return None


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
    codes = match.group(1).split(",") if match is not None else ()
    return frozenset(c.strip() for c in codes if c.strip())


def contains(outer: ast.AST, inner: ast.AST) -> bool:
    """Say whether a node is another one or stands within it."""
    return any(child is inner for child in ast.walk(outer))


def targets_of(
    node: ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr,
) -> list[ast.expr]:
    """Return what an assignment assigns to."""
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def dotted(node: ast.AST) -> str:
    """Return the text of a dotted name, `?` for the part that is none."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _names(node: ast.AST) -> set[str]:
    return {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)} | {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name)
    }


def called_name(call: ast.Call) -> str:
    """Return the last part of the name that a call calls."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_namespace(node: ast.AST) -> bool:
    """Say whether an expression is a module such as `torch` or `F` rather than a value."""
    return dotted(node) in _NAMESPACES


@functools.lru_cache(maxsize=4096)
def _covering(site: Site) -> list[ast.AST]:
    """Return the nodes of a function that cover the position of a site, outer ones first."""
    scope = function_node(site[0])
    if scope is None:
        return []
    line, end_line, start, end = raw_position(site)
    return [n for n in ast.walk(scope) if _covers(n, (line, start), (end_line, end))]


def _covers(node: ast.AST, start: tuple[int, int], end: tuple[int, int]) -> bool:
    if not hasattr(node, "lineno"):
        return False
    begins = (node.lineno, node.col_offset) <= start  # type: ignore[attr-defined]
    return begins and (node.end_lineno, node.end_col_offset) >= end  # type: ignore[attr-defined]


def _size(node: ast.AST) -> tuple[int, int]:
    lines = node.end_lineno - node.lineno  # type: ignore[attr-defined]
    return lines, node.end_col_offset - (node.col_offset if lines == 0 else 0)  # type: ignore[attr-defined]


def _enclosing_function(module: ast.Module, line: int) -> ast.AST:
    around = [n for n in ast.walk(module) if isinstance(n, FUNCTIONS) and _spans_line(n, line)]
    return min(around, key=_size, default=module)


def _spans_line(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or 0)


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
    for cls in _nodes(code.co_filename):
        if not isinstance(cls, ast.ClassDef) or not _spans_line(cls, code.co_firstlineno):
            continue
        for child in cls.body:
            if isinstance(child, FUNCTIONS) and child.name == method:
                last = _last_return(child)
                name = f"{cls.name}.{method}"
                return span_of(last, code.co_filename, name) if last is not None else None
    return None


def _nodes(filename: str) -> Iterable[ast.AST]:
    module = tree(filename)
    return ast.walk(module) if module is not None else ()


def _functions(filename: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in _nodes(filename) if isinstance(n, FUNCTIONS)]


def calls_in_file(
    filename: str, names: Iterable[str], *, outside: Iterable[str], keyword: str = ""
) -> list[Span]:
    """Return the spans of calls with one of the names in a file, some functions left out."""
    wanted, skipped = set(names), set(outside)
    return [
        span_of(node, filename, function.name)
        for function in _functions(filename)
        if function.name not in skipped
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and called_name(node) in wanted
        if not keyword or any(k.arg == keyword for k in node.keywords)
    ]


def _comment_lines(filename: str) -> frozenset[int]:
    """Return the numbers of the lines that carry a comment, not one quoted in a string."""
    lines = iter(linecache.getlines(filename))
    try:
        tokens = list(tokenize.generate_tokens(lambda: next(lines, "")))
    except (tokenize.TokenError, SyntaxError):
        return frozenset()
    return frozenset(t.start[0] for t in tokens if t.type == tokenize.COMMENT)


def all_suppressions(filename: str) -> list[tuple[Span, frozenset[str]]]:
    """Return the `# gradguard: ignore[...]` comments of a file with the codes they name."""
    path, comments = display_path(filename), _comment_lines(filename)
    matches = (
        (number, line.rstrip("\n"), _SUPPRESSION.search(line))
        for number, line in enumerate(linecache.getlines(filename), 1)
        if number in comments
    )
    return [
        (Span(path, number, m.start() + 1, m.end() + 1, "", text), suppressions(filename, number))
        for number, text, m in matches
        if m is not None
    ]


def decorated_in_file(filename: str, name: str) -> list[Span]:
    """Return the spans of the decorators of a file that carry a name."""
    return [
        span_of(decorator, filename, function.name)
        for function in _functions(filename)
        for decorator in function.decorator_list
        if name in _names(decorator)
    ]
