"""Event type in, its schema, topic and key out; the bytes of `data` in, an event out.

Writers are strict: what is encoded is decoded again, and must be the same event. Readers ignore
what they do not know. A version that has been replaced is brought up to the newest by pure
upcasters, below every reader.

An event goes to the topic of its stream: `DecisionOverdue` and `StatementOfReasonsIssued` are on
several.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from shared_events import dispute, orders, reputation, returns, review, score_policies
from shared_events.fields import Instant

UNREADABLE = (RecursionError, UnicodeDecodeError)
"""What msgspec raises, besides its own errors, for bytes that are too deeply nested or no UTF-8."""

type Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""The fields of one version in, those of the next out. Its `type` is put in afterwards."""


class UnknownEventType(Exception):  # noqa: N818 - the name says what was met
    """This release does not know the event type."""


class Family(NamedTuple):
    """The events of one kind of stream: a union or the only one; the topic that has them; how the
    streams are named.
    """

    union: Any  # a type alias has no type
    topic: str
    streams: tuple[str, ...]

    @property
    def events(self) -> Iterable[type[Struct]]:
        told = self.union.__value__
        return get_args(told) or (told,)


FAMILIES = (
    Family(orders.OrderEvent, orders.TOPIC, ("order-<order_id>",)),
    Family(review.EvaluationEvent, review.TOPIC, ("evaluation-<order_id>",)),
    Family(dispute.InquiryEvent, dispute.TOPIC, ("inquiry-<inquiry_id>",)),
    Family(dispute.DisputeEvent, dispute.TOPIC, ("dispute-<dispute_id>",)),
    Family(returns.ReturnEvent, returns.TOPIC, ("return-<return_id>",)),
    Family(returns.RefundEvent, returns.TOPIC, ("refunds-<order_id>",)),
    Family(returns.PolicyEvent, returns.TOPIC, (returns.POLICY_STREAM,)),
    Family(reputation.AccountEvent, reputation.TOPIC, ("seller-<seller_id>", "buyer-<buyer_id>")),
    Family(reputation.CaseEvent, reputation.TOPIC, ("case-<case_id>",)),
    Family(score_policies.ScorePolicyEvent, reputation.TOPIC, ("policies-score",)),
)


def _tag(event_type: type[Struct]) -> str:
    tag = event_type.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def _instants(event_type: type[Struct]) -> tuple[str, ...]:
    return tuple(
        each.name for each in fields(event_type) if Instant in (each.type, *get_args(each.type))
    )


TYPE_OF: dict[str, type[Struct]] = {
    _tag(event_type): event_type for family in FAMILIES for event_type in family.events
}
TOPIC_OF: dict[str, str] = {
    stream.partition("-")[0]: family.topic for family in FAMILIES for stream in family.streams
}
"""The topic of a stream, by what its name begins with."""
# A replaced version -> the function that makes its data the next version's.
UPCASTERS: dict[str, Upcaster] = {}
NAMES = frozenset(tag.partition(".")[0] for tag in (*TYPE_OF, *UPCASTERS))
"""The names of all event types that this release knows, in whatever version."""

_encode = msgspec.json.Encoder().encode
_decoders = {tag: msgspec.json.Decoder(event_type).decode for tag, event_type in TYPE_OF.items()}
# By type, because a struct makes its configuration anew each time that it is asked for it.
_tags = {event_type: tag for tag, event_type in TYPE_OF.items()}
_instants_of = {event_type: _instants(event_type) for event_type in TYPE_OF.values()}
_keys: dict[type[Struct], str] = {
    event_type: key for event_type in TYPE_OF.values() if (key := getattr(event_type, "KEY", ""))
}
_of_either = {each for each in TYPE_OF.values() if "account_kind" in each.__struct_fields__}


def tag_of(event: Struct) -> str:
    """Name and version of an event's type: `ReviewSubmitted.v1`."""
    return _tags[type(event)]


def name_of(event_type: type[Struct]) -> str:
    """Name of an event type without the version of its schema: `ReviewSubmitted`."""
    return _tag(event_type).partition(".")[0]


def topic_of(stream: str) -> str:
    """The topic that the events of a stream are published on."""
    return TOPIC_OF[stream.partition("-")[0]]


def key_of(event: Struct) -> str:
    """The account that the fact belongs to: the seller; the buyer for events of buyer accounts.

    What belongs to no account, such as facts about policies, has a key of its own.
    """
    kind, fact = type(event), cast("Any", event)
    if kind in _keys:
        return _keys[kind]
    of_buyer = kind in _of_either and fact.account_kind == "BUYER"
    key: str = fact.buyer_id if of_buyer else fact.seller_id
    return key


def encode_data(event: Struct) -> bytes:
    """The bytes of an event's own fields, instants in UTC.

    Raises msgspec.ValidationError if the event breaks its schema. Constructors do not check
    types: decoding again does, for a few microseconds. Comparing finds what a tolerant reader
    lets pass, such as a record with a field too many.
    """
    event = _in_utc(event)
    data = _encode(event)
    tag = _tags[type(event)]
    if _decoders[tag](data) != event:
        raise msgspec.ValidationError(f"{tag} would not be read as it was written")
    return data


def _in_utc(event: Struct) -> Struct:
    """Equal instants get equal bytes. A naive one stays as it is: the schema refuses it."""
    shifted: dict[str, datetime] = {}
    for name in _instants_of[type(event)]:
        at = getattr(event, name)
        zone = getattr(at, "tzinfo", None)
        if zone is not None and zone is not UTC:
            shifted[name] = at.astimezone(UTC)
    return replace(event, **shifted) if shifted else event


def decode_data(
    tag: str, data: bytes | msgspec.Raw, upcasters: Mapping[str, Upcaster] = UPCASTERS
) -> Struct:
    """The event of a type and its bytes, upcast to the newest version.

    Raises `UnknownEventType`, or msgspec.DecodeError if the data breaks the schema.
    """
    try:
        if decode := _decoders.get(tag):
            return decode(data)
        if tag not in upcasters:
            raise UnknownEventType(tag)
        newest, values = upcast(tag, msgspec.json.decode(data, type=dict[str, Any]), upcasters)
        return decode_data(newest, _encode(values), {})
    except UNREADABLE as error:
        raise msgspec.DecodeError(f"{tag}: {error}") from error


def upcast(
    tag: str, values: dict[str, Any], upcasters: Mapping[str, Upcaster] = UPCASTERS
) -> tuple[str, dict[str, Any]]:
    """A type and its fields, carried on from version to version as far as there are upcasters."""
    while change := upcasters.get(tag):
        name, _, version = tag.rpartition(".v")
        tag = f"{name}.v{int(version) + 1}"
        values = change(values) | {"type": tag}
    return tag, values
