"""Where the sandboxes are in, what the sandboxes and those who ask them are told out.

The secrets are everybody's: they open what is made up, on one machine.
"""

from base64 import b64encode

PACKAGE = "local_stack.sandboxes"
KEY = "local: whoever is on this machine may ask the sandboxes"
WEBHOOK_SECRET = f"whsec_{b64encode(b'local: anybody here may tell things').decode()}"


def environment_of_sandboxes(*, url: str, clock_file: str, returns_url: str) -> dict[str, str]:
    """What their process is told."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    return {
        "AFTERSALES_HOST": host,
        "AFTERSALES_PORT": port,
        "AFTERSALES_CLOCK_FILE": clock_file,
        "AFTERSALES_RETURNS_URL": returns_url,
        "AFTERSALES_PORTS_KEY": KEY,
        "AFTERSALES_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }


def companies_at(url: str) -> dict[str, str]:
    """Where whoever asks them finds them, and what opens them."""
    return {
        "AFTERSALES_PAYMENT_URL": f"{url}/payments",
        "AFTERSALES_PAYMENT_KEY": KEY,
        "AFTERSALES_PAYMENT_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "AFTERSALES_CARRIER_URL": f"{url}/carrier",
        "AFTERSALES_CARRIER_KEY": KEY,
        "AFTERSALES_CARRIER_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "AFTERSALES_STOCK_URL": f"{url}/stock",
        "AFTERSALES_STOCK_KEY": KEY,
    }
