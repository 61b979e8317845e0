// Addresses and names as an app sees them: both IP families, captured with the destination that was asked for; TCP in
// which the server speaks first; what DNS answers and what it doesn't.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, LocalMesh } from "../support/local-mesh.ts";
import { app, peerAuthentication, program, service, writeDocuments } from "../support/mesh/app-manifests.ts";
import { podOf, PodPorts, type PodPort } from "../support/mesh/pod-client.ts";

const NEEDS = CAN_RUN_LOCAL_MESH ? {} : { skip: "needs Linux and root" };
const CLIENT_ID = "spiffe://cluster.local/ns/near/sa/client";
const SERVER_ID = "spiffe://cluster.local/ns/far/sa/server";
const PROMETHEUS_PORT = 15090;
// Its clients connect to the pods themselves, so a port is what the pods listen on.
const HEADLESS_PORTS = [
  { name: "http", port: 8080 },
  { name: "tcp", port: 9000 },
];

interface ServiceObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly clusterIPs: readonly string[] };
}

describe("the network of a mesh", NEEDS, () => {
  const mesh = new LocalMesh("net");
  const ports = new PodPorts(mesh.name);
  let client: PodPort;
  let server: PodPort;

  before(async () => {
    writeDocuments(join(mesh.folder, "apps.yaml"), [
      ...["near", "far"].map(program),
      ...app({ namespace: "near", name: "client" }),
      ...app({ namespace: "far", name: "server" }),
      service("near", "client"),
      service("far", "server"),
      service("far", "only6", { selector: { app: "server" }, ipFamilies: ["IPv6"], ipFamilyPolicy: "SingleStack" }),
      service("far", "only4", { selector: { app: "server" }, ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" }),
      service("far", "headless", { selector: { app: "server" }, clusterIP: "None", ports: HEADLESS_PORTS }),
    ]);
    await mesh.start("-f", mesh.folder);
    client = ports.open("client", 8080);
    server = ports.open("server", 8080);
  });
  after(async () => {
    ports.close();
    await mesh.stop();
  });

  /** Cluster IPs of a Service, by family. */
  function clusterIps(name: string): { readonly v4: string | undefined; readonly v6: string | undefined } {
    const folder = join(mesh.runFolder, "objects");
    const objects = readdirSync(folder)
      .filter((file) => file.endsWith(".json"))
      .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as ServiceObject);
    const ips = objects.find((each) => each.kind === "Service" && each.metadata.name === name)?.spec.clusterIPs ?? [];
    return { v4: ips.find((ip) => !ip.includes(":")), v6: ips.find((ip) => ip.includes(":")) };
  }

  const inUrl = (ip: string): string => (ip.includes(":") ? `[${ip}]` : ip);

  for (const [family, number] of [
    ["v4", 4],
    ["v6", 6],
  ] as const) {
    test(`takes a request to a Service's IP${family} address to its pods, with both identities`, async () => {
      const ip = clusterIps("server")[family];
      assert.ok(ip !== undefined);
      const echo = await client.echo({ url: `http://${inUrl(ip)}/`, fresh: true });
      assert.match(echo.pod, /^server-/);
      assert.match(echo.headers["x-forwarded-client-cert"] ?? "", new RegExp(`^By=${SERVER_ID};.*URI=${CLIENT_ID}$`));
      // Headers are the app's: the authority stays what was asked for.
      assert.equal(echo.headers["host"], inUrl(ip));
    });

    test(`takes a request to a pod's IP${family} address to that very address and port`, async () => {
      const pod = podOf(mesh.name, "server");
      const ip = pod.ips.find((each) => each.includes(":") === (family === "v6"))!;
      const echo = await client.echo({ url: `http://${inUrl(ip)}:8080/`, fresh: true });
      assert.deepEqual([echo.pod, unmap(echo.localAddress), echo.localPort], [pod.name, ip, 8080]);
    });

    test(`relays a protocol in which the server speaks first over IP${family}`, async () => {
      const ip = clusterIps("server")[family]!;
      for (const host of [ip, "server.far"]) {
        const { text, error } = await client.talk({ host, port: 9000, say: "hello", family: number });
        assert.match(text, /^220 server-\S+ at \S+ port 9000\nHELLO\n$/, `${host}: ${error}`);
      }
    });
  }

  test("carries TCP over mutual TLS, and counts it with both identities", async () => {
    const labels = (reporter: string, policy: string): RegExp =>
      new RegExp(
        `^istio_tcp_connections_opened_total\\{(?=.*reporter="${reporter}")(?=.*source_principal="${CLIENT_ID}")` +
          `(?=.*destination_principal="${SERVER_ID}")(?=.*connection_security_policy="${policy}").*\\} [1-9]`,
        "m",
      );
    assert.match(await ports.open("server", PROMETHEUS_PORT).request("/stats/prometheus"), labels("destination", "mutual_tls"));
    assert.match(await ports.open("client", PROMETHEUS_PORT).request("/stats/prometheus"), labels("source", "unknown"));
  });

  test("reaches Services of one family, and a headless one by its pods", async () => {
    for (const name of ["only4", "only6", "headless"]) {
      const port = name === "headless" ? ":8080" : "";
      const { pod, headers } = await client.echo({ url: `http://${name}.far${port}/`, fresh: true });
      assert.match(pod, /^server-/, name);
      assert.match(headers["x-forwarded-client-cert"] ?? "plaintext", new RegExp(`URI=${CLIENT_ID}$`), name);
      assert.match((await client.talk({ host: `${name}.far`, port: 9000, say: "hi" })).text, /HI\n$/, name);
    }
  });

  test("lets a pod reach itself: by its Service, by its address and by loopback", async () => {
    const [v4, v6] = podOf(mesh.name, "server").ips;
    for (const host of ["server.far:80", `${v4}:8080`, `[${v6}]:8080`, "127.0.0.1:8080", "[::1]:8080"]) {
      assert.match((await server.echo({ url: `http://${host}/`, fresh: true })).pod, /^server-/, host);
    }
  });

  test("answers names full, with the namespace, and short in the pod's own namespace", async () => {
    const ips = clusterIps("server");
    for (const name of ["server.far", "server.far.svc", "server.far.svc.cluster.local"]) {
      assert.deepEqual(await client.resolve(name, "A"), { addresses: [ips.v4] }, name);
      assert.deepEqual(await client.resolve(name, "AAAA"), { addresses: [ips.v6] }, name);
    }
    assert.deepEqual(await client.resolve("client", "A"), { addresses: [clusterIps("client").v4] });
    assert.deepEqual(await server.resolve("server", "A"), { addresses: [ips.v4] });
    // Another namespace's name is not found without it.
    assert.deepEqual(await client.resolve("server", "A"), { error: "ENOTFOUND" });
    assert.match(
      (await mesh.exec("client.near", "getent", "ahosts", "server.far")).stdout,
      new RegExp(`^${ips.v4?.replaceAll(".", "\\.")}\\s`, "m"),
    );
  });

  test("answers a headless Service with its pods' addresses", async () => {
    const [v4, v6] = podOf(mesh.name, "server").ips;
    assert.deepEqual(await client.resolve("headless.far", "A"), { addresses: [v4] });
    assert.deepEqual(await client.resolve("headless.far", "AAAA"), { addresses: [v6] });
  });

  test("says that a name has no address of the other family, and that other names don't exist", async () => {
    assert.deepEqual(await client.resolve("only4.far.svc.cluster.local", "AAAA"), { error: "ENODATA" });
    assert.deepEqual(await client.resolve("only6.far.svc.cluster.local", "A"), { error: "ENODATA" });
    assert.deepEqual(await client.resolve("only6.far.svc.cluster.local", "AAAA"), { addresses: [clusterIps("only6").v6] });
    for (const name of ["nobody.far.svc.cluster.local", "example.com", "server.nowhere.svc.cluster.local"]) {
      for (const type of ["A", "AAAA"] as const) assert.deepEqual(await client.resolve(name, type), { error: "ENOTFOUND" }, name);
    }
  });

  test("blames the network for an address that nobody has", async () => {
    // Port 80 is a Service's, so that this is HTTP for the sidecar, and the answer is its own.
    const { status, headers } = await client.call({ url: "http://10.244.99.99/", fresh: true, timeoutMs: 15_000 });
    assert.equal(status, 503);
    assert.match(headers["x-mesh-error"] ?? "", /^UF; by=network; detail="10\.244\.99\.99:80: EHOSTUNREACH/);
  });

  test("follows Services that come and go", async () => {
    const path = join(mesh.folder, "later.yaml");
    writeDocuments(path, [service("far", "later", { selector: { app: "server" } })]);
    await eventually(async () => assert.match((await client.echo({ url: "http://later.far/", fresh: true })).pod, /^server-/), {
      withinMs: 5000,
    });
    writeDocuments(path, [peerAuthentication("far", "later", { selector: { matchLabels: { app: "none" } }, mtls: { mode: "STRICT" } })]);
    await eventually(async () => assert.deepEqual(await client.resolve("later.far", "A"), { error: "ENOTFOUND" }), { withinMs: 5000 });
  });
});

/** An IPv4 address as a dual-stack socket names it. */
function unmap(address: string): string {
  return address.replace(/^::ffff:/, "");
}
