"""Three kill -9 in the middle of 300 executions lose none: an accepted execution always ends."""

import threading
from concurrent.futures import ThreadPoolExecutor

from horarium import API, TERMINAL, require, run_check, wait_for

DATABASES = ("sqlite", "postgres")
EXECUTIONS = 300
KILLS_AFTER = (50, 130, 210)  # executions whose call has been answered


def check(world):
    # Ten calls at a time, 50 ms each: slow enough that every kill meets running, waiting and finished executions.
    gate = threading.Semaphore(10)
    answered = set()

    def slowly(call):
        with gate:
            threading.Event().wait(0 if call.hung_up() else 0.05)
        if not call.hung_up():  # a killed node's calls were not answered to anyone
            answered.add(call.execution)
        return 200, {"attempt": call.attempt}

    target = world.target(slowly)
    node = world.node()
    job = node.client.create_job(
        "crash",
        jobType="HttpCall",
        jobConfiguration={"url": f"{target.url}/work", "method": "POST"},
        retryPolicy={"maxAttempts": 10, "delaySeconds": 1},
    )
    with ThreadPoolExecutor(8) as callers:
        accepted = list(callers.map(lambda _: node.client.trigger(job), range(EXECUTIONS)))
    require(len(set(accepted)) == EXECUTIONS, "two triggers were answered with the same execution")

    for count in KILLS_AFTER:
        wait_for(lambda: f"{count} are answered; {len(answered)} are", lambda: len(answered) >= count, 60, 0.01)
        require(len(answered) < EXECUTIONS, "the executions were over before the kill: it would prove nothing")
        node.kill()
        node.start()

    def states():
        return {item["id"]: item["status"] for item in node.client.executions(job)}

    def unfinished():
        found = states()
        return [f"{e} is {found.get(e, 'gone')}" for e in accepted if found.get(e) not in TERMINAL]

    wait_for(lambda: f"all end; not: {unfinished()[:5]}", lambda: not unfinished(), 120, 0.5)

    failed = [execution for execution, state in states().items() if state != "Succeeded"]
    require(not failed, f"{len(failed)} did not succeed, such as {[node.client.execution(e) for e in failed[:2]]}")
    require(set(states()) == set(accepted), "there are executions that nobody asked for")
    require(answered == set(accepted), "an execution is Succeeded, but its call was never made")

    # Fencing, seen from outside: one attempt is one call, and one attempt of each execution is its result.
    attempts = [(call.execution, call.attempt) for call in target.seen()]
    require(len(attempts) == len(set(attempts)), "the same attempt was made twice")
    for execution in accepted:
        outcomes = [attempt["outcome"] for attempt in node.client.execution(execution)["attempts"]]
        require(outcomes.count("Succeeded") == 1, f"execution {execution} has attempts {outcomes}")

    statistics = node.client.expect(200, "GET", f"{API}/dashboard/stats")
    require(statistics["successRate"] == 100, f"the statistics disagree with the executions: {statistics}")
    require(statistics["runningExecutions"] == 0, f"something still counts as running: {statistics}")


if __name__ == "__main__":
    run_check(check, DATABASES)
