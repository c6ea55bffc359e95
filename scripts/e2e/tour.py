"""The README's tour works by paste, and so does what the server prints at its first start.

The tour's commands are taken from the file and run, in order, in one shell. A block that is just `scripts/run` becomes
the server in the background (a debug build, which is there already). Only two things differ from a reader's terminal: the
data goes into a temp folder, and another port is used when 8080 is taken. An HTTP error fails the tour, which a reader
would see but a shell would not.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from horarium import REPO, binary, free_port, require, wait_for

DATABASES = ("sqlite",)
PORT = 8080
STARTS_THE_SERVER = re.compile(r"^(\./)?scripts/run( &)?$")


def blocks(readme):
    """The shell blocks of the section whose heading speaks of a tour."""
    section = re.search(r"^(#+) [^\n]*\btour\b[^\n]*\n(.*?)(?=^\1 |\Z)", readme, re.S | re.M | re.I)
    require(section, "README.md has no section with 'tour' in its heading")
    found = re.findall(r"^```(?:sh|bash|shell)\n(.*?)^```", section[2], re.S | re.M)
    require(found, "the tour in README.md has no ```sh block")
    return found


def first_start(printed):
    """The commands in what the server prints at its first start: from the token to the execution that is read."""
    block = re.search(r"^export HORARIUM_TOKEN=.*?^curl [^\n]*EXECUTION[^\n]*$", printed, re.S | re.M)
    require(block, f"the first start prints no commands to paste:\n{printed}")
    return "\n".join(line for line in block[0].splitlines() if re.match(r"(export |curl |[A-Z]+=)", line))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with socket.socket() as probe:
        port = PORT if probe.connect_ex(("127.0.0.1", PORT)) else free_port()
    build = str(Path(binary()).parent)

    def as_here(block):
        return re.sub(rf"\b{PORT}\b", str(port), block).replace("target/release/", f"{build}/")

    server = None
    with tempfile.TemporaryDirectory(prefix="horarium-tour-") as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HORARIUM_")}
        environment |= {
            "HORARIUM_DATA_DIR": f"{folder}/data",
            "HORARIUM_LISTEN": f"127.0.0.1:{port}",
            "HORARIUM_SERVER": f"http://127.0.0.1:{port}",
        }
        log = Path(folder, "server.log")
        try:
            pasted = []
            for block in blocks(Path(REPO, "README.md").read_text()):
                lines = [line for line in block.strip().splitlines() if line and not line.startswith("#")]
                if server is None and any(STARTS_THE_SERVER.match(line) for line in lines):
                    server = start(environment, log, port)
                    lines = [line for line in lines if STARTS_THE_SERVER.match(line) is None]
                    # What a reader would do first with the printed block: nothing. `git clone` and `cd` are done.
                    lines = [line for line in lines if not re.match(r"(git clone|cd) ", line)]
                    block = "\n".join(lines) + "\n"
                pasted.append(as_here(block))
            require(server, "the tour never says `scripts/run`")
            output = paste([first_start(log.read_text())], environment, Path(folder, "first-start.log"))
            require(output is None, f"what the first start prints does not work by paste:\n{output}")
            output = paste(pasted, environment, Path(folder, "tour.log"))
            require(output is None, f"the tour stopped:\n{output}")
            print(f"{len(pasted)} blocks of the tour ran")
        except Exception as problem:
            words = log.read_text()[-3000:] if log.exists() else ""
            print(f"{words}\nFAILED: {problem}", file=sys.stderr)
            sys.exit(1)
        finally:
            if server:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def paste(blocks_of_commands, environment, log):
    """Runs the blocks in one shell; what it printed when it failed, else None."""
    with open(log, "wb") as out:
        shell = subprocess.Popen(
            ["bash", "-c", TOUR_SHELL],
            cwd=log.parent,  # the tour leaves a file or two behind
            env=environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        shell.communicate("\n".join(blocks_of_commands).encode(), timeout=200)
    except subprocess.TimeoutExpired:
        return f"it took too long\n{log.read_text()}"
    finally:
        # What a block started in the background ends with the tour.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    return None if shell.returncode == 0 else log.read_text()


# Stops at the first command that fails, and takes an HTTP error as a failure.
TOUR_SHELL = r"""
set -euo pipefail
curl() { command curl --fail-with-body "$@"; }
eval "$(cat)"
"""


def start(environment, log, port):
    with open(log, "wb") as out:
        server = subprocess.Popen(
            ["scripts/run", "--dev"], cwd=REPO, env=environment, stdout=out, stderr=out, start_new_session=True
        )

    def ready():
        require(server.poll() is None, "scripts/run ended")
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2).status == 200
        except OSError:
            return False

    wait_for("the tour's server is ready", ready, 120)
    return server


if __name__ == "__main__":
    main()
