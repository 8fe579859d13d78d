"""AWS's side of Signature Version 4, after its description alone (docs.aws.amazon.com, "sigv4-create-signed-request").

What was received is signed again with the secret; a path stands in it escaped once more than it was sent.
"""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote


def expected_authorization(
    line: tuple[str, str], headers: Mapping[str, str], body: bytes, pair: tuple[str, str], place: tuple[str, str]
) -> str:
    """The header `authorization` of a request; `line` is (method, target), `pair` (id, secret), `place` (region,
    service)."""
    (method, target), (access, secret) = line, pair
    given = headers["authorization"]
    signed = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    path, _, query = target.partition("?")
    canonical_query = "&".join(sorted(query.split("&"))) if query else ""
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    canonical = "\n".join(
        [method, quote(path, safe="/~"), canonical_query, lines, ";".join(signed), hashlib.sha256(body).hexdigest()]
    )
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/{place[0]}/{place[1]}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={';'.join(signed)}, Signature={signature}"
