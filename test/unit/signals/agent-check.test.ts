import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { test } from "node:test";
import tls from "node:tls";
import * as fc from "fast-check";
import { STATE } from "../../../src/core/ledger.ts";
import { AgentChecker, parseAgentLine } from "../../../src/signals/agent-check.ts";
import { makeAuthority, makeCertificate } from "../../fixtures/certificates.ts";
import { startPool, until } from "./pool.ts";

test("the words of HAProxy's agent-check, and ours for figures", () => {
  const line = (text: string): object => {
    const { wish, share, limit, cpu, memory, gpu } = parseAgentLine(text);
    return { wish, share, limit, vitals: [cpu, memory, gpu] };
  };
  const none = Number.NaN;
  const nothing = { wish: null, share: null, limit: null, vitals: [none, none, none] };
  assert.deepEqual(line("up"), { ...nothing, wish: "ready" });
  assert.deepEqual(line("ready 75%\n"), { ...nothing, wish: "ready", share: 0.75 });
  assert.deepEqual(line("drain,maxconn:30"), { ...nothing, wish: "drain", limit: 30 });
  assert.deepEqual(line("maint"), { ...nothing, wish: "down" });
  assert.deepEqual(line("down # out of memory"), { ...nothing, wish: "down" });
  assert.deepEqual(line("cpu:0.4 mem:60% gpu:0.9"), { ...nothing, vitals: [0.4, 0.6, 0.9] });
  assert.deepEqual(line("no such words, 1000% cpu:7 maxconn:x"), nothing);
});

test("any line is read without a throw, into figures within their ranges", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => {
      const { share, limit, cpu, memory, gpu } = parseAgentLine(text);
      assert.ok(share === null || (share >= 0 && share < 10));
      assert.ok(limit === null || limit >= 1);
      for (const figure of [cpu, memory, gpu])
        assert.ok(Number.isNaN(figure) || (figure >= 0 && figure <= 1));
    }),
  );
});

test("an agent drains, weighs and limits its backend, and reports what the resource policy goes by", async () => {
  let line = "up cpu:0.25 gpu:50%\n";
  const agent = net.createServer((socket) => socket.on("error", () => {}).end(line)).listen(0, "127.0.0.1");
  await once(agent, "listening");
  const { pool, targets } = startPool(["127.0.0.1:1"]);
  const checker = new AgentChecker(pool, {
    port: (agent.address() as AddressInfo).port,
    intervalMs: 20,
    tls: false,
  });
  const endpoint = pool.members.list[0]!;
  try {
    checker.update(targets);
    await until(() => pool.ledger.gpu[endpoint.slot] === 0.5, "the first report");
    assert.equal(pool.ledger.cpu[endpoint.slot], 0.25);
    assert.equal(Number.isNaN(pool.ledger.memory[endpoint.slot]), true);
    line = "50% maxconn:7\n";
    await until(() => pool.ledger.weight[endpoint.slot] === 0.5, "half its weight");
    assert.equal(pool.ledger.limit[endpoint.slot], 7);
    line = "drain\n";
    await until(() => pool.ledger.state[endpoint.slot] === STATE.draining, "draining");
    line = "ready 100%\n";
    await until(() => pool.ledger.state[endpoint.slot] === STATE.available, "ready again");
    assert.ok(pool.ledger.weight[endpoint.slot]! < 1, "it begins by a ramp");
  } finally {
    checker.stop();
    agent.close();
  }
});

test("an agent with TLS is verified as its backend is", async () => {
  const authority = makeAuthority();
  const lines = { good: makeCertificate({ by: authority }), bad: makeCertificate() };
  for (const [name, pair] of Object.entries(lines)) {
    let asked = 0;
    const agent = tls.createServer(pair, (socket) => socket.end("drain\n")).listen(0, "127.0.0.1");
    agent.on("connection", () => asked++);
    await once(agent, "listening");
    const { pool, targets } = startPool(["127.0.0.1:1"]);
    const { port } = agent.address() as AddressInfo;
    const checker = new AgentChecker(pool, { port, intervalMs: 20, tls: true });
    const { slot } = pool.members.list[0]!;
    const options = { ca: authority.cert, serverName: "localhost", cert: null, key: null, verify: true };
    try {
      checker.update(targets.map((target) => ({ ...target, tls: options })));
      if (name === "good") await until(() => pool.ledger.state[slot] === STATE.draining, "draining");
      else await until(() => asked > 3, "several questions");
      assert.equal(pool.ledger.state[slot] === STATE.draining, name === "good");
    } finally {
      checker.stop();
      agent.close();
    }
  }
});
