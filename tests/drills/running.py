"""The processes of a stack that is treated badly in; what they do and say, out."""

import httpx
from local_stack.services import Service, Stack


def both(stack: Stack, service: str) -> tuple[Service, Service]:
    """The API and the worker of a service."""
    return stack.services[f"{service}-api"], stack.services[f"{service}-worker"]


def start(*processes: Service) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.wait_ready()


def metric(worker: Service, name: str) -> float:
    """What a worker says, in all; `name` may have labels."""
    metrics = httpx.get(f"{worker.url}/metrics", timeout=10).text
    lines = [each for each in metrics.splitlines() if each.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
