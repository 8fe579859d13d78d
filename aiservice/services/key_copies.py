"""Sealed copies of secrets that may be shown again, each to the one person who made it.

A copy is sealed twice: under a key that only this purpose has, and in an envelope of the vault that is bound to client,
key, secret and owner. It is never read on the way of a request. Where it is destroyed, nothing opens what is left.
"""

from collections.abc import Iterable

from aiservice.kit import crypto
from aiservice.kit.secret import Secret
from aiservice.services.envelopes import Binding, integrity_error
from aiservice.services.vault import Vault
from aiservice.store import keys as store
from aiservice.store.session import AsyncSession
from aiservice.tables import ClientKey, KeySecret

PURPOSE = "client_key_copy"


class KeyCopies:
    """Makes, opens and destroys copies in the caller's unit of work."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def make(self, session: AsyncSession, key: ClientKey, secret: KeySecret, text: Secret, owner_id: str) -> None:
        """Keeps `text`, the secret of `secret`, for `owner_id` alone.

        Raises:
            Overloaded: the vault is sealed.
        """
        secret.copy_owner_id = owner_id
        binding = _binding(key, secret)
        inner = crypto.seal(self._key(), text.reveal(), _inner_aad(binding))
        await self._vault.seal(session, secret=Secret(inner), **binding)

    async def open(self, session: AsyncSession, key: ClientKey, secret: KeySecret) -> Secret:
        """The text of a secret that has a copy.

        Raises:
            Overloaded: the vault is sealed, or the copy is missing or was made for something else.
        """
        binding = _binding(key, secret)
        inner = await self._vault.unseal(session, **binding)
        try:
            return Secret(crypto.unseal(self._key(), inner.reveal(), _inner_aad(binding)))
        except crypto.BadEnvelope:
            raise integrity_error() from None

    async def destroy(self, session: AsyncSession, secrets: Iterable[KeySecret]) -> None:
        """Destroys the copies of `secrets`, where there are any."""
        for secret in secrets:
            if secret.copy_owner_id is not None:
                secret.copy_owner_id = None
                await self._vault.discard(session, PURPOSE, secret.public_id)

    async def destroy_ended(self, session: AsyncSession, now_us: int, *, all_of_them: bool) -> int:
        """Destroys the copies of secrets that are over, or all; returns how many."""
        secrets = await store.secrets_with_copy(session, None if all_of_them else now_us)
        await self.destroy(session, secrets)
        return len(secrets)

    def _key(self) -> bytes:
        return self._vault.derive(b"copies of client keys v1")


def _binding(key: ClientKey, secret: KeySecret) -> Binding:
    return Binding(
        purpose=PURPOSE,
        row_id=secret.public_id,
        owner=secret.copy_owner_id or "",
        provider=key.client_id,
        base_url=key.id,
        revision=1,
    )


def _inner_aad(binding: Binding) -> bytes:
    fields: dict[str, str | int] = {"row": binding["row_id"], "owner": binding["owner"], "key": binding["base_url"]}
    return crypto.bind(PURPOSE, fields)
