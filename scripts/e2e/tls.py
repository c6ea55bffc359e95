"""TLS to PostgreSQL: with `sslmode=require` the server is known by its certificate, or it is told nothing."""

import contextlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from horarium import REPO, require, run_check

DATABASES = ("postgres",)

# A server with a certificate for the name `localhost`, which takes no connection in the clear.
START = r"""
set -euo pipefail
. "$1/scripts/lib/common.sh"
. "$1/scripts/lib/postgres.sh"
folder="$2"
have openssl || install_packages "the TLS check makes certificates" openssl
postgres_start "$folder"
. "$folder/env"
owner="$(cat "$folder/owner")"
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
for issuer in right wrong; do
  openssl req -x509 "${key[@]}" -days 2 -subj "/CN=$issuer issuer" -keyout "$folder/$issuer.key" -out "$folder/$issuer.pem"
done
openssl req "${key[@]}" -subj /CN=localhost -keyout "$folder/server.key" -out "$folder/server.csr"
openssl x509 -req -in "$folder/server.csr" -CA "$folder/right.pem" -CAkey "$folder/right.key" -CAcreateserial -days 2 \
  -extfile <(echo subjectAltName=DNS:localhost) -out "$folder/server.crt"
cd "$folder/data"
for name in server.key server.crt; do
  postgres_as_owner "$owner" sh -c "umask 077; cat >$name" <"$folder/$name"
done
postgres_as_owner "$owner" sed -i 's/^host /hostssl /' pg_hba.conf
echo "ssl = on" | postgres_as_owner "$owner" tee -a postgresql.auto.conf
postgres_as_owner "$owner" "$HORARIUM_PG_BIN/pg_ctl" --pgdata=. --log=server.log --wait restart
"""

STOP = '. "$1/scripts/lib/common.sh"; . "$1/scripts/lib/postgres.sh"; . "$2/env"; postgres_stop "$2"'


def script(text, folder):
    """Runs a script of the shell; its output matters only when it fails."""
    command = ["bash", "-c", text, "bash", str(REPO), str(folder)]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    require(ran.returncode == 0, f"the server with TLS: {ran.stdout}{ran.stderr}")


@contextlib.contextmanager
def server_with_tls():
    folder = Path(tempfile.mkdtemp(prefix="horarium-tls-"))
    try:
        script(START, folder)
        yield folder
    finally:
        if (folder / "env").exists():
            script(STOP, folder)
        shutil.rmtree(folder, ignore_errors=True)


def check(world):
    with server_with_tls() as folder:
        address = re.search(r"URL='(.*)'", (folder / "env").read_text())[1]
        by_name = address.replace("@127.0.0.1:", "@localhost:")
        right, wrong = str(folder / "right.pem"), str(folder / "wrong.pem")

        for mode in ("require", "verify-full"):
            refusal = refusal_of(world, f"{by_name}?sslmode={mode}", right)
            require(refusal is None, f"sslmode={mode} does not connect: {refusal}")
        for what, url, issuer, words in (
            ("another issuer's certificate", f"{by_name}?sslmode=require", wrong, "certificate"),
            ("a certificate for another name", f"{address}?sslmode=require", right, "not valid for name"),
            ("a certificate for another name", f"{address}?sslmode=verify-full", right, "not valid for name"),
            ("a connection in the clear", f"{by_name}?sslmode=disable", right, "no encryption"),
        ):
            refusal = refusal_of(world, url, issuer)
            require(refusal is not None, f"{what} was taken")
            require(words in refusal, f"{what} was refused, but not for that: {refusal}")

        # The pools and the listener for wake-ups open connections of their own.
        world.environment |= {"HORARIUM_DATABASE_URL": f"{by_name}?sslmode=require", "SSL_CERT_FILE": right}
        node = world.node()
        job = node.client.create_job(
            "over-tls",
            jobType="CodeExecution",
            jobConfiguration={"handlerType": "system.reportGeneration"},
        )
        ended = node.client.wait_until_ended(node.client.trigger(job))
        require(ended["status"] == "Succeeded", f"over TLS, an execution ended as {ended}")
        require(node.stop() == 0, "the node did not stop in order")


def refusal_of(world, url, issuer):
    """What `horarium migrate` says when it cannot connect to `url`, trusting `issuer` alone; None when it can."""
    environment = {**world.environment, "HORARIUM_DATABASE_URL": url, "SSL_CERT_FILE": issuer}
    command = [world.binary, "migrate"]
    ran = subprocess.run(command, env=environment, cwd=world.folder, capture_output=True, text=True, timeout=60)
    return None if ran.returncode == 0 else ran.stderr


if __name__ == "__main__":
    run_check(check, DATABASES)
