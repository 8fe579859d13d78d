"""Where a connection's calls go, and what authenticates them: for requests, and for a connection not stored yet."""

from aiservice.kit.secret import Secret
from aiservice.providers._base import Provider
from aiservice.services.connection_views import ConnectionView
from aiservice.upstream.client import Target
from aiservice.upstream.guard import check_base_url
from aiservice.upstream.outgoing import Auth, Headers, no_auth
from aiservice.wire import HttpCall

_PROBE = ":probe"  # a host of its own has sockets of its own


def target_of(view: ConnectionView, provider: Provider, key: Secret | None, *, is_probe: bool = False) -> Target:
    """The target of a connection that has `key`, for its calls or for its provider's `probe`.

    Raises:
        InvalidRequest, Unprocessable: its address is not one that a connection may have.
    """
    root, connection_id = provider.root(view.base_url), view.id
    if is_probe and (probe_root := provider.probe_root(view.base_url)) != root:
        root, connection_id = probe_root, view.id + _PROBE
    base = check_base_url(root, view.is_private_allowed)
    auth = no_auth if key is None else _credential(provider, key, base.url)
    return Target(connection_id, view.revision, base, auth, view.is_private_allowed)


def _credential(provider: Provider, key: Secret, url: str) -> Auth:
    """What makes the headers of a call. A key that is sent as it is needs nothing of the call; one that signs is read
    by the first, so that one that is none fails calls and not the connection."""
    if type(provider).credential is Provider.credential:
        return lambda _call: provider.auth_headers(key)
    made: list[Auth] = []

    def headers(call: HttpCall) -> Headers:
        if not made:
            made.append(provider.credential(key, url))
        return made[0](call)

    return headers
