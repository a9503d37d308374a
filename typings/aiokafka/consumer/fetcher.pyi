from asyncio import Future

class Fetcher:
    @property
    def error_future(self) -> Future[None]: ...
