"""Errors of the management API: problem details (RFC 9457), with our code, the request id, and every field at fault."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import orjson

from aiservice.errors import BrokerError, InvalidRequest, Unprocessable
from aiservice.gateway.respond import Header

MEDIA_TYPE = "application/problem+json"
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # RFC 9110's words, which older Pythons lack
Fault = Mapping[str, str]


class InvalidBody(Unprocessable):
    """A body of which fields are at fault: each is named."""

    default_code = "validation_failed"

    def __init__(self, faults: Sequence[Fault]) -> None:
        first, more = faults[0], len(faults) - 1
        also = f" {more} more in `errors`." if more else ""
        super().__init__(f"{first['pointer']}: {first['detail']}{also}")
        self.faults = faults


class InvalidQuery(InvalidRequest):
    """A query of which parameters are at fault: each is named."""

    default_code = "invalid_parameter"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"'{faults[0]['parameter']}': {faults[0]['detail']}")
        self.faults = faults


class PreconditionFailed(BrokerError):
    """What was to be changed is not what its changer had seen."""

    status: ClassVar[int] = 412
    type: ClassVar[str] = "conflict_error"
    default_code = "precondition_failed"
    default_message = (
        "It has changed since you read it: If-Match names another version. Nothing was done. Read it again."
    )


def problem(error: BrokerError, request_id: str, path: str, base_url: str, fields: Iterable[str] = ()) -> bytes:
    """The document. `fields` are those of the body: what a service names is pointed at where it is one of them."""
    told: dict[str, Any] = {
        "type": f"{base_url}/docs/errors/{error.code}",
        "title": title_of(error.status),
        "status": error.status,
        "detail": error.message,
        "instance": path,
        "code": error.code,
        "request_id": request_id,
    }
    faults: Sequence[Fault] = getattr(error, "faults", ())
    if not faults and error.param:
        is_field = error.param.split(".")[0] in set(fields)
        where = {"pointer": f"#/{error.param.replace('.', '/')}"} if is_field else {"parameter": error.param}
        faults = [{**where, "code": error.code, "detail": error.message}]
    if faults:
        told["errors"] = list(faults)
    if error.retry_after is not None:
        told["retry_after"] = error.retry_after
    return orjson.dumps(told)


def headers_of(error: BrokerError, request_id: str) -> list[Header]:
    """What the answer says in its headers."""
    headers: list[Header] = [(b"x-request-id", request_id.encode()), *error.headers]
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(error.retry_after + 0.499))))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="aiservice management"'))
    return headers


def title_of(status: int) -> str:
    return _TITLES.get(status) or HTTPStatus(status).phrase
