"""The four services, asked from Python.

    from aftersales_client import expect, new_key, patient
    from aftersales_client.review import AuthenticatedClient
    from aftersales_client.review.api.orders import get_order
    from aftersales_client.review.models import OrderView

    shop = AuthenticatedClient(base_url="https://…", token=token, httpx_args=patient())
    order = expect(OrderView, get_order.sync_detailed("O-1001", client=shop)).value

`review`, `dispute`, `returns` and `reputation` are generated from the OpenAPI documents: a module
for each operation, a class for each schema. What is here makes them pleasant: answers that are what
was expected or an exception that says why not, and patience.
"""

from aftersales_client.answers import Answer, Problem, Refused, expect
from aftersales_client.files import upload
from aftersales_client.patience import Patience, new_key, patient

__all__ = ["Answer", "Patience", "Problem", "Refused", "expect", "new_key", "patient", "upload"]
