"""A PostgreSQL server of our own, from Debian's packages: started, killed, started again."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from tests.kafka.cluster import KEEPER
from tests.kafka.ports import free_ports

PACKAGES = Path("/usr/lib/postgresql")
USER, DATABASE = "hitl", "hitl"
START_S_MAX = 60.0
END_S_MAX = 30.0
LOG_TAIL_CHARACTERS = 2_000
_UNPRIVILEGED = ("postgres", "nobody")
"""Who runs it where we are root, which PostgreSQL refuses."""


class NoPostgres(Exception):
    """There is no PostgreSQL server on this machine; the message says how to get one."""


class ServerEnded(Exception):
    """A server did not start or stop in time; the message holds the end of its log."""


def programs() -> Path:
    """The folder with `initdb` and `postgres`: the newest of Debian's, else that of the PATH."""
    if packaged := sorted(PACKAGES.glob("*/bin/initdb"), key=_version):
        return packaged[-1].parent
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    raise NoPostgres("expected a PostgreSQL server here, found none: apt-get install postgresql")


class Server:
    """One cluster of databases in a temporary folder, on a port of the loopback.

    Its user has to give a password, so that the tests meet one. `durable` is for benchmarks: tests
    do without fsync.
    """

    def __init__(self, bin_folder: Path, *, durable: bool = False) -> None:
        self.password = f"pw-{secrets.token_hex(12)}"
        (self.port,) = free_ports(1)
        self._bin = bin_folder
        self._durable = durable
        self._user = _unprivileged()
        # not below pytest's folder, which its owner alone may enter
        self._folder = Path(tempfile.mkdtemp(prefix="hitl-pg-"))
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._make()

    @property
    def url(self) -> str:
        """As in HITL_READ_MODEL, without a schema."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start it and wait until it serves."""
        options = {"fsync": "on" if self._durable else "off", "max_connections": "60"}
        options |= {"listen_addresses": "127.0.0.1", "port": str(self.port)}
        options |= {"unix_socket_directories": str(self._folder), "shared_buffers": "128MB"}
        given = [f"-c{name}={held}" for name, held in options.items()]
        with self._log.open("ab") as log:
            self._process = self._begin("postgres", "-D", self._data, *given, stdout=log)
        self._tell(f"+{self._process.pid}")
        ask = ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-d", DATABASE]
        for _ in range(int(START_S_MAX / 0.05)):
            if self._process.poll() is not None:
                break
            if self._begin(*ask).wait(START_S_MAX) == 0:
                return
            _wait(self._process, 0.05)
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:]
        raise ServerEnded(f"expected a server on port {self.port}, found: {tail}")

    def kill(self) -> None:
        """End all of it at once, as when the machine fails; the data stays."""
        self._end(signal.SIGQUIT)

    def send(self, number: signal.Signals) -> None:
        """Give all of its processes a signal that they survive (SIGSTOP, SIGCONT)."""
        assert self._process is not None, "it does not run"
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        for pid in (self._process.pid, *map(int, listed.stdout.split())):
            os.kill(pid, number)

    def stop(self) -> None:
        """End it and remove its data."""
        self._end(signal.SIGQUIT)
        self._keeper.communicate(timeout=END_S_MAX)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(self.password, encoding="utf-8")
        if self._user is not None:
            shutil.chown(secret, self._user)
        how = ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8"]
        # another order of text than that of bytes, as a server has it that nobody thought about
        how += ["--locale-provider=icu", "--icu-locale=en", "--no-sync", f"--username={USER}"]
        made = self._begin("initdb", "-D", self._data, *how, stdout=subprocess.PIPE)
        said, _ = made.communicate(timeout=START_S_MAX)
        if made.returncode != 0:
            raise ServerEnded(f"expected a new cluster, found: {said.decode()}")
        single = self._begin(
            "postgres", "--single", "-D", self._data, "postgres", stdin=subprocess.PIPE
        )
        single.communicate(f"CREATE DATABASE {DATABASE}\n".encode(), timeout=START_S_MAX)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(END_S_MAX)
        self._tell(f"-{process.pid}")

    def _begin(
        self,
        program: str,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self._bin / program), *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            user=self._user,
            group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
            extra_groups=None if self._user is None else [],
            start_new_session=True,
        )

    def _tell(self, line: str) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{line}\n")
        self._keeper.stdin.flush()


def _unprivileged() -> str | None:
    """Another user where we are root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in _UNPRIVILEGED:
        if name in known:
            return name
    raise NoPostgres(f"expected one of the users {', '.join(_UNPRIVILEGED)}, found none")


def _version(path: Path) -> tuple[int, ...]:
    return tuple(map(int, re.findall("[0-9]+", path.parts[-3])))


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
