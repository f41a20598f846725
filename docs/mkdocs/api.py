# SPDX-License-Identifier: Apache-2.0
"""Write `docs/api.md` from the docstrings of the public names; with `--check`, only compare."""

import inspect
import re
import sys
from pathlib import Path

from lightning_gradguard import Diagnostic, GradGuard, GradGuardError, Report, Span, explain
from lightning_gradguard.testing import assert_trains

TARGET = Path(__file__).resolve().parents[1] / "api.md"
PUBLIC = (GradGuard, Report, Diagnostic, Span, GradGuardError, explain, assert_trains)
METHODS = {Report, Diagnostic, Span}
HEAD = """\
# API

Written from the docstrings. Everything else in the package is private and may change.
`from lightning_gradguard import ...`; `assert_trains` is in `lightning_gradguard.testing`.
"""
_SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Example", "Logged metrics", "Cost")


def page() -> str:
    """Draw the page."""
    return "\n".join([HEAD, *(part for item in PUBLIC for part in entry(item))])


def entry(item: type) -> list[str]:
    """Draw one public name, and its methods where those are meant to be called."""
    parts = [f"## {item.__name__}", "", *signature(item), *prose(inspect.getdoc(item) or "")]
    for name, member in vars(item).items() if item in METHODS else ():
        if name.startswith("_") or not (
            callable(member) or isinstance(member, (property, classmethod))
        ):
            continue
        inner = member.fget if isinstance(member, property) else getattr(item, name)
        parts += [f"### {item.__name__}.{name}", "", *prose(inspect.getdoc(inner) or "")]
    return parts


def signature(item: type) -> list[str]:
    """Draw how it is called, one argument a line."""
    if item is GradGuardError:
        return []
    arguments = inspect.signature(item).parameters.values()
    star = ["    *,"] if arguments and all(a.kind is a.KEYWORD_ONLY for a in arguments) else []
    # How the class names itself depends on the version of Python.
    lines = [f"    {re.sub(r'pathlib.(_local.)?Path', 'Path', str(a))}," for a in arguments]
    return ["```text", f"{item.__name__}(", *star, *lines, ")", "```", ""]


def prose(text: str) -> list[str]:
    """Turn a docstring in Google style into Markdown."""
    lines: list[str] = []
    section = ""
    for line in text.splitlines():
        head = re.fullmatch(r"([A-Z][a-z ]+):", line)
        if head and head.group(1) in _SECTIONS:
            lines += [*_closed(section), f"**{head.group(1)}**", ""]
            section = head.group(1)
            lines += ["```pycon"] if section == "Example" else []
        elif section == "Example":
            lines.append(line[4:])
        elif named := re.fullmatch(r"    (\w+): (.*)", line):
            lines.append(f"- `{named.group(1)}`: {named.group(2)}")
        else:
            lines.append(line.strip() if not line.startswith("        ") else f"  {line.strip()}")
    return [*_trimmed(lines), *_closed(section), ""]


def _closed(section: str) -> list[str]:
    return ["```"] if section == "Example" else []


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines.pop()
    return lines


def main() -> int:
    """Write or compare; 1 when the page is not current."""
    text = page()
    if "--check" not in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text:
        print(f"{TARGET} is not current: run {Path(__file__).name}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
