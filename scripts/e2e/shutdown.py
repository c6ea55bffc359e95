"""An orderly shutdown loses nothing and keeps nobody waiting: unfinished work is handed back, not left to its lease."""

import signal
import time

from horarium import require, run_check, wait_for

DATABASES = ("sqlite", "postgres")
LEASE_SECONDS = 120  # so long that only work that was handed back is taken over within this check
GRACE_SECONDS = 2


def check(world):
    world.environment["HORARIUM_SHUTDOWN_GRACE_SECONDS"] = str(GRACE_SECONDS)
    first_calls = set()

    def respond(call):
        # A handed-back attempt does not count, so its number comes again: the first call is told by its execution.
        if call.execution not in first_calls:
            first_calls.add(call.execution)
            wait_for("the leaving node drops its calls", call.hung_up, 60)
        return 200, {"attempt": call.attempt}

    target = world.target(respond)
    leaving = world.node("leaving")
    job = leaving.client.create_job(
        "shutdown",
        jobType="HttpCall",
        jobConfiguration={"url": f"{target.url}/work", "method": "POST"},
        retryPolicy={"maxAttempts": 3, "delaySeconds": 0},
    )
    executions = [leaving.client.trigger(job) for _ in range(4)]
    wait_for("all are running", lambda: len(target.seen()) == len(executions))

    staying = world.node("staying")
    began = time.monotonic()
    leaving.signal(signal.SIGTERM)
    status = leaving.process.wait(timeout=GRACE_SECONDS + 30)
    took = time.monotonic() - began
    require(status == 0, f"the shutdown ended with status {status}")
    require(took < GRACE_SECONDS + 5, f"the shutdown took {took:.1f} s, with a grace of {GRACE_SECONDS} s")

    client = staying.client
    for execution in executions:
        found = client.wait_until_ended(execution, 15)
        require(found["status"] == "Succeeded", f"handed-back work ended as {found}")


if __name__ == "__main__":
    run_check(check, DATABASES, lease_seconds=LEASE_SECONDS)
