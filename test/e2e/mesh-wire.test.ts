// What two pods of a mesh show each other and the wire between them: packets, identities, and who may speak plaintext.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, LocalMesh, meshctl, type CommandResult } from "../support/local-mesh.ts";
import {
  app,
  destinationRule,
  peerAuthentication,
  program,
  service,
  writeDocuments,
  type KubeDocument,
} from "../support/mesh/app-manifests.ts";
import { chosenVersion, PacketCapture, tlsRecords, type TcpStream } from "../support/mesh/packet-capture.ts";
import { podOf, PodPorts, type PodPort } from "../support/mesh/pod-client.ts";
import { sumOfSamples } from "../support/prometheus-text.ts";

const NEEDS = CAN_RUN_LOCAL_MESH ? {} : { skip: "needs Linux and root" };
const CLIENT_ID = "spiffe://cluster.local/ns/near/sa/client";
const SERVER_ID = "spiffe://cluster.local/ns/far/sa/server";
const APP_PORT = 8080;
const ADMIN_PORT = 15000;
const PROMETHEUS_PORT = 15090;
const PROXY_UID = "1337";
const SERVER_URL = "http://server.far/";
type Mode = "STRICT" | "PERMISSIVE" | "DISABLE";

interface TlsCheck {
  readonly identity: string;
  readonly services: readonly {
    readonly port: number;
    readonly status: string;
    readonly server: string;
    readonly client: string;
    readonly serverIdentities: readonly string[];
  }[];
}

interface CertificatesPage {
  readonly certificates: readonly { readonly cert_chain: readonly { readonly subject_alt_names: readonly { readonly uri: string }[] }[] }[];
}

describe("two pods of a mesh", NEEDS, () => {
  const mesh = new LocalMesh("wire");
  const policyFile = join(mesh.folder, "policy.yaml");
  const ports = new PodPorts(mesh.name);
  let client: PodPort;
  let outsider: PodPort;

  const setMode = (mode: Mode, spec: KubeDocument = {}): void =>
    writeDocuments(policyFile, [peerAuthentication("far", "default", { mtls: { mode }, ...spec })]);

  before(async () => {
    writeDocuments(join(mesh.folder, "apps.yaml"), [
      ...["near", "far"].map(program),
      ...app({ namespace: "near", name: "client" }),
      ...app({ namespace: "near", name: "outsider", isOutside: true }),
      ...app({ namespace: "far", name: "server" }),
      service("far", "server"),
      service("near", "outsider"),
    ]);
    setMode("STRICT");
    await mesh.start("-f", mesh.folder);
    client = ports.open("client", APP_PORT);
    outsider = ports.open("outsider", APP_PORT);
  });
  after(async () => {
    ports.close();
    await mesh.stop();
  });

  async function tlsCheck(host: string, code = 0): Promise<TlsCheck> {
    const result = await meshctl("tls-check", "client", host, "--name", mesh.name, "-o", "json");
    assert.equal(result.code, code, result.stderr);
    return JSON.parse(result.stdout) as TlsCheck;
  }

  /** From the client's pod as the user that capture leaves alone. */
  function curlAsSidecar(url: string): Promise<CommandResult> {
    const enter = ["nsenter", `--net=/run/netns/near.${podOf(mesh.name, "client").name}`];
    const user = ["setpriv", "--reuid", PROXY_UID, "--regid", PROXY_UID, "--clear-groups"];
    return mesh.inSandbox(...enter, ...user, "curl", "-sS", "--max-time", "5", url);
  }

  /** Waits until plaintext from outside the mesh gets this answer. */
  const untilOutsiderGets = (expected: (status: number) => boolean): Promise<void> =>
    eventually(
      async () => {
        const ip = podOf(mesh.name, "server").ip;
        const { status } = await outsider.call({ url: `http://${ip}:${APP_PORT}/`, fresh: true, timeoutMs: 1000 });
        assert.ok(expected(status), `status ${status}`);
      },
      { withinMs: 5000 },
    );

  /** What passes the server's interface while a marked request goes through. */
  async function captureRequest(marker: string): Promise<TcpStream[]> {
    const server = podOf(mesh.name, "server");
    const capture = await PacketCapture.start(mesh.sandboxPid(), `far.${server.name}`, `tcp port ${APP_PORT}`);
    try {
      const body = `${marker} `.repeat(1000);
      const echo = await client.echo({
        url: `${SERVER_URL}${marker}?query=${marker}`,
        method: "POST",
        headers: { "x-marker": marker },
        body,
        fresh: true,
      });
      assert.deepEqual([echo.headers["x-marker"], echo.body, echo.url], [marker, body, `/${marker}?query=${marker}`]);
      // The echo has the marker, too: all of both directions has passed when as many bytes have been seen.
      return await eventually(
        () => {
          const streams = capture.streams();
          for (const isRequest of [true, false]) {
            const size = streams
              .filter((stream) => (stream.toPort === APP_PORT) === isRequest)
              .reduce((sum, stream) => sum + stream.bytes.length, 0);
            assert.ok(size > body.length, `${size} bytes seen`);
          }
          return streams;
        },
        { withinMs: 5000 },
      );
    } finally {
      await capture.stop();
    }
  }

  /** Wherever the marker stands readable, in any direction. */
  const countMarker = (streams: readonly TcpStream[], marker: string): number =>
    streams.filter((stream) => stream.bytes.includes(marker) || stream.bytes.includes(Buffer.from(marker).toString("base64").slice(0, -4)))
      .length;

  // First: nothing is pooled yet, so that the capture sees the connection from its beginning.
  test("have only TLS 1.3 records between them, and nothing of path, header or body", async () => {
    const marker = `MARKER${process.pid}STRICT`;
    const streams = await captureRequest(marker);
    assert.equal(countMarker(streams, marker), 0, "the marker is readable on the wire");
    const versions = streams.flatMap((stream) => {
      const records = tlsRecords(stream.bytes);
      assert.equal(records[0]?.type, 22, "the first record is a handshake's");
      assert.ok(records.some((record) => record.type === 23));
      return stream.fromPort === APP_PORT ? [chosenVersion(records[0])] : [];
    });
    assert.deepEqual([...new Set(versions)], [0x0304]);
  });

  test("know each other by SPIFFE identity: at the app, in both sidecars' metrics and certificates, and in tls-check", async () => {
    // A header that a client made up must not survive.
    const { headers } = await client.echo({ url: SERVER_URL, headers: { "x-forwarded-client-cert": `URI=${SERVER_ID}` } });
    assert.match(headers["x-forwarded-client-cert"] ?? "", new RegExp(`^By=${SERVER_ID};Hash=[0-9a-f]{64};Subject="";URI=${CLIENT_ID}$`));

    for (const [owner, reporter, policy, own] of [
      ["server", "destination", "mutual_tls", SERVER_ID],
      ["client", "source", "unknown", CLIENT_ID],
    ] as const) {
      const labels = { reporter, source_principal: CLIENT_ID, destination_principal: SERVER_ID, connection_security_policy: policy };
      const page = await ports.open(owner, PROMETHEUS_PORT).request("/stats/prometheus");
      assert.ok(sumOfSamples(page, "istio_requests_total", { ...labels, response_code: "200" }) > 0, `no such sample of ${owner}`);
      assert.equal(
        sumOfSamples(page, "istio_requests_total", { reporter }),
        sumOfSamples(page, "istio_requests_total", labels),
        "others were counted",
      );

      const { certificates } = await ports.open(owner, ADMIN_PORT).json<CertificatesPage>("/certs");
      const names = certificates.flatMap(({ cert_chain: chain }) => chain.slice(0, 1)).flatMap((each) => each.subject_alt_names);
      assert.deepEqual([...new Set(names.map(({ uri }) => uri))], [own]);
    }

    const check = await tlsCheck("server.far");
    assert.equal(check.identity, CLIENT_ID);
    assert.deepEqual(
      check.services.map(({ port, status, serverIdentities }) => [port, status, serverIdentities]),
      [
        [80, "OK", [SERVER_ID]],
        [9000, "OK", [SERVER_ID]],
      ],
    );
  });

  test("take no plaintext where STRICT holds: neither from outside the mesh nor around the sidecar, and the log says who and why", async () => {
    const server = podOf(mesh.name, "server");
    const strangers = {
      outsider: podOf(mesh.name, "outsider").ip,
      client: podOf(mesh.name, "client").ip,
    };
    assert.deepEqual(await outsider.call({ url: `http://${server.ip}:${APP_PORT}/`, fresh: true }), { status: 0, error: "ECONNRESET" });
    assert.match((await outsider.talk({ host: server.ip, port: 9000, say: "hello", speaksFirst: true })).error ?? "", /ECONNRESET/);
    // The sidecar's own user is not captured: whoever gets it still has no certificate.
    const around = await curlAsSidecar(`http://${server.ip}:${APP_PORT}/`);
    assert.ok([52, 56].includes(around.code), `curl ended with ${around.code}: ${around.stdout}${around.stderr}`);
    const logs = await meshctl("local", "logs", "server", "-c", "meshctl-proxy", "--name", mesh.name);
    for (const [who, ip] of Object.entries(strangers)) {
      const line = logs.stdout.split("\n").find((each) => each.includes(ip) && each.includes("plaintext"));
      assert.ok(line !== undefined, `no line about ${who} (${ip}):\n${logs.stdout}`);
    }
  });

  test("take both where PERMISSIVE holds, and tell them apart", async () => {
    setMode("PERMISSIVE");
    await untilOutsiderGets((status) => status === 200);
    const server = podOf(mesh.name, "server");
    const forged = { "x-forwarded-client-cert": `By=${SERVER_ID};URI=${CLIENT_ID}` };
    const plain = await outsider.echo({ url: `http://${server.ip}:${APP_PORT}/`, headers: forged });
    assert.equal(plain.headers["x-forwarded-client-cert"], undefined);
    const meshed = await client.echo({ url: SERVER_URL });
    assert.match(meshed.headers["x-forwarded-client-cert"] ?? "", new RegExp(`URI=${CLIENT_ID}$`));
    assert.match((await outsider.talk({ host: server.ip, port: 9000, say: "hello", speaksFirst: true })).text, /^220 [^]*HELLO\n$/);
    assert.equal((await curlAsSidecar(`http://${server.ip}:${APP_PORT}/`)).code, 0);
    const page = await ports.open("server", PROMETHEUS_PORT).request("/stats/prometheus");
    const ofNobody = { reporter: "destination", source_principal: "unknown", connection_security_policy: "none", response_code: "200" };
    assert.ok(sumOfSamples(page, "istio_requests_total", ofNobody) > 0);
    assert.deepEqual(
      (await tlsCheck("server.far")).services.map(({ server, client: mode, status }) => [server, mode, status]),
      Array(2).fill(["PERMISSIVE", "ISTIO_MUTUAL", "OK"]),
    );
  });

  test("speak plaintext where DISABLE holds, and the wire shows it", async () => {
    setMode("DISABLE");
    const server = podOf(mesh.name, "server");
    await eventually(async () => assert.equal((await client.echo({ url: SERVER_URL })).headers["x-forwarded-client-cert"], undefined), {
      withinMs: 5000,
    });
    const marker = `MARKER${process.pid}DISABLE`;
    assert.ok(countMarker(await captureRequest(marker), marker) > 0, "the capture doesn't see what is there");
    assert.equal((await outsider.call({ url: `http://${server.ip}:${APP_PORT}/`, fresh: true })).status, 200);
    const overTls = await outsider.call({ url: `https://${server.ip}:${APP_PORT}/`, fresh: true });
    assert.equal(overTls.status, 0, "the sidecar answers TLS although it is disabled");
    assert.deepEqual(
      (await tlsCheck("server.far")).services.map(({ server, client: mode, status }) => [server, mode, status]),
      Array(2).fill(["DISABLE", "DISABLE", "PLAINTEXT"]),
    );
  });

  test("fail with a named culprit where client and server disagree, and work again when they agree", async () => {
    writeDocuments(policyFile, [
      peerAuthentication("far", "default", { mtls: { mode: "STRICT" } }),
      destinationRule("far", "plain", { host: "server", trafficPolicy: { tls: { mode: "DISABLE" } } }),
    ]);
    const refused = await eventually(
      async () => {
        const result = await client.call({ url: SERVER_URL });
        assert.equal(result.status, 503);
        return result;
      },
      { withinMs: 5000 },
    );
    assert.match(refused.headers["x-mesh-error"] ?? "", /^UC; by=policy; detail=".*ECONNRESET/);
    assert.deepEqual(
      (await tlsCheck("server.far", 1)).services.map(({ status }) => status),
      ["CONFLICT", "CONFLICT"],
    );
    setMode("STRICT");
    await eventually(async () => assert.match((await client.echo({ url: SERVER_URL })).headers["x-forwarded-client-cert"] ?? "", /URI=/), {
      withinMs: 5000,
    });
    await untilOutsiderGets((status) => status === 0);
  });

  test("follow the narrowest policy: a workload's port before the workload, before the namespace", async () => {
    writeDocuments(policyFile, [
      peerAuthentication("far", "default", { mtls: { mode: "STRICT" } }),
      peerAuthentication("far", "server", {
        selector: { matchLabels: { app: "server" } },
        portLevelMtls: { [APP_PORT]: { mode: "PERMISSIVE" } },
      }),
    ]);
    await untilOutsiderGets((status) => status === 200);
    const { ip } = podOf(mesh.name, "server");
    assert.match((await outsider.talk({ host: ip, port: 9000, say: "hello", speaksFirst: true })).error ?? "", /ECONNRESET/);
    setMode("STRICT");
    await untilOutsiderGets((status) => status === 0);
  });

  test("reach what has no sidecar in plaintext, as tls-check says", async () => {
    assert.match((await client.echo({ url: "http://outsider/" })).pod, /^outsider-/);
    assert.deepEqual(
      (await tlsCheck("outsider.near")).services.map(({ client: mode, status }) => [mode, status]),
      Array(2).fill(["DISABLE", "PLAINTEXT"]),
    );
  });
});
