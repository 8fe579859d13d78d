"""Why a call to a provider failed, in vetted words: no key, no URL, no text of the provider's or of a library's.

Every foreign exception is mapped by a table of its transport into one of the failures named here.
"""

from typing import Final

from aiservice.wire import AttemptFailure, Blame


class UpstreamFailure(Exception):
    """One attempt failed. `failure` says how, for the ledger and for the decision to retry or fall back.

    Its text is the failure's code and nothing else, so that it may stand in any log.
    """

    def __init__(self, failure: AttemptFailure) -> None:
        super().__init__(failure.code)
        self.failure = failure

    @property
    def code(self) -> str:
        return self.failure.code


# code -> status the caller would see, whose turn it is, words.
_FAILURES: Final[dict[str, tuple[int, Blame, str]]] = {
    "upstream_connect_failed": (502, Blame.RETRY, "The provider could not be reached."),
    "upstream_connect_timeout": (504, Blame.RETRY, "The provider did not accept a connection in time."),
    "upstream_dns_failed": (502, Blame.FAILOVER, "The provider's host name could not be resolved."),
    "upstream_address_refused": (
        502,
        Blame.FAILOVER,
        "The provider's address is not one this connection may use. An admin can allow private addresses for it.",
    ),
    "upstream_tls_failed": (502, Blame.FAILOVER, "The provider's certificate or TLS version was not accepted."),
    "upstream_first_byte_timeout": (504, Blame.FAILOVER, "The provider did not begin to answer in time."),
    "upstream_idle_timeout": (504, Blame.FAILOVER, "The provider fell silent in the middle of its answer."),
    "upstream_total_timeout": (504, Blame.FAILOVER, "The provider did not finish its answer in time."),
    "upstream_no_progress": (504, Blame.FAILOVER, "The provider kept the connection open but sent nothing of use."),
    "upstream_stalled": (504, Blame.FAILOVER, "The provider did not begin to say something in time."),
    "upstream_too_slow": (
        504,
        Blame.FAILOVER,
        "The provider was giving its answer more slowly than the preferences allow ('fallback_below_throughput').",
    ),
    "upstream_silent": (504, Blame.FAILOVER, "The provider had stopped answering anybody."),
    "upstream_reset": (502, Blame.FAILOVER, "The connection to the provider was lost."),
    "upstream_bad_reply": (502, Blame.FAILOVER, "The provider's answer was not valid HTTP."),
    "upstream_redirected": (502, Blame.FAILOVER, "The provider answered with a redirect, which is never followed."),
    "upstream_encoded": (502, Blame.FAILOVER, "The provider sent a compressed answer that was not asked for."),
    "upstream_too_large": (502, Blame.FAILOVER, "The provider's answer was larger than allowed."),
    "upstream_credential_invalid": (
        502,
        Blame.FAILOVER,
        "The provider connection's credential cannot be sent. Set its key again.",
    ),
    "upstream_failed": (502, Blame.FAILOVER, "The call to the provider failed."),
}


def failed(code: str, *, upstream_status: int | None = None) -> UpstreamFailure:
    """The failure called `code`, one of the table above."""
    status, blame, message = _FAILURES[code]
    return UpstreamFailure(AttemptFailure(status, code, message, blame, upstream_status=upstream_status))
