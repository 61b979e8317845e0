import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { UserError } from "../../../src/common/user-error.ts";
import { startDns } from "../../../src/proxy-runtime/dns/dns-server.ts";
import type { DnsOptions, DnsServer } from "../../../src/proxy-runtime/dns/dns-server.ts";
import { Forwarder } from "../../../src/proxy-runtime/dns/forwarder.ts";
import { readQuery } from "../../../src/proxy-runtime/dns/query-message.ts";
import type { Query } from "../../../src/proxy-runtime/dns/query-message.ts";
import { frame, MessageReader } from "../../../src/proxy-runtime/dns/tcp-framing.ts";
import { StatsStore } from "../../../src/proxy-runtime/telemetry/stats-store.ts";
import { answerTo, startUpstream } from "../../support/dns-upstream.ts";
import { eventually } from "../../support/eventually.ts";

const run = promisify(execFile);
const MANY = Array.from({ length: 200 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
const NAMES = new Map<string, readonly string[]>([
  ["web.shop.svc.cluster.local", ["10.0.0.1"]],
  ["dual.shop.svc.cluster.local", ["10.0.0.2", "fd00::2"]],
  ["six.shop.svc.cluster.local", ["fd00::1:0:0:9"]],
  ["headless.shop.svc.cluster.local", ["10.0.0.3", "10.0.0.4", "10.0.0.5"]],
  ["many.shop.svc.cluster.local", MANY],
]);

function start(fields: Partial<DnsOptions> = {}): Promise<DnsServer> {
  return startDns({
    addresses: [{ host: "127.0.0.1", port: 0 }],
    names: () => NAMES,
    namespace: "shop",
    clusterDomain: "cluster.local",
    upstream: "none",
    stats: new StatsStore(),
    ...fields,
  });
}

function count(stats: StatsStore, name: string): number {
  return stats.page[stats.find(`dns.${name}`)!.slot]!;
}

/** A query for `name`, type A unless told. */
function query(name: string, { id = 7, type = 1, more = Buffer.alloc(0), additional = 0 } = {}): Buffer {
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional]);
  const labels = name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label, "latin1")]));
  return Buffer.concat([head, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1]), more]);
}

async function askUdp(port: number, message: Buffer, withinMs = 3000): Promise<Buffer | undefined> {
  const socket = createSocket("udp4");
  try {
    socket.send(message, port, "127.0.0.1");
    const signal = AbortSignal.timeout(withinMs);
    const [answer] = (await once(socket, "message", { signal })) as [Buffer];
    return answer;
  } catch (error) {
    if ((error as Error).name === "AbortError") return undefined;
    throw error;
  } finally {
    socket.close();
  }
}

describe("names of the mesh", () => {
  const stats = new StatsStore();
  let server: DnsServer;
  before(async () => {
    server = await start({
      addresses: [
        { host: "127.0.0.1", port: 0 },
        { host: "::1", port: 0 },
      ],
      stats,
    });
  });
  after(() => server.stop());

  const dig = async (...args: string[]) =>
    (await run("dig", ["-p", String(server.port), "@127.0.0.1", "+time=2", "+tries=1", ...args])).stdout;
  const short = async (...args: string[]) => (await dig("+short", ...args)).trim().split("\n");

  test("every spelling of a name finds it, over UDP and TCP, IPv4 and IPv6", async () => {
    for (const name of ["web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local", "WEB.Shop"]) {
      assert.deepEqual(await short(name), ["10.0.0.1"], name);
    }
    assert.deepEqual(await short("+tcp", "web"), ["10.0.0.1"]);
    const { stdout } = await run("dig", ["-p", String(server.port), "@::1", "+short", "+time=2", "+tries=1", "web"]);
    assert.equal(stdout, "10.0.0.1\n");
  });

  test("the answer is authoritative, lives for 30 s and repeats the case of the question", async () => {
    const out = await dig("wEb.sHop");
    assert.match(out, /status: NOERROR/);
    assert.match(out, /flags: qr aa rd ra;/);
    assert.match(out, /\nwEb\.sHop\.\t+30\tIN\tA\t10\.0\.0\.1\n/);
    assert.match(out, /EDNS: version: 0, flags:; udp: 4096/);
    assert.doesNotMatch(await dig("+noedns", "web"), /EDNS:/);
    assert.doesNotMatch(out, /WARNING|malformed/i);
  });

  test("the other family and other types of a known name are no error", async () => {
    assert.deepEqual(await short("AAAA", "six"), ["fd00::1:0:0:9"]);
    assert.deepEqual(await short("AAAA", "dual"), ["fd00::2"]);
    for (const [type, name] of [
      ["AAAA", "web"],
      ["A", "six"],
      ["TXT", "web"],
      ["SRV", "web"],
      ["TYPE65", "web"],
      ["ANY", "web"],
    ] as const) {
      assert.match(await dig("+notcp", type, name), /status: NOERROR.*\n.*ANSWER: 0,/, `${type} ${name}`);
    }
  });

  test("what is not known doesn't exist, when nobody else is asked", async () => {
    assert.match(await dig("www.example.com"), /status: NXDOMAIN/);
    assert.match(await dig("web.shop.svc.cluster.local.shop.svc.cluster.local"), /status: NXDOMAIN/);
    assert.match(await dig("."), /status: NXDOMAIN/);
    assert.match(await dig("CH", "TXT", "version.bind"), /status: NXDOMAIN/);
  });

  test("several addresses take turns to be first", async () => {
    const firsts = new Set<string>();
    for (let round = 0; round < 6; round++) {
      const all = await short("headless");
      assert.deepEqual(all.toSorted(), ["10.0.0.3", "10.0.0.4", "10.0.0.5"]);
      firsts.add(all[0]!);
    }
    assert.equal(firsts.size, 3);
  });

  test("what is too large for UDP is truncated there and whole over TCP", async () => {
    const cut = await dig("+ignore", "+noedns", "many");
    assert.match(cut, /flags: qr aa tc rd ra;/);
    assert.match(cut, /MSG SIZE  rcvd: (4[89]\d|50\d|51[0-2])\n/);
    assert.equal((await short("+bufsize=4096", "+ignore", "many")).length, 200);
    assert.equal((await short("+bufsize=1232", "many")).length, 200, "dig asks again over TCP");
    assert.deepEqual((await short("+tcp", "many")).toSorted(), MANY.toSorted());
  });

  test("Node's own resolver is content", async () => {
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${server.port}`]);
    assert.deepEqual(await resolver.resolve4("web.shop.svc.cluster.local", { ttl: true }), [{ address: "10.0.0.1", ttl: 30 }]);
    await assert.rejects(resolver.resolve6("web.shop.svc.cluster.local"), { code: "ENODATA" });
    await assert.rejects(resolver.resolve4("nope.shop.svc.cluster.local"), { code: "ENOTFOUND" });
  });

  test("unsupported opcodes and EDNS versions are refused by name", async () => {
    assert.match(await dig("+opcode=NOTIFY", "web"), /status: NOTIMP/);
    assert.match(await dig("+edns=5", "+noednsneg", "web"), /status: BADVERS/);
  });

  test("one TCP connection takes several queries, pipelined, cut anywhere, and half closed", async () => {
    const socket = connect(server.port, "127.0.0.1");
    const ids: number[] = [];
    const reader = new MessageReader((answer) => void ids.push(answer.readUInt16BE(0)));
    socket.on("data", (chunk: Buffer) => reader.push(chunk));
    const bytes = Buffer.concat([1, 2, 3, 4].map((id) => frame(query("many", { id }))));
    for (const byte of bytes.subarray(0, 40)) {
      socket.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    socket.end(bytes.subarray(40));
    await once(socket, "close");
    assert.deepEqual(ids, [1, 2, 3, 4]);
  });

  test("counts what it did", () => {
    assert.ok(count(stats, "queries") > 20);
    assert.ok(count(stats, "answered") > 20);
    assert.ok(count(stats, "nxdomain") >= 4);
    assert.equal(count(stats, "forwarded"), 0);
  });
});

describe("bytes that are no query", () => {
  test("responses and stumps get no answer, broken questions FORMERR", async () => {
    const stats = new StatsStore();
    const server = await start({ stats });
    try {
      const response = query("web");
      response[2] = 0x81;
      const noAnswer = await Promise.all([response, Buffer.alloc(3), Buffer.alloc(0)].map((bytes) => askUdp(server.port, bytes, 200)));
      assert.deepEqual(noAnswer, [undefined, undefined, undefined]);
      const two = query("web");
      two[5] = 2;
      const pointer = Buffer.concat([query("web").subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
      const cut = query("web").subarray(0, 14);
      const longLabel = Buffer.concat([
        query("web").subarray(0, 12),
        Buffer.from([64]),
        Buffer.alloc(64, 97),
        Buffer.from([0, 0, 1, 0, 1]),
      ]);
      const longName = query(Array.from({ length: 40 }, () => "abcdefgh").join("."));
      const optTwice = query("web", {
        additional: 2,
        more: Buffer.from([0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0]),
      });
      const badOpt = query("web", { additional: 1, more: Buffer.from([0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 9]) });
      for (const bytes of [two, pointer, cut, longLabel, longName, optTwice, badOpt]) {
        const answer = await askUdp(server.port, bytes);
        assert.deepEqual([answer?.readUInt16BE(0), answer?.readUInt16BE(2)], [7, 0x8001], bytes.toString("hex"));
      }
      // A dot inside a label is not the dot between labels.
      const dotted = Buffer.concat([query("web").subarray(0, 12), Buffer.from([8, ...Buffer.from("web.shop"), 0, 0, 1, 0, 1])]);
      assert.equal((await askUdp(server.port, dotted))![3]! & 15, 3);
      assert.equal(count(stats, "malformed"), 10);
    } finally {
      await server.stop();
    }
  });

  test("no bytes bring the server down", async () => {
    const server = await start();
    const client = createSocket("udp4");
    try {
      let seed = 42;
      const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
      const good = query("web.shop", { additional: 1, more: Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]) });
      for (let round = 0; round < 3000; round++) {
        const bytes = random(4) === 0 ? Buffer.from(Array.from({ length: random(80) }, () => random(256))) : Buffer.from(good);
        for (let flips = random(4); flips > 0 && bytes.length > 0; flips--) bytes[random(bytes.length)] = random(256);
        client.send(bytes.subarray(0, random(10) === 0 ? random(bytes.length + 1) : bytes.length), server.port, "127.0.0.1");
        if (round % 50 === 0) await new Promise(setImmediate);
      }
      const noise = connect(server.port, "127.0.0.1");
      noise.on("error", () => {});
      noise.end(Buffer.from(Array.from({ length: 20_000 }, () => random(256))));
      noise.resume();
      await once(noise, "close");
      const answer = await eventually(
        async () => {
          const bytes = await askUdp(server.port, query("web"), 500);
          assert.ok(bytes !== undefined);
          return bytes;
        },
        { withinMs: 5000 },
      );
      assert.equal(answer.readUInt16BE(6), 1);
    } finally {
      client.close();
      await server.stop();
    }
  });
});

describe("names of others", () => {
  async function withUpstream(
    say: Parameters<typeof startUpstream>[0],
    use: (port: number, stats: StatsStore) => Promise<void>,
    more: Partial<DnsOptions> = {},
  ) {
    const stats = new StatsStore();
    const upstream = await startUpstream(say);
    const server = await start({ upstream: [{ host: upstream.host, port: upstream.port }], stats, ...more });
    try {
      await use(server.port, stats);
    } finally {
      await server.stop();
      upstream.stop();
    }
  }
  const addressesOf = (answer: Buffer | undefined) => answer?.readUInt16BE(6);

  test("are asked of the nameserver, with new ids and ports, and known ones are not", async () => {
    const seen: { id: number; port: number }[] = [];
    await withUpstream(
      (bytes, reply, _over, port) => {
        seen.push({ id: bytes.readUInt16BE(0), port });
        reply(answerTo(bytes, ["192.0.2.1"]));
      },
      async (port, stats) => {
        for (let id = 100; id < 110; id++) {
          const answer = await askUdp(port, query("www.Example.com", { id }));
          assert.equal(answer!.readUInt16BE(0), id);
          assert.equal(addressesOf(answer), 1);
        }
        await askUdp(port, query("web"));
        await askUdp(port, query("web.shop.svc.cluster.local.cluster.local"));
        assert.equal(seen.length, 10);
        assert.ok(new Set(seen.map((each) => each.id)).size >= 9);
        assert.ok(new Set(seen.map((each) => each.port)).size >= 5);
        assert.equal(count(stats, "forwarded"), 10);
      },
    );
  });

  test("a forged answer is not believed: wrong id, wrong question, or no answer at all", async () => {
    await withUpstream(
      (bytes, reply) => {
        const forged = answerTo(bytes, ["203.0.113.6"]);
        forged.writeUInt16BE((forged.readUInt16BE(0) + 1) & 0xffff, 0);
        reply(forged);
        const other = answerTo(bytes, ["203.0.113.7"]);
        other[13] = other[13] === 0x78 ? 0x79 : 0x78;
        reply(other);
        reply(bytes);
        reply(Buffer.from([1]));
        reply(answerTo(bytes, ["192.0.2.9"]));
      },
      async (port) => {
        const answer = await askUdp(port, query("www.example.com"));
        assert.equal(answer!.subarray(-4).join("."), "192.0.2.9");
      },
    );
  });

  test("a truncated answer is fetched over TCP, and cut again for a client that takes little", async () => {
    const many = MANY.slice(0, 100);
    await withUpstream(
      (bytes, reply, over) => reply(over === "udp" ? answerTo(bytes, [], { truncated: true }) : answerTo(bytes, many)),
      async (port) => {
        const small = await askUdp(port, query("www.example.com"));
        assert.deepEqual([addressesOf(small), small![2]! & 2], [0, 2]);
        const large = await askUdp(
          port,
          query("www.example.com", { additional: 1, more: Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]) }),
        );
        assert.deepEqual([addressesOf(large), large![2]! & 2], [100, 0]);
        const { stdout } = await run("dig", [
          "-p",
          String(port),
          "@127.0.0.1",
          "+short",
          "+noedns",
          "+time=2",
          "+tries=1",
          "www.example.com",
        ]);
        assert.equal(stdout.trim().split("\n").length, 100);
      },
    );
  });

  test("a TCP client that has no more questions still gets the answer that is waited for", async () => {
    await withUpstream(
      (bytes, reply) => void setTimeout(() => reply(answerTo(bytes, ["192.0.2.1"])), 50),
      async (port) => {
        const socket = connect(port, "127.0.0.1");
        const answers: Buffer[] = [];
        const reader = new MessageReader((answer) => void answers.push(answer));
        socket.on("data", (chunk: Buffer) => reader.push(chunk));
        socket.end(frame(query("www.example.com")));
        await once(socket, "close");
        assert.deepEqual(answers.map(addressesOf), [1]);
      },
    );
  });

  test("a server that fails is followed by the next, and its failure is passed on when all do", async () => {
    const second = await startUpstream((bytes, reply) => reply(answerTo(bytes, ["192.0.2.2"])));
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port: refused } = closed.address() as AddressInfo;
    closed.close();
    try {
      const upstream = [
        { host: "127.0.0.1", port: refused },
        { host: "127.0.0.1", port: second.port },
      ];
      await withUpstream(
        () => {},
        async (port) => assert.equal(addressesOf(await askUdp(port, query("a.example"))), 1),
        { upstream },
      );
    } finally {
      second.stop();
    }
    await withUpstream(
      (bytes, reply) => reply(answerTo(bytes, [], { code: 2 })),
      async (port) => assert.equal((await askUdp(port, query("a.example")))![3]! & 15, 2),
    );
    const stats = new StatsStore();
    const nobody = await start({ upstream: [{ host: "127.0.0.1", port: refused }], stats });
    try {
      assert.equal((await askUdp(nobody.port, query("a.example")))![3]! & 15, 2);
      assert.equal(count(stats, "failed"), 1);
    } finally {
      await nobody.stop();
    }
  });

  test("NXDOMAIN is passed on as it is", async () => {
    await withUpstream(
      (bytes, reply) => reply(answerTo(bytes, [], { code: 3 })),
      async (port) => assert.equal((await askUdp(port, query("nope.example")))![3]! & 15, 3),
    );
  });

  test("never asks itself", async () => {
    const probe = await start();
    await probe.stop();
    const self = { host: "127.0.0.1", port: probe.port };
    const server = await start({ addresses: [self], upstream: [self] });
    try {
      assert.equal((await askUdp(server.port, query("a.example")))![3]! & 15, 2);
    } finally {
      await server.stop();
    }
  });

  test("knows its own questions by their port, for as long as they wait, should a redirect bring them back", async () => {
    const forwarders: Forwarder[] = [];
    const seen: boolean[] = [];
    const ports: number[] = [];
    const upstream = await startUpstream((bytes, reply, _over, port) => {
      ports.push(port);
      seen.push(forwarders[0]!.isOwnPort(port));
      reply(answerTo(bytes, ["192.0.2.1"]));
    });
    try {
      forwarders.push(new Forwarder([upstream]));
      const message = query("a.example");
      assert.ok(await forwarders[0]!.ask(readQuery(message) as Query, message));
      assert.deepEqual([seen, forwarders[0]!.isOwnPort(ports[0]!)], [[true], false]);
    } finally {
      upstream.stop();
    }
  });
});

test("a port in use is a mistake that names it; an address that the machine lacks is left out", async () => {
  const first = await start();
  try {
    await assert.rejects(
      start({ addresses: [{ host: "127.0.0.1", port: first.port }] }),
      (error) =>
        error instanceof UserError && error.message.startsWith(`dns port 127.0.0.1:${first.port} is in use`) && error.hint !== undefined,
    );
  } finally {
    await first.stop();
  }
  const other = await start({
    addresses: [
      { host: "127.0.0.1", port: 0 },
      { host: "fd00:dead::1", port: 0 },
    ],
  });
  await other.stop();
  await assert.rejects(start({ addresses: [{ host: "fd00:dead::1", port: 0 }] }), /this machine has no address fd00:dead::1/);
});
