"""AWS Signature Version 4, made by botocore: nothing of it but `auth` and `awsrequest`, which ask nobody anything.

Imported late (it takes a tenth of a second): see `Provider.prepare`.
"""

import logging

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from aiservice.providers._bedrock.address import Place
from aiservice.providers._bedrock.keys import KeyPair
from aiservice.wire import HttpCall

# At level DEBUG it writes down what it signs, and with that a session's token.
logging.getLogger("botocore").setLevel(logging.WARNING)
_MADE = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


def signed_headers(pair: KeyPair, call: HttpCall, base_url: str, place: Place) -> tuple[tuple[str, str], ...]:
    """The headers that authenticate `call` now, to be sent within five minutes."""
    request = AWSRequest(call.method, base_url + call.path, dict(call.headers), call.body)
    SigV4Auth(pair, place.service, place.region).add_auth(request)
    return tuple((name.lower(), request.headers[name]) for name in _MADE if name in request.headers)
