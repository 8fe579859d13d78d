"""An app below a path of its own, whether the proxy takes the path off or not: what it points to is there too."""

from typing import Any

import pytest

from aiservice.kit.under_path import UnderPath


class App:
    """Answers with headers that point somewhere, and remembers the paths it was asked for."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.paths: list[str] = []
        self._headers = headers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope.get("path", ""))
        await send({"type": "http.response.start", "status": 302, "headers": list(self._headers)})


async def ask(app: App, path: str, kind: str = "http") -> list[tuple[bytes, bytes]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    await UnderPath("/ai", app)({"type": kind, "path": path, "raw_path": path.encode()}, receive, send)
    headers: list[tuple[bytes, bytes]] = sent[0]["headers"]
    return headers


@pytest.mark.parametrize(
    ("asked", "inside"),
    [("/ai/keys", "/keys"), ("/keys", "/keys"), ("/ai/", "/"), ("/aim/x", "/aim/x"), ("/ai/ai/x", "/ai/x")],
)
async def test_the_path_is_taken_off_where_it_is_there(asked: str, inside: str) -> None:
    app = App()
    await ask(app, asked)
    await ask(app, asked, "websocket")
    assert app.paths == [inside, inside]


async def test_the_path_alone_leads_to_its_root() -> None:
    app = App()
    assert (b"location", b"/ai/") in await ask(app, "/ai")
    assert app.paths == []


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        (b"location", b"/sign-in?next=/", b"/ai/sign-in?next=/"),
        (b"location", b"/ai/keys/", b"/ai/keys/"),
        (b"location", b"//evil.example/", b"//evil.example/"),
        (b"location", b"https://idp.example/", b"https://idp.example/"),
        (b"link", b'</docs/errors/x>; rel="help"', b'</ai/docs/errors/x>; rel="help"'),
        (b"content-type", b"/text", b"/text"),
    ],
)
async def test_what_an_answer_points_to_is_below_the_path(name: bytes, said: bytes, told: bytes) -> None:
    assert await ask(App((name, said)), "/ai/x") == [(name, told)]
