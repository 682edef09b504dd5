"""What all pages for people have in common. They need nothing but themselves."""

from collections.abc import Iterable
from html import escape
from importlib import resources

from .clock import in_gmt

_STYLE = resources.files(__package__).joinpath("console.css").read_text(encoding="utf-8")


def frame(title: str, now: float, body: str, *links: tuple[str, str]) -> str:
    """A whole page; each link is a text and a path."""
    return _PAGE.format(
        style=_STYLE,
        title=escape(title),
        links="".join(f'<a href="{escape(path)}">{escape(text)}</a>' for text, path in links),
        now=in_gmt(now),
        body=body,
    )


def tile_list(tiles: Iterable[tuple[str, str]]) -> str:
    """The items of a list of tiles: name and value of each."""
    return "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for name, value in tiles)


def table(headings: Iterable[str], rows: list[str], nothing: str) -> str:
    """A table of ready-made rows, or a sentence if there are none."""
    if not rows:
        return f'<p class="nothing">{escape(nothing)}</p>'
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · emulator</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><span class="badge">emulator</span>{links}<span class="clock">{now} GMT</span></header>
<main>
{body}</main>
</body>
</html>
"""
