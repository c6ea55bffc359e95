import { Queue, Worker } from "bullmq";
import { drive, setting } from "./protocol.mjs";

const QUEUE = "bench";
const connection = { host: "127.0.0.1", port: setting("REDIS_PORT", 6379), maxRetriesPerRequest: null };

await drive({
  // Redis needs no schema.
  setup: async () => {},
  work: async (handle) => {
    const options = { connection, concurrency: setting("CONCURRENCY", 50), removeOnComplete: { count: 0 } };
    const worker = new Worker(QUEUE, async (job) => handle(job.data), options);
    worker.on("error", (error) => console.error(String(error)));
    await worker.waitUntilReady();
  },
  producer: async () => {
    const queue = new Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true } });
    await queue.waitUntilReady();
    return {
      add: (job) => queue.add("job", job),
      addMany: (jobs) => queue.addBulk(jobs.map((data) => ({ name: "job", data }))),
      close: () => queue.close(),
    };
  },
});
