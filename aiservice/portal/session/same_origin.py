"""Whether a form post comes from a page of this portal (the cookie's SameSite=Lax is the first guard, this the second).

Fails closed on everything that a browser sends for another site: a foreign or `null` Origin, a foreign Fetch-Site.
A program that is no browser sends neither header and carries no cookie that a stranger could ride on.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_same_origin(
    headers: Iterable[tuple[bytes, bytes]],
    *,
    is_https: bool,
    public_url: str | None = None,
    frontend_port: int | None = None,
) -> bool:
    """Whether Origin (or, without it, Sec-Fetch-Site) names this server, as the request's Host or as `public_url`.

    With TLS seen by us the Origin must be https; without it either scheme is taken, since a proxy that we are not told
    to trust may have ended the TLS. `frontend_port` is development's second port on the same host name.
    """
    seen: dict[bytes, list[str]] = {}
    for header, value in headers:
        if header in (b"origin", b"host", b"sec-fetch-site"):
            seen.setdefault(header, []).append(value.decode("latin-1").strip().lower())
    origins, hosts = seen.get(b"origin", []), seen.get(b"host", [])
    if len(origins) > 1 or len(hosts) != 1:
        return False
    if not origins:
        return all(site in ("same-origin", "none") for site in seen.get(b"sec-fetch-site", []))
    origin = _origin(origins[0])
    if origin is None:
        return False
    if public_url is not None and origin == _origin(public_url.lower(), has_path=True):
        return True
    scheme, name, port = origin
    host = _origin(f"{scheme}://{hosts[0]}")
    if host is None or (is_https and scheme != "https") or host[1] != name:
        return False
    return port in (host[2], frontend_port)


def _origin(text: str, *, has_path: bool = False) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return None
    if not has_path and (parts.path or parts.query or parts.fragment):
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]
