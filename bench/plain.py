"""The plain way to take orders, as most shops write it: FastAPI, SQLAlchemy, a row and a row of an
outbox in one transaction. What serving.py measures the product against; nobody consumes the outbox.

    python -m bench.plain DATABASE_URL JWKS_FILE PORT
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from local_stack.issuer import AUDIENCE, ISSUER
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import JSON, DateTime, String
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CLAIMS = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}
)


class Money(BaseModel):
    amount: int
    currency: str


class Line(BaseModel):
    line_id: str
    sku: str
    category: str
    quantity: int
    unit_price: Money


class NewOrder(BaseModel):
    order_id: str
    seller_id: str
    buyer_id: str
    marketplace_id: str
    country: str
    currency: str
    placed_at: AwareDatetime
    lines: list[Line]
    shipping: Money
    total: Money
    total_ref: Money
    withdrawal_right: bool


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    order_id: Mapped[str] = mapped_column(String, primary_key=True)
    seller_id: Mapped[str] = mapped_column(String, index=True)
    buyer_id: Mapped[str] = mapped_column(String, index=True)
    status: Mapped[str] = mapped_column(String)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Outbox(Base):
    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    topic: Mapped[str] = mapped_column(String)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def application(database_url: str, jwks: Path) -> FastAPI:
    engine = create_async_engine(database_url, pool_size=16)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    keys = KeySet.import_key_set(json.loads(jwks.read_text()))

    async def session() -> AsyncGenerator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    async def caller(
        given: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    ) -> dict[str, Any]:
        try:
            token = jwt.decode(given.credentials, keys, algorithms=["ES256"])
            CLAIMS.validate(token.claims)
        except JoseError as wrong:
            raise HTTPException(401) from wrong
        return token.claims

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with engine.begin() as db:
            await db.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/orders", status_code=201)
    async def place(
        order: NewOrder,
        session: Annotated[AsyncSession, Depends(session)],
        caller: Annotated[dict[str, Any], Depends(caller)],
    ) -> dict[str, str]:
        if "SYSTEM" not in caller["roles"]:
            raise HTTPException(403)
        now = datetime.now(UTC)
        body = order.model_dump(mode="json")
        session.add(
            Order(
                order_id=order.order_id,
                seller_id=order.seller_id,
                buyer_id=order.buyer_id,
                status="PLACED",
                body=body,
                created_at=now,
            )
        )
        session.add(Outbox(topic="orders", payload=body, created_at=now))
        await session.commit()
        return {"order_id": order.order_id}

    @app.get("/v1/orders/{order_id}")
    async def read(
        order_id: str,
        session: Annotated[AsyncSession, Depends(session)],
        caller: Annotated[dict[str, Any], Depends(caller)],
    ) -> dict[str, Any]:
        order = await session.get(Order, order_id)
        if order is None or ("SYSTEM" not in caller["roles"] and caller["sub"] != order.buyer_id):
            raise HTTPException(404)
        return {**order.body, "status": order.status, "created_at": order.created_at.isoformat()}

    return app


def main() -> None:
    database_url, jwks, port = sys.argv[1:]
    config = uvicorn.Config(
        application(database_url, Path(jwks)), port=int(port), access_log=False, log_level="warning"
    )
    asyncio.run(uvicorn.Server(config).serve(), loop_factory=config.get_loop_factory())


if __name__ == "__main__":
    main()
