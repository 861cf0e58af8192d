"""A hook of MkDocs: links that lead out of docs/, into the repository, lead somewhere on the site, too.

Pages point at files beside docs/ by their path, as whoever reads them in the repository wants it. The site has none of
these files. With `extra.repository`, the address of the repository, such a link becomes one to the file there; without
it, the words stay and the path stands beside them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BRANCH = "main"

_LINK = re.compile(r"\[(?P<words>[^\]]*)\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """What MkDocs calls with each page before it is rendered."""
    directory = (Path(config["docs_dir"]) / page.file.src_uri).parent
    return rewritten(markdown, directory, Path(config["docs_dir"]), config["extra"].get("repository") or "")


def rewritten(markdown: str, directory: Path, docs: Path, repository: str) -> str:
    """The page of a directory, with the links that lead out of `docs` made for the site."""

    def leading_somewhere(link: re.Match[str]) -> str:
        target = (directory / link["path"]).resolve()
        if target.is_relative_to(docs):
            return link[0]
        path = target.relative_to(ROOT).as_posix()
        if not repository:
            return link["words"] if path in link["words"] else f"{link['words']} (`{path}`)"
        kind = "tree" if target.is_dir() else "blob"
        return f"[{link['words']}]({repository.rstrip('/')}/{kind}/{BRANCH}/{path}{link['anchor'] or ''})"

    return _LINK.sub(leading_somewhere, markdown)
