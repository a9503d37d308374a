"""The gateway as it is deployed, before four servers that tell what they were asked.

gateway         one that runs; skipped where Envoy Gateway has not been built
upstreams       those servers: one of them can be down for a while
issuer_folder   the issuer whose tokens the gateway takes
edwards         another key of the same issuer
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from deploy_tools.cache import Absent
from deploy_tools.host_mode import (
    PARTS,
    TLS,
    HostGateway,
    Resource,
    host_gateway,
    own_certificate,
    resources,
)
from deploy_tools.routes import SERVICES
from deploy_tools.upstreams import Upstreams
from joserfc.jwk import OKPKey
from local_stack import issuer
from local_stack.processes import free_port

BROKEN = """
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: {name: broken}
spec: {directResponse: {statusCode: 500}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: broken}
spec:
  parentRefs: [{name: aftersales}]
  hostnames: [broken.aftersales.example]
  rules:
    - filters:
        - type: ExtensionRef
          extensionRef: {group: gateway.envoyproxy.io, kind: HTTPRouteFilter, name: broken}
"""
"""A route on which the gateway itself fails."""
LIMITED = ("ordinary", "streams", "signed")
"""The limits of accounts, and of addresses where there is no account."""
OPEN = "no-tokens"
"""The policy of what asks for no token."""


def by_the_hour() -> Iterator[Resource]:
    """The limits as they are deployed, and the routes that have them, at hosts of their own
    (`hourly-review.…`): so much an hour instead of a second. How quick a machine is to ask so often
    is nothing to them.
    """
    for each in (each for part in PARTS for each in resources(part)):
        name, spec = each["metadata"]["name"], each["spec"]
        each["metadata"]["name"] = f"hourly-{name}"
        route = each["metadata"].get("labels", {}).get("aftersales.dev/route")
        if each["kind"] == "HTTPRoute" and route in LIMITED:
            spec["hostnames"] = [f"hourly-{host}" for host in spec["hostnames"]]
            yield each
        elif each["kind"] == "BackendTrafficPolicy" and name in LIMITED:
            for rule in spec["rateLimit"]["local"]["rules"]:
                assert rule["limit"]["unit"] == "Second"
                rule["limit"]["unit"] = "Hour"
            yield of_the_copies(each)
        elif each["kind"] == "SecurityPolicy" and name == OPEN:
            yield of_the_copies(each)


def of_the_copies(policy: Resource) -> Resource:
    for target in policy["spec"]["targetRefs"]:
        target["name"] = f"hourly-{target['name']}"
    return policy


@pytest.fixture(scope="session")
def tls() -> TLS:
    return own_certificate()


@pytest.fixture(scope="session")
def issuer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("issuer")
    issuer.ensure_key(folder)
    return folder


@pytest.fixture(scope="session")
def edwards() -> OKPKey:
    """Another key of the issuer's, of the other kind that services take."""
    return OKPKey.generate_key("Ed25519", {"kid": "edwards", "use": "sig"})


@pytest.fixture(scope="session")
def upstreams() -> Iterator[Upstreams]:
    servers = Upstreams({service: free_port() for service in SERVICES})
    with servers.running():
        yield servers


@pytest.fixture(scope="session")
def gateway(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    upstreams: Upstreams,
    issuer_folder: Path,
    edwards: OKPKey,
    tls: TLS,
) -> Iterator[HostGateway]:
    keys = json.loads(issuer.jwks_file(issuer_folder).read_text())["keys"]
    jwks = json.dumps({"keys": [*keys, edwards.as_dict(private=False)]})
    folder = tmp_path_factory.mktemp("gateway")
    try:
        with host_gateway(
            folder,
            services=upstreams.ports,
            jwks=jwks,
            tls=tls,
            besides=[*yaml.safe_load_all(BROKEN), *by_the_hour()],
        ) as running:
            yield running
    except Absent as why:
        pytest.skip(str(why))
