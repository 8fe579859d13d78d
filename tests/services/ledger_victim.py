"""A worker that meters in a loop until it is killed: it says "i <id>" after an intent, "s <id>" after a settlement."""

import asyncio
import os
import sys
from pathlib import Path

from aiservice.kit.ids import new_id
from aiservice.services.ledger import Ledger
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.usage_rows import intent_of, row_of


async def main(data_dir: Path, database_url: str) -> None:
    settings = Settings(data_dir=data_dir, database_url=database_url)
    database = Database(settings.effective_database_url)
    ledger = Ledger(database, settings, segment_bytes=64 * 1024, reserve_bytes=1 << 16)
    await ledger.open()

    async def request() -> None:
        request_id = new_id("req")
        ledger.intend(intent_of(request_id))
        os.write(1, f"i {request_id}\n".encode())
        await asyncio.sleep(int.from_bytes(os.urandom(1), "big") / 20_000)
        ledger.settle(row_of(request_id, output_tokens=7))
        os.write(1, f"s {request_id}\n".encode())

    async def client() -> None:
        while True:
            await request()

    await asyncio.gather(*(client() for _ in range(50)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
