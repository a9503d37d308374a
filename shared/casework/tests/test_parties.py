"""Whose matter it is: a buyer's id and a seller's id may be alike and mean two people."""

import pytest
from shared_casework.parties import (
    Account,
    account_of,
    accounts_of,
    is_involved,
    is_party,
    parties_of,
    require_party,
    seller_of,
)
from shared_runtime.auth import Caller
from shared_runtime.decider import Actor, NotAParty, Role

OF_ORDER = parties_of(buyer_id="B1", seller_id="S1")


def caller(sub: str, *roles: Role, seller_id: str | None = None, org: str | None = None) -> Caller:
    """As a token makes him: without a claim, the seller that he is of is his own."""
    return Caller(sub=sub, roles=frozenset(roles), seller_id=seller_id or sub, org_id=org)


def seller(sub: str, seller_id: str | None = None) -> Actor:
    return caller(sub, "SELLER", seller_id=seller_id).actor("SELLER")


def test_a_buyer_is_the_buyer_of_that_id_alone() -> None:
    assert is_party(caller("B1", "BUYER").actor("BUYER"), OF_ORDER)
    assert not is_party(caller("B2", "BUYER").actor("BUYER"), OF_ORDER)
    assert not is_party(caller("S1", "BUYER").actor("BUYER"), OF_ORDER)


def test_a_seller_without_another_account_is_the_seller_of_his_own_id() -> None:
    assert is_party(seller("S1"), OF_ORDER)
    assert not is_party(seller("B1"), OF_ORDER)


def test_a_member_of_a_seller_acts_for_it() -> None:
    assert is_party(seller("clerk", "S1"), OF_ORDER)
    assert account_of(seller("clerk", "S1")) == Account("SELLER", "S1")


def test_a_member_whose_own_id_is_another_sellers_does_not_act_for_that_one() -> None:
    chance = seller("S1", "S9")
    assert seller_of(chance) == "S9"
    assert not is_party(chance, OF_ORDER)
    assert not is_involved(chance, OF_ORDER)
    with pytest.raises(NotAParty):
        require_party(chance, OF_ORDER)


def test_an_account_of_one_kind_is_none_of_the_other() -> None:
    alike = parties_of(buyer_id="X", seller_id="S1")
    assert not is_involved(seller("clerk", "X"), alike)
    assert is_involved(caller("X", "SELLER", seller_id="S7").actor("SELLER"), alike)  # he buys too


def test_roles_that_are_no_party_are_not_asked_whether_they_are_one() -> None:
    for role in ("MODERATOR", "AGENT", "SYSTEM"):
        require_party(Actor(role=role, id="anybody"), OF_ORDER)
    require_party(Actor(role="IMPORTER", id="history", on_behalf_of="SELLER"), OF_ORDER)


@pytest.mark.parametrize(
    ("who", "involved"),
    [
        (caller("M1", "MODERATOR"), False),
        (caller("B1", "MODERATOR"), True),
        (caller("S1", "MODERATOR"), True),
        (caller("M1", "MODERATOR", seller_id="S1"), True),
        (caller("S1", "MODERATOR", seller_id="S9"), False),
        (caller("B1", "MODERATOR", seller_id="S9"), True),
        (caller("M1", "MODERATOR", seller_id="B1"), False),
        (caller("M1", "MODERATOR", org="S1"), True),
        (caller("M1", "MODERATOR", org="B1"), True),
        (caller("M1", "MODERATOR", org="acme"), False),
    ],
)
def test_staff_are_involved_where_they_buy_sell_or_belong_to_who_does(
    who: Caller, involved: bool
) -> None:
    assert is_involved(who.actor("MODERATOR"), OF_ORDER) is involved


def test_a_machine_has_no_account_of_its_own_but_may_belong_to_a_seller() -> None:
    assert accounts_of(caller("S1", "SYSTEM").actor("SYSTEM")) == frozenset()
    assert accounts_of(caller("B1", "SYSTEM").actor("SYSTEM")) == frozenset()
    of_seller = caller("warehouse", "SYSTEM", seller_id="S1").actor("SYSTEM")
    assert accounts_of(of_seller) == {Account("SELLER", "S1")}


def test_an_act_is_of_the_account_of_its_role() -> None:
    both = caller("P1", "BUYER", "SELLER", "MODERATOR", seller_id="S1")
    assert account_of(both.actor("BUYER")) == Account("BUYER", "P1")
    assert account_of(both.actor("SELLER")) == Account("SELLER", "S1")
    assert account_of(both.actor("MODERATOR")) == Account("STAFF", "P1")
