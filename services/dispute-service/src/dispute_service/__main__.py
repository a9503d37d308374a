"""`python -m dispute_service api | worker | migrate`."""

from shared_runtime.service import main

from dispute_service.app import SERVICE

main(SERVICE)
