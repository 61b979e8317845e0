// Certificates that live for seconds: they rotate under load without a failed request, an expired one is refused by its
// peers with a named culprit, and a fresh one mends it.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, LocalMesh, meshctl } from "../support/local-mesh.ts";
import { app, peerAuthentication, program, service, writeDocuments } from "../support/mesh/app-manifests.ts";
import { podOf, PodPorts, type CallResult, type PodPort } from "../support/mesh/pod-client.ts";
import { RequestStream } from "../support/mesh/request-stream.ts";

const NEEDS = CAN_RUN_LOCAL_MESH ? {} : { skip: "needs Linux and root" };
const TTL_S = 6;
const ADMIN_PORT = 15000;
const SERVER = "server.far";
const CA_PORT = "15012";
const MANY = 16;

interface CertificatesPage {
  readonly certificates: readonly {
    readonly cert_chain: readonly { readonly serial_number: string; readonly expiration_time: string }[];
  }[];
}

describe("certificates of a mesh that live for seconds", NEEDS, () => {
  const mesh = new LocalMesh("certs");
  const ports = new PodPorts(mesh.name);
  let client: PodPort;

  before(async () => {
    writeDocuments(join(mesh.folder, "apps.yaml"), [
      ...["near", "far"].map(program),
      ...app({ namespace: "near", name: "client" }),
      ...app({ namespace: "far", name: "server" }),
      service("far", "server"),
      peerAuthentication("far", "default", { mtls: { mode: "STRICT" } }),
    ]);
    await mesh.start("-f", mesh.folder, "--workload-cert-ttl", `${TTL_S}s`);
    client = ports.open("client", 8080);
  });
  after(async () => {
    ports.close();
    await mesh.stop();
  });

  const leafOf = async (admin: PodPort) => (await admin.json<CertificatesPage>("/certs")).certificates[0]!.cert_chain[0]!;

  /** Over a new connection from sidecar to sidecar: TCP is not pooled. */
  const talk = async (): Promise<string> => {
    const { text, error } = await client.talk({ host: SERVER, port: 9000, say: "hello" });
    assert.match(text, /^220 [^]*\nHELLO\n$/, error ?? "");
    return text;
  };

  const call = async (): Promise<string> => (await client.echo({ url: `http://${SERVER}/?delayMs=20` })).pod;

  const callMany = (): Promise<CallResult[]> =>
    client.callAll(Array.from({ length: MANY }, () => ({ url: `http://${SERVER}/?delayMs=100`, fresh: true })));

  /** All requests share one connection from sidecar to sidecar, which outlives certificates; the next ones need another. */
  async function endConnection(): Promise<void> {
    const { name } = podOf(mesh.name, "client");
    const { ip } = podOf(mesh.name, "server");
    const result = await mesh.inSandbox("nsenter", `--net=/run/netns/near.${name}`, "ss", "--kill", "state", "established", "dst", ip);
    assert.equal(result.code, 0, result.stderr);
  }

  /** Keeps the pod's sidecar from the CA, and lets it again. */
  async function cutOff(namespace: string, owner: string, isCut: boolean): Promise<void> {
    const pod = podOf(mesh.name, owner);
    const rule = ["OUTPUT", "-p", "tcp", "--dport", CA_PORT, "-j", "REJECT", "--reject-with", "tcp-reset"];
    for (const program of ["iptables", "ip6tables"]) {
      const result = await mesh.inSandbox("nsenter", `--net=/run/netns/${namespace}.${pod.name}`, program, isCut ? "-I" : "-D", ...rule);
      assert.equal(result.code, 0, result.stderr);
    }
    // Rules don't end what is open.
    await mesh.inSandbox("nsenter", `--net=/run/netns/${namespace}.${pod.name}`, "ss", "--kill", "dst", ":15012");
  }

  const logOf = async (owner: string): Promise<string> =>
    (await meshctl("local", "logs", owner, "-c", "meshctl-proxy", "--name", mesh.name)).stdout;

  const untilExpired = (): Promise<unknown> =>
    eventually(async () => assert.equal((await client.talk({ host: SERVER, port: 9000, say: "hello" })).text, ""), {
      withinMs: (TTL_S + 4) * 1000,
    });

  async function untilRecovered(): Promise<void> {
    await eventually(
      async () => {
        await talk();
        const failed = (await callMany()).filter(({ status }) => status !== 200);
        assert.deepEqual(
          failed.map(({ headers }) => headers["x-mesh-error"]),
          [],
        );
      },
      { withinMs: 15_000 },
    );
  }

  test("rotate several times under load on old and new connections, without a failed request", async () => {
    const admins = ["client", "server"].map((owner) => ({ admin: ports.open(owner, ADMIN_PORT), serials: new Set<string>() }));
    const streams = [new RequestStream({ send: call, perSecond: 60 }), new RequestStream({ send: talk, perSecond: 20 })];
    try {
      await eventually(
        async () => {
          for (const { admin, serials } of admins) {
            const leaf = await leafOf(admin);
            serials.add(leaf.serial_number);
            assert.ok(Date.parse(leaf.expiration_time) - Date.now() < TTL_S * 1000);
            assert.ok(serials.size >= 4, `${serials.size} certificates`);
          }
        },
        { withinMs: TTL_S * 4000 },
      );
    } finally {
      await Promise.all(streams.map((stream) => stream.stop()));
    }
    for (const stream of streams) {
      assert.deepEqual(stream.failures, []);
      assert.ok(stream.outcomes.length > 100, `${stream.outcomes.length} requests`);
    }
  });

  test("that have expired at the client are refused by the server, which says whom and why; what is open goes on", async () => {
    await eventually(talk, { withinMs: 10_000 });
    await cutOff("near", "client", true);
    try {
      await untilExpired();
      for (const { status } of await callMany()) assert.equal(status, 200, "what was open has ended");
      await endConnection();
      for (const { status, headers } of await callMany()) {
        assert.equal(status, 503);
        assert.match(headers["x-mesh-error"] ?? "", /^UC; by=client-sidecar; detail="own certificate expired at/);
      }
      assert.match(await logOf("client"), /certificate expired at .*: peers will refuse this workload/);
      const { ip } = podOf(mesh.name, "client");
      const lines = (await logOf("server")).split("\n").filter((each) => each.includes("connection refused") && each.includes(ip));
      assert.match(lines.join("\n"), /verify_failed: CERT_HAS_EXPIRED/);
    } finally {
      await cutOff("near", "client", false);
    }
    await untilRecovered();
  });

  test("that have expired at the server are refused by the client, which blames the server's sidecar", async () => {
    await eventually(talk, { withinMs: 10_000 });
    await cutOff("far", "server", true);
    try {
      await untilExpired();
      await endConnection();
      for (const { status, headers } of await callMany()) {
        assert.equal(status, 503);
        assert.match(headers["x-mesh-error"] ?? "", /^UF,URX; by=server-sidecar; detail=".*CERT_HAS_EXPIRED/);
      }
      assert.match(await logOf("server"), /certificate expired at .*: peers will refuse this workload/);
    } finally {
      await cutOff("far", "server", false);
    }
    await untilRecovered();
  });
});
