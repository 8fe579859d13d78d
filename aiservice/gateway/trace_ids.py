"""The ids that others know a request by: its client's trace, and what the provider calls its own answer.

Found in the log by either (`services/request_log.py`), so that a trace or a vendor's support leads to the request.
"""

import re
from collections.abc import Iterable, Mapping

# W3C Trace Context, version 00 and those to come, which may go on behind the flags.
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_PLAIN = re.compile(r"[\x21-\x7e]{1,100}")


def trace_id_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The trace id of a request's `traceparent`; None without one, or where it is none: it is never refused."""
    for name, value in headers:
        if name == b"traceparent":
            found = _TRACEPARENT.fullmatch(value)
            return found[1].decode() if found else None
    return None


def upstream_id_in(headers: Mapping[str, str]) -> str | None:
    """What a provider calls its answer, in the header of OpenAI's wire or of Anthropic's."""
    found = headers.get("x-request-id") or headers.get("request-id")
    return found if found is not None and _PLAIN.fullmatch(found) else None
