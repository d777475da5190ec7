import { fullText } from "../evener-process.ts";
import type { Row } from "../row.ts";

/** Files that must not be taken over. */
export const badFiles: Row = {
  name: "11",
  title: "bad configurations are pushed: invalid, huge, blank, with unknown references, without backends",
  async run(trial) {
    const backends = await trial.backends(5);
    const evener = await trial.start(backends);
    const load = trial.load();
    load.start();
    await trial.sleep(500);
    const good = fullText(trial.config(backends), trial.folder);
    const pool = { backends: backends.map(({ id }) => `http://${id}`) };
    const bad: Readonly<Record<string, string>> = {
      "not YAML": "pools: {default: [",
      empty: "",
      "blank fields": "listen:\npools:\n  default:\n    backends:\n",
      "an unknown key": `${good}\nlistne: 1\n`,
      "an unknown pool": fullText({ pools: { default: pool }, routes: [{ pool: "other" }] }, trial.folder),
      "no backends": fullText({ pools: { default: { backends: [] } } }, trial.folder),
      "a wrong value": fullText({ pools: { default: { ...pool, queue: { max: -1 } } } }, trial.folder),
      "ten times too large": `${good}# ${"x".repeat(10 * 2 ** 20)}\n`,
      "a port in use": fullText(
        { listen: `127.0.0.1:${backends[0]!.port}`, pools: { default: pool } },
        trial.folder,
      ),
      "a backend twice": fullText(
        { pools: { default: { backends: [pool.backends[0], pool.backends[0]] } } },
        trial.folder,
      ),
    };
    const before = (await evener.pool()).backends.map(({ id }) => id);
    for (const round of Array.from({ length: trial.pick(1, 10) }).keys()) {
      for (const [what, text] of Object.entries(bad)) {
        const { isDone, text: said } = await evener.reloadText(text);
        trial.expect(!isDone, `${what} was taken over in round ${round}: ${said}`);
        const now = (await evener.pool()).backends.map(({ id }) => id);
        trial.expect(now.join() === before.join(), `${what} changed the backends to ${now.join()}`);
      }
    }
    trial.note("bad files", Object.keys(bad).length * trial.pick(1, 10));
    const { isDone } = await evener.reloadText(good);
    trial.expect(isDone, "the good file was not taken over afterwards");
    await trial.sleep(300);
    await load.stop();
    const failed = trial.ledger.count(({ ending }) => ending !== "ok");
    trial.expect(failed === 0, `${failed} requests failed`);
  },
};
