"""Pages of the site that lie elsewhere in the repository, and links that hold in both places.

README, CONTRIBUTING, SECURITY, CHANGELOG and the benchmarks' cards are read where they are. Links are written as they
hold in the repository; here they become links between pages. A link to another file of the repository becomes its name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import commands

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "src/unlearned/harness/CARD.md": "benchmarks/eval.md",
    **{
        card.relative_to(ROOT).as_posix(): f"benchmarks/{card.parent.name}.md"
        for card in sorted((ROOT / "src/unlearned/benchmarks").glob("*/CARD.md"))
    },
}
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<to>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie elsewhere."""
    from mkdocs.structure.files import File

    for path, page in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, "reference/commands.md", content=commands.page()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links of the repository into links of the site."""
    at = page.file.src_uri
    if at == "reference/commands.md":
        return markdown
    source = next((path for path, name in ELSEWHERE.items() if name == at), f"docs/{at}")

    def turned(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["to"]))
        if not (ROOT / target).exists():
            raise FileNotFoundError(f"{source}: {link[0]}: there is no {target}.")
        name = ELSEWHERE.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if name is None or not name.endswith((".md", ".svg")):
            return link["text"]
        return f"[{link['text']}]({posixpath.relpath(name, posixpath.dirname(at) or '.')}{link['anchor'] or ''})"

    return LINK.sub(turned, markdown)
