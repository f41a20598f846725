# SPDX-License-Identifier: Apache-2.0
"""Turn a running call into user code positions, and positions into printable spans.

What is stored while training runs is only `(code object, instruction offset)` for each user frame;
files, lines and columns are worked out when, and only when, a diagnostic is printed. A frame is
never kept, because a frame keeps every tensor of its function alive.
"""

import functools
import linecache
import os
import sys
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FrameType

__all__ = [
    "KINDS", "METRIC", "SKIP", "STOP", "USER", "Site", "Span", "Stack", "capture", "innermost",
    "is_project_file", "kind_of", "locate", "project",
]  # fmt: skip

Site = tuple[CodeType, int]
Stack = tuple[Site, ...]

# Packages whose frames are never the user's: the framework, numeric libraries that only receive
# values, and this package. A separator is appended: `torch` is not to match `torch_geometric`.
_LIBRARIES = (
    "torch",
    "pytorch_lightning",
    "lightning",
    "lightning_fabric",
    "lightning_utilities",
    "torchmetrics",
    "numpy",
    "scipy",
    "sklearn",
    "pandas",
    "_pytest",
)
# Files of Lightning above which no frame of a training step can be the user's.
_LOOP_FILES = ("/trainer/call.py", "/loops/training_epoch_loop.py", "/trainer/trainer.py")
# Names of code that a library generated at run time; `exec`, REPL and notebooks are the user's.
_GENERATED = ("<frozen", "<attrs", "<__array", "<eval_with_key>")
# What to do with a frame on the way up: a metric is skipped like all of the framework.
SKIP, METRIC, USER, STOP = 0, 1, 2, 3
KINDS: dict[str, int] = {}  # file -> kind; grows with the number of source files only


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one source line.

    Attributes:
        path: file, relative to the working directory where it lies below it.
        line: 1-based line number.
        column: 1-based column of the first marked character.
        end_column: 1-based column after the last marked character.
        function: qualified name of the enclosing function.
        text: the whole source line, `""` where the source is not available.
        label: what to print beside the carets.
    """

    path: str
    line: int
    column: int
    end_column: int
    function: str
    text: str
    label: str = ""

    def is_at(self, other: "Span | None") -> bool:
        """Say whether another span begins at the same place."""
        if other is None:
            return False
        return (self.path, self.line, self.column) == (other.path, other.line, other.column)

    def labelled(self, label: str) -> "Span":
        """Return the same span with another label."""
        return replace(self, label=label)


def capture(depth: int = 1) -> Stack:
    """Return the user frames of the current thread, innermost first.

    Args:
        depth: how many frames of the caller to skip.

    Returns:
        `(code, offset)` for each frame of user code, up to the training loop; empty when a call has
        no user frame.

    Cost: about 0.1 us a frame; no source file is read.
    """
    return sites_above(sys._getframe(depth))  # noqa: SLF001 - `inspect` would read sources


def sites_above(frame: FrameType | None) -> Stack:
    """Return the user frames from `frame` on, innermost first; no frame is kept."""
    sites: list[Site] = []
    while frame is not None:
        kind = kind_of(frame.f_code.co_filename)
        if kind == USER:
            sites.append((frame.f_code, frame.f_lasti))
        elif kind == STOP:
            break
        frame = frame.f_back
    return tuple(sites)


def kind_of(filename: str) -> int:
    """Say whether a file is to be skipped, a metric, user code, or the end of a walk."""
    kind = KINDS.get(filename)
    if kind is None:
        kind = KINDS[filename] = _kind(filename)
    return kind


def caller_in(suffix: str, depth: int = 1) -> FrameType | None:
    """Return the nearest frame whose file ends with `suffix`, for a look, not for keeping."""
    frame: FrameType | None = sys._getframe(depth)  # noqa: SLF001 - as in `capture`
    while frame is not None and not frame.f_code.co_filename.endswith(suffix):
        frame = None if kind_of(frame.f_code.co_filename) == STOP else frame.f_back
    return frame


def innermost(stack: Stack) -> Site | None:
    """Return the site to blame: the innermost user frame."""
    return stack[0] if stack else None


def project(stack: Stack) -> Site | None:
    """Return the innermost frame of the user's own project, not of an installed package."""
    return next((site for site in stack if is_project_file(site[0].co_filename)), None)


def is_user_file(filename: str) -> bool:
    """Say whether a file is neither the framework's nor the standard library's."""
    return kind_of(filename) == USER


@functools.lru_cache(maxsize=8192)
def is_project_file(filename: str) -> bool:
    """Say whether a file belongs to the user's project rather than to an installed package."""
    return not any(filename.startswith(root) for root in _installed_roots())


def locate(site: Site, label: str = "") -> Span:
    """Turn a site into a span with exact columns (PEP 657).

    Example:
        >>> def f():
        ...     return capture()
        >>> locate(f()[0]).function.endswith("f")
        True
    """
    code = site[0]
    line, end_line, start, end = raw_position(site)
    text = source_line(code, line)
    column = _characters(text, start) + 1
    stop = _characters(text, end) + 1 if end_line == line else len(text.rstrip()) + 1
    return Span(
        path=display_path(code.co_filename),
        line=line,
        column=column,
        end_column=max(stop, column + 1) if text else column + 1,
        function=code.co_qualname,
        text=text,
        label=label,
    )


def raw_position(site: Site) -> tuple[int, int, int, int]:
    """Return `(line, end_line, start_byte, end_byte)` of a site; bytes are 0-based."""
    code, offset = site
    positions = list(code.co_positions())
    index = offset // 2
    if not 0 <= index < len(positions):
        return code.co_firstlineno, code.co_firstlineno, 0, 0
    line, end_line, start, end = positions[index]
    line = line or code.co_firstlineno
    return line, end_line or line, start or 0, end or 0


def source_line(code: CodeType, line: int) -> str:
    """Return one source line of the file of `code`, `""` where there is none."""
    return linecache.getline(code.co_filename, line).rstrip("\n")


def display_path(filename: str) -> str:
    """Return a path relative to the working directory where the file lies below it."""
    try:
        relative = os.path.relpath(filename)
    except ValueError:
        return filename
    return filename if relative.startswith("..") else relative


def _characters(text: str, offset: int) -> int:
    """Convert a UTF-8 byte offset within `text` into a character offset."""
    return len(text.encode()[:offset].decode(errors="ignore"))


def _kind(filename: str) -> int:
    """Classify a file: skip it, take it for user code, or stop the walk there."""
    if any(filename.startswith(root) for root in _library_roots()):
        posix = filename.replace(os.sep, "/")
        if any(posix.endswith(name) for name in _LOOP_FILES):
            return STOP
        return METRIC if "/torchmetrics/" in posix else SKIP
    return SKIP if filename.startswith(_GENERATED) or _is_stdlib(filename) else USER


def _is_stdlib(filename: str) -> bool:
    """Say whether a file belongs to the standard library."""
    stdlib = sysconfig.get_paths()["stdlib"].rstrip(os.sep) + os.sep
    return filename.startswith(stdlib) and is_project_file(filename)


@functools.lru_cache(maxsize=1)
def _installed_roots() -> tuple[str, ...]:
    """Return the folders of installed packages, with a separator at the end."""
    paths = sysconfig.get_paths()
    roots = {paths["purelib"], paths["platlib"]}
    roots.update(p for p in sys.path if Path(p).name in {"site-packages", "dist-packages"})
    return tuple(sorted(root.rstrip(os.sep) + os.sep for root in roots))


@functools.lru_cache(maxsize=1)
def _library_roots() -> tuple[str, ...]:
    """Return the folders whose frames are never the user's."""
    here = str(Path(__file__).resolve().parent) + os.sep
    return (here, *(root + name + os.sep for root in _installed_roots() for name in _LIBRARIES))
