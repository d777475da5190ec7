import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ADDRESSES_MAX, DnsSource, judge, LOOKUP_TTL_MS } from "../../../src/discovery/dns.ts";
import { DnsServer } from "../../fixtures/dns-server.ts";

async function setUp(t: TestContext, hosts = ""): Promise<{ dns: DnsServer; source: DnsSource }> {
  const folder = mkdtempSync(join(tmpdir(), "evener-dns-"));
  const hostsFile = join(folder, "hosts");
  writeFileSync(hostsFile, hosts);
  const dns = await DnsServer.start();
  const source = new DnsSource([dns.address], hostsFile);
  t.after(async () => {
    source.close();
    await dns.stop();
    rmSync(folder, { recursive: true });
  });
  return { dns, source };
}

test("the addresses of a name, each once, in one order whatever the answer's, for the shortest TTL", async (t) => {
  const { dns, source } = await setUp(t);
  for (const addresses of [
    ["10.0.0.2", "10.0.0.1", "10.0.0.2"],
    ["10.0.0.1", "10.0.0.2"],
  ]) {
    dns.replies.set("llm.test", { addresses, ttl: 17 });
    const answer = await source.ask("llm.test");
    assert.deepEqual(answer, { kind: "found", addresses: ["10.0.0.1", "10.0.0.2"], ttlMs: 17_000 });
  }
  const records = [
    { address: "10.0.0.1", ttl: 60 },
    { address: "10.0.0.2", ttl: 5 },
  ];
  assert.equal((judge(records) as { ttlMs: number }).ttlMs, 5_000);
});

test("a server with A and AAAA records is one, not two; IPv6 counts where there is no A", async (t) => {
  const { dns, source } = await setUp(t);
  dns.replies.set("both.test", { addresses: ["fd00::1", "10.0.0.1"], ttl: 1 });
  dns.replies.set("six.test", { addresses: ["fd00:0:0::1"], ttl: 1 });
  assert.deepEqual(await source.ask("both.test"), { kind: "found", addresses: ["10.0.0.1"], ttlMs: 1_000 });
  assert.deepEqual(await source.ask("six.test"), { kind: "found", addresses: ["fd00::1"], ttlMs: 1_000 });
});

test("failures have the words of who looks after a DNS, and A that fails does not change the family", async (t) => {
  const { dns, source } = await setUp(t);
  const reasonOf = async (name: string): Promise<string> => {
    const answer = await source.ask(name);
    return answer.kind === "failed" ? answer.reason : assert.fail(`${name} was found`);
  };
  dns.replies.set("empty.test", "empty");
  dns.replies.set("ill.test", "servfail");
  dns.replies.set("silent.test", "silence");
  assert.match(await reasonOf("unknown.test"), /NXDOMAIN/);
  assert.match(await reasonOf("empty.test"), /empty/);
  assert.match(await reasonOf("ill.test"), /SERVFAIL/);
  assert.match(await reasonOf("silent.test"), /no answer/);
  assert.ok(!dns.asked.includes("ill.test AAAA"));
  assert.ok(!dns.asked.includes("silent.test AAAA"));
});

test("a name does not lead to metadata services, link-local or unspecified addresses", async (t) => {
  const { dns, source } = await setUp(t);
  for (const address of ["169.254.169.254", "169.254.1.1", "0.0.0.0", "224.0.0.1", "100.100.100.200"]) {
    dns.replies.set("evil.test", { addresses: [address], ttl: 1 });
    const answer = await source.ask("evil.test");
    assert.deepEqual(answer, { kind: "failed", reason: `${address} is not for backends` });
    dns.replies.set("evil.test", { addresses: [address, "10.0.0.1"], ttl: 1 });
    assert.deepEqual(await source.ask("evil.test"), { kind: "found", addresses: ["10.0.0.1"], ttlMs: 1_000 });
  }
  for (const address of ["fd00:ec2::254", "fe80::1", "::", "::ffff:169.254.169.254", "not an address"]) {
    assert.equal(judge([{ address, ttl: 1 }]).kind, "failed", address);
  }
});

test("a hundred addresses are read, and of more than the bound always the same ones are taken", async (t) => {
  const { dns, source } = await setUp(t);
  const hundred = Array.from({ length: 100 }, (_, i) => `10.0.0.${i + 1}`);
  dns.replies.set("many.test", { addresses: hundred, ttl: 1 });
  const answer = await source.ask("many.test");
  assert.equal(answer.kind === "found" && answer.addresses.length, 100);
  const records = Array.from({ length: 1_000 }, (_, i) => ({
    address: `10.0.${i >> 8}.${i & 255}`,
    ttl: 1,
  }));
  const most = judge(records);
  assert.equal(most.kind === "found" && most.addresses.length, ADDRESSES_MAX);
  assert.deepEqual(judge(records.toReversed()), most);
});

test("a name of the hosts file goes by the system's lookup, and DNS is not asked", async (t) => {
  const { dns, source } = await setUp(
    t,
    "# hosts\n127.0.0.1 other LOCALHOST # ours\n10.0.0.1 # hidden.test\n",
  );
  dns.replies.set("localhost", { addresses: ["10.9.9.9"], ttl: 1 });
  const answer = await source.ask("localhost");
  assert.deepEqual(answer, { kind: "found", addresses: ["127.0.0.1"], ttlMs: LOOKUP_TTL_MS });
  assert.equal((await source.ask("hidden.test")).kind, "failed");
  assert.deepEqual(dns.asked, ["hidden.test A", "hidden.test AAAA"]);
});
