"""`python -m tests.mock`: serves until SIGTERM or SIGINT; the first line printed is its address as JSON."""

import argparse
import asyncio
import json
import signal
import ssl
from pathlib import Path

import uvloop

from tests.mock.limits import Limits
from tests.mock.server import MockProvider


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mock", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--record", type=Path, help="file for the ground truth")
    parser.add_argument("--key", action="append", default=[], help="accepted key; may be repeated")
    parser.add_argument("--rpm", type=int, help="requests it allows in a minute")
    parser.add_argument("--tpm", type=int, help="prompt tokens it allows in a minute")
    parser.add_argument("--hide-limits", action="store_true", help="no header tells of them")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    tls = None
    if arguments.tls_cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keys = tuple(arguments.key)
    limits = Limits(arguments.rpm, arguments.tpm, is_hidden=arguments.hide_limits)
    async with MockProvider(port=arguments.port, record=arguments.record, keys=keys, tls=tls, limits=limits) as mock:
        print(json.dumps({"base_url": mock.base_url, "port": mock.port}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(_serve(_arguments()))
