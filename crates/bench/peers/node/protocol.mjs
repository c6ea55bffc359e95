// The driver's protocol (crates/bench/src/driver/mod.rs) for job queues of Node.

/** Nanoseconds of CLOCK_MONOTONIC, which processes of one machine share. */
const now = () => Number(process.hrtime.bigint());

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** A setting. */
export const setting = (name, fallback) => Number(process.env[name] ?? fallback);

/** What the handler calls for each job: keeps account, and tells when all `count` have come. */
const tracker = (count) => {
  const seen = new Uint8Array(count);
  const latencies = [];
  let come = 0;
  let duplicates = 0;
  let first = 0;
  return ({ i, t }) => {
    const at = now();
    if (t > 0) latencies.push(Math.round((at - t) / 1000));
    if (seen[i]) {
      duplicates += 1;
      return;
    }
    seen[i] = 1;
    come += 1;
    if (come === 1) first = at;
    if (come === count) say({ done: come, first_ns: first, last_ns: now(), dups: duplicates, lat_us: latencies });
  };
};

/** Has `callers` make calls at once, each for the next `step` numbers. */
const timed = async (count, step, callers, call) => {
  let next = 0;
  const start = now();
  const caller = async () => {
    while (next < count) {
      const from = next;
      next = Math.min(count, next + step);
      await call(from, next);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  say({ n: count, secs: (now() - start) / 1e9 });
};

const nowAndThen = async (count, milliseconds, call) => {
  const took = [];
  const start = now();
  for (let i = 0; i < count; i += 1) {
    const early = start + i * milliseconds * 1e6 - now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early / 1e6));
    const t = now();
    await call({ i, t });
    took.push(Math.round((now() - t) / 1000));
  }
  say({ call_us: took });
};

/**
 * Runs the command that this process was given. `queue` has `setup()`, `work(handle)`, which resolves once the worker
 * takes jobs, and `producer()`, which gives `add(job)`, `addMany(jobs)` and `close()`.
 */
export const drive = async (queue) => {
  const [command, ...rest] = process.argv.slice(2);
  const [count, second, third] = rest.map(Number);
  if (command === "setup") return queue.setup();
  if (command === "work") {
    await queue.work(tracker(count));
    return say({ ready: now() });
  }
  const { add, addMany, close } = await queue.producer();
  const job = (i) => ({ i, t: 0 });
  switch (command) {
    case "enq_one":
      await timed(count, 1, second, (i) => add(job(i)));
      break;
    case "enq_bulk":
      await timed(count, second, third, (from, to) =>
        addMany(Array.from({ length: to - from }, (_, at) => job(from + at))),
      );
      break;
    case "lat":
      await nowAndThen(count, second, add);
      break;
    default:
      throw new Error(`unknown command ${command}`);
  }
  return close();
};
