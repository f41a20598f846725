# SPDX-License-Identifier: Apache-2.0
"""What mkdocs needs beyond the pages: changelog, first screen, links to files outside of them."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
_FIRST_SCREEN = "<!-- the first screen of the README stands here on the site -->"
_OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./(?:examples|configs|benchmarks|tests)[^)]*\)")


def on_config(config: Any) -> Any:  # noqa: ANN401  # mkdocs does not type it
    """Put the page of every rule into the navigation."""
    pages = sorted(path.name for path in (ROOT / "docs/rules").glob("GG*.md"))
    for entry in config.nav:
        if isinstance(entry, dict) and "Rules" in entry:
            entry["Rules"] += [f"rules/{name}" for name in pages]
    return config


def on_files(files: Files, config: Any) -> Files:  # noqa: ANN401
    """Add the changelog, which lives at the top of the project."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=changelog))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401
    """Name files of the project instead of linking to them, since the site does not hold them."""
    return _OUTSIDE.sub(r"`\1`", markdown.replace(_FIRST_SCREEN, first_screen()))


def first_screen() -> str:
    """Return what the README shows first: the bug, what torch says, what the guard says."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return readme[readme.index("```python") : readme.index("In a checkout,")].rstrip()
