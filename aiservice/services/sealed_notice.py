"""A mail when a server starts with a sealed vault. No alert can say so: their channels' secrets are in the vault, and a
database that is not opened by our master key is perhaps not ours. What is left are the settings: the mail server, and
the first admin's address. Once an hour and installation, however often its workers start.

Fails open: a server that cannot say it serves what it can, and its log and `/readyz` say it anyway.
"""

import asyncio
import logging
import time
from pathlib import Path

from aiservice.settings import Settings
from aiservice.upstream.mail import Mailer, MailFailed

EVERY_SECONDS = 3600.0
_MARK = "sealed.told"

log = logging.getLogger(__name__)


async def tell_sealed(settings: Settings, mail: Mailer | None, reason: str) -> bool:
    """Writes to `AISERVICE_ADMIN_EMAIL`, where it and a mail server are set; whether a mail went out."""
    if mail is None or settings.admin_email is None:
        return False
    if not await asyncio.to_thread(_take_turn, settings.data_dir / _MARK):
        return False
    text = (
        f"This server of aiservice runs, but its vault is sealed: {reason}\n\n"
        "Until that is put right no client key is accepted, no provider is called and no alert is sent.\n"
        f"Data folder: {settings.data_dir}\n"
    )
    try:
        await mail.send([settings.admin_email], "[aiservice] Critical: the vault is sealed", text)
    except MailFailed as error:
        log.warning("Nobody could be told by mail that the vault is sealed: %s", error)
        await asyncio.to_thread((settings.data_dir / _MARK).unlink, missing_ok=True)
        return False
    return True


def _take_turn(mark: Path) -> bool:
    """Whether this process is the one to say it: the mark of who said it last is an hour old, or there is none."""
    try:
        if time.time() - mark.stat().st_mtime < EVERY_SECONDS:
            return False
        mark.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    try:
        mark.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return False
    return True
