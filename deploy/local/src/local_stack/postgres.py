"""A folder in, a PostgreSQL 18 server on this machine out."""

import os
import pwd
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from local_stack import processes
from local_stack.processes import Tethered

UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
READY_SECONDS = 60.0
ADMIN = "postgres"
# Durability stays as it is in production: what is measured and promised here must hold there.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "wal_level": "replica",
    "max_wal_size": "4GB",
    "synchronous_commit": "on",
    # The passwords are made by chance or by HMAC: stretching them adds nothing but the milliseconds
    # of every connection.
    "scram_iterations": "1",
    "jit": "off",
    # In the data's folder: shared memory of the system's would outlive a server that is killed.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_min_messages": "warning",
}
# Writes that a killed server has made stay whole; only a machine that goes down tears them.
UNDURABLE = {"fsync": "off", "full_page_writes": "off"}
type StopMode = Literal["fast", "immediate"]


@dataclass(slots=True)
class PostgresServer:
    """Starts, stops and starts again on the same port and folder.

    Not `durable`: it does not wait for the disk. A killed server still loses nothing that it has
    acknowledged; a machine that loses its power does. `besides`: settings that are added to the
    usual ones, or stand in their place.
    """

    folder: Path
    programs: Path
    port: int
    ephemeral: bool = False
    durable: bool = True
    keep_open: tuple[int, ...] = ()
    besides: Mapping[str, str] = field(default_factory=dict[str, str])
    _process: Tethered | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The administrator's address."""
        password = (self.folder / "password").read_text().strip()
        return f"postgresql://{ADMIN}:{quote(password)}@127.0.0.1:{self.port}/postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def start(self) -> None:
        self._initialise()
        chosen = SETTINGS | ({} if self.durable else UNDURABLE) | dict(self.besides)
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        self._process = processes.start(
            "PostgreSQL",
            [self.programs / "bin/postgres", "-D", self.data, "-p", str(self.port), *options],
            log=self.log,
            user=_user(),
            stop_signal="INT",  # a fast shutdown: open sessions are ended
            remove_orphaned=self.folder if self.ephemeral else None,
            keep_open=self.keep_open,
        )
        processes.wait_until(
            self._is_ready, self._process, seconds=READY_SECONDS, ready="ready for connections"
        )

    def stop(self, mode: StopMode = "fast") -> None:
        """`immediate` leaves the recovery to the next start, like a power cut."""
        if self._process is None:
            return
        if mode == "immediate":
            processes.run(
                [self.programs / "bin/pg_ctl", "stop", "-D", self.data, "-m", "immediate", "-w"],
                what="pg_ctl stop",
                log=self.log,
                user=_user(),
            )
        self._process.stop()
        self._process = None

    def kill(self) -> None:
        """SIGKILL, for when the data is thrown away anyhow."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def running(self) -> bool:
        return self._process is not None and self._process.running()

    def _initialise(self) -> None:
        """A folder without the mark that is written last is made anew."""
        done = self.folder / "initialised"
        if done.exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(16) + "\n")
        self.data.mkdir(mode=0o700)
        if user := _user():
            account = pwd.getpwnam(user)
            for path in (self.data, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        processes.run(
            [
                *(self.programs / "bin/initdb", "-D", self.data, "-U", ADMIN),
                *("--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *("--set", f"scram_iterations={SETTINGS['scram_iterations']}", "--no-instructions"),
            ],
            what="initdb",
            log=self.folder / "initdb.log",
            user=user,
        )
        done.touch()

    def _is_ready(self) -> bool:
        """The server writes its state into its pid file, and listens before it is ready."""
        state = self.data / "postmaster.pid"
        try:
            return state.read_text().splitlines()[7:8] == ["ready   "]
        except FileNotFoundError:
            return False


def _user() -> str | None:
    return UNPRIVILEGED if os.geteuid() == 0 else None
