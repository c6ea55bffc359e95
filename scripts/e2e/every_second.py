"""A schedule of every second fires each of its slots exactly once, with two nodes that both plan."""

import time
from datetime import datetime, timedelta

from horarium import API, TERMINAL, require, run_check, wait_for

DATABASES = ("sqlite", "postgres")
SECONDS = 20


def check(world):
    target = world.target()
    nodes = [world.node("a"), world.node("b")]
    client = nodes[0].client
    job = client.create_job(
        "every-second",
        jobType="HttpCall",
        jobConfiguration={
            "url": f"{target.url}/slot",
            "method": "POST",
            "body": "{{Execution.ScheduledFor}}",
        },
        scheduleType="Cron",
        scheduleExpression="* * * * * *",
        misfirePolicy="FireAll",  # a busy machine may make a slot late, and never lose it
    )

    began = time.monotonic()
    wait_for(f"{SECONDS} slots fire", lambda: len(client.executions(job)) >= SECONDS, SECONDS + 10, 0.5)
    took = time.monotonic() - began
    require(took >= SECONDS - 2, f"{SECONDS} slots of one second fired within {took:.1f} s")
    client.expect(200, "POST", f"{API}/jobs/{job}/pause")
    wait_for("all end", lambda: all(e["status"] in TERMINAL for e in client.executions(job)), 30, 0.5)

    executions = client.executions(job)
    slots = sorted(datetime.fromisoformat(execution["scheduledFor"]) for execution in executions)
    require(len(slots) == len(set(slots)), f"a slot fired twice: {duplicates(slots)}")
    first, last = slots[0], slots[-1]
    due = [first + timedelta(seconds=n) for n in range(round((last - first).total_seconds()) + 1)]
    require(slots == due, f"slots did not fire: {sorted(set(due) - set(slots))}")
    require(all(slot.microsecond == 0 for slot in slots), "a slot is not on its second")

    states = {execution["status"] for execution in executions}
    require(states == {"Succeeded"}, f"the executions ended as {states}")
    called = sorted(datetime.fromisoformat(call.body.strip('"')) for call in target.seen())
    require(called == slots, f"calls made and slots fired differ: {set(called) ^ set(slots) or duplicates(called)}")


def duplicates(values):
    return sorted({value for value in values if values.count(value) > 1})


if __name__ == "__main__":
    run_check(check, DATABASES)
