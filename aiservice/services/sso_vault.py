"""The client secret of an OpenID provider: how it is bound in the vault, and what one may look like."""

import re

from aiservice.errors import Unprocessable
from aiservice.kit.secret import Secret
from aiservice.services.envelopes import Binding
from aiservice.tables import SsoProvider

_SECRET = re.compile(rb"[\x21-\x7e]{1,4096}")


def binding(row: SsoProvider) -> Binding:
    """A secret opens for the issuer and the client id that it was given for, and no other."""
    return Binding(
        purpose="sso client secret", row_id=row.id, owner="", provider=row.client_id, base_url=row.issuer, revision=1
    )


def clean_secret(secret: Secret) -> Secret:
    """Without the white space around it. Raises: Unprocessable: it can be none (`invalid_secret`)."""
    text = secret.reveal().strip()
    if not _SECRET.fullmatch(text):
        message = "The client secret is 1 to 4,096 characters of plain ASCII without spaces. Copy it again."
        raise Unprocessable(message, code="invalid_secret", param="secret")
    return Secret(text)
