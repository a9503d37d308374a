"""A command in, the body that asks for it out; a body in, what it says out.

A command is made of types with bounds and notes; the body has the same, as a client sends them:
lists for tuples, texts for sealed ones, ids for files, money with its currency, nothing that is
made here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import GenericAlias, NoneType
from typing import Annotated, Any, Protocol, cast, get_args, get_origin
from uuid import UUID, uuid5

import msgspec
from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields
from pydantic import AfterValidator, Field, create_model
from shared_events import fields as told
from shared_events.fields import Holds

from shared_runtime.decider import FieldError, InvalidValue
from shared_runtime.fields import Body, IdStr, Instant, Money, holding, readable
from shared_runtime.media import MediaFile
from shared_runtime.sealing import PersonKey
from shared_runtime.shape import File, Files, Made, Purpose, Words, unfolded

META_BOUNDS = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern", "description")
DIGESTS = "_sha256"
AMOUNT = "_minor"
CURRENCY = "currency"
AS_SENT: Mapping[object, object] = {
    told.Id: IdStr,
    told.Code: IdStr,
    told.Instant: Instant,
}
"""Types that clients are held to more strictly than readers of events."""


class Writer(Protocol):
    """Who writes, and for whom."""

    async def key(self, sealed_for: str, said: Mapping[str, object]) -> PersonKey | None:
        """With whose key a text is sealed; None if nothing is said to that one here."""
        ...

    async def files(self, ids: Sequence[str], purpose: Purpose) -> Sequence[MediaFile]:
        """The files of the sender with these ids. Raises `InvalidValue`."""
        ...


@cache  # who makes an application again, as each test does, gets the same models
def body_of(example: Struct, base: type[Body], without: frozenset[str]) -> type[Body]:
    """The model of what is left to say, with the example of it."""
    command = type(example)
    said = said_in(command, without)
    shown: dict[str, object] = msgspec.to_builtins(example)
    told = {
        name: field.examples[0] for name, field in base.model_fields.items() if field.examples
    } | {
        name: as_shown(each, value, shown)
        for name, each in said.items()
        if (value := shown.get(each.name)) is not None
    }
    return modelled(command, base, said, json_schema_extra={"examples": [told]})


def modelled(
    part: type[Struct], base: type[Body], said: Mapping[str, FieldInfo], **config: object
) -> type[Body]:
    kinds: dict[str, Any] = {name: (kind_of(each), default_of(each)) for name, each in said.items()}
    name, doc = f"{part.__name__}Body", part.__doc__
    return create_model(name, __base__=base, __doc__=doc, __cls_kwargs__=config, **kinds)


def said_in(command: type[Struct], without: frozenset[str]) -> dict[str, FieldInfo]:
    """What a client tells of a command, by the names that the body has: the field of it."""
    told = fields(command)
    unsaid = {*without, *(note.digest for each in told if isinstance(note := note_of(each), File))}
    if any(is_amount(each) for each in told):
        unsaid.add(CURRENCY)
    return {
        said_as(each): each
        for each in told
        if each.name not in unsaid and not each.name.endswith(DIGESTS) and made_by(each) is None
    }


def said_as(each: FieldInfo) -> str:
    """An amount and its currency are one thing to say; so is a text that several people get."""
    if is_amount(each):
        return each.name.removesuffix(AMOUNT)
    match note_of(each):
        case Words(said_as=str(name)):
            return name
        case _:
            return each.name


def is_amount(each: FieldInfo) -> bool:
    return each.name.endswith(AMOUNT)


def kind_of(each: FieldInfo) -> Any:  # noqa: ANN401 - annotations have no common type
    if is_amount(each):
        return Money | None if is_optional(each.type) else Money
    return plain(each.type)


def as_shown(each: FieldInfo, value: object, shown: Mapping[str, object]) -> object:
    return {"amount": value, "currency": shown[CURRENCY]} if is_amount(each) else value


def default_of(each: FieldInfo) -> Any:  # noqa: ANN401 - of any type
    if each.default_factory is not NODEFAULT:
        return Field(default_factory=each.default_factory)
    if each.default is NODEFAULT:
        return ...
    return as_json(each.default)


def plain(kind: Any) -> Any:  # noqa: ANN401 - annotations have no common type
    """The type of a field as a client sends it."""
    if kind in AS_SENT:
        return AS_SENT[kind]
    if is_optional(kind):
        (given,) = (each for each in get_args(kind) if each is not NoneType)
        return plain(given) | None
    bare, notes = unfolded(kind)
    marks = [mark for note in notes for mark in marks_of(note)]
    if get_origin(bare) is tuple:
        bare = GenericAlias(list, plain(get_args(bare)[0]))
    elif isinstance(bare, type) and issubclass(bare, Struct):
        bare = model_of(bare)
    elif not marks:
        return kind  # a name of its own stays one in the page
    return cast("Any", Annotated[bare, *marks] if marks else bare)


@cache
def model_of(part: type[Struct]) -> type[Body]:
    """A part of a body that is a record itself."""
    return modelled(part, Body, {each.name: each for each in fields(part)})


def is_optional(kind: Any) -> bool:  # noqa: ANN401
    return NoneType in get_args(kind)


def marks_of(note: object) -> list[object]:
    """A bound of the domain as the body has it."""
    match note:
        case Words(length_max=most):
            return [Field(min_length=1, max_length=most), AfterValidator(readable)]
        case Files(count_max=most):
            return [Field(max_length=most, description="Ids of files that you have uploaded.")]
        case File():
            return [Field(description="The id of a file that you have uploaded.")]
        case Holds():
            return [AfterValidator(holding(note))]
        case Meta():
            told = {name: getattr(note, name) for name in META_BOUNDS}
            return [Field(**{name: bound for name, bound in told.items() if bound is not None})]
        case _:
            return []


def as_json(value: Any) -> Any:  # noqa: ANN401 - of any type
    return [*cast("Sequence[Any]", value)] if isinstance(value, tuple) else value


def as_tuple(value: Any) -> Any:  # noqa: ANN401 - of any type
    return tuple(cast("Sequence[Any]", value)) if isinstance(value, list) else value


# --- From what a body says to a command


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The fields that a body gives a command, and the files that they name."""

    values: dict[str, object]
    files: Sequence[MediaFile]


async def words_of(body: Body, command: type[Struct], writer: Writer) -> Said:
    """What the body says, as the domain takes it. Keys are fetched where words are sealed."""
    sent = {name: getattr(body, name) for name in type(body).model_fields}
    values: dict[str, object] = {}
    files: list[MediaFile] = []
    for each in fields(command):
        value = sent.get(said_as(each))
        if value is None:
            continue
        match note_of(each):
            case Words(sealed_for=str(reader)):
                if key := await writer.key(reader, sent):
                    values[each.name] = key.unsealed(value)
            case Files(purpose=purpose) if value:
                clean = await clean_files(writer, value, purpose, said_as(each))
                key = await own_key(writer, sent)
                values[each.name] = tuple(key.unsealed(file.media_id) for file in clean)
                values[f"{each.name}{DIGESTS}"] = tuple(file.sha256 for file in clean)
                files += clean
            case File(purpose=purpose, digest=digest):
                (file,) = await clean_files(writer, [value], purpose, said_as(each), one=True)
                key = await own_key(writer, sent)
                values |= {each.name: key.unsealed(file.media_id), digest: file.sha256}
                files.append(file)
            case _ if isinstance(value, Money) and is_amount(each):
                values |= {each.name: value.amount, CURRENCY: value.currency}
            case _:
                values[each.name] = as_field(value, each.type)
    return Said(values=values, files=files)


async def clean_files(
    writer: Writer, ids: Sequence[str], purpose: Purpose, field: str, *, one: bool = False
) -> Sequence[MediaFile]:
    """Raises `InvalidValue` that names the field of the body, as `media` of the store or a place in
    it; `one`: it is no list.
    """
    try:
        return await writer.files(ids, purpose)
    except InvalidValue as refused:
        errors = [
            FieldError(
                field=field if one else field + error.field.removeprefix("media"),
                bound=error.bound,
            )
            for error in refused.errors
        ]
        raise InvalidValue(errors=errors) from refused


async def own_key(writer: Writer, sent: Mapping[str, object]) -> PersonKey:
    key = await writer.key("WRITER", sent)
    assert key is not None  # who uploads files writes
    return key


def note_of(each: FieldInfo) -> object:
    notes = unfolded(each.type)[1]
    return next((note for note in notes if isinstance(note, Words | Files | File)), None)


def as_field(value: Any, kind: Any) -> object:  # noqa: ANN401 - of any type
    bare, _ = unfolded(kind)
    if isinstance(value, list):
        part = get_args(bare)[0]
        return tuple(as_field(each, part) for each in as_tuple(value))
    if isinstance(value, Body):
        parts = {each.name: as_field(getattr(value, each.name), each.type) for each in fields(bare)}
        return bare(**parts)
    return value


@cache
def names_said(command: type[Struct]) -> Mapping[str, str]:
    """The fields of a command that the body has under other names."""
    told = fields(command)
    amounts = [each for each in told if is_amount(each)]
    names = {each.name: said_as(each) for each in told if said_as(each) != each.name}
    for each in amounts:
        names |= {each.name: f"{said_as(each)}.amount", CURRENCY: f"{said_as(each)}.{CURRENCY}"}
    return names


def in_words_of_body(refused: InvalidValue, command: type[Struct]) -> InvalidValue:
    """The same, with the names that whoever has sent the body knows."""
    names = names_said(command)
    return InvalidValue(
        errors=[
            FieldError(field=names.get(error.field, error.field), bound=error.bound)
            for error in refused.errors
        ]
    )


def made_by(each: FieldInfo) -> Made | None:
    return next((note for note in unfolded(each.type)[1] if isinstance(note, Made)), None)


def made_for(command: type[Struct], request: UUID) -> dict[str, object]:
    """Ids that a repeat of the request makes anew, and the same."""
    made = {each.name: made_by(each) for each in fields(command)}
    return {name: str(uuid5(request, by.what)) for name, by in made.items() if by}
