"""A lamp that its owner switches: rows decide in one order, and offer what they would take."""

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args

import pytest
from msgspec import Meta, Struct
from msgspec.structs import replace
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    ConflictOfInterest,
    Decider,
    FieldError,
    HumanRequired,
    InvalidValue,
    LimitReached,
    NotAParty,
    NotFound,
    NotYetEligible,
    ReasonsMissing,
    Refused,
    Role,
    RoleNotAllowed,
    SubjectErased,
    TimeGoesBack,
    WindowClosed,
    WrongState,
)
from shared_runtime.rule import By, Guard, Rule, Sent, Window
from shared_runtime.rules import Action, Rules
from shared_runtime.shape import ONCE, Words

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

type Status = Literal["DARK", "LIT", "BROKEN"]


class Lit(Struct, frozen=True, kw_only=True, tag="Lit.v1"):
    lamp: str
    colours: list[str]


class Lamp(Struct, frozen=True, kw_only=True):
    """`closed`: no words are heard any more."""

    lamp: str
    owner: str
    status: Status
    lit: Lit | None = None


type Lamps = tuple[Lamp, ...]


class Known(Struct, frozen=True, kw_only=True):
    erased: bool = False
    judges: frozenset[str] = frozenset()


class Light(Struct, frozen=True, kw_only=True):
    """Switches a lamp on."""

    lamp: Annotated[str, Meta(min_length=1, max_length=8)]
    colours: Annotated[tuple[Annotated[str, Meta(max_length=5)], ...], Meta(max_length=2), ONCE]
    why: Annotated[str | None, Words(20)] = None


class LampRule[C: Struct](Rule[Lamps, Lamp, Status, C, Known, Lit]):
    def find(self, state: Lamps, said: C, by: By[Known]) -> Lamp:  # noqa: ARG002
        wanted: str = getattr(said, "lamp")  # noqa: B009 - of any command about a lamp
        for lamp in state:
            if lamp.lamp == wanted:
                return lamp
        raise NotFound

    def matters(self, state: Lamps, by: By[Known]) -> Iterable[Lamp]:  # noqa: ARG002
        return state


def by_owner(lamp: Lamp, _: object, by: By[Known]) -> None:
    if by.actor.id != lamp.owner:
        raise NotAParty


def by_outsider(_: Lamp, __: object, by: By[Known]) -> None:
    if by.actor.id in by.known.judges:
        raise ConflictOfInterest(ground="EARLIER_DECISION")


def by_somebody(_: Lamp, __: object, by: By[Known]) -> None:
    if by.known.erased:
        raise SubjectErased


def with_reason(_: Lamp, said: Light, __: By[Known]) -> None:
    if not said.why:
        raise ReasonsMissing(missing=["why"])


def is_lit(lamp: Lamp, said: Light, _: By[Known]) -> bool:
    if lamp.lit is None:
        return False
    if lamp.lit.colours == [*said.colours]:
        return True
    raise AlreadySubmitted(existing_id=lamp.lamp)


def one_at_a_time(lamp: Lamp, _: Light, __: By[Known]) -> None:
    if lamp.lamp == "stuck":
        raise WrongState(state="STUCK")


def by_day(lamp: Lamp, _: Light, __: By[Known]) -> Window | None:
    return None if lamp.lamp == "later" else Window(AT, AT + HOUR)


def light(lamp: Lamp, said: Light, _: By[Known]) -> list[Lit]:
    if not said.colours:
        return []
    if "red" in said.colours:
        raise LimitReached(limit=0)
    return [Lit(lamp=lamp.lamp, colours=[*said.colours])]


def no_pink(said: Light, _: By[Known]) -> Iterable[FieldError]:
    if "pink" in said.colours:
        yield FieldError(field="colours", bound="no pink")


LIGHT = LampRule(
    Light,
    light,
    roles=("BUYER", "SELLER"),
    shape=no_pink,
    party=Guard(by_owner, NotAParty),
    impartial=Guard(by_outsider, ConflictOfInterest),
    barred=Guard(by_somebody, SubjectErased),
    reasons=Guard(with_reason, ReasonsMissing),
    repeated=is_lit,
    states=("DARK", "LIT"),
    stands=Guard(one_at_a_time, WrongState),
    window=by_day,
    early=True,
    refuses=(LimitReached, AlreadySubmitted),
    events=(Lit,),
    example=Light(lamp="a", colours=("blue",), why="To read."),
)


class Dim(Struct, frozen=True, kw_only=True):
    lamp: str


def dim(lamp: Lamp, _: Dim, __: By[Known]) -> list[Lit]:
    return [Lit(lamp=lamp.lamp, colours=[])]


DIM = LampRule(
    Dim,
    dim,
    roles=("SYSTEM", "MODERATOR"),
    human=True,
    states=("LIT",),
    lapses=True,
    events=(Lit,),
    example=Dim(lamp="a"),
)
RULES = Rules(LIGHT, DIM)

OWNER = By(actor=Actor(role="BUYER", id="me"), now=AT, known=Known())
DARK = Lamp(lamp="a", owner="me", status="DARK")
LIGHT_IT = Light(lamp="a", colours=("blue",), why="To read.")


def decide(said: Struct, by: By[Known] = OWNER, *lamps: Lamp) -> list[Lit]:
    return RULES.decide(lamps or (DARK,), Sent(said, by))


def refused(said: Struct, by: By[Known] = OWNER, *lamps: Lamp) -> Refused:
    with pytest.raises(Refused) as caught:
        decide(said, by, *lamps)
    return caught.value


def in_role(role: Role, sub: str = "me", **known: object) -> By[Known]:
    return By(actor=Actor(role=role, id=sub), now=AT, known=Known(**known))  # type: ignore[arg-type]


def test_a_command_that_passes_every_check_is_decided() -> None:
    assert decide(LIGHT_IT) == [Lit(lamp="a", colours=["blue"])]


def test_one_answer_names_every_field_that_is_out_of_bounds() -> None:
    wrong = refused(Light(lamp="", colours=("blue", "purple")))
    assert isinstance(wrong, InvalidValue)
    assert [(error.field, error.bound) for error in wrong.errors] == [
        ("lamp", "1..8"),
        ("colours[1]", "0..5"),
    ]
    many = refused(Light(lamp="a", colours=("a", "a", "a")))
    assert isinstance(many, InvalidValue)
    assert [error.bound for error in many.errors] == ["0..2", "each one once"]


def test_what_no_field_alone_can_tell_is_asked_when_all_of_them_fit() -> None:
    pink = refused(replace(LIGHT_IT, colours=("pink",)))
    assert isinstance(pink, InvalidValue)
    assert [error.bound for error in pink.errors] == ["no pink"]


def test_an_instant_has_its_offset() -> None:
    naive = replace(OWNER, now=AT.replace(tzinfo=None))
    wrong = refused(LIGHT_IT, naive)
    assert isinstance(wrong, InvalidValue)
    assert wrong.errors == [FieldError(field="now", bound="an instant with its offset")]


def test_checks_run_in_one_order_and_the_first_that_fails_is_the_answer() -> None:
    """Everything is wrong at first; then one thing after the other is put right."""
    said: Light = Light(lamp="a", colours=("pink",))
    lamp = Lamp(lamp="later", owner="you", status="BROKEN", lit=Lit(lamp="a", colours=["green"]))
    by = in_role("SYSTEM", judges=frozenset({"me"}), erased=True)
    found: list[type[Refused]] = []

    def fails() -> None:
        found.append(type(refused(said, by, lamp)))

    fails()
    said = replace(said, colours=("red",))
    fails()
    said = replace(said, lamp="later")
    fails()
    by = in_role("SELLER", judges=frozenset({"me"}), erased=True)
    fails()
    lamp = replace(lamp, owner="me")
    fails()
    by = in_role("SELLER", erased=True)
    fails()
    by = in_role("SELLER")
    fails()
    said = replace(said, why="To read.")
    fails()
    lamp = replace(lamp, lit=None)
    fails()
    lamp = replace(lamp, status="DARK")
    fails()
    lamp, said = replace(lamp, lamp="stuck"), replace(said, lamp="stuck")
    fails()
    lamp, said = replace(lamp, lamp="a"), replace(said, lamp="a")
    fails()
    assert found == [
        InvalidValue,
        NotFound,
        RoleNotAllowed,
        NotAParty,
        ConflictOfInterest,
        SubjectErased,
        ReasonsMissing,
        AlreadySubmitted,
        WrongState,
        NotYetEligible,
        WrongState,
        LimitReached,
    ]


def test_a_window_is_half_open() -> None:
    assert decide(LIGHT_IT, replace(OWNER, now=AT))
    assert decide(LIGHT_IT, replace(OWNER, now=AT + HOUR - timedelta(microseconds=1)))
    early = refused(LIGHT_IT, replace(OWNER, now=AT - timedelta(microseconds=1)))
    assert early.members() == {"eligible_from": AT}
    late = refused(LIGHT_IT, replace(OWNER, now=AT + HOUR))
    assert type(late) is WindowClosed
    assert late.members() == {"closed_at": AT + HOUR}


def test_once_more_is_nothing_and_otherwise_is_refused() -> None:
    lit = replace(DARK, lit=Lit(lamp="a", colours=["blue"]))
    assert decide(LIGHT_IT, OWNER, lit) == []
    assert type(refused(replace(LIGHT_IT, colours=("green",)), OWNER, lit)) is AlreadySubmitted


def test_what_a_person_must_decide_no_machine_decides() -> None:
    assert type(refused(Dim(lamp="a"), in_role("SYSTEM"))) is HumanRequired
    lit = replace(DARK, status="LIT")
    assert decide(Dim(lamp="a"), in_role("MODERATOR"), lit)


def test_a_timer_that_comes_too_late_is_nothing_and_a_person_is_told() -> None:
    mechanical = replace_rule(DIM, human=False)
    rules = Rules(LIGHT, mechanical)
    assert rules.decide((DARK,), Sent(Dim(lamp="a"), in_role("SYSTEM"))) == []
    assert rules.decide((), Sent(Dim(lamp="a"), in_role("SYSTEM"))) == []
    with pytest.raises(WrongState):
        rules.decide((DARK,), Sent(Dim(lamp="a"), in_role("MODERATOR")))


def test_a_detector_whose_finding_comes_too_late_is_told() -> None:
    rules = Rules(replace_rule(DIM, human=False, lapses=False))
    with pytest.raises(WrongState):
        rules.decide((DARK,), Sent(Dim(lamp="a"), in_role("SYSTEM")))


def test_who_is_in_the_wrong_state_is_told_what_he_can_do() -> None:
    broken = replace(DARK, status="BROKEN")
    other = Lamp(lamp="b", owner="me", status="DARK")
    wrong = refused(LIGHT_IT, OWNER, broken, other)
    assert wrong.members() == {"state": "BROKEN", "allowed_actions": ["Light"]}


def test_offered_is_what_would_be_taken_of_any_matter() -> None:
    broken = replace(DARK, status="BROKEN")
    assert offered(OWNER, broken, DARK) == [Action("Light", True, earliest=AT, latest=AT + HOUR)]
    assert [action.reason_if_not for action in offered(OWNER, broken)] == ["wrong-state"]
    assert [action.action for action in offered(in_role("MODERATOR"), DARK)] == ["Dim"]
    assert offered(in_role("AUDITOR"), DARK) == []


def test_of_somebody_elses_matter_nothing_is_told() -> None:
    others = replace(DARK, owner="you", status="BROKEN")
    nothing = [Action("Light", False, "wrong-state")]
    assert offered(OWNER, others) == offered(OWNER) == nothing


def test_what_would_change_nothing_is_not_offered() -> None:
    lit = replace(DARK, lit=Lit(lamp="a", colours=["blue"]))
    assert [action.allowed for action in offered(OWNER, lit)] == [False]


def test_who_has_a_token_of_a_scope_is_offered_what_is_of_that_scope() -> None:
    confined = replace(OWNER.actor, scopes=frozenset({"withdrawal"}))
    by_link = Rules(dataclasses.replace(LIGHT, scopes=("withdrawal",)), DIM)
    both = [rules.allowed((DARK,), replace(OWNER, actor=confined)) for rules in (RULES, by_link)]
    assert both == [[], ["Light"]]


def offered(by: By[Known], *lamps: Lamp) -> list[Action]:
    return RULES.offered(lamps, by)


def test_a_row_tells_all_that_may_be_answered() -> None:
    assert LIGHT.all_refusals == [
        RoleNotAllowed,
        NotAParty,
        ConflictOfInterest,
        SubjectErased,
        ReasonsMissing,
        WrongState,
        WrongState,
        NotYetEligible,
        WindowClosed,
        TimeGoesBack,
        LimitReached,
        AlreadySubmitted,
    ]
    assert DIM.all_refusals[0] is HumanRequired


def test_a_row_for_machines_alone_that_lapses_names_no_refusal_that_they_never_get() -> None:
    assert WrongState in replace_rule(DIM, human=False).all_refusals
    for_machines = replace_rule(DIM, human=False, roles=("SYSTEM",))
    assert for_machines.all_refusals == [RoleNotAllowed, TimeGoesBack]
    told = replace_rule(DIM, human=False, roles=("SYSTEM",), lapses=False)
    assert WrongState in told.all_refusals


def test_states_are_words_of_the_matter() -> None:
    for row in RULES:
        assert set(row.states) <= set(get_args(Status.__value__))


def replace_rule(
    rule: LampRule[Dim],
    *,
    human: bool,
    lapses: bool = True,
    roles: tuple[Role, ...] = DIM.roles,
) -> LampRule[Dim]:
    return LampRule(
        rule.command,
        rule.decide,
        roles=roles,
        human=human,
        states=rule.states,
        lapses=lapses,
        events=rule.events,
        example=rule.example,
    )


def test_the_same_thing_may_be_said_at_another_instant() -> None:
    sent = Sent(LIGHT_IT, OWNER)
    later = sent.at(AT + HOUR)
    assert (later.now, later.said, later.actor) == (AT + HOUR, LIGHT_IT, OWNER.actor)
    assert sent.now == AT


def test_rows_make_a_decider() -> None:
    lamps = Decider[Lamps, Sent[Light, Known], Lit](
        initial=(DARK,),
        decide=RULES.decide,
        evolve=lambda state, event: tuple(replace(lamp, lit=event) for lamp in state),
    )
    state = lamps.fold(lamps.decide(lamps.initial, Sent(LIGHT_IT, OWNER)))
    assert lamps.decide(state, Sent(LIGHT_IT, OWNER)) == []
