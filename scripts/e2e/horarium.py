"""Real nodes, a real database and a real HTTP target, for the end-to-end checks. Standard library only.

A check is a module with `DATABASES`, the databases that it runs on, and `check(world)`, which raises when a promise
does not hold. `scripts/e2e/run` runs them all; each also runs alone: `python3 scripts/e2e/crash.py [sqlite|postgres]`.
"""

import atexit
import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
API = "/api/v1/scheduler"
TERMINAL = {"Succeeded", "Failed", "Cancelled"}


class Broken(Exception):
    """A promise that does not hold, in words."""


def require(holds, otherwise):
    if not holds:
        raise Broken(otherwise)


def wait_for(what, condition, seconds=30.0, every=0.05):
    """Asks `condition` until its answer is true, and returns that answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Broken(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(every)


def binary():
    """The server: HORARIUM_BIN, or the debug build, which checks arithmetic and assertions that a release build skips."""
    given = os.environ.get("HORARIUM_BIN")
    if given:
        return given
    build = f". {REPO}/scripts/lib/common.sh; require_build_tools; build_horarium dev"
    path = subprocess.run(["bash", "-c", build], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    os.environ["HORARIUM_BIN"] = path
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Answers ------------------------------------------------------------------------------------------------------------

Answer = namedtuple("Answer", "status headers text")


class Client:
    """One caller: a base URL and a token."""

    def __init__(self, base, token):
        self.base = base
        self.token = token

    def call(self, method, path, body=None, headers=None, timeout=10.0):
        """The answer, whatever its status; OSError when there is none."""
        request = urllib.request.Request(self.base + path, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.headers, refusal.read().decode())

    def expect(self, status, method, path, body=None, headers=None):
        """The answer's JSON; Broken when its status is another one."""
        answer = self.call(method, path, body, headers)
        require(answer.status == status, f"{method} {path} answered {answer.status}, not {status}: {answer.text[:500]}")
        return json.loads(answer.text) if answer.text else None

    def create_job(self, name, **fields):
        return self.expect(201, "POST", f"{API}/jobs", {"name": name, **fields})["id"]

    def trigger(self, job, body=None):
        return self.expect(202, "POST", f"{API}/jobs/{job}/trigger", body)

    def execution(self, execution):
        return self.expect(200, "GET", f"{API}/executions/{execution}")

    def executions(self, job):
        """Every execution of the job, newest first."""
        found, page = [], 1
        while True:
            answer = self.expect(200, "GET", f"{API}/jobs/{job}/executions?pageSize=200&pageNumber={page}")
            found += answer["items"]
            if page >= answer["totalPages"]:
                return found
            page += 1

    def wait_until_ended(self, execution, seconds=30.0):
        def ended():
            found = self.execution(execution)
            return found if found["status"] in TERMINAL else None

        return wait_for(f"execution {execution} ends", ended, seconds)


# The target ---------------------------------------------------------------------------------------------------------

# `hung_up()` tells whether the caller has closed the connection.
Call = namedtuple("Call", "at path execution attempt body hung_up headers")


class Target:
    """What HttpCall jobs call: a server on loopback that remembers every call, and answers as `respond` says.

    `respond(call)` runs on the call's own thread, so it may wait; it returns (status, JSON value).
    """

    def __init__(self, respond=lambda call: (200, {"ok": True})):
        self.calls = []
        self.lock = threading.Lock()
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                call = Call(
                    time.monotonic(),
                    self.path,
                    self.headers.get("Idempotency-Key"),
                    int(self.headers.get("X-Horarium-Attempt") or 0),
                    self.rfile.read(length).decode(),
                    self.hung_up,
                    self.headers,
                )
                with target.lock:
                    target.calls.append(call)
                status, value = respond(call)
                body = json.dumps(value).encode()
                # A caller that was killed or stopped meanwhile is what these checks are about.
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def hung_up(self):
                if not select.select([self.connection], [], [], 0)[0]:
                    return False
                try:
                    return self.connection.recv(1, socket.MSG_PEEK) == b""
                except OSError:
                    return True

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 512
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a connection reset by a killed node

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def seen(self):
        with self.lock:
            return list(self.calls)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# The database -------------------------------------------------------------------------------------------------------


class Postgres:
    """A database of its own on the server of HORARIUM_TEST_POSTGRES_URL."""

    def __init__(self):
        self.server = os.environ.get("HORARIUM_TEST_POSTGRES_URL")
        require(self.server, "HORARIUM_TEST_POSTGRES_URL is not set; run this under: scripts/pg run -- ...")
        self.name = f"horarium_e2e_{secrets.token_hex(6)}"
        self.psql(f'create database "{self.name}"')
        self.url = urllib.parse.urlsplit(self.server)._replace(path=f"/{self.name}").geturl()

    def psql(self, statement):
        folder = os.environ.get("HORARIUM_PG_BIN")
        program = f"{folder}/psql" if folder else shutil.which("psql")
        require(program, "psql is not on PATH; install the package postgresql-client")
        command = [program, self.server, "--no-psqlrc", "--quiet", "--command", statement]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def drop(self):
        self.psql(f'drop database if exists "{self.name}" with (force)')


# Nodes --------------------------------------------------------------------------------------------------------------


class Node:
    """One server process."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = world.folder / f"{name}.log"
        self.process = None
        self.client = Client(self.base, world.token)

    def start(self):
        environment = {**self.world.environment, "HORARIUM_LISTEN": f"127.0.0.1:{self.port}"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.world.binary, "serve"], env=environment, cwd=self.world.folder, stdout=log, stderr=log
            )
        wait_for(lambda: f"node {self.name} is ready\n{self.last_words()}", self.is_ready, 30, 0.02)
        return self

    def is_ready(self):
        require(self.process.poll() is None, f"node {self.name} ended at its start\n{self.last_words()}")
        try:
            return self.client.call("GET", "/health/ready", timeout=2).status == 200
        except OSError:
            return False

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9: no handler runs, nothing is flushed."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """An orderly end; returns the exit status."""
        self.process.terminate()
        return self.process.wait(timeout=60)

    def last_words(self, lines=15):
        with contextlib.suppress(OSError):
            return "".join(f"    {self.name}| {line}\n" for line in self.log.read_text().splitlines()[-lines:])
        return ""


class World:
    """Everything one check runs in: a folder, a database, a secret, nodes; taken apart at the end."""

    def __init__(self, database, lease_seconds=5):
        self.binary = binary()
        self.database = database
        self.lease_seconds = lease_seconds
        self.folder = Path(tempfile.mkdtemp(prefix="horarium-e2e-"))
        self.postgres = Postgres() if database == "postgres" else None
        self.nodes = []
        self.targets = []
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("HORARIUM_")}
        self.environment |= {
            "HORARIUM_DATA_DIR": str(self.folder / "data"),
            "HORARIUM_JWT_SECRET": secrets.token_hex(32),
            "HORARIUM_EGRESS_ALLOW": "127.0.0.0/8",
            "HORARIUM_LEASE_SECONDS": str(lease_seconds),
            "HORARIUM_LOG": os.environ.get("HORARIUM_LOG", "info"),
        }
        if self.postgres:
            self.environment["HORARIUM_DATABASE_URL"] = self.postgres.url
        atexit.register(self.close)
        self.token = self.mint_token("super_admin")

    def mint_token(self, role, tenant="default"):
        command = [self.binary, "token", "create", "--tenant", tenant, "--role", role, "--ttl", "1h"]
        made = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        require(made.returncode == 0, f"`{' '.join(command)}` failed: {made.stderr or made.stdout}")
        return made.stdout.strip()

    def node(self, name="a"):
        node = Node(self, name)
        self.nodes.append(node)
        return node.start()

    def target(self, *arguments):
        target = Target(*arguments)
        self.targets.append(target)
        return target

    def logs(self):
        return "\n".join(node.last_words() for node in self.nodes)

    def close(self):
        atexit.unregister(self.close)
        for node in self.nodes:
            node.kill()
        for target in self.targets:
            target.close()
        if self.postgres:
            self.postgres.drop()
        shutil.rmtree(self.folder, ignore_errors=True)


def run_check(check, databases, **world):
    """Runs one check on the databases named on the command line, or on all of its own."""
    # An interrupted check takes its nodes along: SystemExit runs what atexit knows.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = sys.argv[1:] or databases
    for database in wanted:
        require(database in databases, f"this check runs on {', '.join(databases)}, not on {database}")
        made = World(database, **world)
        try:
            check(made)
        except Exception as problem:
            print(f"{made.logs()}\nFAILED on {database}: {problem}", file=sys.stderr)
            sys.exit(1)
        finally:
            made.close()
