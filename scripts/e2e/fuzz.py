"""Runs schemathesis against a fresh server for a bounded time; called by scripts/fuzz-api."""

import argparse
import os
import subprocess
import sys

from horarium import World

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def main():
    options = argparse.ArgumentParser(prog="scripts/fuzz-api")
    options.add_argument("--seconds", type=int, default=60, help="how long it looks")
    options.add_argument("--seed", type=int, help="repeats an earlier run's requests")
    options, further = options.parse_known_args()

    world = World("postgres" if os.environ.get("HORARIUM_FUZZ_POSTGRES") else "sqlite")
    try:
        # Generated jobs must not call anything, and generated requests come faster than a tenant may send them.
        world.environment["HORARIUM_EGRESS_ALLOW"] = ""
        node = world.node("fuzzed")
        give_it_something_to_find(node.client)
        command = [
            os.environ["SCHEMATHESIS"],
            "run",
            f"{node.base}/openapi.json",
            f"--header=Authorization: Bearer {world.token}",
            f"--checks={CHECKS}",
            f"--max-time={options.seconds}",
            "--phases=examples,coverage,fuzzing,stateful",
            # One: Python 3.11's parser, which the generator uses, is not sound in several threads (python/cpython#106905),
            # and with one a seed repeats a run.
            "--workers=1",
            # Waits for work as long as it is asked to.
            "--exclude-path-regex=/lease$",
            "--request-timeout=10",
            "--continue-on-failure",
            "--suppress-health-check=all",
            "--generation-database=none",
            "--warnings=off",
            *([f"--seed={options.seed}"] if options.seed is not None else []),
            *further,
        ]
        status = subprocess.run(command, cwd=world.folder).returncode
        if not node.is_ready():
            print(f"the server is not ready any more\n{node.last_words(40)}", file=sys.stderr)
            status = status or 1
        if status:
            print(node.last_words(40), file=sys.stderr)
        return status
    finally:
        world.close()


def give_it_something_to_find(client):
    """A job with executions, so that lists and details are answered with more than nothing."""
    job = client.create_job("seen", jobType="CodeExecution", jobConfiguration={"handlerType": "system.executionRetention"})
    for _ in range(3):
        client.wait_until_ended(client.trigger(job))


if __name__ == "__main__":
    sys.exit(main())
