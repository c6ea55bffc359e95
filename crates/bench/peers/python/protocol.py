"""The driver's protocol (crates/bench/src/driver/mod.rs) for job queues of Python."""

import asyncio
import json
import os
import sys
import time

now = time.monotonic_ns  # CLOCK_MONOTONIC, which processes of one machine share


def setting(name, fallback):
    return int(os.environ.get(name, fallback))


def say(**line):
    print(json.dumps(line), flush=True)


class Tracker:
    """What the handler calls for each job: keeps account, and tells when all have come."""

    def __init__(self, count):
        self.count, self.seen, self.latencies = count, bytearray(count), []
        self.come = self.duplicates = self.first = 0

    def __call__(self, i, t):
        at = now()
        if t > 0:
            self.latencies.append((at - t) // 1000)
        if self.seen[i]:
            self.duplicates += 1
            return
        self.seen[i] = 1
        self.come += 1
        if self.come == 1:
            self.first = at
        if self.come == self.count:
            say(done=self.come, first_ns=self.first, last_ns=now(), dups=self.duplicates, lat_us=self.latencies)


async def timed(count, step, callers, call):
    """Has `callers` make calls at once, each for the next `step` numbers."""
    starts = iter(range(0, count, step))

    async def caller():
        for start in starts:
            await call(start, min(count, start + step))

    began = now()
    await asyncio.gather(*(caller() for _ in range(callers)))
    say(n=count, secs=(now() - began) / 1e9)


async def now_and_then(count, milliseconds, call):
    took, began = [], now()
    for number in range(count):
        early = began + number * milliseconds * 1_000_000 - now()
        if early > 0:
            await asyncio.sleep(early / 1e9)
        called = now()
        await call(number, called)
        took.append((now() - called) // 1000)
    say(call_us=took)


async def drive(queue):
    """Runs the command that this process was given; `queue` has `setup`, `add`, `add_many` and `work`."""
    command, *numbers = sys.argv[1:]
    count, second, third = ([int(number) for number in numbers] + [0, 0, 0])[:3]
    match command:
        case "setup":
            await queue.setup()
        case "enq_one":
            await timed(count, 1, second, lambda start, _: queue.add(start, 0))
        case "enq_bulk":
            await timed(count, second, third, lambda start, end: queue.add_many([(i, 0) for i in range(start, end)]))
        case "lat":
            await now_and_then(count, second, queue.add)
        case "work":
            say(ready=now())
            await queue.work(Tracker(count))
        case _:
            sys.exit(f"unknown command {command}")
