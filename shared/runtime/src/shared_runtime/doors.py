"""A rule and the path that asks for it in, a route out: body, roles, page and all.

    DOORS = (Door("/v1/reviews/{ref}/flags", FLAG_REVIEW, "Report a review", shows=…),)
    router = doors_api(DOORS, to=ToReview(…), tag="moderation")

What a command says comes from four places: the path, the place that the path leads to, ids that
are made here, and the body, which is all the rest. Texts and files are sealed on their way.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from inspect import Parameter, Signature
from typing import Annotated, Any, Protocol

from fastapi import Depends, Response
from msgspec import Struct

from shared_runtime.auth import Caller, require
from shared_runtime.bodies import Writer, body_of, in_words_of_body, made_for, words_of
from shared_runtime.commands import AnyCommandRequest, CommandRequest, VersionedCommandRequest
from shared_runtime.decider import InvalidValue, NotFound, Refused, Role
from shared_runtime.documents import Documented
from shared_runtime.fields import Body, IdStr
from shared_runtime.media import MediaFile
from shared_runtime.problems import PreconditionRequired, command_refusals
from shared_runtime.routers import Router
from shared_runtime.rule import Rule

MACHINES: frozenset[Role] = frozenset({"SYSTEM", "IMPORTER"})
"""Those that tell what has happened elsewhere."""

type View = Callable[[Any, Any, Any], object]
"""A place, what was said there and the state after it in, what is answered out."""


@dataclass(frozen=True, slots=True)
class Door:
    """`shows`: how the answer is documented; `view`: what it is, if not all that the place shows.
    `versioned`: a person says with If-Match which version he decides on; a machine sees none.
    `of`: told apart by it, where the same is asked at several paths.
    `told`: a connector comes, also with what has lapsed by now.
    """

    path: str
    rule: Rule[Any, Any, Any, Any, Any, Any]
    summary: str
    _: KW_ONLY
    description: str = ""
    shows: Documented
    view: View | None = None
    versioned: bool = False
    told: bool = False
    of: str = ""

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who may come. Timers and consumers, whose commands lapse, take no door."""
        mechanical = ("SYSTEM",) if self.rule.lapses and not self.told else ()
        return tuple(role for role in self.rule.roles if role not in mechanical)

    @property
    def refusals(self) -> list[type[Refused]]:
        versioned = (PreconditionRequired,) if self.versioned else ()
        return [NotFound, *versioned, *self.rule.all_refusals]


class MatterReached(Writer, Protocol):
    """Where a path has led somebody: the matter, and he before it."""

    @property
    def gives(self) -> Mapping[str, object]:
        """The fields of a command that say which matter it is."""
        ...

    async def run(
        self, request: CommandRequest, said: Struct, view: View | None, files: Sequence[MediaFile]
    ) -> Response: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody who has come to a door, and what he brings."""

    path: Mapping[str, str]
    body: Body
    caller: Caller
    door: Door


class To(Protocol):
    """Leads who arrives to where the path names. Raises `NotFound`."""

    @property
    def gives(self) -> frozenset[str]:
        """The fields of commands that the place gives."""
        ...

    @property
    def body(self) -> type[Body]:
        """What every body there has besides."""
        ...

    @property
    def also(self) -> tuple[Role, ...]:
        """Who may come on behalf of others."""
        ...

    def __call__(self, arrival: Arrival) -> Awaitable[MatterReached]: ...


def doors_api(doors: Sequence[Door], to: To, tag: str) -> Router:
    router = Router(tags=[tag])
    for door in doors:
        router.add_api_route(
            door.path,
            endpoint_of(door, to),
            methods=["POST"],
            status_code=201,
            summary=door.summary,
            description=" ".join(filter(None, [who_comes(door, to), door.description])),
            responses=command_refusals(*door.refusals) | door.shows,
            operation_id=f"{door.rule.name}{door.of}",
        )
    return router


def who_comes(door: Door, to: To) -> str:
    scopes = " and ".join(f"`{scope}`" for scope in door.rule.scopes)
    without_account = f" Also with a token of scope {scopes}." if scopes else ""
    return f"For {listed((*door.roles, *to.also))}.{without_account}"


def endpoint_of(door: Door, to: To) -> Callable[..., Awaitable[Response]]:
    """What FastAPI takes for a function that somebody has written."""
    command = door.rule.command
    named = names_in(door.path)
    machines = MACHINES.intersection((*door.roles, *to.also))
    model = body_of(door.rule.example, to.body, without=to.gives.union(named))

    async def endpoint(
        *, body: Body, caller: Caller, request: CommandRequest, **path: str
    ) -> Response:
        if door.versioned and machines.isdisjoint(caller.roles):
            request.require_version()
        place = await to(Arrival(path=path, body=body, caller=caller, door=door))
        given = {name: path[name] for name in named if name in command.__struct_fields__}
        words = await words_of(body, command, place)
        said = command(**{**made_for(command, request.id), **given, **words.values, **place.gives})
        try:
            return await place.run(request, said, door.view, words.files)
        except InvalidValue as refused:
            raise in_words_of_body(refused, command) from refused

    annotated: dict[str, Any] = dict.fromkeys(named, IdStr) | {
        "body": model,
        "caller": Annotated[
            Caller, Depends(require(*door.roles, *to.also, scopes=door.rule.scopes))
        ],
        "request": VersionedCommandRequest
        if door.versioned and not machines
        else AnyCommandRequest,
    }
    optional = not any(field.is_required() for field in model.model_fields.values())
    defaults = {"body": model()} if optional else {}
    parameters = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            annotation=kind,
            default=defaults.get(name, Parameter.empty),
        )
        for name, kind in annotated.items()
    ]
    signature = Signature(parameters, return_annotation=Response)
    endpoint.__signature__ = signature  # type: ignore[attr-defined]  # as inspect reads it
    endpoint.__name__ = command.__name__
    return endpoint


def names_in(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def listed(roles: Sequence[Role]) -> str:
    *others, last = roles
    return f"{', '.join(others)} and {last}" if others else last
