"""The frame of every page: head, style, header and footer."""

from __future__ import annotations

import os
from html import escape
from importlib.resources import files

from .._files import write_atomically

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Lets a browser load nothing but what the page holds."""


def document(title: str, lead: str, body: str, footer: str, warning: str = "", style: str = "") -> str:
    """A whole page.

    Args:
        title: plain text.
        lead: HTML below the title.
        body: HTML of the main part.
        footer: HTML.
        warning: plain text shown above everything else, if any.
        style: name of a style sheet beside the common one, if any.
    """
    style = "".join(
        files(__package__).joinpath(sheet).read_text(encoding="utf-8") for sheet in ("page.css", style) if sheet
    )
    banner = f'<p class="warning" role="alert">{escape(warning)}</p>' if warning else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<header class="page">
<h1>{escape(title)}</h1>
<p class="lead">{lead}</p>
</header>
{banner}
<main>
{body}
</main>
<footer class="page">{footer}</footer>
</body>
</html>
"""


def write(path: str | os.PathLike[str], content: str) -> None:
    """Writes a page: whole or not at all.

    Raises:
        FileError: the file cannot be written; what was there is unchanged.
    """
    write_atomically(path, content.encode("utf-8", "replace"))
