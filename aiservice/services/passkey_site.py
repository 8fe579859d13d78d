"""For which page passkeys may be asked: browsers allow them on https and on localhost, under a name and no address.

The page's origin comes from a browser, which cannot be made to say another; that the page is one of ours was checked
before. With PUBLIC_URL set, passkeys belong to its host name alone (and to localhost): one made under a second name of
the same server would be missing under the first.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from aiservice.errors import Unprocessable
from aiservice.kit.passkeys import Site
from aiservice.settings import Settings

_LOCAL = "localhost"


def passkey_site(origin: str, settings: Settings) -> Site:
    """The site that passkeys of this page belong to.

    Raises:
        Unprocessable: there are no passkeys on it (`passkeys_unavailable`); the message says why, and where there are.
    """
    scheme, host = _parts(origin)
    is_local = host == _LOCAL or host.endswith(f".{_LOCAL}")
    public = settings.public_url
    if public is not None and not is_local:
        public_scheme, public_host = _parts(public)
        if host != public_host or scheme != public_scheme:
            raise unavailable(f"Passkeys belong to {public_scheme}://{public_host}. Open the portal there.")
    if not host:
        raise unavailable("Passkeys need a browser.")
    if scheme != "https" and not is_local:
        raise unavailable("Passkeys need https, and this page came over plain http. Everything else works without.")
    if _is_address(host):
        raise unavailable("Passkeys belong to a host name, and this page was opened by its address.")
    return Site(host, origin.lower())


def unavailable(why: str) -> Unprocessable:
    return Unprocessable(why, code="passkeys_unavailable")


def _parts(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url.lower())
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    return parts.scheme, host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
