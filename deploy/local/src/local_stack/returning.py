"""An order on a running stack and everybody around its returns: its parties, the desk, and the
companies whose parts the sandboxes play. For stories that are lived side by side: those of tests,
and those of the demo.
"""

import io
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from PIL import Image

from local_stack.lives import Story, Until, live
from local_stack.people import Person, complete_order, now
from local_stack.sandbox_kit import Sandbox
from local_stack.services import Stack

RETURNS = "/v1/returns"
WITHDRAWALS = "/v1/withdrawals"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WITHDRAWN = "I withdraw from the contract."
ONE = [{"line_id": "1", "quantity": 1}]
SIZES = {"size_ordered": "42", "size_felt": "SMALL", "size_measured": "41"}


type Tale = Callable[["Returning"], Story]
type Lives = Callable[[Mapping[str, Tale]], dict[str, Exception]]
"""Stories in, what went wrong out: by their names."""


def lived_side_by_side(
    stack: Stack, tales: Mapping[str, Tale], move: Callable[[timedelta], object]
) -> dict[str, Exception]:
    """Each with an order of its own; what went wrong, by their names. After the last one has ended
    nothing more has happened to the others, though time has gone by for them too.
    """
    mark = uuid4().hex[:8]
    orders = {
        name: Returning(
            stack,
            f"O-{mark}-{number}",
            seller_id=f"S-{mark}-{number}",
            buyer_id=f"B-{mark}-{number}",
        )
        for number, name in enumerate(tales)
    }
    ended: dict[str, tuple[list[str], list[str]]] = {}

    def to_its_end(name: str, tell: Tale) -> Story:
        yield from tell(orders[name])
        ended[name] = orders[name].told()

    wrong = live({name: to_its_end(name, tell) for name, tell in tales.items()}, move)
    for name, told in ended.items():
        if (since := orders[name].told()) != told:
            wrong[name] = AssertionError(f"something has happened since: {since}")
    return wrong


def photo() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 30)).save(data, "JPEG")
    return data.getvalue()


class Returning:
    """One order, which nobody else has. `at`: the path of the return that was asked for last."""

    def __init__(self, stack: Stack, order_id: str, *, seller_id: str, buyer_id: str) -> None:
        self.stack = stack
        self.order_id, self.sku = order_id, f"lamp-{order_id}"
        self.seller_id, self.buyer_id = seller_id, buyer_id
        self.buyer = Person(stack, "BUYER", self.buyer_id, "returns")
        self.seller = Person(stack, "SELLER", self.seller_id, "returns")
        self.agent = Person(stack, "AGENT", f"agent-{order_id}", "returns")
        self.auditor = Person(stack, "AUDITOR", "auditor-1", "returns")
        self.feed = Person(stack, "SYSTEM", "feed", "returns")
        file = stack.folder / "clock"
        self.companies = Sandbox(url=stack.description.sandbox_url, clock_file=file)
        self.ledger = f"/v1/orders/{self.order_id}/refunds"
        self.at = ""

    @property
    def by_link(self) -> Person:
        """Its buyer, who has no account."""
        token = self.stack.link_token(self.order_id, self.buyer_id)
        return Person(self.stack, "BUYER", self.buyer_id, "returns", token)

    def person(self, role: str, service: str) -> Person:
        """A party of the order or somebody of the platform, before another service."""
        parties = {"BUYER": self.buyer_id, "SELLER": self.seller_id}
        return Person(self.stack, role, parties.get(role, f"{role}-{self.order_id}"), service)

    # --- It begins

    def ordered(self, *, quantity: int = 1, price_minor: int = 1000) -> Story:
        """It is there, complete, and its ledger is open."""
        complete_order(
            self.stack,
            self.order_id,
            self.seller_id,
            self.buyer_id,
            quantity=quantity,
            price_minor=price_minor,
        )
        at = self.ledger
        yield Until(lambda: self.auditor.look(at).is_success, lambda: "its ledger is open")

    def asks(self, **said: Any) -> Story:  # noqa: ANN401 - any field
        """For one piece, for money, if nothing else is said."""
        asked = {"kind": "RETURN", "lines": ONE, "wants": "REFUND"} | said
        yield from self.tells(self.buyer, RETURNS, {"order_id": self.order_id} | asked)

    def tells(self, who: Person, path: str, body: dict[str, Any]) -> Story:
        """As soon as it would be taken: what has to happen before is told elsewhere."""
        yield Until(lambda: who.tries(path, body), lambda: f"{path}, {body}")
        told = who.post(path, body)
        if path in (RETURNS, WITHDRAWALS):
            self.at = f"{RETURNS}/{told['return_id']}"

    def declares_withdrawal(self, who: Person) -> Story:
        """The first step, for one piece."""
        yield from self.tells(who, WITHDRAWALS, {"order_id": self.order_id, "lines": ONE})

    def confirms_withdrawal(self, who: Person, content: str = WITHDRAWN) -> Any:  # noqa: ANN401
        """The second one; the return as it is shown then."""
        at = self.at.replace(RETURNS, WITHDRAWALS)
        return who.post(f"{at}/confirmation", {"content": content})

    def labelled(self) -> Story:
        """The carrier has made a label."""
        yield self.until("LabelIssued")

    def photos(self, who: Person) -> list[str]:
        return [who.upload("EVIDENCE", photo())]

    # --- The way of the goods

    @property
    def parcel(self) -> str:
        tracking_id: str = self.auditor.get(self.at)["label"]["tracking_id"]
        return tracking_id

    def scanned(self, kind: str) -> Story:
        """By the carrier, whose webhook tells it."""
        count = self.events().count("ReturnScanned")
        self.companies.scan(self.parcel, kind)
        yield Until(lambda: self.events().count("ReturnScanned") > count, self.events)

    def come_back(self) -> Story:
        """Under its label."""
        yield from self.labelled()
        yield from self.scanned("HANDED_OVER")
        yield from self.scanned("DELIVERED_BACK")

    def received(self, *receptions: str) -> None:
        """What the seller has found in the parcel: of the first piece, the second, and so on."""
        units = [
            {"unit": f"1/{number}", "reception": each} for number, each in enumerate(receptions, 1)
        ]
        photos = self.photos(self.seller) if {*receptions} != {"RECEIVED"} else []
        self.seller.post(f"{self.at}/receipt", {"units": units, "photos": photos})

    def accepted(self, unit: str = "1/1", deduction_milli: int = 0) -> None:
        found = {"verdict": "ACCEPTED", "grade": "A", "deduction_milli": deduction_milli}
        photos = self.photos(self.seller) if deduction_milli else []
        body = {"units": [{"unit": unit} | found], "photos": photos}
        self.seller.post(f"{self.at}/inspection", body)

    def rejected(self, reason: str) -> None:
        found = {"unit": "1/1", "verdict": "REJECTED", "reason": reason}
        body = {"units": [found], "photos": self.photos(self.seller)}
        self.seller.post(f"{self.at}/inspection", body)

    def replaced(self, new: str) -> Story:
        """Another piece goes out in the place of the first, and arrives."""
        yield self.until("ReplacementReserved")
        sent = {"units": ["1/1"], "tracking_id": f"{self.order_id}-new"}
        self.seller.post(f"{self.at}/replacement/shipment", sent)
        self.buyer.post(f"{self.at}/replacement/delivery", {"units": ["1/1"]})
        assert self.auditor.get(self.at)["units"][0]["replacement"]["unit"] == new

    # --- What has come of it

    def events(self) -> list[str]:
        return self.auditor.events(self.at)

    def money(self) -> list[str]:
        """What has happened to the money of the order."""
        return self.auditor.events(self.ledger)

    def until(self, last: str) -> Until:
        """This has happened to the return."""
        return Until(lambda: last in self.events(), self.events)

    def until_money(self, name: str, times: int = 1) -> Until:
        """So often this has happened to the money of the order."""
        return Until(lambda: self.money().count(name) == times, self.money)

    def until_paid(self, times: int = 1) -> Until:
        return self.until_money("RefundIssued", times)

    def until_moved(self) -> Until:
        """The money of a piece is that of the one in its place."""
        return self.until_money("UnitsReplaced")

    def reissues(self) -> None:
        """The desk, by another way, as the buyer has agreed. The provider is told to pay again."""
        self.companies.plan("payments", self.order_id)
        (failed,) = self.agent.get(self.ledger)["refunds"]
        way = {"way": "BANK_TRANSFER", "consented": True}
        self.agent.judge(self.ledger, f"{failed['refund_id']}/reissue", way)

    def ends(self, resolution: str, *events: str) -> Story:
        """These events, and no others."""
        yield Until(lambda: self.events() == [*events], self.events)
        told = self.auditor.get(self.at)["end"]["resolution"]
        assert told == resolution, told

    def gave(self, *refunds: tuple[str, str, Mapping[str, int]], left: Mapping[str, int]) -> None:
        """The ledger: of each refund what for, how far it is, and how much for which piece; then
        what each piece could still be given, and with that the order.
        """
        told = self.buyer.get(self.ledger)
        given = [
            (
                each["source"],
                each["state"],
                {unit["unit"]: unit["amount"]["amount"] for unit in each["units"]},
            )
            for each in told["refunds"]
        ]
        assert given == [*refunds], given
        units = [unit for line in told["lines"] for unit in line["units"]]
        remaining = {each["unit"]: each["refundable"]["amount"] for each in units}
        assert remaining == left, remaining
        assert told["sums"]["refundable"]["amount"] == sum(left.values()), told["sums"]

    def told(self) -> tuple[list[str], list[str]]:
        """All that has happened, to the return and to the money."""
        return self.events(), self.money()

    @property
    def refunds(self) -> list[str]:
        return [each["refund_id"] for each in self.auditor.get(self.ledger)["refunds"]]

    def moment(self) -> str:
        return now(self.stack).isoformat()

    # --- Before other services

    def dispute_is(self, stage: str) -> Until:
        """The only one about the order stands there."""
        return Until(
            lambda: [each["stage"] for each in self._disputes()] == [stage], self._disputes
        )

    @property
    def dispute(self) -> str:
        (listed,) = self._disputes()
        return f"/v1/disputes/{listed['dispute_id']}"

    def _disputes(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.person("BUYER", "dispute").get("/v1/disputes")["items"]
        return listed

    def seller_gives_in(self) -> None:
        """To what the buyer asks for in the dispute."""
        seller = self.person("SELLER", "dispute")
        proposals = seller.get(self.dispute)["proposals"]
        (asked,) = [each["proposal_id"] for each in proposals if each["by"] == "BUYER"]
        seller.post(f"{self.dispute}/proposals/{asked}/acceptance", {})

    def dispute_events(self) -> list[str]:
        return self.person("AUDITOR", "dispute").events(self.dispute)
