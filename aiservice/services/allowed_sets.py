"""What clients and teams may be allowed at most: shared connections that exist, and names of models."""

from aiservice.errors import Unprocessable
from aiservice.services.names import shown, suggestion
from aiservice.store import connections as connection_store
from aiservice.store.session import AsyncSession

MAX_ALLOWED = 200
_MAX_MODEL = 200


async def check_connections(session: AsyncSession, names: list[str] | None) -> None:
    """Raises `Unprocessable` where a name is no shared connection; None is all."""
    if names is None:
        return
    known = await connection_store.shared_names(session)
    for name in names:
        if name not in known:
            raise Unprocessable(
                f"There is no shared provider connection '{shown(name)}'.{suggestion(name, known)}",
                code="connection_not_found",
                param="connections",
            )


def clean_models(models: list[str] | None) -> list[str] | None:
    """Names of models, or None for all.

    Raises:
        Unprocessable: too many, or one that is no name.
    """
    if models is None:
        return None
    if len(models) > MAX_ALLOWED:
        raise Unprocessable(f"At most {MAX_ALLOWED} models can be listed.", code="too_many", param="models")
    for model in models:
        if not model or len(model) > _MAX_MODEL or not model.isprintable() or " " in model:
            raise Unprocessable(f"'{shown(model)}' is not a model's name.", code="invalid_model", param="models")
    return models
