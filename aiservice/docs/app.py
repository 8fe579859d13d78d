"""`/docs/…` and `/llms.txt`, plain ASGI: the same for everybody, signed in or not, and never from anywhere else.

`/docs` itself is the API reference. Every page is also there as Markdown, with `.md` at its end.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from aiservice.docs import render
from aiservice.docs.pages import GUIDES, guides, pages, search
from aiservice.kit.addresses import is_https
from aiservice.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, str, bytes, str]
"""Status, media type, body, how long it may be kept."""

_HTML, _TEXT, _JSON = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json"
_MARKDOWN = "text/markdown; charset=utf-8"
_BRIEFLY, _FOREVER, _NEVER = "public, max-age=300", "public, max-age=31536000, immutable", "no-store"
_MOST_QUERY = 200
_REFERENCE = {"path": "/docs", "title": "API reference", "summary": "Every route and field, from OpenAPI 3.1."}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)
_ASSETS = {render.STYLES: ("docs.css", "text/css; charset=utf-8"), render.SCRIPT: ("docs.js", "text/javascript")}


class Docs:
    """The documentation. `settings` is asked for when a request comes: the services open after this object is made."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            status, media_type, body, keeping = 405, _TEXT, b"Pages take GET and HEAD.\n", _NEVER
        else:
            status, media_type, body, keeping = self._answer(scope)
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", keeping.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", _POLICY),
            (b"referrer-policy", b"same-origin"),
            (b"server", b"aiservice"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Scope) -> Answer:
        path = scope["path"].rstrip("/")
        prefix, base_url = self._place(scope)
        if path in _ASSETS:
            name, media_type = _ASSETS[path]
            return 200, media_type, render.asset(name)[0], _FOREVER
        if path == "/docs/search":
            query = parse_qs(scope["query_string"].decode("latin-1")).get("q", [""])[0][:_MOST_QUERY]
            return 200, _HTML, render.render_found(query, search(query), prefix).encode(), _NEVER
        if path == "/docs/index.json":
            listed = [{"path": p.path, "title": p.title, "summary": p.summary} for p in pages().values()]
            return 200, _JSON, orjson.dumps([*listed, _REFERENCE]), _BRIEFLY
        if path in ("/llms.txt", "/llms-full.txt"):
            text = llms_text() if path == "/llms.txt" else "\n\n".join(page.markdown for page in guides())
            return 200, _TEXT, _placed(text, base_url), _BRIEFLY
        page = pages().get(f"/docs/{GUIDES[0]}" if path == "/docs" else path.removesuffix(".md"))
        if page is None:
            return 404, _HTML, self._missing(prefix).encode(), _NEVER
        if path.endswith(".md"):
            return 200, _MARKDOWN, _placed(page.markdown, base_url), _BRIEFLY
        return 200, _HTML, render.render(page, prefix, base_url).encode(), _BRIEFLY

    def _missing(self, prefix: str) -> str:
        way = f'<a href="{prefix}/docs/start">all pages</a>'
        body = f"<h1>There is no such page</h1><p>Search for it above, or see {way}.</p>"
        return render.frame("There is no such page", body, prefix)

    def _place(self, scope: Scope) -> tuple[str, str]:
        """The path the site lives under, and its address for programs."""
        settings = self._settings()
        if settings.public_url:
            base_url = settings.public_url.rstrip("/")
            return urlsplit(base_url).path, base_url
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "localhost:8000")
        return "", f"{'https' if is_https(scope, settings.trusted_proxies) else 'http'}://{host}"


def llms_text() -> str:
    """The index for language models, in the form of llmstxt.org."""
    lines = [f"- [{page.title}]({{{{base}}}}{page.path}.md): {page.summary}" for page in guides()[1:]]
    return "\n".join(
        [
            "# aiservice",
            "",
            "> A self-hosted broker for AI APIs: programs speak OpenAI's, Anthropic's or Google's API, or its own.",
            "",
            "Base URL of OpenAI's libraries: {{base}}/v1. Of Anthropic's and Google's: {{base}}.",
            "",
            "## Docs",
            "",
            *lines,
            "- [API reference]({{base}}/openapi.json): OpenAPI 3.1",
            "- [One error code]({{base}}/docs/errors/CODE.md): put the code in place of CODE",
            "",
            "## Optional",
            "",
            f"- [Everything in one file]({{{{base}}}}/llms-full.txt): the {len(GUIDES)} guides",
            "",
        ]
    )


def _placed(text: str, base_url: str) -> bytes:
    return text.replace("](/docs", f"]({base_url}/docs").replace("{{base}}", base_url).encode()
