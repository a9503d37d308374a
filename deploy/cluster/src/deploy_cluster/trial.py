"""The product on a node in, what it does while things go wrong out: all of it is asked through the
gateway, and in the end every hash is computed again.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
from deploy_checks.api_server import ApiServer
from deploy_tools.host_mode import NAMESPACE
from local_stack.databases import SERVICES
from local_stack.errors import StackError
from shared_cli import bulk, demo

from deploy_cluster.load import Answers, Probe, asked_while
from deploy_cluster.node import Say
from deploy_cluster.product import Outside

SEED = 1
ORDERS = 1500
WHILE_THE_BROKER_IS_DEAD = 300
SELLER = "steady-books"
MICRO = 1_000_000
ACCOUNTS = 8
PODS_DELETED = 4
ROLLED = ("reputation-api", "review-api")
KILLED = "reputation-worker"
PATIENCE = "--timeout=300s"
VERIFY_SECONDS_MAX = 300.0
SECONDS_MAX = 300.0
LATE_SHARE_MAX = 0.1
LOOK_SECONDS = 0.2
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
NOT_SHOWN = (
    "not shown: network policies (nothing enforces them here), CoreDNS (names come from a list), "
    "TLS to PostgreSQL and Kafka, a second node, operators but Envoy Gateway"
)
HOST = "{}.aftersales.example"
NDJSON = {"Content-Type": "application/x-ndjson"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    server: ApiServer
    there: Outside
    say: Say

    def run(self) -> None:
        """Raises `StackError` at the first thing that is not as it is promised."""
        history = [*demo.marketplace(SEED, ORDERS, datetime.now(UTC))]
        before, later = history[:-WHILE_THE_BROKER_IS_DEAD], history[-WHILE_THE_BROKER_IS_DEAD:]
        self._import(before)
        self._score()
        self._verify()
        accounts = [*self._accounts(before[0])]
        self._replace("a rolling restart", self._restart, accounts)
        self._replace(f"{PODS_DELETED} pods deleted, one after the other", self._delete, accounts)
        self._kill_worker()
        self._kill_broker(later)
        self._score()
        self._verify()
        self.say(NOT_SHOWN)

    def _import(self, lines: Sequence[bytes]) -> None:
        began = time.monotonic()
        taken = asyncio.run(self._send(lines))
        if taken.orders_refused or taken.lines != len(lines):
            raise StackError(f"not all orders were taken: {taken}")
        self.say(
            f"{taken.lines:,} orders, {taken.reviews.total():,} reviews, {taken.events:,} events "
            f"are in the scores after {time.monotonic() - began:.1f} s"
        )

    async def _send(
        self, lines: Sequence[bytes], then: Callable[[], None] | None = None
    ) -> bulk.Taken:
        """Through the gateway, until all scores contain it. `then`: between the two."""
        async with (
            bulk.client(self._headers("IMPORTER")) as sending,
            bulk.client(self._headers("AUDITOR")) as looking,
        ):
            taken = await bulk.send(sending, _url("review"), lines, _silence)
            if then is not None:
                await asyncio.to_thread(then)
            await bulk.wait_until_final(looking, _url("reputation"), taken)
            await bulk.wait_until_ranked(looking, _url("reputation"), taken.tokens)
        return taken

    def _score(self) -> None:
        answer = httpx.get(_score_url(), headers=self._headers("AUDITOR"), timeout=SECONDS_MAX)
        if not answer.is_success:
            raise StackError(f"{SELLER} has no score: {answer.status_code} {answer.text}")
        told = answer.json()
        score = told["score_micro"] / MICRO
        self.say(f"{SELLER} has a score: {score:.2f}, level {told['public_level']}")

    def _verify(self) -> None:
        """As an auditor does, who reads the databases and Kafka."""
        env = os.environ | {"AFTERSALES_KAFKA": self.there.kafka.bootstrap}
        env |= {
            f"AFTERSALES_{name.upper()}_DATABASE_URL": database.app_url
            for name, database in self.there.logs.items()
        }
        done = subprocess.run(  # noqa: S603 - our own program
            [Path(sys.executable).with_name("aftersales"), "audit", "verify"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=VERIFY_SECONDS_MAX,
        )
        if done.returncode:
            raise StackError(f"audit verify: {done.stdout}{done.stderr}")
        self.say(f"audit verify: {' '.join(done.stdout.split())}")

    def _accounts(self, line: bytes) -> Iterator[Probe]:
        """Half of them ask for a score, half of them send an order that is already there."""
        for number in range(ACCOUNTS):
            account = f"account-{number}"
            if number % 2:
                headers = self._headers("IMPORTER", account) | NDJSON
                url = f"{_url('review')}/v1/orders/bulk"
                yield Probe(method="POST", url=url, headers=headers, content=line)
            else:
                headers = self._headers("AUDITOR", account)
                yield Probe(method="GET", url=_score_url(), headers=headers)

    def _replace(self, what: str, step: Callable[[], None], accounts: Sequence[Probe]) -> None:
        """Under load: nobody meets a closed door."""
        began = time.monotonic()
        answers: Answers = asked_while(accounts, step)
        self.say(f"{what} in {time.monotonic() - began:.0f} s: {answers}")
        if answers.refused or not answers.answered:
            raise StackError("\n".join((f"{what}: requests were refused", *answers.refusals)))
        if answers.late > LATE_SHARE_MAX * answers.answered:
            raise StackError(f"{what}: hardly anybody was answered in time")

    def _restart(self) -> None:
        self._ours("rollout", "restart", *(f"deployment/{each}" for each in ROLLED))
        for each in ROLLED:
            self._available(each)

    def _delete(self) -> None:
        for number in range(PODS_DELETED):
            deployment = ROLLED[number % len(ROLLED)]
            self._ours("delete", "pod", self._pods(deployment)[0])
            self._available(deployment)

    def _kill_worker(self) -> None:
        """SIGKILL: it has no last words. The node begins it again."""
        [pod] = self._pods(KILLED)
        restarts = partial(self._of_pod, pod, "{.status.containerStatuses[0].restartCount}")
        before = restarts()
        uid = self._of_pod(pod, "{.metadata.uid}")
        [pid] = [pid for pid, command in _processes_of(uid) if "worker" in command]
        os.kill(pid, signal.SIGKILL)
        _until(lambda: restarts() > before, f"{KILLED} is begun again")
        self._available(KILLED)
        self.say(f"{KILLED} was killed and works again")

    def _kill_broker(self, lines: Sequence[bytes]) -> None:
        """Orders are taken without it, and scores contain them when it is back."""
        self.there.kafka.kill()
        taken = asyncio.run(self._send(lines, then=self.there.kafka.start))
        if taken.lines != len(lines):
            raise StackError(f"not all orders were taken while Kafka was dead: {taken}")
        self.say(f"{taken.lines:,} orders were taken while Kafka was dead, and are in the scores")

    def _pods(self, deployment: str) -> list[str]:
        """Of a deployment, by name; none that is on its way out."""
        service, _, component = deployment.rpartition("-")
        labels = f"{NAME}={service}-service,{COMPONENT}={component}"
        told = json.loads(self._ours("get", "pods", f"--selector={labels}", "--output=json"))
        found = [each["metadata"] for each in told["items"]]
        return sorted(each["name"] for each in found if "deletionTimestamp" not in each)

    def _of_pod(self, pod: str, what: str) -> str:
        return self._ours("get", "pod", pod, f"--output=jsonpath={what}")

    def _available(self, deployment: str) -> None:
        self._ours("rollout", "status", f"deployment/{deployment}", PATIENCE)

    def _ours(self, *command: str) -> str:
        return self.server.kubectl(f"--namespace={NAMESPACE}", *command)

    def _headers(self, role: str, account: str = "trial") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.there.token(role, account)}"}


def name_gateway(folder: Path, address: str) -> None:
    """In this namespace of mounts its hosts have names, and its certificate is believed."""
    names = folder / "hosts"
    hosts = " ".join(HOST.format(service) for service in SERVICES)
    names.write_text(f"127.0.0.1 localhost\n{address} {hosts}\n")
    subprocess.run(["mount", "--bind", names, "/etc/hosts"], check=True)  # noqa: S603, S607
    os.environ["SSL_CERT_FILE"] = str(folder / "gateway.crt")


def _url(service: str) -> str:
    return f"https://{HOST.format(service)}"


def _score_url() -> str:
    return f"{_url('reputation')}/v1/sellers/{SELLER}/score"


def _processes_of(uid: str) -> Iterator[tuple[int, str]]:
    """Of a pod, by its control group: their ids and commands."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if uid in (folder / "cgroup").read_text():
                yield int(folder.name), (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue


def _until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not happened():
        if time.monotonic() > deadline:
            raise StackError(f"it is in vain that {what} was waited for")
        time.sleep(LOOK_SECONDS)


def _silence(_: str) -> None:
    pass
