"""How do the documents become a site? `make docs`; what follows from the code is written first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import ptyrun  # noqa: E402
from docs import site_pages  # noqa: E402

site_pages.write(HERE / "generated")

project = "ptyrun"
author = "the ptyrun authors"
version = release = ptyrun.__version__
project_copyright = "2026, the ptyrun authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["package-page.md"]
default_role = "code"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"


def _lead_links(_app: Any, name: str, source: list[str]) -> None:
    if name == "decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
    if name == "architecture":
        drawn = "![parts of ptyrun, each above those that it imports](generated/architecture.svg)"
        source[0] = source[0].replace("## Rules", f"As imported:\n\n{drawn}\n\n## Rules", 1)
    source[0] = site_pages.linked(site_pages.with_the_rest(source[0]), HERE / f"{name}.md")


def setup(app: Any) -> None:
    """Let links among the project's files lead to pages."""
    app.connect("source-read", _lead_links)


html_theme = "pydata_sphinx_theme"
html_title = "ptyrun"
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["narrow.css"]
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
}
