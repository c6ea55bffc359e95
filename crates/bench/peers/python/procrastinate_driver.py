"""procrastinate, with its asynchronous worker."""

import asyncio
import logging
import os

import procrastinate
from protocol import drive, setting

# It warns of tasks that are named after the main module; this one has a name of its own.
logging.getLogger("procrastinate").setLevel(logging.ERROR)

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(
        conninfo=os.environ["DATABASE_URL"], min_size=1, max_size=setting("POOL", 22)
    )
)


class Queue:
    def __init__(self):
        self.handle = None

        @app.task(name="bench", queue="bench")
        async def bench(i, t):
            self.handle(i, t)

        self.task = bench

    async def setup(self):
        await app.schema_manager.apply_schema_async()

    async def add(self, i, t):
        await self.task.defer_async(i=i, t=t)

    async def add_many(self, jobs):
        await self.task.batch_defer_async(*({"i": i, "t": t} for i, t in jobs))

    async def work(self, handle):
        self.handle = handle
        await app.run_worker_async(
            queues=["bench"],
            concurrency=setting("CONCURRENCY", 20),
            delete_jobs="never",
            install_signal_handlers=False,
        )


async def main():
    async with app.open_async():
        await drive(Queue())


asyncio.run(main())
