"""`python -m review_service api | worker | migrate`."""

from shared_runtime.service import main

from review_service.app import SERVICE

main(SERVICE)
