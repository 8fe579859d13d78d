"""What the front changes of Reflex's answers, with a scripted ASGI app in Reflex's place."""

import base64
import hashlib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import orjson

from aiservice.portal.front import Front
from aiservice.portal.policy import BrowserPolicy
from aiservice.settings import Settings

PAGE = b"<!DOCTYPE html><script>ours()</script><script src='/a.js'></script>"


class Reflex:
    """Answers everything with one page and remembers what it was asked."""

    def __init__(self, content_type: str = "text/html; charset=utf-8", status: int = 200) -> None:
        self.scopes: list[MutableMapping[str, Any]] = []
        self._headers = [(b"content-type", content_type.encode()), (b"access-control-allow-credentials", b"true")]
        self._status = status

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": PAGE})


def front_of(reflex: Reflex, static_dir: Path = Path("/nowhere")) -> Front:
    return Front(reflex, policy=BrowserPolicy.of_build(static_dir), settings=Settings)


async def ask(front: Front, path: str, *, method: str = "GET", **scope: Any) -> tuple[int, dict[str, str], bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"broker.example:8000")]
    await front({"type": "http", "method": method, "path": path, "headers": headers, **scope}, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])


async def test_hashed_assets_are_kept_for_ever_and_pages_never() -> None:
    _, headers, _ = await ask(front_of(Reflex("text/javascript")), "/assets/root-abc.js")
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    _, headers, _ = await ask(front_of(Reflex()), "/keys")
    assert headers["cache-control"] == "no-store"


async def test_a_missing_asset_is_not_kept() -> None:
    _, headers, _ = await ask(front_of(Reflex(status=404)), "/assets/gone.js")
    assert headers["cache-control"] == "no-store"


async def test_a_page_is_asked_for_in_the_form_that_needs_no_redirect() -> None:
    reflex = Reflex()
    for path in ("/keys", "/keys/", "//keys", "/"):
        await ask(front_of(reflex), path)
    assert [scope["path"] for scope in reflex.scopes] == ["/keys/", "/keys/", "/keys/", "/"]


async def test_t52_every_answer_carries_the_browsers_policy() -> None:
    _, headers, _ = await ask(front_of(Reflex()), "/keys")
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert "script-src 'self';" in headers["content-security-policy"]
    assert not [name for name in headers if name.startswith("access-control-")]


async def test_t52_the_policy_names_the_inline_scripts_of_that_page_alone(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "index.html").write_bytes(PAGE)
    (tmp_path / "index.html").write_bytes(b"<script>other()</script>")
    _, keys, _ = await ask(front_of(Reflex(), tmp_path), "/keys")
    _, home, _ = await ask(front_of(Reflex(), tmp_path), "/")
    ours = base64.b64encode(hashlib.sha256(b"ours()").digest()).decode()
    assert keys["content-security-policy"].count("'sha256-") == 1
    assert f"'sha256-{ours}'" in keys["content-security-policy"]
    assert ours not in home["content-security-policy"]


async def test_the_policy_never_repeats_a_host_that_is_none() -> None:
    reflex = front_of(Reflex())
    _, headers, _ = await ask(reflex, "/", headers=[(b"host", b"x; script-src *")])
    assert "script-src *" not in headers["content-security-policy"]


async def test_hsts_and_the_opener_policy_are_sent_on_https_alone() -> None:
    _, plain, _ = await ask(front_of(Reflex()), "/")
    _, secure, _ = await ask(front_of(Reflex()), "/", scheme="https")
    assert not {"strict-transport-security", "cross-origin-opener-policy"} & plain.keys()
    assert secure["cross-origin-opener-policy"] == "same-origin"
    assert secure["strict-transport-security"] == "max-age=31536000"


async def test_an_api_path_that_falls_through_is_answered_in_json() -> None:
    reflex = Reflex()
    for path in ("/v1/nothing", "//v1/nothing", "/api/x", "/_upload", "/_all_routes", "/ai-service/x", "/_event"):
        status, headers, body = await ask(front_of(reflex), path)
        assert (status, headers["content-type"]) == (404, "application/json"), path
        assert orjson.loads(body)["error"]["request_id"] == headers["x-request-id"]
    assert reflex.scopes == []


async def test_pages_take_get_and_head_only() -> None:
    status, _, _ = await ask(front_of(Reflex()), "/keys", method="POST")
    assert status == 405
