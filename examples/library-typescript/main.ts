// In your own program: import { Balancer } from "evener";
import { Balancer } from "../../src/index.ts";

const servers = ["server1:8000", "server2:8000", "server3:8000"];

roundRobin();
leastRequest();
hashByKey();
byResources();

/** Ten requests, everyone in turn. */
function roundRobin(): void {
  const lb = new Balancer({ endpoints: servers, policy: "round_robin" });
  print("round_robin");
  for (let request = 1; request <= 10; request++) print(`  request ${request} -> ${lb.next()}`);
}

/** What is in flight counts: whoever is done gets the next one. */
function leastRequest(): void {
  const lb = new Balancer({ endpoints: servers, policy: "least_request", seed: 1 });
  print("least_request");
  const leases = servers.map(() => lb.pick());
  for (const lease of leases) print(`  busy: ${lease.endpoint!.spec.address}`);
  const done = leases[1]!;
  // `started` at the first byte of an answer, `settle` at its end.
  done.started();
  done.settle("ok");
  print(`  done: ${done.endpoint!.spec.address}`);
  const next = lb.pick();
  print(`  next: ${next.endpoint!.spec.address}`);
  for (const lease of [...leases, next]) lease.settle("ok");
}

/** The same user, the same server; when one server leaves, only its users move. */
function hashByKey(): void {
  const lb = new Balancer({ endpoints: servers, policy: "hash", seed: 1 });
  const users = ["ada", "grace", "edsger", "barbara", "donald", "alan"];
  print("hash");
  const before = users.map((user) => lb.next(user));
  lb.update(servers.slice(0, 2));
  users.forEach((user, i) => {
    const after = lb.next(user);
    print(`  ${user.padEnd(8)} ${before[i]!} ${after === before[i] ? "stays" : `moves to ${after}`}`);
  });
}

/** The lowest of the fullest resource, as the servers report it: 0..1 each, NaN where it is not known. */
function byResources(): void {
  const lb = new Balancer({ endpoints: servers, policy: "resource", seed: 1 });
  report(lb, "server1:8000", { cpu: 0.3, memory: 0.55, gpu: 0.92 });
  report(lb, "server2:8000", { cpu: 0.4, memory: 0.5, gpu: 0.35 });
  report(lb, "server3:8000", { cpu: 0.8, memory: 0.3, gpu: Number.NaN });
  print("resource");
  print(`  next: ${lb.next()}`);
}

function report(lb: Balancer, id: string, figures: { cpu: number; memory: number; gpu: number }): void {
  const endpoint = lb.pool.members.get(id);
  if (endpoint === undefined) throw new Error(`there is no ${id}`);
  lb.pool.reported(endpoint, figures.cpu, figures.memory, figures.gpu);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
