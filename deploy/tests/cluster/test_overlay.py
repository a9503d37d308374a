"""What is this node's of the manifests, rendered."""

from deploy_checks.render import rendered
from deploy_cluster.product import K8S
from deploy_cluster.trial import ROLLED


def test_of_what_is_replaced_under_load_there_are_two() -> None:
    deployments = {
        each["metadata"]["name"]: each["spec"]["replicas"]
        for each in rendered(K8S)
        if each["kind"] == "Deployment"
    }
    assert {name: deployments[name] for name in ROLLED} == dict.fromkeys(ROLLED, 2)
