"""All that the documents offer is asked for, by the clients that are made of them."""

import re
from pathlib import Path

import pytest
from local_stack.databases import SERVICES

from tests.integration.by_client import done, operations

JOURNEYS = Path(__file__).parents[2] / "clients" / "journeys"
NOT_ASKED = {
    "GET /livez": "for whoever restarts a process: the stack asks when it starts one",
    "GET /readyz": "for whoever sends it requests: the stack, too",
    "GET /media/{media_id}": "the address has a signature of its own: whoever has it opens it",
    "POST /v1/orders/bulk": "lines: by the journey of TypeScript, and by `aftersales import`",
    "POST /v1/webhooks/carrier": "signed by a company: its sandbox tells",
    "POST /v1/webhooks/payments": "signed by a company: its sandbox tells",
    "POST /v1/buyers/{buyer_id}/termination/cancellation": "its notice takes months to come",
    "POST /v1/sellers/{seller_id}/termination/cancellation": "its notice takes months to come",
}
"""By nobody here, and why not."""
NOT_IN_TYPESCRIPT = {
    "buyers": "as sellers",
    "finance": "for the desk alone, as its lists are",
    "media": "a page sends a file by fetch",
    "policies": "for staff, once in a while",
    "privacy": "for the office of privacy alone",
    "refunds": "what the desk does about money; what comes of it is read",
    "sellers": "for seniors; what comes of cases is read",
    "votes": "for order alone",
    "webhooks": "for companies",
    "withdrawals": "as returns",
}
"""The groups of commands of which that journey has none, and why."""


@pytest.mark.usefixtures("stack")
def test_each_operation_is_asked_for_by_somebody() -> None:
    """With success; the same one of several services once. Behind all others (conftest.py)."""
    offered = {operation.route for service in SERVICES for operation in operations(service)}
    assert offered - done == NOT_ASKED.keys()


def test_the_journey_of_typescript_has_a_command_of_each_group() -> None:
    called = {route for file in JOURNEYS.glob("*.ts") for route in routes_in(file.read_text())}
    commands = [
        operation
        for service in SERVICES
        for operation in operations(service)
        if operation.method != "GET"
    ]
    missing = {each.tag for each in commands} - {
        each.tag for each in commands if each.route in called
    }
    assert missing == NOT_IN_TYPESCRIPT.keys()


def routes_in(program: str) -> set[str]:
    """What its client is asked for, with the names that it has for paths put in."""
    for name, path in re.findall(r'^const (\w+) = "(/v1/[^"]+)";', program, re.MULTILINE):
        program = program.replace(f"${{{name}}}", path).replace(f"({name},", f'("{path}",')
    asked = re.findall(r'\.(GET|POST|PUT|DELETE)\(["`](/v1/[^"`]+)["`]', program)
    return {f"{method} {path}" for method, path in asked}
