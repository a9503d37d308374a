"""`python -m returns_service api | worker | migrate`."""

from shared_runtime.service import main

from returns_service.app import SERVICE

main(SERVICE)
