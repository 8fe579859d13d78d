"""T-24: secrets are planted, everything is run at DEBUG with failures forced, and every trace is searched."""

import base64
import contextlib
import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.harness import CommandRefused, Installation, MockProcess
from tests.harness.canaries import Find, read_files, search
from tests.harness.evidence import Evidence
from tests.harness.load import chat
from tests.harness.process import ROOT

pytestmark = pytest.mark.process

# Characters that URL-encoding and JSON change are in every canary but the key, whose alphabet is fixed.
_PROVIDER_KEY = "sk-canary/provider+7Qm2XtLr9VbKs4NwZ8"
_PASSWORD = 'canary pass "word" Hj5TgRb8QzXw3'
_PROMPT = 'canary prompt "of" a person Ye6WkMf2PdLs9'
_FAILURES = (
    *("(status-400)", "(status-401)", "(status-403)", "(status-404)", "(status-429)", "(status-500)", "(status-503)"),
    *("(retry-after-1)", "(redirect-302)", "(echo-key)", "(html)", "(garble)", "(reset)", "(reset-after-2)"),
    *("(cut-after-2)", "(break-after-2)", "(no-done)", "(error-event)", "(bad-usage)", "(no-usage)"),
)


class _Visitor:
    """Sends requests and keeps every answer, head and body, for the search."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key
        self.answers: list[tuple[str, bytes]] = []

    def send(
        self, path: str, body: bytes | None = None, *, key: str | None = None, method: str | None = None, **headers: str
    ) -> int:
        sent = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if key != "":
            sent["authorization"] = f"Bearer {key or self.key}"
        request = urllib.request.Request(self.url + path, data=body, headers=sent, method=method)
        status, content = 0, b""
        with contextlib.suppress(OSError, ValueError):
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
                    status, content = answer.status, str(answer.headers).encode()
                    content += answer.read()
            except urllib.error.HTTPError as error:
                status, content = error.code, str(error.headers).encode() + error.read()
        self.answers.append((f"answer to {method or ''} {path} ({status})", content))
        return status

    def chat(self, text: str, *, is_stream: bool, path: str = "/v1/chat/completions") -> int:
        return self.send(path, json.dumps(chat(f"{_PROMPT} {text}", is_stream=is_stream)).encode())


def test_t24_no_trace_holds_a_planted_secret(tmp_path: Path, evidence: Evidence) -> None:
    with MockProcess(_folder(tmp_path / "outside")) as mock:
        installation = Installation(
            _folder(tmp_path / "installation"),
            # Failures of all kinds are asked for one after another: none may keep the next from the provider.
            {"AISERVICE_LOG_LEVEL": "DEBUG", "AISERVICE_LOG_FORMAT": "json", "AISERVICE_QUOTA_WAIT": "30"},
        )
        installation.add_admin("admin@example.test", _PASSWORD)
        key = installation.add_key()["key"]
        installation.add_mock(mock.base_url, key=_PROVIDER_KEY, models="mock-small,mock-embedding")
        with installation.server() as server:
            visitor = _Visitor(server.url, key)
            _visit(visitor, installation)
            server.terminate()
        with installation.server() as server:  # a start over what the first run left
            visitor.url = server.url
            assert visitor.chat("once more", is_stream=False) == 200
            server.kill()  # leaves the journal and the -wal file as they are
        canaries = {"provider key": _PROVIDER_KEY, "client key": key, "password": _PASSWORD, "prompt": _PROMPT}
        found = _sweep(canaries, installation, visitor)
        assert mock.counts()["calls"] > len(_FAILURES), "the failures were not forced"
    shown = [f"{find.canary} ({find.form}) in {find.place}" for find in found]
    evidence.note(answers=len(visitor.answers), files=len(list(installation.files())), found=shown)
    assert shown == []
    assert _planted_leaks_are_found(canaries, installation, visitor)


def test_t82_prompts_that_are_kept_for_replay_and_for_reading_are_found_nowhere(tmp_path: Path) -> None:
    with MockProcess(_folder(tmp_path / "outside")) as mock:
        installation = Installation(_folder(tmp_path / "installation"), {"AISERVICE_LOG_PAYLOADS": "on"})
        key = installation.add_key()["key"]
        installation.command("client", "payloads", "on", "test-client")
        installation.add_mock(mock.base_url, key=_PROVIDER_KEY, models="mock-small")
        with installation.server() as server:
            visitor = _Visitor(server.url, key)
            for is_stream in (False, True):
                body = json.dumps(chat(f"(echo) {_PROMPT}", is_stream=is_stream)).encode()
                for _ in range(2):
                    assert visitor.send("/v1/chat/completions", body, idempotency_key=f"of-{is_stream}") == 200
            assert b"idempotent-replayed: true" in visitor.answers[-1][1].lower()
            server.terminate()
        assert mock.counts()["calls"] - len([call for call in mock.served() if call.path.endswith("/models")]) == 2
    kept = installation.query("SELECT kind, count(*) AS bodies FROM sealed_body GROUP BY kind ORDER BY kind")
    assert kept == [{"kind": "payload", "bodies": 2}, {"kind": "replay", "bodies": 2}]
    assert list(search({"prompt": _PROMPT}, read_files(installation.files()))) == []


def _visit(visitor: _Visitor, installation: Installation) -> None:
    """Successes, forced failures of the provider, refused requests, and secrets in places they do not belong."""
    key = visitor.key
    for is_stream in (False, True):
        assert visitor.chat("(echo-nothing)", is_stream=is_stream) == 200
        for script in _FAILURES:
            visitor.chat(script, is_stream=is_stream)
    visitor.send("/v1/embeddings", json.dumps({"model": "mock-embedding", "input": _PROMPT}).encode())
    visitor.send("/ai-service", json.dumps({"task": "summarization", "input": _PROMPT}).encode())
    visitor.send("/v1/chat/completions", f'{{"messages": "{_PASSWORD[:12]}'.encode() + _PROMPT.encode())
    visitor.send("/v1/chat/completions", json.dumps({"messages": [{"role": 7, "content": _PROMPT}]}).encode())
    visitor.send("/v1/chat/completions", json.dumps({"task": _PROMPT, "api_key": _PROVIDER_KEY}).encode())
    visitor.send("/v1/models", key=key[:-1] + ("0" if key[-1] != "0" else "1"))
    for place in (f"/v1/models?key={key}", f"/v1/models/{key}", f"/{key}", f"/v1/models?api_key={key}#{key}"):
        visitor.send(place, key="")
    visitor.send("/v1/models", key="", cookie=f"key={key}; ais_sid={key}")
    visitor.send("/v1/models", key=key, x_api_key=_PROVIDER_KEY)
    # Right, wrong address, wrong origin, wrong password: as a form and as JSON.
    assert _sign_in(visitor, "admin@example.test", _PASSWORD) == 200
    for email, password in (("nobody@example.test", _PASSWORD), ("admin@example.test", _PASSWORD + "!")):
        assert _sign_in(visitor, email, password) == 401
    form = urllib.parse.urlencode({"email": "admin@example.test", "password": _PASSWORD}).encode()
    visitor.send("/auth/sign-in", form, key="", content_type="application/x-www-form-urlencoded")
    visitor.send("/auth/sign-in", form, key="", origin="https://evil.example")
    for path in ("/", "/metrics", "/openapi.json", "/readyz", "/healthz", "/v1/models", "/ai-service/tasks"):
        visitor.send(path)
    with contextlib.suppress(CommandRefused):
        installation.command("provider", "test", "mock")
    for command in (("provider", "list"), ("key", "list"), ("client", "list"), ("doctor",)):
        with contextlib.suppress(CommandRefused):
            visitor.answers.append((" ".join(command), json.dumps(installation.command(*command)).encode()))


def _sign_in(visitor: _Visitor, email: str, password: str) -> int:
    body = json.dumps({"email": email, "password": password}).encode()
    return visitor.send("/auth/sign-in", body, key="", origin=visitor.url)


def _sweep(canaries: dict[str, str], installation: Installation, visitor: _Visitor) -> list[Find]:
    states = ROOT / ".states"
    files = [*installation.files(), *(path for path in states.rglob("*") if path.is_file())]
    names = {path.name for path in files}
    assert "aiservice.sqlite" in names, names
    assert any(path.name.startswith("server-") and path.stat().st_size for path in files), "no log was written"
    # A path that was asked for may be repeated to the one who asked; anything else in an answer may not.
    answers = [answer for answer in visitor.answers if answer[1]]
    return list(search(canaries, [*read_files(files), *_without_own_prompt(answers)]))


def _without_own_prompt(answers: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(place.replace(_PROMPT, ""), content) for place, content in answers]


def _planted_leaks_are_found(canaries: dict[str, str], installation: Installation, visitor: _Visitor) -> bool:
    """Turns the sweep red in three ways: a log line, a base64 form in a binary file, a row of the database."""
    log = installation.folder / "server-planted.log"
    for content in (
        f'{{"level": "debug", "headers": "Bearer {canaries["client key"]}"}}'.encode(),
        b"\0\1" + base64.b64encode(b"password=" + _PASSWORD.encode()) + b"\xff",
        urllib.parse.quote(_PROVIDER_KEY).encode(),
    ):
        log.write_bytes(content)
        assert any(find.place == str(log) for find in _sweep(canaries, installation, visitor)), content
    log.unlink()
    shutil.copy(installation.database_path, log)
    with log.open("ab") as copy:
        copy.write(_PROMPT.encode())
    is_found = bool(_sweep(canaries, installation, visitor))
    log.unlink()
    return is_found


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
