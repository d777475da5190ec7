import type { Load } from "../load.ts";
import type { Row } from "../row.ts";
import { quantileMs, type Trial } from "../trial.ts";

/** Ten times what the backends can do: they stay busy, and whoever is turned away is told at once. */
export const overload: Row = {
  name: "22",
  title: "10 times the capacity: goodput, fast refusals, recovery",
  isLong: true,
  isHeavy: true,
  async run(trial) {
    // In processes of their own, so that the clients, of whom there are many, do not hold them up.
    const names = ["v", "w", "x", "y", "z"].slice(0, trial.pick(2, 5));
    const backends = await Promise.all(names.map((name) => trial.victim(name)));
    // So many at once, so long each: a capacity that does not depend on the machine.
    const workMs = trial.pick(160, 200);
    const limit = trial.pick(5, 4);
    const limits = backends.map(({ id }) => ({ url: `http://${id}`, limit }));
    const capacity = (backends.length * limit * 1000) / workMs;
    const queue = { max: QUEUE_MAX, wait: "1s" };
    await trial.start(backends, { backends: limits, queue });
    const mix = { get: 60, put: 15, post: 25 };
    const load = trial.load({ perSecond: capacity / 2, mix, workMs });
    load.start();
    await trial.sleep(trial.pick(700, 10_000));
    const beforeMs = quantileMs(endedOk(trial, 0), 0.99);
    const rss = trial.evener.rssBytes;
    // Just more than they can do: their peak, with what this machine's timers add to each request.
    load.perSecond = capacity * 1.2;
    await trial.sleep(trial.pick(500, 2_000));
    const peakFromMs = performance.now();
    await trial.sleep(trial.pick(1_000, 10_000));
    const peak = endedOk(trial, peakFromMs).length / ((performance.now() - peakFromMs) / 1000);
    load.perSecond = capacity * 10;
    const fromMs = performance.now();
    const taken = await takenPlaces(trial, trial.pick(1_500, 30_000));
    const spanS = (performance.now() - fromMs) / 1000;
    const good = endedOk(trial, fromMs);
    const goodput = good.length / spanS / peak;
    trial.note("peak, a second", peak);
    trial.note("goodput, of the peak", goodput);
    const occupancy = taken / (backends.length * limit);
    trial.note("places taken, of all", occupancy);
    // On a busy machine the clients take what the backends' timers need; their places are taken nevertheless.
    trial.expectTime(goodput >= 0.9, `goodput was ${goodput} of the peak`);
    trial.expect(occupancy >= trial.pick(0.8, 0.9), `only ${occupancy} of all places were taken`);
    for (const { id, in_flight: inFlight } of (await trial.evener.pool()).backends) {
      trial.expect(inFlight <= limit, `${id} has ${inFlight} requests at once, its limit is ${limit}`);
    }
    judgeRefusals(trial, fromMs, peak);
    trial.note("p99 before, admitted", `${beforeMs.toFixed(0)}, ${quantileMs(good, 0.99).toFixed(0)} ms`);
    trial.expectTime(
      quantileMs(good, 0.99) <= 1_200,
      "an admitted request waited longer than the queue allows",
    );
    trial.note("memory grown, MiB", (trial.evener.rssBytes - rss) / 2 ** 20);
    await recover(trial, load, Math.min(peak, capacity) / 2);
  },
};

/** Requests in flight while that time passes, on average. */
async function takenPlaces(trial: Trial, ms: number): Promise<number> {
  const endMs = performance.now() + ms;
  let [sum, looks] = [0, 0];
  while (performance.now() < endMs) {
    await trial.sleep(50);
    for (const { in_flight: inFlight } of (await trial.evener.pool()).backends) sum += inFlight;
    looks++;
  }
  return sum / looks;
}

function judgeRefusals(trial: Trial, fromMs: number, peak: number): void {
  const refused = trial.ledger.filter(({ sentAtMs, status }) => sentAtMs > fromMs && status === 503);
  trial.note("refused", refused.length);
  trial.expect(refused.length > 50, `only ${refused.length} requests were refused`);
  const atOnce = refused.filter(({ code }) => code === "EVENER_QUEUE_FULL");
  trial.note("refusal p99, ms", quantileMs(atOnce, 0.99));
  trial.expectTime(quantileMs(atOnce, 0.5) <= 50, "a refusal takes longer than 50 ms");
  // So many wait, and so many end each second: that is when there is room, and what is to be said.
  const most = Math.ceil(QUEUE_MAX / peak) + 1;
  const odd = refused.filter(({ retryAfterS }) => retryAfterS < 1 || retryAfterS > most);
  trial.expect(odd.length === 0, `Retry-After was ${odd[0]?.retryAfterS} s, expected 1 to ${most} s`);
  trial.isExcused = ({ status, code }) => status === 503 && code.startsWith("EVENER_QUEUE");
}

async function recover(trial: Trial, load: Load, perSecond: number): Promise<void> {
  load.perSecond = perSecond;
  const calmMs = performance.now();
  await trial.sleep(trial.pick(3_500, 8_000));
  await load.stop();
  const after = trial.ledger.filter(({ sentAtMs }) => sentAtMs > calmMs + 2_000);
  const refused = after.filter(({ ending }) => ending !== "ok").length;
  trial.expect(refused === 0, `${refused} of ${after.length} were refused 2 s after the overload`);
  trial.expect(after.length > 5, "no request came after the overload");
}

function endedOk(trial: Trial, fromMs: number): ReturnType<Trial["ledger"]["filter"]> {
  return trial.ledger.filter(({ endedAtMs, ending }) => ending === "ok" && endedAtMs > fromMs);
}

/** Requests that may wait. */
const QUEUE_MAX = 40;
