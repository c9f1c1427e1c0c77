"""Does every link of the site lead somewhere, and does a page ask nothing of the network?"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.names.add(found.get("id", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in ("img", "script"):
            self.loaded.append(found.get("src", ""))
        elif tag == "link" and found.get("rel") in ("stylesheet", "preload"):
            self.loaded.append(found.get("href", ""))


def faults(site: Path) -> list[str]:
    """Name links that lead nowhere, and what a page loads from elsewhere."""
    pages = {}
    for path in sorted(p for p in site.rglob("*.html") if "_static" not in p.parts):
        pages[path.resolve()] = page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
    found = []
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    found.append(f"{path.name}: loads {link}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            name = unquote(parts.fragment)
            if not target.exists():
                found.append(f"{path.name}: {link}")
            elif name and target in pages and name not in pages[target].names:
                found.append(f"{path.name}: no such part: {link}")
    return found


if __name__ == "__main__":
    dead = faults(Path(sys.argv[1]))
    print("\n".join(dead))
    sys.exit(bool(dead))
