"""Scores over HTTP: who sees what, as of any instant, page by page."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest
from local_stack import issuer
from local_stack.databases import Database
from msgspec import Struct
from msgspec.structs import replace
from pydantic import SecretStr
from reputation_service.api.course import COURSES_EACH, COURSES_MAX
from reputation_service.api.explanations import EXPLANATIONS_EACH, EXPLANATIONS_MAX
from reputation_service.app import SERVICE
from reputation_service.domain.facts import instant, micros
from reputation_service.domain.fold import Facts, fold, state_sha256
from reputation_service.domain.observations import observe
from reputation_service.domain.policy import CONDUCT, CONDUCT_RULES, DEFAULT, STARS
from reputation_service.domain.read import read, read_dimension
from reputation_service.domain.readers import Reader
from reputation_service.projections import SCORE
from reputation_service.queries.scores import AHEAD_MICROS_MAX
from reputation_service.ranking import refresh
from reputation_service.score_policies import ScorePolicies
from reputation_service.settings import ReputationSettings
from reputation_service.testing.histories import penalised, protected
from reputation_service.views import shown
from shared_events.envelope import Recorded
from shared_events.orders import OrderCompleted
from shared_events.review import (
    Restriction,
    ReviewHeld,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewWeighted,
    ReviewWithdrawn,
    WeightCode,
    WeightReason,
)
from shared_runtime.log import PostgresLog
from shared_runtime.projections import live_subscription
from shared_runtime.service import Parts, api_app
from shared_runtime.settings import LOCAL_VEIL
from shared_runtime.subscription import Runner
from shared_runtime.testing import (
    InMemoryKeyStore,
    InMemoryLog,
    InMemorySource,
    ManualClock,
    facts,
    stream_for,
)
from shared_runtime.veil import Veil

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday: sellers are evaluated
DAY = timedelta(days=1)


def completed(order: int, seller: str, at: datetime) -> OrderCompleted:
    return OrderCompleted(
        order_id=f"o{order}",
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        completed_at=at,
        completion_no=1,
        how="FEED",
        total_ref_minor=1,
        late=False,
    )


def reviewed(
    order: int,
    seller: str,
    at: datetime,
    *,
    stars: int = 5,
    seq: int = 1,
    weight: int = 1000,
    code: WeightCode = "FULL",
) -> ReviewWeighted:
    return ReviewWeighted(
        order_id=f"o{order}",
        seller_id=seller,
        buyer_id="B1",
        policy_version="p1",
        review_id=f"r{order}",
        side="BUYER",
        seq=seq,
        quality=stars,
        logistics=stars,
        service=stars,
        weight_milli=weight,
        reasons=[WeightReason(code=code, effect_milli=weight)],
        excluded_dimensions=[],
        counted_at=at,
        decided_by="RULE",
    )


def rated(order: int, seller: str, at: datetime) -> ReviewWeighted:
    """The seller's word on the buyer."""
    said = reviewed(order, seller, at)
    return replace(
        said, review_id=f"b{order}", side="SELLER", quality=None, logistics=None, service=None,
        rating=4,
    )  # fmt: skip


def ids_of(order: int, seller: str) -> dict[str, Any]:
    return {
        "order_id": f"o{order}",
        "seller_id": seller,
        "buyer_id": "B1",
        "policy_version": "p1",
        "review_id": f"r{order}",
        "side": "BUYER",
    }


def held(order: int, seller: str, at: datetime) -> ReviewHeld:
    return ReviewHeld(**ids_of(order, seller), ground="FAKE", hold_until=at + 3 * DAY)


def released(order: int, seller: str) -> ReviewReleased:
    return ReviewReleased(**ids_of(order, seller), how="HUMAN")


def restricted(order: int, seller: str, at: datetime, *measures: Restriction) -> ReviewRestricted:
    return ReviewRestricted(
        **ids_of(order, seller),
        ground="PERSONAL_DATA",
        rule_ids=["R-3"],
        measures=[*measures],
        automated_detection=False,
        decided_by="m1",
        appeal_until=at + 30 * DAY,
        retain_until=at + 180 * DAY,
    )


def restored(order: int, seller: str) -> ReviewRestored:
    return ReviewRestored(**ids_of(order, seller), appeal_id="a1")


def withdrawn(order: int, seller: str, *, before_reveal: bool = False) -> ReviewWithdrawn:
    return ReviewWithdrawn(**ids_of(order, seller), before_reveal=before_reveal)


class Service:
    """The service's API in this process, and the logs that it reads."""

    def __init__(
        self, pool: asyncpg.Pool, client: httpx.AsyncClient, folder: Path, clock: ManualClock
    ) -> None:
        self.pool = pool
        self.client = client
        self.folder = folder
        self.clock = clock
        self.log = InMemoryLog(now=clock)
        self.told: list[Recorded[Any]] = []
        self.own_log = PostgresLog(pool, source="/reputation-service", now=clock)
        self.policies = ScorePolicies(self.own_log, DEFAULT)

    async def tell(self, *events: Struct) -> str:
        """Events are recorded now and brought in. The Consistency-Token of the last one."""
        for event in events:
            stream = stream_for(event, str(len(self.told)))
            self.told += await self.log.append(facts(stream, event, at=self.clock()))
        runner = Runner(
            subscription=await live_subscription(self.pool, SCORE),
            source=InMemorySource(self.told),
            pool=self.pool,
        )
        await runner.start()
        while await runner.turn():
            pass
        last = self.told[-1]
        return f"{last.topic}/{last.partition}:{last.position}"

    async def rank(self) -> None:
        while await refresh(self.pool, self.policies, self.clock):
            pass

    async def get(
        self,
        path: str,
        role: str = "BUYER",
        *,
        token: str | None = None,
        **query: Any,  # noqa: ANN401 - any query parameter
    ) -> httpx.Response:
        headers = self.authorization(role, "someone")
        if token is not None:
            # As its command's answer has it for a party, who cannot name a place himself.
            headers["Consistency-Token"] = Veil(LOCAL_VEIL.encode()).over(token)
        return await self.client.get(path, params=query, headers=headers)

    async def score(
        self,
        seller: str = "S1",
        role: str = "BUYER",
        **query: Any,  # noqa: ANN401 - any query parameter
    ) -> dict[str, Any]:
        answered = await self.get(f"/v1/sellers/{seller}/score", role, **query)
        assert answered.status_code == 200, answered.text
        found: dict[str, Any] = answered.json()
        return found

    async def explanation(
        self,
        role: str = "AUDITOR",
        sub: str = "someone",
        *,
        seller: str = "S1",
        seller_id: str | None = None,
        **query: Any,  # noqa: ANN401 - any query parameter
    ) -> dict[str, Any]:
        answered = await self.client.get(
            f"/v1/sellers/{seller}/score/explain",
            params=query,
            headers=self.authorization(role, sub, seller_id=seller_id),
        )
        assert answered.status_code == 200, answered.text
        found: dict[str, Any] = answered.json()
        return found

    def authorization(
        self, role: str | Sequence[str], sub: str, *, seller_id: str | None = None
    ) -> dict[str, str]:
        roles = [role] if isinstance(role, str) else [*role]
        token = issuer.mint(self.folder, sub=sub, roles=roles, seller_id=seller_id)
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def service(pool: asyncpg.Pool, database: Database, tmp_path: Path) -> AsyncIterator[Service]:
    issuer.ensure_key(tmp_path)
    settings = ReputationSettings(
        env="local",
        database_url=SecretStr(database.app_url),
        kafka="nowhere:9092",
        jwks_url=f"file://{issuer.jwks_file(tmp_path)}",
        issuer=issuer.ISSUER,
    )
    clock = ManualClock(NEW_YEAR - 60 * DAY)
    log = PostgresLog(pool, source="/test", now=clock)
    parts = Parts(settings=settings, pool=pool, log=log, now=clock, key_store=InMemoryKeyStore())
    transport = httpx.ASGITransport(api_app(SERVICE, parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://reputation") as client:
        service = Service(pool, client, tmp_path, clock)
        yield service


def slug(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, str(answered.json()["type"]).removeprefix("/problems/")


def rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


async def three_five_stars(service: Service) -> None:
    """The first worked example: three reviews, on days 20449 to 20451."""
    for number in range(3):
        service.clock.at = NEW_YEAR - (5 - number) * DAY + timedelta(hours=9)
        await service.tell(reviewed(number, "S1", service.clock()))
    service.clock.at = NEW_YEAR + timedelta(hours=12)


# --- The score -------------------------------------------------------------------------------


async def test_a_score_is_told_in_integers(service: Service) -> None:
    await three_five_stars(service)
    score = await service.score(role="AUDITOR")
    assert score["score_micro"] == 61245383
    assert sum(score["parts_micro"].values()) == 61245383
    assert (score["policy_id"], score["day"]) == ("default-1", 20454)
    assert score["as_of"] == "2026-01-01T12:00:00Z"
    assert (score["rated"], score["recent_milli"]) == (False, 3000)
    assert score["band_if_evaluated_now"] == score["public_level"] == "UNRATED"
    quality = score["dimensions"]["quality"]
    assert quality == {
        "weight_milli": 300,
        "n_milli": 3000,
        "weeks": 1,
        "cap_2000": 18_000_000,
        "sums": {
            "n": "12687952980000",
            "s1": "50751811920000",
            "s2": "203007247680000",
            "q": "53661383607563626800000000",
        },
        "decayed_milli": 2954,
        "evidence_milli": 2954,
        "mean_nano": 686987378,
        "se_nano": 62371042,
        "lcb_nano": 624616336,
        "mean_micro": 686987,
        "lcb_micro": 624616,
        "display_micro": 794306,
        "stars_micro": 4177224,
    }
    assert score["dimensions"]["dispute"]["stars_micro"] is None
    assert score["stars_micro"] == 4177224


async def test_a_score_is_told_in_plain_numbers_once_there_are_enough_ratings(
    service: Service,
) -> None:
    await service.tell(*[reviewed(n, "S1", service.clock(), stars=4) for n in range(9)])
    early = await service.score()
    assert (early["rated"], early["score"], early["stars"]) == (False, None, None)
    await service.tell(reviewed(9, "S1", service.clock(), stars=4))
    told = await service.score()
    assert told["rated"]
    assert 0 < told["score"] - told["score_micro"] / 1_000_000 + 0.05 <= 0.1
    assert 0 < told["stars"] - told["stars_micro"] / 1_000_000 + 0.05 <= 0.1
    assert (told["score"], told["stars"]) == (round(told["score"], 1), round(told["stars"], 1))
    await service.rank()
    (listed,) = (await service.get("/v1/sellers")).json()["items"]
    assert (listed["score"], listed["stars"]) == (told["score"], told["stars"])


@pytest.mark.parametrize(
    ("micro", "plain"), [(0, 0.0), (4_349_999, 4.3), (4_350_000, 4.4), (100_000_000, 100.0)]
)
def test_a_plain_number_has_one_decimal_rounded_half_up(micro: int, plain: float) -> None:
    assert shown(micro) == plain


async def test_a_seller_of_whom_nothing_counts_yet_has_the_prior(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock(), weight=0, code="HELD"))
    assert (await service.score())["score_micro"] == 58407464
    before = service.clock() - DAY
    assert (await service.score(as_of=rfc3339(before)))["score_micro"] == 58407464


async def test_levels_are_those_of_the_weekly_evaluations(service: Service) -> None:
    service.clock.at = NEW_YEAR - 3 * DAY
    await service.tell(*[reviewed(n, "S1", service.clock(), stars=5) for n in range(12)])
    service.clock.at = NEW_YEAR
    score = await service.score(role="AUDITOR")
    assert score["evaluations"] == [
        {"day": 20454, "band": score["band_if_evaluated_now"]},
        {"day": 20447, "band": "UNRATED"},
    ]
    assert score["real_level"] == score["public_level"] == score["band_if_evaluated_now"]
    service.clock.at = NEW_YEAR - timedelta(microseconds=1)
    early = await service.score(role="AUDITOR")
    assert (early["real_level"], early["band_if_evaluated_now"]) == (
        "UNRATED",
        score["real_level"],
    )


PRIVATE = {"real_level", "base_level", "balance", "credit_level", "protected_until", "reasons"}
READERS: list[tuple[str | Sequence[str], str, str | None, Reader]] = [
    ("BUYER", "S1", None, "PUBLIC"),
    ("SELLER", "S1", None, "HOLDER"),
    ("SELLER", "member-7", "S1", "HOLDER"),
    ("SELLER", "S2", None, "PUBLIC"),
    ("SELLER", "member-7", "S2", "PUBLIC"),
    # His own id is another seller's: only the account counts that he is a member of.
    ("SELLER", "S1", "S2", "PUBLIC"),
    ("AGENT", "a", None, "STAFF"),
    ("SENIOR", "a", None, "STAFF"),
    ("MODERATOR", "a", None, "STAFF"),
    ("ANALYST", "a", None, "STAFF"),
    ("AUDITOR", "a", None, "STAFF"),
    # Who belongs to the seller is no staff to him, and a party is a party first.
    ("MODERATOR", "a", "S1", "PUBLIC"),
    (("SELLER", "MODERATOR"), "a", "S1", "HOLDER"),
    (("SELLER", "MODERATOR"), "a", "S2", "PUBLIC"),
    (("BUYER", "AUDITOR"), "a", None, "PUBLIC"),
    ("SYSTEM", "a", None, "PUBLIC"),
    ("IMPORTER", "a", None, "PUBLIC"),
    ("PRIVACY", "a", None, "PUBLIC"),
    ("STOREFRONT", "a", None, "PUBLIC"),
]


@pytest.mark.parametrize(("role", "sub", "seller_id", "reader"), READERS)
async def test_what_is_behind_the_public_level_is_for_the_seller_staff_and_auditors(
    service: Service, role: str | Sequence[str], sub: str, seller_id: str | None, reader: Reader
) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    headers = service.authorization(role, sub, seller_id=seller_id)
    answered = await service.client.get("/v1/sellers/S1/score", headers=headers)
    told = answered.json()
    assert answered.status_code == 200
    assert PRIVATE & told.keys() == (set() if reader == "PUBLIC" else PRIVATE)
    assert {"score_micro", "public_level", "evaluations"} <= told.keys()
    if reader != "PUBLIC":
        assert (told["balance"], told["credit_level"]) == (100, "NORMAL")
    # Of one rating, the sums and their digest tell the stars.
    assert ("state_sha256" in told) is (reader == "STAFF")
    assert ("sums" in told["dimensions"]["quality"]) is (reader == "STAFF")


async def test_another_day_ages_what_is_known(service: Service) -> None:
    await three_five_stars(service)
    today = await service.score(role="AUDITOR")
    later = await service.score(role="AUDITOR", day=20454 + 180)
    assert later["day"] == 20634
    assert later["dimensions"]["quality"]["decayed_milli"] == 1477
    assert later["state_sha256"] == today["state_sha256"]
    assert later["evaluations"] == today["evaluations"]


async def test_an_earlier_day_leaves_out_what_happened_after_it(service: Service) -> None:
    await three_five_stars(service)
    for day, reviews in [(20448, 0), (20449, 1), (20450, 2), (20451, 3), (20454, 3)]:
        score = await service.score(day=day)
        assert score["dimensions"]["quality"]["n_milli"] == 1000 * reviews
        assert score["recent_milli"] == 1000 * reviews


# --- As of an instant ------------------------------------------------------------------------


async def test_i7_a_score_as_of_a_past_instant_never_changes(service: Service) -> None:
    await three_five_stars(service)
    await service.tell(completed(1, "S1", service.clock()), rated(1, "S1", service.clock()))
    past = [NEW_YEAR - 4 * DAY, NEW_YEAR, service.clock()]
    paths = [
        "/v1/sellers/S1/score",
        "/v1/sellers/S1/score?day=20450",
        "/v1/sellers/S1/score?day=20700",
        "/v1/sellers/S1/score/explain?without=r1",
        "/v1/scores",
    ]

    async def told() -> list[bytes]:
        answers = [
            await service.get(path, "AUDITOR", **dict(httpx.QueryParams(path.partition("?")[2])),
                              as_of=rfc3339(at))
            for path in paths
            for at in past
        ]  # fmt: skip
        assert {answered.status_code for answered in answers} == {200}
        return [answered.content for answered in answers]

    before = await told()
    service.clock.advance(timedelta(microseconds=1))
    await service.tell(
        reviewed(0, "S1", NEW_YEAR - 5 * DAY, seq=2, weight=0, code="FAKE_CONFIRMED"),
        reviewed(1, "S1", NEW_YEAR - 40 * DAY, seq=2, stars=1),
        reviewed(7, "S1", NEW_YEAR - 30 * DAY, stars=1),
        completed(7, "S1", NEW_YEAR - 30 * DAY),
        reviewed(8, "S0", NEW_YEAR - 30 * DAY),
        rated(8, "S1", NEW_YEAR - 30 * DAY),
    )
    service.clock.advance(90 * DAY)
    await service.rank()
    assert await told() == before
    assert (await service.score())["score_micro"] != 61245383


async def test_without_an_instant_a_score_is_as_of_now(service: Service) -> None:
    await three_five_stars(service)
    now = await service.score()
    assert now == await service.score(as_of=rfc3339(service.clock()))


async def test_what_a_clock_ahead_of_ours_recorded_is_not_invisible(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    recorded_at = service.clock()
    service.clock.at -= timedelta(seconds=2)
    score = await service.score()
    assert score["recent_milli"] == 1000
    assert score["as_of"] == rfc3339(recorded_at)


async def test_what_a_wrong_clock_recorded_waits_for_its_instant(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    now = service.clock()
    service.clock.at = now + 300 * DAY
    await service.tell(reviewed(2, "S1", now, stars=1))
    service.clock.at = now
    score = await service.score()
    assert (score["as_of"], score["recent_milli"]) == (rfc3339(now), 1000)
    told = await service.explanation("BUYER")
    assert (told["as_of"], told["dimensions"]["quality"]["events"]) == (rfc3339(now), 1)
    service.clock.at = now + 300 * DAY
    assert (await service.score())["recent_milli"] == 2000


@pytest.mark.parametrize(
    ("micros_ahead", "counts"), [(AHEAD_MICROS_MAX, 2), (AHEAD_MICROS_MAX + 1, 1)]
)
async def test_clocks_may_differ_by_so_much_and_no_more(
    service: Service, micros_ahead: int, counts: int
) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    now = service.clock()
    service.clock.at = now + timedelta(microseconds=micros_ahead)
    await service.tell(reviewed(2, "S1", now))
    service.clock.at = now
    assert (await service.score())["recent_milli"] == 1000 * counts


# --- Why -------------------------------------------------------------------------------------


async def test_an_explanation_adds_up_to_the_score(service: Service) -> None:
    for number in range(30):
        service.clock.advance(2 * DAY)
        await service.tell(
            reviewed(number, "S1", service.clock(), stars=1 + number % 5),
            completed(number, "S1", service.clock()),
        )
    score = await service.score()
    told = await service.explanation(largest=7)
    assert told["score_micro"] == score["score_micro"]
    for name in (*STARS, "dispute"):
        found = told["dimensions"][name]
        assert (found["events"], len(found["shares"])) == (30, 7)
        listed = [share["share_micro"] for share in found["shares"]]
        assert sum(listed) + found["rest_micro"] == found["total_micro"]
        assert abs(listed[0]) == max(abs(share) for share in listed)
        assert found["mean_nano"] == score["dimensions"][name]["mean_nano"]
        assert found["mean_nano"] - found["caution_nano"] == score["dimensions"][name]["lcb_nano"]
        assert found["total_micro"] == pytest.approx(found["mean_nano"] / 10 - 65_000_000, abs=1)
        assert (
            sum(week["n_milli"] for week in found["weeks"])
            == (score["dimensions"][name]["n_milli"])
        )
    whole = (await service.explanation(largest=1000))["dimensions"]["quality"]
    assert len(whole["shares"]) == 30
    assert {share["entity_id"] for share in whole["shares"]} == {f"r{n}" for n in range(30)}
    assert whole["rest_micro"] == 0


@pytest.mark.parametrize("role", ["AUDITOR", "BUYER", "SELLER"])
async def test_whoever_asks_is_told_of_shares_that_add_up(service: Service, role: str) -> None:
    for number in range(9):
        service.clock.advance(2 * DAY)
        await service.tell(
            reviewed(number, "S1", service.clock(), stars=1 + number % 5),
            completed(number, "S1", service.clock()),
        )
    told = await service.explanation(role, "S1", largest=4)
    for found in told["dimensions"].values():
        listed = [share["share_micro"] for share in found["shares"]]
        assert sum(listed) + found["rest_micro"] == found["total_micro"]
        assert listed == sorted(listed, key=abs, reverse=True)


async def test_staff_and_auditors_are_told_which_event_a_share_is_of(service: Service) -> None:
    token = await service.tell(
        reviewed(1, "S1", service.clock(), stars=2, weight=250, code="LOW_VALUE")
    )
    topic, _, place = token.partition("/")
    partition, _, position = place.partition(":")
    told = await service.explanation("AGENT")
    (share,) = told["dimensions"]["service"]["shares"]
    fact = {
        "entity_id": "r1",
        "dimension": "service",
        "version": 1,
        "day": micros(service.clock()) // 86_400_000_000,
        "weight_milli": 250,
        "k": 1,
        "reasons": ["LOW_VALUE"],
        "event": {"topic": topic, "partition": int(partition), "position": int(position)},
    }
    assert share == fact | {"share_micro": told["dimensions"]["service"]["total_micro"]}
    assert fact in told["reduced"]
    assert (told["reduced_events"], told["excluded_events"]) == (3, 0)
    (week,) = told["dimensions"]["service"]["weeks"]
    assert (week["n_milli"], week["a"], week["b"], week["s"]) == (250, 250, 250, 62_500)


async def test_what_would_raise_a_newcomer_is_ten_ratings(service: Service) -> None:
    await three_five_stars(service)
    told = await service.explanation("BUYER")
    assert told["what_would_raise"] == {"goal": "RATED", "five_star_reviews": 7}


async def test_the_effect_of_an_event_is_the_score_without_it(service: Service) -> None:
    await service.tell(
        reviewed(1, "S1", service.clock()),
        reviewed(2, "S1", service.clock(), stars=1),
        completed(1, "S1", service.clock()),
    )
    told = await service.explanation(without=["r2", "nothing", "order:o1"], largest=1)
    without, nothing, order = told["without"]
    assert (without["entity_id"], nothing["entity_id"]) == ("r2", "nothing")
    assert without["score_micro"] > told["score_micro"] == nothing["score_micro"]
    assert order["score_micro"] < told["score_micro"]


async def test_the_effect_of_what_is_listed_is_told_by_the_name_it_is_listed_under(
    service: Service,
) -> None:
    await service.tell(
        reviewed(1, "S1", service.clock()), reviewed(2, "S1", service.clock(), stars=1)
    )
    staff = await service.explanation(without=["r2"])
    for role in ("BUYER", "SELLER"):
        told = await service.explanation(role, "S1")
        (bad,) = [each for each in told["dimensions"]["quality"]["shares"] if each["k"] == 0]
        again = await service.explanation(role, "S1", without=[bad["ref"], "r2"])
        by_ref, by_id = again["without"]
        assert by_ref == {"name": bad["ref"], "score_micro": staff["without"][0]["score_micro"]}
        # Nobody else finds out whether there is something of that id.
        assert by_id["score_micro"] == (by_ref["score_micro"] if role == "SELLER" else None)


# --- Who is told what ------------------------------------------------------------------------


def names_in(told: object) -> set[str]:
    """Every member that an answer has, at whatever depth."""
    if isinstance(told, dict):
        members = cast("dict[str, object]", told)
        return {*members}.union(*map(names_in, members.values()))
    if isinstance(told, list):
        return set[str]().union(*map(names_in, cast("list[object]", told)))
    return set()


PLACES = {"event", "topic", "partition", "position", "version"}


@pytest.mark.parametrize(("role", "sub", "seller_id", "reader"), READERS)
async def test_nobody_but_the_seller_and_staff_is_told_whose_orders_they_are(
    service: Service, role: str, sub: str, seller_id: str | None, reader: Reader
) -> None:
    await service.tell(
        reviewed(1, "S1", service.clock()),
        reviewed(2, "S1", service.clock(), weight=250, code="LOW_VALUE"),
        reviewed(3, "S1", service.clock(), weight=0, code="FAKE_CONFIRMED"),
        completed(4, "S1", service.clock()),
    )
    told = await service.explanation(role, sub, seller_id=seller_id, largest=1000)
    text = json.dumps(told)
    for entity in ('"r1"', '"r2"', '"order:o4"'):
        assert (entity in text) is (reader != "PUBLIC")
    # A place in a log that all share counts what is hidden from a party.
    assert bool(PLACES & names_in(told)) is (reader == "STAFF")
    assert (told["excluded_events"], told["reduced_events"]) == (3, 3)
    assert ("excluded" in told) is ("reduced" in told) is (reader != "PUBLIC")
    # The orders without a dispute are one sum for those who may not tell them apart.
    disputes = told["dimensions"]["dispute"]
    assert disputes["events"] == 1
    assert len(disputes["shares"]) == (0 if reader == "PUBLIC" else 1)
    assert (disputes["rest_micro"] != 0) is (reader == "PUBLIC")


async def test_a_name_is_the_readers_own_and_always_the_same(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))

    async def names(role: str, sub: str, seller_id: str | None = None) -> set[str]:
        told = await service.explanation(role, sub, seller_id=seller_id)
        return {told["dimensions"][name]["shares"][0]["ref"] for name in STARS}

    (one,) = await names("BUYER", "B1")
    assert await names("BUYER", "B1") == {one}
    (other,) = await names("BUYER", "B2")
    (seller,) = await names("SELLER", "S1")
    (namesake,) = await names("BUYER", "S1")
    assert await names("SELLER", "member-7", "S1") == {seller}
    assert len({one, other, seller, namesake}) == 4


async def test_what_counts_nothing_is_told_to_the_seller_without_its_stars(
    service: Service,
) -> None:
    await service.tell(reviewed(1, "S1", service.clock(), weight=0, code="FAKE_CONFIRMED"))
    told = await service.explanation("SELLER", "S1")
    assert [(each["entity_id"], each["reasons"]) for each in told["excluded"]] == [
        ("r1", ["FAKE_CONFIRMED"])
    ] * 3
    assert "k" not in names_in(told)


type Concealing = Callable[[datetime], list[Struct]]

CONCEALED: dict[str, Concealing] = {
    "held": lambda at: [
        held(1, "S1", at),
        reviewed(1, "S1", at, stars=2, seq=2, weight=0, code="HELD"),
    ],
    "held before the reveal": lambda at: [
        held(9, "S1", at),
        reviewed(9, "S1", at, stars=2, weight=0, code="HELD"),
        reviewed(1, "S1", at, stars=4, seq=2),
    ],
    "restricted, hidden and excluded": lambda at: [
        restricted(1, "S1", at, "HIDE_REVIEW", "EXCLUDE_SCORE"),
        reviewed(1, "S1", at, stars=2, seq=2, weight=0, code="RESTRICTED"),
    ],
    "restricted, hidden but counted": lambda at: [restricted(1, "S1", at, "HIDE_REVIEW")],
    "hidden, and then the answer to it": lambda at: [
        restricted(1, "S1", at, "HIDE_REVIEW"),
        restricted(1, "S1", at, "HIDE_REPLY"),
        replace(restored(1, "S1"), part="REPLY"),
    ],
    "withdrawn": lambda at: [
        withdrawn(1, "S1"),
        reviewed(1, "S1", at, stars=2, seq=2, weight=0, code="WITHDRAWN"),
    ],
}


@pytest.mark.parametrize("role", ["BUYER", "SELLER"])
@pytest.mark.parametrize("how", CONCEALED)
async def test_a_review_that_is_not_shown_is_counted_and_nothing_else(
    service: Service, how: str, role: str
) -> None:
    at = service.clock()
    others = [reviewed(order, "S1", at, stars=4) for order in range(20, 30)]
    await service.tell(reviewed(1, "S1", at, stars=2), *others, *CONCEALED[how](at))
    told = await service.explanation(role, "S1", largest=1000)
    assert told["under_review"] == 1
    assert (told["excluded_events"], told["reduced_events"]) == (0, 0)
    for name in STARS:
        assert {share["k"] for share in told["dimensions"][name]["shares"]} == {3}
    text = json.dumps(told)
    concealed = "r9" if "reveal" in how else "r1"
    assert f'"{concealed}"' not in text
    assert "HELD" not in text
    asked = await service.explanation(role, "S1", without=[concealed])
    assert asked["without"] == [{"name": concealed, "score_micro": None}]
    staff = await service.explanation(largest=1000)
    assert f'"{concealed}"' in json.dumps(staff)
    assert staff["under_review"] == 1


async def test_what_is_not_shown_today_is_not_shown_as_of_yesterday_either(
    service: Service,
) -> None:
    then = service.clock()
    await service.tell(reviewed(1, "S1", then, stars=2), reviewed(2, "S1", then))
    service.clock.advance(DAY)
    await service.tell(held(1, "S1", service.clock()))
    told = await service.explanation("SELLER", "S1", as_of=rfc3339(then))
    assert '"r1"' not in json.dumps(told)


@pytest.mark.parametrize("role", ["BUYER", "SELLER"])
async def test_what_is_shown_again_is_listed_again(service: Service, role: str) -> None:
    at = service.clock()
    await service.tell(
        *[reviewed(order, "S1", at) for order in (1, 2, 3, 4)],
        held(1, "S1", at),
        released(1, "S1"),
        restricted(2, "S1", at, "HIDE_REVIEW"),
        restored(2, "S1"),
        restricted(3, "S1", at, "HIDE_TEXT", "EXCLUDE_SCORE"),  # its stars stay where they are
        held(4, "S1", at),
        withdrawn(4, "S1", before_reveal=True),  # and written once more
    )
    told = await service.explanation(role, "S1")
    assert told["under_review"] == 0
    assert len(told["dimensions"]["quality"]["shares"]) == 4


@pytest.mark.parametrize("code", ["HELD", "WITHDRAWN"])
async def test_a_weight_that_says_so_conceals_a_review_by_itself(
    service: Service, code: WeightCode
) -> None:
    await service.tell(reviewed(1, "S1", service.clock(), weight=0, code=code))
    told = await service.explanation("SELLER", "S1")
    assert (told["under_review"], told["excluded_events"], told["excluded"]) == (1, 0, [])


async def test_a_review_before_the_reveal_is_not_even_counted(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    before = await service.explanation("SELLER", "S1")
    await service.tell(held(2, "S1", service.clock()))
    assert await service.explanation("SELLER", "S1") == before


async def test_a_hidden_review_that_counts_is_one_of_five_in_a_sum(service: Service) -> None:
    at = service.clock()
    listed: list[dict[str, Any]] = []
    for order in range(1, 8):
        await service.tell(reviewed(order, "S1", at, stars=1 + order % 5))
        if order == 1:
            await service.tell(restricted(1, "S1", at, "HIDE_REVIEW"))
        told = await service.explanation("SELLER", "S1", largest=1000)
        for name in STARS:
            found = told["dimensions"][name]
            listed = found["shares"]
            assert (found["events"], len(listed)) == (order, max(0, order - 5))
            assert all(share["entity_id"] != "r1" for share in listed)
    # Whatever moves the mean least joins the sum.
    shown = {share["entity_id"]: abs(share["share_micro"]) for share in listed}
    staff = await service.explanation(largest=1000)
    for share in staff["dimensions"]["service"]["shares"]:
        if share["entity_id"] not in {"r1", *shown}:
            assert abs(share["share_micro"]) <= min(shown.values())


# --- How much of it --------------------------------------------------------------------------


COURSES = (COURSES_MAX, COURSES_EACH, "bucket", "/v1/sellers")
WORKED_OUT = {
    "explain": (EXPLANATIONS_MAX, EXPLANATIONS_EACH, "concealed", "/v1/sellers/S1/score"),
    "history": COURSES,
    "raise": COURSES,
}
"""How many at once, of one caller; a table that is read meanwhile; what takes no place."""


@pytest.mark.parametrize("what", WORKED_OUT)
async def test_so_much_is_worked_out_at_once_and_no_more(
    service: Service,
    owner: asyncpg.Pool,
    until_they_wait: Callable[[int], Awaitable[None]],
    what: str,
) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    path, (most, _, table, beside) = f"/v1/sellers/S1/score/{what}", WORKED_OUT[what]
    async with owner.acquire() as db, db.transaction():
        await db.execute(f"LOCK TABLE score_g1.{table} IN ACCESS EXCLUSIVE MODE")
        callers = [service.authorization("AUDITOR", f"A{n}") for n in range(most)]
        working = [
            asyncio.create_task(service.client.get(path, headers=caller)) for caller in callers
        ]
        await until_they_wait(most)
        refused = await service.get(path, "AUDITOR")
        assert slug(refused) == (503, "unavailable")
        assert refused.headers["Retry-After"] == "1"
        assert (await service.get(beside)).status_code == 200
    answers = await asyncio.gather(*working)
    assert [answered.status_code for answered in answers] == [200] * most
    assert (await service.get(path, "AUDITOR")).status_code == 200


@pytest.mark.parametrize("what", WORKED_OUT)
async def test_one_caller_does_not_take_all_places(
    service: Service,
    owner: asyncpg.Pool,
    until_they_wait: Callable[[int], Awaitable[None]],
    what: str,
) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    path, (_, each, table, _) = f"/v1/sellers/S1/score/{what}", WORKED_OUT[what]
    async with owner.acquire() as db, db.transaction():
        await db.execute(f"LOCK TABLE score_g1.{table} IN ACCESS EXCLUSIVE MODE")
        working = [asyncio.create_task(service.get(path, "AUDITOR")) for _ in range(each)]
        await until_they_wait(each)
        assert slug(await service.get(path, "AUDITOR")) == (503, "unavailable")
        other = asyncio.create_task(
            service.client.get(path, headers=service.authorization("AUDITOR", "another"))
        )
        await until_they_wait(each + 1)
    assert {answered.status_code for answered in await asyncio.gather(*working, other)} == {200}


# --- All sellers -----------------------------------------------------------------------------


async def some_sellers(service: Service) -> None:
    for seller, stars in [("S1", 3), ("S2", 5), ("S3", 1), ("S4", 5), ("S5", 4)]:
        number = int(seller[1:])
        await service.tell(reviewed(number, seller, service.clock(), stars=stars))
    await service.tell(rated(9, "S1", service.clock()))
    await service.rank()


async def pages(service: Service, path: str, role: str, limit: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = (await service.get(path, role, **query)).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        query["cursor"] = page["next_cursor"]


async def test_sellers_are_listed_best_first_page_by_page(service: Service) -> None:
    await some_sellers(service)
    listed: list[dict[str, Any]] = []
    for limit in (1, 2, 5, 100):
        listed = await pages(service, "/v1/sellers", "BUYER", limit)
        assert [item["seller_id"] for item in listed] == ["S2", "S4", "S5", "S1", "S3"]
    score = await service.score("S2")
    assert listed[0] == {
        "seller_id": "S2",
        "score": None,
        "stars": None,
        "score_micro": score["score_micro"],
        "public_level": "UNRATED",
        "real_level": None,
        "rated": False,
        "stars_micro": score["stars_micro"],
        "recent_milli": 1000,
        "as_of": score["as_of"],
    }


async def test_every_account_is_listed_for_auditors_as_of_one_instant(service: Service) -> None:
    await some_sellers(service)
    first = (await service.get("/v1/scores", "AUDITOR", limit=2)).json()
    service.clock.advance(timedelta(hours=1))
    await service.tell(reviewed(77, "S4", service.clock(), stars=1))
    items = [*first["items"]]
    cursor = first["next_cursor"]
    while cursor:
        page = (await service.get("/v1/scores", "AUDITOR", limit=2, cursor=cursor)).json()
        assert page["as_of"] == first["as_of"]
        items += page["items"]
        cursor = page["next_cursor"]
    at = micros(datetime.fromisoformat(first["as_of"]))
    state = fold(
        Facts(fact for each in service.told for fact in observe(each, DEFAULT.sla)).in_force(at)
    )
    assert [item["seller_id"] for item in items] == sorted(state)
    for item in items:
        account = item["seller_id"]
        buckets = state[account]
        assert item["state_sha256"] == state_sha256({account: buckets})
        is_buyer = account == "B1"
        expected = None if is_buyer else read(buckets, at // 86_400_000_000, DEFAULT).score_micro
        assert item["score_micro"] == expected
        assert item["real_level"] == item["public_level"] == (None if is_buyer else "UNRATED")


async def test_accounts_of_which_nothing_was_known_then_are_not_listed(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    then = service.clock()
    service.clock.advance(DAY)
    await service.tell(
        reviewed(2, "S2", service.clock()),
        reviewed(1, "S1", then, seq=2, weight=0, code="WITHDRAWN"),
    )

    async def listed(at: datetime) -> list[str]:
        page = (await service.get("/v1/scores", "AUDITOR", as_of=rfc3339(at))).json()
        return [item["seller_id"] for item in page["items"]]

    assert await listed(then) == ["S1"]
    assert await listed(service.clock()) == ["S2"]
    assert await listed(then - DAY) == []


# --- Tokens ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
async def test_i11_a_read_reflects_its_token_or_says_that_it_cannot_yet(service: Service) -> None:
    token = await service.tell(reviewed(1, "S1", service.clock()))
    for path in ("/v1/sellers/S1/score", "/v1/sellers/S1/score/explain", "/v1/scores"):
        assert (await service.get(path, "AUDITOR", token=token)).status_code == 200
    ahead = token.rpartition(":")[0] + ":99"
    late = await service.get("/v1/sellers/S1/score", token=ahead)
    assert slug(late) == (503, "not-yet-visible")
    assert late.headers["Retry-After"] == "1"


async def test_i11_the_table_of_sellers_reflects_a_token_once_it_is_worked_out(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reputation_service.api.scores.VISIBLE_SECONDS_MAX", 0.05)
    token = await service.tell(reviewed(1, "S1", service.clock()))
    assert slug(await service.get("/v1/sellers", token=token)) == (503, "not-yet-visible")
    await service.rank()
    listed = await service.get("/v1/sellers", token=token)
    assert [item["seller_id"] for item in listed.json()["items"]] == ["S1"]


# --- Refusals --------------------------------------------------------------------------------


async def test_nothing_is_told_without_a_token(service: Service) -> None:
    for rest in ("sellers", "sellers/S1/score", "sellers/S1/score/explain", "scores"):
        path = f"/v1/{rest}"
        assert slug(await service.client.get(path)) == (401, "unauthenticated")
        wrong = await service.client.get(path, headers={"Authorization": "Bearer x.y.z"})
        assert slug(wrong) == (401, "unauthenticated")


async def test_all_accounts_are_for_auditors(service: Service) -> None:
    for role in ("BUYER", "SELLER", "AGENT", "ANALYST", "SYSTEM"):
        assert slug(await service.get("/v1/scores", role)) == (403, "role-not-allowed")


async def test_who_has_sold_nothing_is_no_seller(service: Service) -> None:
    await service.tell(rated(1, "S1", service.clock()))
    for rest in ("score", "score/explain"):
        for nobody in ("nobody", "B1", "S1"):
            answered = await service.get(f"/v1/sellers/{nobody}/{rest}")
            assert slug(answered) == (404, "not-found")


async def test_an_instant_is_in_utc_and_not_after_now(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    wrong: list[dict[str, Any]] = [
        {"as_of": "yesterday"},
        {"as_of": "2025-12-01T00:00:00"},
        {"as_of": "2025-12-01T00:00:00+01:00"},
        {"as_of": "2025-12-01T00:00:00.1234567Z"},
        {"as_of": "2099-01-01T00:00:00Z"},
        {"day": -1},
        {"day": "x"},
        {"day": 84_007},
    ]
    for query in wrong:
        answered = await service.get("/v1/sellers/S1/score", **query)
        assert slug(answered) == (422, "invalid-value")
        assert [error["field"] for error in answered.json()["errors"]] == list(query)


async def test_clocks_may_differ_a_little(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    near, far = (service.clock() + timedelta(seconds=seconds) for seconds in (5, 6))
    assert (await service.score(as_of=rfc3339(near)))["as_of"] == rfc3339(near)
    refused = await service.get("/v1/sellers/S1/score", as_of=rfc3339(far))
    assert slug(refused) == (422, "invalid-value")


async def test_limits_are_kept(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("sellers", {"limit": 0}),
        ("sellers", {"limit": 101}),
        ("sellers", {"cursor": "made-up"}),
        ("scores", {"limit": 0}),
        ("scores", {"limit": 1_001}),
        ("accounts", {"limit": 201}),
        ("scores", {"cursor": "made-up"}),
        ("sellers/S1/score/explain", {"largest": 0}),
        ("sellers/S1/score/explain", {"largest": 1_001}),
        ("sellers/S1/score/explain", {"without": [f"r{n}" for n in range(21)]}),
        ("sellers/S1/score/explain", {"without": ["x" * 65]}),
        (f"sellers/{'x' * 65}/score", {}),
    ]
    for path, query in wrong:
        answered = await service.get(f"/v1/{path}", "AUDITOR", **query)
        assert slug(answered) == (422, "invalid-value")


async def test_a_cursor_belongs_to_its_list(service: Service) -> None:
    await some_sellers(service)
    cursor = (await service.get("/v1/sellers", "AUDITOR", limit=1)).json()["next_cursor"]
    assert slug(await service.get("/v1/scores", "AUDITOR", cursor=cursor)) == (422, "invalid-value")
    dated = rfc3339(service.clock())
    page = (await service.get("/v1/scores", "AUDITOR", limit=1, as_of=dated)).json()
    other = await service.get("/v1/scores", "AUDITOR", cursor=page["next_cursor"])
    assert slug(other) == (422, "invalid-value")


async def test_a_token_of_a_topic_that_no_score_reads_is_refused(service: Service) -> None:
    other = "parcels.events/3:1"
    answered = await service.get("/v1/sellers/S1/score", token=other)
    assert slug(answered) == (422, "invalid-value")


async def test_the_pages_of_its_openapi_document_have_examples(service: Service) -> None:
    document = (await service.client.get("/openapi.json")).json()
    for path in ("/v1/sellers", "/v1/sellers/{seller_id}/score", "/v1/scores"):
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        assert content["application/json"]["example"]
        assert content["application/json"]["schema"]
    scored = document["paths"]["/v1/sellers/{seller_id}/score"]["get"]["responses"]["200"]
    assert "real_level" in scored["content"]["application/json"]["example"]


def test_instants_survive_the_way_through_microseconds() -> None:
    at = NEW_YEAR + timedelta(microseconds=1)
    assert instant(micros(at)) == at


# --- The course of a score, and its outlook ----------------------------------------------------


async def history(service: Service, role: str = "BUYER", **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    answered = await service.get("/v1/sellers/S1/score/history", role, **query)
    assert answered.status_code == 200, answered.text
    found: list[dict[str, Any]] = answered.json()["items"]
    return found


async def outlook(service: Service, role: str = "AUDITOR", **query: Any) -> dict[str, Any]:  # noqa: ANN401
    answered = await service.get("/v1/sellers/S1/score/raise", role, **query)
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


async def test_the_course_of_a_score_is_that_of_its_evaluations(service: Service) -> None:
    for week in range(5):
        service.clock.at = NEW_YEAR - (35 - 7 * week) * DAY + timedelta(hours=1)
        reviews = [reviewed(10 * week + n, "S1", service.clock()) for n in range(4)]
        await service.tell(*reviews)
    service.clock.at = NEW_YEAR + 2 * DAY
    points = await history(service, weeks=6)
    assert [point["day"] for point in points] == [20454 - 7 * back for back in range(6)]
    for point in points:
        told = await service.score(role="BUYER", as_of=point["evaluated_at"])
        assert point["as_it_was"]["score_micro"] == told["score_micro"]
        assert point["as_it_was"]["stars_micro"] == told["stars_micro"]
        assert point["as_known_now"] == point["as_it_was"]
    rising = [point["as_it_was"]["score_micro"] for point in points]
    assert rising == sorted(rising, reverse=True)
    assert [point["as_it_was"]["band"] for point in points].count("UNRATED") == 3


async def test_a_correction_moves_what_is_known_now_and_leaves_what_was(service: Service) -> None:
    began = NEW_YEAR - 20 * DAY
    service.clock.at = began
    await service.tell(*[reviewed(n, "S1", began, stars=1 + 4 * (n > 2)) for n in range(12)])
    service.clock.at = NEW_YEAR + DAY
    before = await history(service, weeks=4)
    await service.tell(
        *[
            reviewed(n, "S1", began, stars=1, seq=2, weight=0, code="FAKE_CONFIRMED")
            for n in range(3)
        ]
    )
    after = await history(service, weeks=4)
    assert [point["as_it_was"] for point in after] == [point["as_it_was"] for point in before]
    for old, new in zip(before[:3], after[:3], strict=True):
        assert new["as_known_now"]["score_micro"] > old["as_known_now"]["score_micro"]
    # It goes where it would be had it been so from the start.
    facts_now = Facts(fact for each in service.told for fact in observe(each, DEFAULT.sla))
    for point in after:
        at = micros(service.clock())
        known = fold(facts_now.in_force(at, point["day"] - 1)).get("S1", {})
        score = read(known, point["day"], DEFAULT).score_micro
        assert point["as_known_now"]["score_micro"] == score


async def test_what_one_more_is_worth_is_what_it_brings(service: Service) -> None:
    service.clock.at = NEW_YEAR - 2 * DAY
    await service.tell(*[reviewed(n, "S1", service.clock(), stars=4) for n in range(12)])
    # The middle of a week's four days has not passed: what is added has the age of today.
    service.clock.at = NEW_YEAR + timedelta(hours=3)
    told = await outlook(service)
    gain = {each["what"]: each for each in told["gains"]}
    assert all(each["ten_micro"] > each["one_micro"] > 0 for each in told["gains"])
    await service.tell(completed(99, "S1", service.clock()))
    assert (await service.score())["score_micro"] - told["score_micro"] == (
        gain["ORDER_WITHOUT_DISPUTE"]["one_micro"]
    )
    now = (await outlook(service))["score_micro"]
    await service.tell(reviewed(99, "S1", service.clock()))
    assert (await service.score())["score_micro"] > now


async def test_an_outlook_says_how_a_score_fades(service: Service) -> None:
    service.clock.at = NEW_YEAR - 30 * DAY
    await service.tell(*[reviewed(n, "S1", service.clock()) for n in range(12)])
    service.clock.at = NEW_YEAR
    told = await outlook(service)
    for later in told["if_nothing_happens"]:
        aged = await service.score(day=later["day"])
        assert aged["score_micro"] == later["score_micro"] < told["score_micro"]


async def test_a_seller_is_told_why_his_level_is_another(service: Service) -> None:
    service.clock.at = NEW_YEAR - 8 * DAY
    await service.tell(*[reviewed(n, "S1", service.clock(), stars=1) for n in range(12)])
    service.clock.at = NEW_YEAR - 2 * DAY
    await service.tell(*[reviewed(n, "S1", service.clock()) for n in range(20, 40)])
    early = await service.client.get(
        "/v1/sellers/S1/score", headers=service.authorization("SELLER", "S1")
    )
    assert [each["why"] for each in early.json()["reasons"]] == ["EVALUATED_WEEKLY"]
    service.clock.at = NEW_YEAR
    rising = await outlook(service)
    assert [each["why"] for each in rising["reasons"]] == ["RISES_AT_THE_NEXT_EVALUATION"]
    assert rising["reasons"][0]["until"] == rising["next_evaluation_at"] == "2026-01-08T00:00:00Z"


async def test_an_outlook_is_the_sellers_own(service: Service) -> None:
    await service.tell(reviewed(1, "S1", service.clock()))
    for role, sub, status in (("SELLER", "S1", 200), ("SELLER", "S2", 404), ("BUYER", "B1", 403)):
        headers = service.authorization(role, sub)
        answered = await service.client.get("/v1/sellers/S1/score/raise", headers=headers)
        assert answered.status_code == status


async def test_a_level_that_is_capped_is_in_the_table_at_once_and_until_its_end(
    service: Service,
) -> None:
    service.clock.at = NEW_YEAR - 20 * DAY
    await service.tell(*[reviewed(n, "S1", service.clock()) for n in range(90)])
    service.clock.at = NEW_YEAR + timedelta(hours=1)
    await service.rank()

    async def levels(role: str = "AUDITOR") -> tuple[str, str | None]:
        await service.rank()
        (ranked,) = (await service.get("/v1/sellers", role)).json()["items"]
        return ranked["public_level"], ranked["real_level"]

    assert await levels() == ("GOLD", "GOLD")
    await service.tell(protected("S1", service.clock() + timedelta(hours=3)))
    service.clock.advance(timedelta(seconds=1))
    await service.tell(penalised("S1", "l1", service.clock(), 45, days=1))
    assert await levels() == ("GOLD", "ORANGE")
    assert await levels("BUYER") == ("GOLD", None)
    told = await outlook(service)
    assert [each["why"] for each in told["reasons"]] == ["CAPPED_BY_POINTS", "PROTECTED"]
    assert told["level_changes_at"] == told["reasons"][1]["until"] == "2026-01-01T04:00:00Z"
    of_level = (await service.get("/v1/sellers", level="GOLD")).json()["items"]
    assert [each["seller_id"] for each in of_level] == ["S1"]
    assert (await service.get("/v1/sellers", level="GREEN")).json()["items"] == []
    service.clock.advance(timedelta(hours=4))
    assert await levels() == ("ORANGE", "ORANGE")
    service.clock.advance(timedelta(hours=21))
    assert await levels() == ("GOLD", "GOLD")


# --- Buyers ----------------------------------------------------------------------------------


async def test_a_buyer_reads_how_he_was_rated_and_nobody_else_does(service: Service) -> None:
    service.clock.at = NEW_YEAR - DAY
    await service.tell(*[rated(n, "S1", service.clock()) for n in range(3)])
    service.clock.at = NEW_YEAR
    asked = [("BUYER", "B1", 200), ("AUDITOR", "a1", 200), ("BUYER", "B2", 404)]
    asked += [("SELLER", "S1", 403), ("SELLER", "B1", 403)]
    for role, sub, status in asked:
        headers = service.authorization(role, sub)
        answered = await service.client.get("/v1/buyers/B1/score", headers=headers)
        assert answered.status_code == status, (role, sub)
    headers = service.authorization("BUYER", "B1")
    told = (await service.client.get("/v1/buyers/B1/score", headers=headers)).json()
    facts_told = Facts(fact for each in service.told for fact in observe(each, DEFAULT.sla))
    weeks = fold(facts_told.in_force())["B1"][CONDUCT]
    score = read_dimension(weeks, told["day"], CONDUCT_RULES, DEFAULT)
    assert (told["n_milli"], told["stars_micro"]) == (3000, score.stars_micro)
    early = service.clock() - 2 * DAY
    before = await service.client.get(
        f"/v1/buyers/B1/score?as_of={rfc3339(early)}", headers=headers
    )
    assert before.json()["n_milli"] == 0
