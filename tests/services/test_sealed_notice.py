"""A sealed vault sends no alert; what the settings alone allow is a mail to the first admin."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from aiservice.kit.secret import Secret
from aiservice.kit.smtp_url import parse_smtp_url
from aiservice.services import sealed_notice
from aiservice.services.master_key import generate
from aiservice.services.opening import open_core
from aiservice.services.sealed_notice import tell_sealed
from aiservice.settings import Settings
from aiservice.upstream.mail import Mailer
from tests.harness.process import free_port
from tests.upstream.test_mail import Inbox


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    handler = Inbox()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield handler, controller.port
    controller.stop()


def mailed(settings: Settings, port: int) -> Settings:
    return replace(
        settings,
        smtp_url=parse_smtp_url(f"smtp://127.0.0.1:{port}"),
        mail_from="aiservice@example.org",
        admin_email="ada@example.org",
        admin_password=Secret("a long enough password"),
    )


@pytest.mark.sqlite_only("the key file is SQLite's")
async def test_servers_with_a_sealed_vault_write_one_mail_to_the_first_admin(
    installed: Settings, inbox: tuple[Inbox, int]
) -> None:
    async with open_core(installed):
        pass  # its key has sealed something
    (installed.data_dir / "master.key").unlink()
    generate(installed.data_dir / "master.key")
    for _ in range(2):
        async with open_core(mailed(installed, inbox[1]), is_serving=True) as core:
            assert core.vault.is_sealed
            [telling] = [task for task in asyncio.all_tasks() if task.get_name() == "sealed notice"]
            await telling
    [mail] = inbox[0].messages
    assert (mail["X-RcptTo"], mail["Subject"]) == ("ada@example.org", "[aiservice] Critical: the vault is sealed")


async def test_without_an_address_or_a_mail_server_nothing_is_sent_and_nothing_is_noted(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert await tell_sealed(settings, None, "why") is False
    assert list(tmp_path.iterdir()) == []


async def test_a_mail_server_that_is_away_is_tried_again_at_the_next_start(tmp_path: Path) -> None:
    settings = mailed(Settings(data_dir=tmp_path), free_port())
    assert settings.smtp_url is not None
    mail = Mailer(settings.smtp_url, "aiservice@example.org")
    assert await tell_sealed(settings, mail, "why") is False
    assert list(tmp_path.iterdir()) == []
    mail.close()


async def test_an_hour_later_it_is_said_again(tmp_path: Path, inbox: tuple[Inbox, int]) -> None:
    settings = mailed(Settings(data_dir=tmp_path), inbox[1])
    assert settings.smtp_url is not None
    mail = Mailer(settings.smtp_url, "aiservice@example.org")
    assert [await tell_sealed(settings, mail, "why") for _ in range(2)] == [True, False]
    [mark] = tmp_path.iterdir()
    before = mark.stat().st_mtime - sealed_notice.EVERY_SECONDS - 1
    os.utime(mark, (before, before))
    assert await tell_sealed(settings, mail, "why") is True
    mail.close()
