"""Kafka behind TLS: who may speak to it, who is believed, and what a renewed certificate does."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import get_args

import asyncpg
import pytest
import uvloop
from aiokafka.errors import KafkaError
from cryptography import x509
from local_stack import certificates
from local_stack.errors import MissingTools
from local_stack.secured import PASSWORD, USERNAME, SecuredKafka, secured_kafka
from local_stack.topics import create_topics
from shared_events.orders import OrderPaid
from shared_events.partition import partition_of
from shared_runtime.brokers import (
    Account,
    Brokers,
    Certificates,
    Mechanism,
    RenewedContext,
    client_of,
)
from shared_runtime.delivery import Cursor, Delivery, TakenOver
from shared_runtime.lineage import ends_of
from shared_runtime.log import PostgresLog
from shared_runtime.relay import Relay, relay_subscription
from shared_runtime.sources import KafkaLog, OwnLog
from shared_runtime.subscription import Runner
from shared_runtime.testing import ManualClock, facts


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredKafka]:
    try:
        with secured_kafka() as started:
            yield started
    except MissingTools as why:
        pytest.skip(str(why))


def by_password(
    secured: SecuredKafka, mechanism: Mechanism = "SCRAM-SHA-512", password: str = PASSWORD
) -> Brokers:
    return Brokers(
        addresses=secured.by_password,
        security="SASL_SSL",
        certificates=Certificates(authority=secured.authority.certificate),
        account=Account(mechanism=mechanism, username=USERNAME, password=password),
    )


@pytest.fixture(params=["certificate", *get_args(Mechanism.__value__)])
def known(request: pytest.FixtureRequest, secured: SecuredKafka) -> Brokers:
    """The brokers, to whom we are known by this."""
    if request.param == "certificate":
        return brokers_of(secured, files_of(secured.authority, USERNAME))
    return by_password(secured, request.param)


def brokers_of(secured: SecuredKafka, files: Certificates) -> Brokers:
    return Brokers(addresses=secured.address, security="SSL", certificates=files)


def files_of(authority: certificates.Authority, name: str) -> Certificates:
    certificate, key = authority.issue(name)
    return Certificates(authority=authority.certificate, certificate=certificate, key=key)


async def test_events_go_out_and_come_in_over_tls(
    *, secured: SecuredKafka, known: Brokers, pool: asyncpg.Pool, topic: str, clock: ManualClock
) -> None:
    create_topics(secured.plain, [topic])
    log = PostgresLog(pool, source="/test", now=clock, topic_of=lambda _: topic)
    paid = OrderPaid(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        paid_at=clock(),
        payment_ref="P1",
    )
    await log.append(facts("order-O1", paid, at=clock()))
    relay = Relay(known)
    place = (topic, partition_of("S1"))
    runner = Runner(
        subscription=relay_subscription(relay, (topic,)),
        source=OwnLog(pool, (topic,)),
        pool=pool,
    )
    await runner.start()
    await runner.turn()
    await relay.close()
    assert (await ends_of(known, [place]))[place].position == 1
    source = KafkaLog(known, "review-service.elsewhere", (topic,))
    try:
        async with asyncio.timeout(20):
            while not (found := await read(source)):
                pass
    finally:
        await source.close()
    assert [(told.place, told.position) for told in found] == [(place, 1)]


async def read(source: KafkaLog) -> list[Delivery]:
    await source.rewind({place: Cursor() for place in await source.places()})
    with suppress(TakenOver):  # until the group has given it the partitions
        return await source.take({})
    return []


@pytest.mark.parametrize("shown", ["nothing", "of a stranger"])
async def test_a_broker_hears_nobody_whom_it_does_not_know(
    secured: SecuredKafka, shown: str
) -> None:
    stranger = certificates.authority(secured.authority.folder, "stranger")
    certificate, key = (None, None) if shown == "nothing" else stranger.issue("impostor")
    files = Certificates(authority=secured.authority.certificate, certificate=certificate, key=key)
    with pytest.raises((KafkaError, OSError, TimeoutError)):
        await ends_of(brokers_of(secured, files), [("orders.events", 0)])


async def test_a_broker_hears_nobody_with_another_password(secured: SecuredKafka) -> None:
    with pytest.raises(KafkaError):
        await ends_of(by_password(secured, password=PASSWORD[1:]), [("orders.events", 0)])


async def test_a_broker_that_nobody_vouches_for_is_told_nothing(secured: SecuredKafka) -> None:
    stranger = certificates.authority(secured.authority.folder, "stranger")
    files = files_of(stranger, "review-service")
    with pytest.raises((KafkaError, OSError, TimeoutError)):
        await ends_of(brokers_of(secured, files), [("orders.events", 0)])


async def shown_to(context: ssl.SSLContext, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    await reader.read()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_certificate_that_was_renewed_is_shown_at_the_next_connection(
    tmp_path: Path, loop: object
) -> None:
    ours = certificates.authority(tmp_path)
    files = files_of(ours, "review-service")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_verify_locations(ours.certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(*ours.issue("broker"))
    context = RenewedContext.of(files)
    told = ssl_of(client_of(Brokers(addresses="x:1", security="SSL", certificates=files)))
    assert told.verify_mode == ssl.CERT_REQUIRED
    assert told.check_hostname

    async def serials() -> list[int]:
        seen: list[int] = []

        async def hear(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tls = writer.get_extra_info("ssl_object")
            seen.append(x509.load_der_x509_certificate(tls.getpeercert(True)).serial_number)
            writer.close()

        listening = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=server)
        port = listening.sockets[0].getsockname()[1]
        await shown_to(context, port)
        ours.issue("review-service")
        await shown_to(context, port)
        assert files.certificate is not None
        files.certificate.write_text("-----BEGIN CERT")  # half written
        await shown_to(context, port)
        listening.close()
        await listening.wait_closed()
        return seen

    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        first, second, third = runner.run(serials())
    assert first != second == third


def ssl_of(told: dict[str, object]) -> ssl.SSLContext:
    context = told["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    return context
