"""Whether a service has forgotten somebody, over HTTP: each says it of itself."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, Path, Response

from shared_runtime.auth import Caller, require
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.documents import answered
from shared_runtime.fields import IdStr
from shared_runtime.keys import KeyStore
from shared_runtime.problems import refusals
from shared_runtime.reading import answer
from shared_runtime.routers import Router
from shared_runtime.sealing import person

type WhoForgets = Annotated[Caller, Depends(require("PRIVACY", "AUDITOR"))]
type AccountKind = Annotated[
    Literal["BUYER", "SELLER"], Path(description="As what the person is known by this id.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenView:
    """`forgotten_at`: when the key of this person was destroyed here, with which all words of his
    were sealed; null while it has not been. Nobody opens them from then on.
    """

    account_kind: Literal["BUYER", "SELLER"]
    account_id: str
    forgotten_at: datetime | None


EXAMPLE = ForgottenView(
    account_kind="BUYER",
    account_id="B-42",
    forgotten_at=datetime(2026, 1, 15, 12, tzinfo=UTC),
)


def erasure_router(keys: KeyStore) -> Router:
    router = Router("/v1/erasures", tags=["privacy"])

    @router.get(
        "/{account_kind}/{account_id}",
        summary="Whether this service has forgotten somebody",
        description="For PRIVACY and AUDITOR. An erasure is asked for in reputation-service; each "
        "service destroys the person's key by itself, and says here when it has.",
        responses=refusals(RoleNotAllowed) | answered(ForgottenView, example=EXAMPLE),
    )
    async def get_forgotten(
        account_kind: AccountKind, account_id: IdStr, _: WhoForgets
    ) -> Response:
        whose = person("buyer" if account_kind == "BUYER" else "seller", account_id)
        return answer(
            ForgottenView(
                account_kind=account_kind,
                account_id=account_id,
                forgotten_at=await keys.destroyed_at(whose),
            )
        )

    return router
