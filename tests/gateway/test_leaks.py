"""T-12: keys that a secret scanner found in public, reported in the form of GitHub's partner programme."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.scanner_keys import ScannerKeys
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import Settings, SettingsError
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import Gateway, portal
from tests.gateway.test_tokens import token_of

ROUTE = "/ai-service/leaked-keys"
URL = "https://github.example/octocat/repo/blob/main/.env"


@dataclass
class Scanner:
    """Has the private halves."""

    current: ec.EllipticCurvePrivateKey
    retired: ec.EllipticCurvePrivateKey

    def signature(self, body: bytes, *, retired: bool = False, algorithm: HashAlgorithm | None = None) -> str:
        key = self.retired if retired else self.current
        return base64.b64encode(key.sign(body, ec.ECDSA(algorithm or SHA256()))).decode()

    def published(self) -> str:
        def entry(name: str, key: ec.EllipticCurvePrivateKey, *, is_current: bool) -> dict[str, object]:
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            return {"key_identifier": name, "key": pem, "is_current": is_current}

        listed = [entry("now", self.current, is_current=True), entry("before", self.retired, is_current=False)]
        return json.dumps({"public_keys": listed})


@dataclass
class Reporting:
    gateway: Gateway
    scanner: Scanner

    async def report(self, *tokens: str, address: str = "192.0.2.50") -> Reply:
        return await self.send(body_of(*tokens), address=address)

    async def send(
        self, body: bytes, *, signature: str | None = None, identifier: str = "now", address: str = "192.0.2.50"
    ) -> Reply:
        headers = [
            (b"github-public-key-identifier", identifier.encode()),
            (b"github-public-key-signature", (signature or self.scanner.signature(body)).encode()),
        ]
        return await call(self.gateway.app, "POST", ROUTE, body=body, headers=headers, client=(address, 1))

    async def status(self, key: str) -> tuple[int, str]:
        reply = await self.gateway.get("/v1/models", key=key)
        return reply.status, "" if reply.status == 200 else reply.code


def body_of(*tokens: str) -> bytes:
    found = [{"token": token, "type": "aiservice_client_key", "url": URL, "source": "content"} for token in tokens]
    return json.dumps(found).encode()


@pytest.fixture(params=["revoke"])
async def reporting(request: pytest.FixtureRequest, installed: Settings, tmp_path: Path) -> AsyncIterator[Reporting]:
    scanner = Scanner(ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()))
    path = tmp_path / "scanner.json"
    path.write_text(scanner.published())
    policy: Literal["revoke", "notify"] = request.param
    settings = replace(installed, leak_scanner_keys=path, leaked_keys=policy)
    async with open_core(settings, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        made = await core.keys.create(OPERATOR, "app", "first")
        in_flight = InFlight()
        app = build_gateway(core, in_flight, portal, portal)
        yield Reporting(Gateway(app, core, in_flight, made.key.reveal_text()), scanner)


async def test_t12_a_leaked_key_is_refused_everywhere_told_and_labelled(reporting: Reporting) -> None:
    gateway, key = reporting.gateway, reporting.gateway.key
    token = await token_of(gateway)
    assert await reporting.status(key) == (200, "")
    other = await gateway.new_key()
    unknown = key[:22] + key[22:].swapcase()
    reply = await reporting.report(key, unknown, "ghp_whatever")
    assert reply.status == 200
    assert [one["label"] for one in reply.json()] == ["true_positive", "false_positive", "false_positive"]
    assert reply.json()[0]["token_hash"] == base64.b64encode(sha256(key.encode()).digest()).decode()
    assert reply.json()[0]["token_type"] == "aiservice_client_key"
    assert key.encode() not in reply.body
    assert [await reporting.status(one) for one in (key, token)] == [(401, "key_revoked")] * 2
    assert await reporting.status(other) == (200, "")
    shown = next(view for view in await gateway.core.keys.list(OPERATOR) if view.name == "first")
    assert (shown.state, shown.leaked_us is not None) == ("revoked", True)


async def test_t12_it_raises_one_alert_with_where_it_was_found_and_never_the_key(
    reporting: Reporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[Any, ...]] = []
    monkeypatch.setattr(type(reporting.gateway.core.alerts), "note", lambda self, *a, **k: said.append((a, k)))
    for _ in range(2):  # a report that comes again changes nothing
        assert (await reporting.report(reporting.gateway.key)).json()[0]["label"] == "true_positive"
    ((told, more),) = said
    assert told[0] == "key_leaked"
    assert more["evidence"]["url"] == URL
    assert more["client_id"] == (await reporting.gateway.core.clients.find(OPERATOR, "app")).id
    assert reporting.gateway.key not in repr(said)


@pytest.mark.parametrize("reporting", ["notify"], indirect=True)
async def test_t12_where_the_policy_is_to_notify_the_key_goes_on_and_people_are_told(reporting: Reporting) -> None:
    assert (await reporting.report(reporting.gateway.key)).json()[0]["label"] == "true_positive"
    assert await reporting.status(reporting.gateway.key) == (200, "")
    (shown,) = await reporting.gateway.core.keys.list(OPERATOR)
    assert (shown.state, shown.leaked_us is not None) == ("active", True)
    await reporting.gateway.core.keys.roll(OPERATOR, shown.id, 0)
    assert [view.leaked_us for view in await reporting.gateway.core.keys.list(OPERATOR)] == [None]


async def test_t12_a_rolled_keys_old_secret_ends_and_its_new_one_goes_on(reporting: Reporting) -> None:
    (shown,) = await reporting.gateway.core.keys.list(OPERATOR)
    new = (await reporting.gateway.core.keys.roll(OPERATOR, shown.id)).key.reveal_text()
    assert (await reporting.report(reporting.gateway.key)).json()[0]["label"] == "true_positive"
    assert await reporting.status(reporting.gateway.key) == (401, "key_revoked")
    assert await reporting.status(new) == (200, "")


async def test_t12_a_decoy_found_in_public_is_told_and_goes_on_being_one(
    reporting: Reporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(type(reporting.gateway.core.alerts), "note", lambda self, *a, **k: said.append(a[2]))
    decoy = await reporting.gateway.new_key(is_decoy=True)
    assert (await reporting.report(decoy)).json()[0]["label"] == "true_positive"
    assert ["It is a decoy" in words for words in said] == [True]
    assert await reporting.status(decoy) == (401, "invalid_api_key")
    assert "The decoy key" in said[-1]


def _flipped(reporting: Reporting, body: bytes) -> str:
    raw = bytearray(base64.b64decode(reporting.scanner.signature(body)))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()


Forge = Callable[[Reporting, bytes], dict[str, Any]]
FORGERIES: dict[str, Forge] = {
    "a signature of another body": lambda r, body: {"signature": r.scanner.signature(body_of("other"))},
    "a body changed after it was signed": lambda r, body: {"signature": r.scanner.signature(body + b" ")},
    "a bit flipped": lambda r, body: {"signature": _flipped(r, body)},
    "a key that is retired": lambda r, body: {
        "signature": r.scanner.signature(body, retired=True),
        "identifier": "before",
    },
    "the retired key under the current name": lambda r, body: {"signature": r.scanner.signature(body, retired=True)},
    "a key that is unknown": lambda r, body: {"identifier": "e24c98d0fb"},
    "an identifier that walks": lambda r, body: {"identifier": "../now"},
    "a URL as identifier": lambda r, body: {"identifier": "https://evil.example/key"},
    "another hash": lambda r, body: {"signature": r.scanner.signature(body, algorithm=SHA384())},
    "no base64": lambda r, body: {"signature": "!!!"},
    "raw r and s": lambda r, body: {"signature": base64.b64encode(bytes(64)).decode()},
    "a signature without end": lambda r, body: {"signature": "A" * 4_000},
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_t12_a_report_that_the_scanner_did_not_sign_changes_nothing(reporting: Reporting, name: str) -> None:
    body = body_of(reporting.gateway.key)
    reply = await reporting.send(body, **FORGERIES[name](reporting, body))
    assert (reply.status, reply.code) == (401, "bad_signature")
    assert await reporting.status(reporting.gateway.key) == (200, "")
    (shown,) = await reporting.gateway.core.keys.list(OPERATOR)
    assert (shown.state, shown.leaked_us) == ("active", None)


async def test_t12_without_or_with_two_signatures_nothing_is_read(reporting: Reporting) -> None:
    body = body_of(reporting.gateway.key)
    name, good = b"github-public-key-signature", reporting.scanner.signature(body).encode()
    identifier = (b"github-public-key-identifier", b"now")
    for headers in ([], [identifier], [(name, good)], [identifier, (name, good), (name, b"x")]):
        reply = await call(reporting.gateway.app, "POST", ROUTE, body=body, headers=headers)
        assert (reply.status, reply.code) == (401, "bad_signature")
    assert await reporting.status(reporting.gateway.key) == (200, "")


async def test_t11_whoever_forges_reports_is_slowed_down(reporting: Reporting) -> None:
    body = body_of("x")
    statuses = [(await reporting.send(body, signature="AA", address="203.0.113.4")).status for _ in range(25)]
    assert (statuses[:20], statuses[-1]) == ([401] * 20, 429)
    assert (await reporting.report("x")).status == 200


@pytest.mark.parametrize("body", [b"{", b"{}", b'["x"]', b'[{"token": 5}]', b"[" + b'{"token": "x"},' * 1000 + b"{}]"])
async def test_a_signed_body_that_is_no_list_of_reports_is_a_400(reporting: Reporting, body: bytes) -> None:
    assert (await reporting.send(body)).status == 400


async def test_without_a_scanner_there_is_no_such_route(sandboxed: Gateway) -> None:
    reply = await call(sandboxed.app, "POST", ROUTE, body=b"[]")
    assert (reply.status, reply.code) == (404, "no_scanner")


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"public_keys": []}', '{"public_keys": [{"key_identifier": "a", "key": "b", "is_current": true}]}'],
)
async def test_a_file_that_holds_no_keys_stops_the_start(installed: Settings, tmp_path: Path, text: str) -> None:
    (tmp_path / "scanner.json").write_text(text)
    with pytest.raises(SettingsError, match="LEAK_SCANNER_KEYS"):
        async with open_core(replace(installed, leak_scanner_keys=tmp_path / "scanner.json")):
            pass


def test_only_keys_on_p256_are_taken() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    listed = {"public_keys": [{"key_identifier": "a", "key": pem, "is_current": True}]}
    with pytest.raises(ValueError, match="P-256"):
        ScannerKeys.read(json.dumps(listed).encode())


async def test_a_leaked_keys_answers_under_way_are_cut(reporting: Reporting) -> None:
    gateway = reporting.gateway
    stopped: list[str] = []
    principal = gateway.core.keys.cached(gateway.key.encode())
    if principal is None:
        await reporting.status(gateway.key)
        principal = gateway.core.keys.cached(gateway.key.encode())
    assert principal is not None
    gateway.in_flight.add("req_1", principal, lambda error: stopped.append(error.code))
    await reporting.report(gateway.key)
    await asyncio.sleep(0)
    assert stopped == ["key_revoked"]
