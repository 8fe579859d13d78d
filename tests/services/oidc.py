"""A small OpenID provider on the loopback, with keys of its own: it signs what a test tells it to."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

CLIENT_ID, SECRET = "broker", "s3cr3t-of-the-client"
Json = dict[str, Any]


class _Any(JWSRegistry):
    """Signs with whatever it is told to, without a warning."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


ALL = _Any()


def forged_with_hmac(shared: bytes, claims: Json, **header: Any) -> str:
    """A token "signed" with text that everybody has, which is what a confused verifier would take."""
    parts = [json.dumps({"alg": "HS256", **header}).encode(), json.dumps(claims).encode()]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = hmac.digest(shared, text, "sha256")
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def new_key(kind: str, kid: str) -> Any:
    made: dict[str, Any] = {
        "RS256": lambda: RSAKey.generate_key(2048, {"kid": kid}),
        "ES256": lambda: ECKey.generate_key("P-256", {"kid": kid}),
        "EdDSA": lambda: OKPKey.generate_key("Ed25519", {"kid": kid}),
    }
    return made[kind]()


def public(key: Any, algorithm: str) -> Json:
    return {**key.as_dict(private=False), "alg": algorithm, "use": "sig"}


def signed(key: Any, algorithm: str, claims: Json, **header: Any) -> str:
    head = {"alg": algorithm, "kid": key.kid, **header}
    return jws.serialize_compact(
        {k: v for k, v in head.items() if v is not None}, json.dumps(claims), key, registry=ALL
    )


@dataclass
class Provider:
    """`who` are the claims of whoever signs in. The callables change what is said: a test's way to lie."""

    port: int = 0
    algorithm: str = "ES256"
    who: Json = field(default_factory=lambda: {"sub": "ada-1", "email": "ada@example.org", "email_verified": True})
    keys: list[tuple[str, Any]] = field(default_factory=list)
    codes: dict[str, Json] = field(default_factory=dict)
    twist_claims: Callable[[Json], Json] = lambda claims: claims
    twist_token: Callable[[str], str] = lambda token: token
    twist_metadata: Callable[[Json], Json] = lambda said: said
    answers: dict[str, Callable[[], Any]] = field(default_factory=dict)
    userinfo: Json | None = None
    asked: list[tuple[str, Json]] = field(default_factory=list)
    auth_seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rotate()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}/realm"

    def rotate(self) -> None:
        """Signs with a new key from now on, and publishes no other."""
        self.keys = [(self.algorithm, new_key(self.algorithm, secrets.token_hex(4)))]

    def count(self, path: str) -> int:
        return sum(1 for asked, _ in self.asked if asked == path)

    def metadata(self) -> Json:
        at = f"http://127.0.0.1:{self.port}"
        return self.twist_metadata(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{at}/authorize",
                "token_endpoint": f"{at}/token",
                "jwks_uri": f"{at}/keys",
                "userinfo_endpoint": f"{at}/userinfo",
                "end_session_endpoint": f"{at}/logout",
                "authorization_response_iss_parameter_supported": True,
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            }
        )

    def allow(self, location: str) -> dict[str, str]:
        """What the person does at the page of the provider that `location` leads to: the query they come back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def id_token(self, asked: Json) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": asked["client_id"], "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            "auth_time": now, **self.who,
        }  # fmt: skip
        algorithm, key = self.keys[0]
        return self.twist_token(signed(key, algorithm, self.twist_claims(claims)))

    def token(self, form: Json) -> tuple[int, Json]:
        """RFC 6749 §4.1.3 and RFC 7636 §4.6, as a real one does it: a code is good once."""
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "").encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "at-1", "token_type": "Bearer", "id_token": self.id_token(asked)}

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        path, _, query = target.partition("?")
        form = {name: values[0] for name, values in parse_qs(body.decode() or query).items()}
        self.asked.append((path, form))
        if path in self.answers:
            return self.answers[path]()
        if path == "/realm/.well-known/openid-configuration":
            return 200, self.metadata()
        if path == "/keys":
            return 200, {"keys": [public(key, algorithm) for algorithm, key in self.keys]}
        if path == "/token":
            self.auth_seen.append(headers.get("authorization", ""))
            return self.token(form)
        if path == "/userinfo" and self.userinfo is not None:
            return 200, self.userinfo
        if path == "/authorize":
            back = urlencode(self.allow(target))
            return 303, f"{form['redirect_uri']}?{back}"
        if path == "/logout":
            return 303, form["post_logout_redirect_uri"]
        return 404, {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                answer = self.answer(method, target, headers, body)
                if asyncio.iscoroutine(answer):
                    answer = await answer
                writer.write(_written(*answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()


def _written(status: int, said: Any) -> bytes:
    body = said if isinstance(said, bytes) else b"" if isinstance(said, str) else json.dumps(said).encode()
    where = f"location: {said}\r\n" if isinstance(said, str) else ""
    kind = "content-type: application/json\r\ncache-control: no-store\r\n"
    return f"HTTP/1.1 {status} X\r\n{where}{kind}content-length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def provider(**settings: Any) -> AsyncIterator[Provider]:
    """A provider that listens."""
    made = Provider(**settings)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
