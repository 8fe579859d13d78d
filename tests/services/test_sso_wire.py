"""What is asked of a provider, and what is done about one that is slow, huge, elsewhere or not who it says."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiservice.errors import BrokerError, ProviderFailed
from aiservice.kit.secret import Secret
from aiservice.services import sso_wire
from aiservice.services.sso_wire import SsoWire, endpoint
from aiservice.settings import Deadlines
from aiservice.tables import SsoProvider
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport
from tests.services.oidc import CLIENT_ID, Provider, provider

DISCOVERY = "/realm/.well-known/openid-configuration"


@pytest.fixture
async def there() -> AsyncIterator[Provider]:
    async with provider() as listening:
        yield listening


@pytest.fixture
async def wire() -> AsyncIterator[SsoWire]:
    upstream = Upstream(SocketTransport())
    yield SsoWire(upstream)
    await upstream.close()


def row(there: Provider, **changes: Any) -> SsoProvider:
    terms = {"issuer": there.issuer, "client_id": CLIENT_ID, "is_private_allowed": True, "label": "Work", **changes}
    return SsoProvider(id="sso_1", name="work", scopes="openid", domains=[], created_us=1, **terms)


async def refused(asking: Any) -> ProviderFailed:
    with pytest.raises(ProviderFailed) as error:
        await asking
    return error.value


@pytest.mark.long
async def test_the_document_and_the_keys_are_read_once_an_hour(wire: SsoWire, there: Provider) -> None:
    for _ in range(3):
        assert (await wire.metadata(row(there))).names_issuer
        assert len(await wire.keys(row(there))) == 1
    assert (there.count(DISCOVERY), there.count("/keys")) == (1, 1)


async def test_a_document_of_another_issuer_is_refused(wire: SsoWire, there: Provider) -> None:
    there.twist_metadata = lambda said: {**said, "issuer": said["issuer"] + "/"}
    error = await refused(wire.metadata(row(there)))
    assert (error.code, "must be equal" in error.message) == ("sso_discovery_invalid", True)


@pytest.mark.long
@pytest.mark.parametrize(
    "lie",
    [
        {"token_endpoint": "http://169.254.169.254/latest"}, {"jwks_uri": "https://user:pw@id.example/keys"},
        {"jwks_uri": "file:///etc/passwd"}, {"authorization_endpoint": "javascript:alert(1)"}, {"jwks_uri": None},
        {"authorization_endpoint": "https://id.example/a#b"}, {"userinfo_endpoint": "http://0.0.0.0/"},
    ],
)  # fmt: skip
async def test_addresses_that_may_not_be_called_are_refused(
    wire: SsoWire, there: Provider, lie: dict[str, Any]
) -> None:
    there.twist_metadata = lambda said: {**said, **lie}
    assert (await refused(wire.metadata(row(there)))).code == "sso_discovery_invalid"


async def test_a_private_address_is_called_only_where_that_is_allowed(wire: SsoWire, there: Provider) -> None:
    assert (await refused(wire.metadata(row(there, is_private_allowed=False)))).code == "sso_discovery_invalid"
    assert there.asked == []


async def test_a_redirecting_document_is_not_followed(wire: SsoWire, there: Provider) -> None:
    there.answers[DISCOVERY] = lambda: (302, f"http://127.0.0.1:{there.port}/elsewhere")
    assert (await refused(wire.metadata(row(there)))).code == "sso_unreachable"
    assert there.count("/elsewhere") == 0


async def test_a_huge_document_is_not_read(wire: SsoWire, there: Provider) -> None:
    there.answers[DISCOVERY] = lambda: (200, b" " * (sso_wire.MAX_BYTES + 1))
    assert (await refused(wire.metadata(row(there)))).code == "sso_unreachable"


async def test_a_slow_document_is_not_waited_for(
    wire: SsoWire, there: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = Deadlines(connect=0.2, first_byte=0.2, idle=0.2, total=0.3, progress=0.3)
    monkeypatch.setattr(sso_wire, "_DEADLINES", quick)

    async def late() -> Any:
        await asyncio.sleep(5)
        return 200, {}

    there.answers[DISCOVERY] = late
    async with asyncio.timeout(3):
        assert (await refused(wire.metadata(row(there)))).code == "sso_unreachable"


@pytest.mark.long
@pytest.mark.parametrize("said", [b"", b"[]", b"{", b"\xff", b'{"issuer": ' + b"[" * 5000, b"<html>"])
async def test_what_is_no_document_is_said_to_be_none(wire: SsoWire, there: Provider, said: bytes) -> None:
    there.answers[DISCOVERY] = lambda: (200, said)
    assert (await refused(wire.metadata(row(there)))).code == "sso_discovery_invalid"


@pytest.mark.long
async def test_nobody_there_is_told_as_such(wire: SsoWire, there: Provider) -> None:
    nobody = row(there, issuer="http://127.0.0.1:9/realm")
    assert (await refused(wire.metadata(nobody))).code == "sso_unreachable"


@pytest.mark.long
@pytest.mark.parametrize(
    ("methods", "secret", "sent"),
    [
        (["client_secret_basic"], "secret+%", ("Basic ", {})),
        (["client_secret_post"], "s", ("", {"client_id": CLIENT_ID, "client_secret": "s"})),
        (None, "s", ("Basic ", {})),
        (["client_secret_basic"], None, ("", {"client_id": CLIENT_ID})),
    ],
)
async def test_the_client_proves_itself_as_the_provider_wants_it(
    wire: SsoWire, there: Provider, methods: list[str] | None, secret: str | None, sent: tuple[str, dict[str, str]]
) -> None:
    there.twist_metadata = lambda said: {**said, "token_endpoint_auth_methods_supported": methods}
    kept = None if secret is None else Secret(secret)
    exchange = sso_wire.Exchange("no code of theirs", "v", "n", "https://us.example/cb", kept)
    assert (await refused(wire.exchange(row(there), exchange))).code == "sso_token_refused"
    form = {name: value for name, value in there.asked[-1][1].items() if name.startswith("client")}
    assert (there.auth_seen[0][:6], form) == sent


@pytest.mark.long
@pytest.mark.parametrize(
    "url", ["", "//x", "https://", "ftp://x/", "https://x/../y", "https://x:0/", "https://exa mple/"]
)
def test_a_text_that_is_no_address_is_none(url: str) -> None:
    with pytest.raises(BrokerError):
        endpoint(url, is_private_allowed=True)


async def test_a_crowd_at_the_button_asks_a_provider_once(wire: SsoWire, there: Provider) -> None:
    await asyncio.gather(*(wire.metadata(row(there)) for _ in range(20)))
    assert there.count(DISCOVERY) == 1


async def test_a_provider_that_is_away_is_asked_again_after_five_seconds(wire: SsoWire, there: Provider) -> None:
    there.answers[DISCOVERY] = lambda: (500, {})
    for _ in range(5):
        await refused(wire.metadata(row(there)))
    assert there.count(DISCOVERY) == 1
    there.answers.clear()
    wire._clock = lambda: time.monotonic() + 6
    assert (await wire.metadata(row(there))).names_issuer
