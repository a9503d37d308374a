"""A running stack: what is for everybody, and what is for whoever runs it, have other addresses."""

import httpx
from local_stack.services import Stack


def test_metrics_are_at_addresses_of_their_own(stack: Stack) -> None:
    described = stack.description
    assert described.urls.keys() == described.metrics_urls.keys()
    for name, url in described.urls.items():
        assert httpx.get(f"{url}/livez").status_code == 200
        assert httpx.get(f"{url}/metrics").status_code == 404
        for inside in (described.metrics_urls[name], described.worker_urls[name]):
            assert "aftersales_refusals_total" in httpx.get(f"{inside}/metrics").text
