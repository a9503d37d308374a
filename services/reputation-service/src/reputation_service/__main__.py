"""`python -m reputation_service api | worker | migrate`."""

from shared_runtime.service import main

from reputation_service.app import SERVICE

main(SERVICE)
