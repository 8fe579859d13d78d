"""Copies of open pages' state, by which a page goes on in another worker. Sealed, since whoever could write one would
run code in the portal: what Reflex keeps of a state is a pickle.

Fails open: a copy that is not there, or does not open, is none, and the page begins anew.
"""

from aiservice.kit import crypto
from aiservice.store.shared import Shared

_TTL_SECONDS = 3600


class PageCopies:
    """Copies by page, which is Reflex's client token: already a hash of the tab's and its session."""

    def __init__(self, shared: Shared, key: bytes) -> None:
        self._shared = shared
        self._key = key

    async def put(self, page: str, copy: bytes) -> bool:
        """Keeps a copy in place of an older one; whether that was done."""
        return await self._shared.put(f"page:{page}", crypto.seal(self._key, copy, _aad(page)), _TTL_SECONDS)

    async def get(self, page: str) -> bytes | None:
        """The newest copy; None where there is none that is ours and this page's."""
        sealed = await self._shared.get(f"page:{page}")
        if sealed is None:
            return None
        try:
            return crypto.unseal(self._key, sealed, _aad(page))
        except crypto.BadEnvelope:
            return None


def _aad(page: str) -> bytes:
    return crypto.bind("copy of a page's state", {"page": page})
