"""What is said of a machine and of answers, without a cluster."""

from collections import Counter
from contextlib import ExitStack

import pytest
from deploy_cluster.load import Answers, Probe, asked_while
from deploy_cluster.machine import left_behind
from deploy_cluster.node import names_of
from deploy_tools.upstreams import Upstreams
from local_stack.processes import free_port


def test_what_is_new_what_is_gone_and_what_is_changed_is_told() -> None:
    before = {"link": frozenset({"lo", "eth0"}), "setting": frozenset({"ip_forward = 0"})}
    after = {"link": frozenset({"lo", "cni0"}), "setting": frozenset({"ip_forward = 1"})}
    assert left_behind(before, before) == []
    assert left_behind(before, after) == [
        "link is new: cni0",
        "link is gone: eth0",
        "setting is new: ip_forward = 1",
        "setting is gone: ip_forward = 0",
    ]


@pytest.mark.parametrize(
    ("told", "refused", "late"),
    [
        ("200", 0, 0),
        ("504", 0, 1),
        ("ReadTimeout", 0, 1),
        ("503", 1, 0),
        ("429", 1, 0),
        ("401", 1, 0),
        ("ConnectError", 1, 0),
        ("RemoteProtocolError", 1, 0),
    ],
)
def test_a_closed_door_is_told_apart_from_a_machine_that_is_late(
    told: str, refused: int, late: int
) -> None:
    answers = Answers(Counter({"200": 10}) + Counter({told: 1}))
    assert (answers.refused, answers.late) == (refused, late)
    assert answers.answered == 11 - refused - late


def test_of_a_refused_request_it_is_told_when_and_how() -> None:
    answers = Answers()
    for told in ("200", "504", "ConnectError"):
        answers.take(told, f"what {told} says")
    [refusal] = answers.refusals
    assert refusal.endswith(" ConnectError what ConnectError says")
    assert (answers.answered, answers.late, answers.refused) == (1, 1, 1)


def test_accounts_send_what_is_theirs_until_a_step_is_done_and_meet_the_door_that_it_closed() -> (
    None
):
    upstreams = Upstreams({"review": free_port()})
    url = f"http://127.0.0.1:{upstreams.ports['review']}/"
    accounts = [
        Probe(method="GET", url=url, headers={}),
        Probe(method="POST", url=url, headers={"answer-with": "409"}, content=b"an order"),
    ]
    with upstreams.running(), ExitStack() as closed:
        answers = asked_while(accounts, lambda: closed.enter_context(upstreams.down("review")))
    assert answers.answered > 1
    assert answers.counted["409"] > 1
    assert answers.counted["ConnectError"] > len(accounts)
    assert answers.refused == answers.counted.total() - answers.answered == len(answers.refusals)
    assert '"method": "POST"' in answers.refusals[0]
    assert '"bytes": 8' in answers.refusals[0]


def test_services_have_the_names_that_pods_know_them_by() -> None:
    def service(name: str, **spec: str) -> dict[str, object]:
        return {"metadata": {"name": name, "namespace": "aftersales"}, "spec": spec}

    told = {
        "items": [
            service("kafka", clusterIP="10.79.0.7"),
            service("of-pods", clusterIP="None"),
            service("elsewhere", externalName="kafka.example"),
        ]
    }
    assert names_of(told) == ["10.79.0.7 kafka.aftersales.svc.cluster.local"]
