"""Fills an installation's database with client keys, by the product's own rules but not one command each."""

import asyncio

from sqlmodel import insert

from aiservice.kit import keyformat
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.services.key_standing import key_digest
from aiservice.services.vault import Vault
from aiservice.settings import load_settings
from aiservice.store.session import Database
from aiservice.tables import ClientKey, KeySecret
from tests.harness.installation import Installation

_BATCH = 5_000


def seed_keys(installation: Installation, client: str, count: int) -> list[str]:
    """Adds `count` keys to `client`; gives their texts. No server may be running."""
    (row,) = installation.query("SELECT id FROM client WHERE name = ?", client)
    texts: list[str] = []
    while len(texts) < count:
        texts += asyncio.run(_add(installation, row["id"], min(_BATCH, count - len(texts))))
    return texts


async def _add(installation: Installation, client_id: str, count: int) -> list[str]:
    settings = load_settings(installation.env, dotenv=None)
    db = Database(settings.effective_database_url)
    vault = Vault(db, settings)
    await vault.open()
    pepper = vault.pepper(vault.pepper_version)
    minted = [keyformat.mint() for _ in range(count)]
    keys, secrets = [], []
    for number, one in enumerate(minted):
        keys.append({"id": new_id("key"), "client_id": client_id, "name": f"seeded {number}", "created_us": now_us()})
        digest = key_digest(pepper, one.text.reveal())
        secrets.append(
            {
                "public_id": one.public_id,
                "key_id": keys[-1]["id"],
                "digest": digest,
                "pepper_version": vault.pepper_version,
                "created_us": now_us(),
            }
        )
    async with db.write() as session:
        await session.execute(insert(ClientKey), keys)
        await session.execute(insert(KeySecret), secrets)
    await db.close()
    return [one.text.reveal_text() for one in minted]
