import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";
import pg from "pg";
import { drive, setting } from "./protocol.mjs";

const connectionString = process.env.DATABASE_URL;
const complain = (error) => console.error(String(error));
const logger = new Logger(() => (level, message) => {
  if (level === "error") console.error(message);
});

await drive({
  setup: () => runMigrations({ connectionString, logger }),
  work: (handle) => {
    const worker = {
      connectionString,
      logger,
      concurrentJobs: setting("CONCURRENCY", 24),
      maxPoolSize: setting("POOL", 20),
      localQueue: { size: setting("LOCAL_QUEUE", 1000) },
      completeJobBatchDelay: 0,
    };
    return run({ preset: { worker }, taskList: { bench: async (job) => handle(job) }, noHandleSignals: true });
  },
  producer: async () => {
    const pgPool = new pg.Pool({ connectionString, max: setting("POOL", 20) });
    pgPool.on("error", complain);
    pgPool.on("connect", (client) => client.on("error", complain));
    const utils = await makeWorkerUtils({ pgPool, logger });
    return {
      add: (job) => utils.addJob("bench", job),
      addMany: (jobs) => utils.addJobs(jobs.map((payload) => ({ identifier: "bench", payload }))),
      close: async () => {
        await utils.release();
        await pgPool.end();
      },
    };
  },
});
