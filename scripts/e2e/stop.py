"""A node that stops (SIGSTOP) loses its work to another one in time, and what it says afterwards is refused."""

import json
import signal
import threading
import time

from horarium import require, run_check, wait_for

DATABASES = ("sqlite", "postgres")
LEASE_SECONDS = 5
REAPER_SECONDS = 5
EXECUTIONS = 4


def check(world):
    late_may_answer = threading.Event()

    def respond(call):
        if call.attempt == 1:
            late_may_answer.wait(60)
        return 200, {"attempt": call.attempt}

    target = world.target(respond)
    stopped = world.node("stopped")
    job = stopped.client.create_job(
        "stop",
        jobType="HttpCall",
        jobConfiguration={"url": f"{target.url}/work", "method": "POST"},
        retryPolicy={"maxAttempts": 3, "delaySeconds": 0},
    )
    executions = [stopped.client.trigger(job) for _ in range(EXECUTIONS)]

    def calls(attempt):
        return {call.execution: call.at for call in target.seen() if call.attempt == attempt}

    wait_for("the first node calls", lambda: len(calls(1)) == EXECUTIONS)
    other = world.node("other")  # only now, so that all the work is the first one's
    stopped.signal(signal.SIGSTOP)
    since = time.monotonic()

    wait_for("the other node takes over", lambda: len(calls(2)) == EXECUTIONS, LEASE_SECONDS + REAPER_SECONDS + 5)
    took = max(calls(2).values()) - since
    require(took <= LEASE_SECONDS + REAPER_SECONDS, f"taking over took {took:.1f} s: longer than lease + 5 s")
    print(f"taken over {took:.1f} s after the stop, with a lease of {LEASE_SECONDS} s")

    def results():
        found = [other.client.execution(execution) for execution in executions]
        return [(f["status"], attempt_of(f), [a["outcome"] for a in f["attempts"]]) for f in found]

    for execution in executions:
        ended = other.client.wait_until_ended(execution)
        require(ended["status"] == "Succeeded", f"{execution} failed: {ended}")
    before = results()
    require(all(attempt == 2 for _, attempt, _ in before), f"the recorded results are not the second attempts': {before}")

    # The answers to the first attempts wait in the stopped node's sockets when it goes on.
    late_may_answer.set()
    stopped.signal(signal.SIGCONT)
    wait_for("the node that went on is ready", stopped.is_ready)
    # It is done with its late results once it has taken and finished new work.
    for _ in range(2 * EXECUTIONS):
        require(stopped.client.wait_until_ended(stopped.client.trigger(job))["status"] == "Succeeded", "new work failed")
    require(stopped.stop() == 0, "the node that went on did not shut down in order")
    require(results() == before, f"a late result was taken: {before} became {results()}")


def attempt_of(execution):
    """Which attempt's answer is recorded as the output."""
    output = execution["output"]
    return (json.loads(output) if isinstance(output, str) else output)["attempt"]


if __name__ == "__main__":
    run_check(check, DATABASES, lease_seconds=LEASE_SECONDS)
