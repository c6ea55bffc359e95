import { PgBoss } from "pg-boss";
import { drive, setting } from "./protocol.mjs";

const QUEUE = "bench";

const start = async (options) => {
  const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: setting("POOL", 10), schedule: false, ...options });
  boss.on("error", (error) => console.error(String(error)));
  await boss.start();
  return boss;
};

await drive({
  setup: async () => {
    const boss = await start({ supervise: false });
    await boss.createQueue(QUEUE, { notify: true });
    await boss.stop({ graceful: false });
  },
  work: async (handle) => {
    const boss = await start({ supervise: true, useListenNotify: true });
    const options = {
      batchSize: setting("BATCH", 2000),
      localConcurrency: setting("CONCURRENCY", 2),
      pollingIntervalSeconds: 0.5,
      burstWhenBatchFull: true,
    };
    await boss.work(QUEUE, options, async (jobs) => jobs.forEach((job) => handle(job.data)));
  },
  producer: async () => {
    const boss = await start({ supervise: false });
    return {
      add: (job) => boss.send(QUEUE, job),
      addMany: (jobs) => boss.insert(QUEUE, jobs.map((data) => ({ data }))),
      close: () => boss.stop({ graceful: false }),
    };
  },
});
