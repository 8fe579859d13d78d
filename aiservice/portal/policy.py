"""What a browser may do with our pages: the Content-Security-Policy and its companions.

Every page that Reflex builds carries inline scripts of its own, so the policy names them by hash, page by page; the
hashes are taken once, at start, from the pages that were built. Nothing else inline runs, and no eval.
"""

import base64
import hashlib
import re
from pathlib import Path

_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_SAFE_HOST = re.compile(r"[A-Za-z0-9.\-_:\[\]]{1,255}")
_NOT_FOUND = "404"

# Browsers ignore, and complain about, an opener policy that came over plain http.
_ON_HTTPS = ((b"strict-transport-security", b"max-age=31536000"), (b"cross-origin-opener-policy", b"same-origin"))
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class BrowserPolicy:
    """The security headers of every answer the portal gives.

    `pages` maps a route ("/keys/", with slashes at both ends) to the hash sources of its inline scripts.
    """

    def __init__(self, pages: dict[str, tuple[str, ...]]) -> None:
        self._pages = pages
        self._not_found = pages.get(_NOT_FOUND, ())

    @classmethod
    def of_build(cls, static_dir: Path) -> "BrowserPolicy":
        """Reads the built pages below `static_dir`; an absent folder (development) gives a policy without pages."""
        pages = {_route_of(file.relative_to(static_dir)): _hashes(file) for file in static_dir.rglob("*.html")}
        return cls(pages)

    def headers(self, route: str | None, *, host: str, is_https: bool, is_page: bool) -> list[tuple[bytes, bytes]]:
        """The headers for the page at `route` (None: the 404 page), or for anything else when it is not a page."""
        found = list(_ALWAYS)
        if is_https:
            found += _ON_HTTPS
        if is_page:
            found.append((b"content-security-policy", self._csp(route, host).encode()))
        return found

    def _csp(self, route: str | None, host: str) -> str:
        hashes = self._not_found if route is None else self._pages.get(route, self._not_found)
        sockets = f" ws://{host} wss://{host}" if _SAFE_HOST.fullmatch(host) else ""
        return "; ".join(
            [
                "default-src 'none'",
                f"script-src 'self' {' '.join(hashes)}".rstrip(),
                "style-src 'self' 'unsafe-inline'",  # React writes style attributes, plotly writes style elements
                "img-src 'self' data: blob:",
                "font-src 'self'",
                f"connect-src 'self'{sockets}",
                "manifest-src 'self'",
                "form-action 'self'",
                "base-uri 'none'",
                "object-src 'none'",
                "frame-ancestors 'none'",
            ]
        )


def _route_of(file: Path) -> str:
    if file.name != "index.html":
        return file.stem if len(file.parts) == 1 and file.stem == _NOT_FOUND else f"/{file.with_suffix('').as_posix()}/"
    folder = file.parent.as_posix()
    return "/" if folder == "." else f"/{folder}/"


def _hashes(file: Path) -> tuple[str, ...]:
    scripts = dict.fromkeys(_INLINE_SCRIPT.findall(file.read_bytes()))
    digests = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts)
    return tuple(f"'sha256-{digest}'" for digest in digests)
