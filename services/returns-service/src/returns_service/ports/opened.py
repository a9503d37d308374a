"""Settings in, a line to each company out."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from returns_service.ports.carrier import CarrierPort
from returns_service.ports.line import line_to
from returns_service.ports.payment import PaymentPort
from returns_service.ports.settings import LOCAL_KEY, PortSettings, told
from returns_service.ports.stock import StockPort


def payment_port(settings: PortSettings) -> PaymentPort:
    key = told(settings.payment_key, LOCAL_KEY)
    return PaymentPort(line_to(settings.payment_url, key, seconds=settings.port_seconds))


def carrier_port(settings: PortSettings) -> CarrierPort:
    key = told(settings.carrier_key, LOCAL_KEY)
    return CarrierPort(line_to(settings.carrier_url, key, seconds=settings.port_seconds))


def stock_port(settings: PortSettings) -> StockPort:
    key = told(settings.stock_key, LOCAL_KEY)
    return StockPort(line_to(settings.stock_url, key, seconds=settings.port_seconds))


class Closes(Protocol):
    async def close(self) -> None: ...


class Loop(Protocol):
    async def run(self, stop: asyncio.Event, /) -> None: ...


async def with_line[P: Closes](
    open_port: Callable[[], P], loop_on: Callable[[P], Loop], stop: asyncio.Event
) -> None:
    """Runs a loop, with a line to a company that lives as long as it does."""
    port = open_port()
    try:
        await loop_on(port).run(stop)
    finally:
        await port.close()
