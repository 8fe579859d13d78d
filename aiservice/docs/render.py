"""Markdown as pages: one frame, no script that a page needs, nothing from any other site."""

import hashlib
import html
import itertools
import logging
import re
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from aiservice.docs.pages import Page, guides

logging.getLogger("markdown_it").setLevel(logging.WARNING)  # it tells of each of its steps

_HERE = Path(__file__).parent
_NOT_IN_IDS = re.compile(r"[^a-z0-9]+")
# A wide table scrolls in its own place; who cannot see it is told that it is one, and which.
_SCROLLS = '<div class="scroll" tabindex="0" role="region" aria-label="Table {number}"><table>'
STYLES, SCRIPT = "/docs/docs.css", "/docs/docs.js"


@cache
def asset(name: str) -> tuple[bytes, str]:
    """A file beside this one, and the eight letters of its content that its address carries."""
    content = (_HERE / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:8]


def render(page: Page, prefix: str, base_url: str) -> str:
    """The whole page. `prefix` is the path of the site ("" at the root), `base_url` its address for programs."""
    return frame(page.title, _body(page.path, page.markdown, prefix, base_url), prefix, here=page)


def render_found(text: str, found: list[Page], prefix: str) -> str:
    """What a search has found."""
    shown = html.escape(text)
    items = "".join(
        f'<li><a href="{prefix}{page.path}">{html.escape(page.title)}</a><p>{_inline(page.summary)}</p></li>'
        for page in found
    )
    body = f"<ul class=found>{items}</ul>" if found else "<p>Nothing. Fewer words find more.</p>"
    count = f"{len(found)} page{'' if len(found) == 1 else 's'}"
    return frame("Search", f"<h1>Search</h1><p role=status>{count} for “{shown}”</p>{body}", prefix, sought=text)


def frame(title: str, body: str, prefix: str, *, here: Page | None = None, sought: str = "") -> str:
    """A page around `body`, which is HTML. `here` is the page it is, if it is one; `sought` what was searched for."""
    css, js = (f"{prefix}{path}?v={asset(path.rsplit('/', 1)[1])[1]}" for path in (STYLES, SCRIPT))
    about = f'<meta name="description" content="{html.escape(here.summary, quote=True)}">' if here else ""
    markdown = f'<a href="{prefix}{here.path}.md">This page as Markdown</a>' if here else ""
    logo = f'<img src="{prefix}/favicon.svg" alt="" width="28" height="28">'
    sought = html.escape(sought, quote=True)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)} · aiservice docs</title>{about}"
        f'<link rel="icon" href="{prefix}/favicon.svg" type="image/svg+xml">'
        f'<link rel="stylesheet" href="{css}"><script src="{js}"></script></head><body>'
        '<a class="skip" href="#content">Skip to content</a>'
        f'<header><a class="brand" href="{prefix}/docs/start">{logo}aiservice <span>docs</span></a>'
        f'<form action="{prefix}/docs/search" role="search"><input type="search" name="q" aria-label="Search the docs" '
        f'placeholder="Search, or an error code" value="{sought}"><button>Search</button></form>'
        f'<a class="portal" href="{prefix}/">Portal</a></header><div class="columns">'
        f'<nav aria-label="Docs">{_navigation(prefix, here.path if here else "")}</nav><main id="content">{body}'
        f'<p class="foot">{markdown}</p></main></div></body></html>'
    )


def _navigation(prefix: str, here: str) -> str:
    def item(path: str, title: str) -> str:
        is_here = here == path or (path == "/docs/errors" and here.startswith("/docs/errors/"))
        current = ' aria-current="page"' if is_here else ""
        return f'<li><a href="{prefix}{path}"{current}>{html.escape(title)}</a></li>'

    listed = [item(page.path, "Welcome" if page.path == "/docs/start" else page.title) for page in guides()]
    items = "".join([*listed, item("/docs", "API reference")])
    return f"<details><summary>All pages</summary><ul>{items}</ul></details>"


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _inline(text: str) -> str:
    return str(_markdown().renderInline(text))


@cache
def _tokens(path: str, text: str) -> list[Token]:
    tokens = _markdown().parse(text)
    for number, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag in ("h2", "h3"):
            token.attrSet("id", _NOT_IN_IDS.sub("-", tokens[number + 1].content.lower()).strip("-"))
    return tokens


def _body(path: str, text: str, prefix: str, base_url: str) -> str:
    parser = _markdown()
    body = str(parser.renderer.render(_tokens(path, text), parser.options, {}))
    numbers = itertools.count(1)
    body = re.sub("<table>", lambda _: _SCROLLS.format(number=next(numbers)), body)
    body = body.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    body = body.replace('href="/', f'href="{prefix}/')
    return body.replace("{{base}}", html.escape(base_url))
