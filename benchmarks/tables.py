# SPDX-License-Identifier: Apache-2.0
"""Write the tables of the README and the documentation from the JSON of the benchmarks.

A table stands between `<!-- benchmark: NAME -->` and `<!-- end benchmark -->`; everything between
the two is replaced by what the last run of `NAME.py` has written.
"""

import functools
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import common

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"(<!-- benchmark: (\w+) -->\n).*?(<!-- end benchmark -->)", re.DOTALL)


def pages() -> Iterator[Path]:
    """Yield the pages that hold a table."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        if path.exists() and _BLOCK.search(path.read_text()):
            yield path


def render(name: str) -> str:
    """Return the table of one benchmark and where its numbers come from."""
    found = common.read(name)
    body = _script(name).lines(found["results"])
    return f"{body}\n\n{caption(found['origin'])}"


@functools.cache
def _script(name: str) -> Any:  # noqa: ANN401
    """Load a script from its file: one of them has the name of a standard module."""
    spec = importlib.util.spec_from_file_location(
        f"benchmark_{name}", Path(__file__).with_name(f"{name}.py")
    )
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def caption(origin: dict[str, Any]) -> str:
    """Say on what, with what and when the numbers were measured."""
    machine = origin["gpu"] or f"{origin['processor']}, {origin['threads']} thread"
    clock = "" if origin["gpu"] else f", {origin.get('clock', 'wall')} time"
    return (
        f"{machine}{clock}; Python {origin['python']}, torch {origin['torch']}, "
        f"Lightning {origin['lightning']}; {origin['date']}."
    )


def filled(text: str) -> str:
    """Return a page with all its tables as the JSON has them."""
    return _BLOCK.sub(lambda m: f"{m[1]}{render(m[2])}\n{m[3]}", text)


def main(arguments: Sequence[str] = ()) -> None:
    """Write the tables, or with `--check` say which are out of date."""
    stale = [path for path in pages() if filled(path.read_text()) != path.read_text()]
    if "--check" in arguments and stale:
        raise SystemExit(f"out of date: {', '.join(str(p.relative_to(ROOT)) for p in stale)}")
    for path in stale:
        path.write_text(filled(path.read_text()))
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
