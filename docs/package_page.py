"""Which text stands on a package index? The README, where no link is dead.

An index shows one page without the files beside it: links among the project's files become plain
words, and pictures go, unless an address is known under which these files can be seen.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "package-page.md"

_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)\n*")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)


def page(readme: str, address: str = "") -> str:
    """Give the page of a package index.

    Parameters
    ----------
    readme : str
        Markdown with relative links.
    address : str
        Where the project's files can be seen, with a slash at its end; empty if nowhere.

    Examples
    --------
    >>> page("See [the rules](docs/rules.md) and ![a picture](a.png)")
    'See the rules and '
    >>> page("See [the rules](docs/rules.md)", "https://example.org/ptyrun/")
    'See [the rules](https://example.org/ptyrun/docs/rules.md)'
    """
    text = _COMMENT.sub("", readme)
    if not address:
        text = _PICTURE.sub(lambda found: found[0] if _is_whole(found[2]) else "", text)
    return _LINK.sub(lambda found: _link(found[1], found[2], address), text)


def _link(words: str, target: str, address: str) -> str:
    if _is_whole(target):
        return f"[{words}]({target})"
    return f"[{words}]({address}{target})" if address else words


def _is_whole(target: str) -> bool:
    return "://" in target


def write() -> None:
    """Write the page."""
    PAGE.write_text(page((ROOT / "README.md").read_text(encoding="utf-8")), encoding="utf-8")
