"""Whether a port is free, and whether a server of ours is ready behind it."""

import errno
import http.client
import socket
import ssl

DEFAULT_HOST = "0.0.0.0"  # noqa: S104 - as `reflex run --env prod`
DEFAULT_PORT = 8000
_TIMEOUT_SECONDS = 5.0


def obstacle(host: str, port: int) -> str | None:
    """Why a server cannot listen there; None where it can.

    Asked before Granian is: its sockets would share the port with any other Granian's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"Port {port} of {host} is in use."
            return f"This machine cannot listen at {host}, port {port} ({error.strerror or type(error).__name__})."
    return None


def readiness(host: str, port: int, *, is_tls: bool) -> int | None:
    """The status of `/readyz`; None where nothing answers HTTP."""
    connection: http.client.HTTPConnection
    if is_tls:
        # A certificate may name another host: this asks only whether the worker is up.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def shown_host(host: str) -> str:
    """The host as it stands in a URL that a person on this machine can open."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def asked_host(host: str) -> str:
    """Where a server that listens at `host` can be asked from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
