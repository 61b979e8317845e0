// Who speaks first, over captured connections between pods: known ports and declared ones wait for nobody, others no longer
// than protocol detection may, and a connection to an HTTP port stays one however late its first request comes.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CAN_RUN_LOCAL_MESH, LocalMesh } from "../support/local-mesh.ts";
import { app, program, service, writeDocuments } from "../support/mesh/app-manifests.ts";
import { podOf, PodPorts, type PodPort } from "../support/mesh/pod-client.ts";

const NEEDS = CAN_RUN_LOCAL_MESH ? {} : { skip: "needs Linux and root" };
/** The controller's default. */
const DETECTION_MS = 5000;
/** On a machine that has other things to do. */
const SLACK_MS = 2500;
const CLIENT_ID = "spiffe://cluster.local/ns/near/sa/client";
/** Port of the app that speaks first. */
const GREETING_PORT = 9000;

describe("first bytes between pods", NEEDS, () => {
  const mesh = new LocalMesh("first");
  const ports = new PodPorts(mesh.name);
  let client: PodPort;
  let outsider: PodPort;

  before(async () => {
    const toGreeting = (port: number, more: object = {}): object => ({ ports: [{ port, targetPort: GREETING_PORT, ...more }] });
    writeDocuments(join(mesh.folder, "apps.yaml"), [
      ...["near", "far"].map(program),
      ...app({ namespace: "near", name: "client" }),
      ...app({ namespace: "near", name: "outsider", isOutside: true }),
      ...app({ namespace: "far", name: "server" }),
      service("far", "mysql", { selector: { app: "server" }, ...toGreeting(3306) }),
      service("far", "declared", { selector: { app: "server" }, ...toGreeting(7001, { appProtocol: "tcp" }) }),
      service("far", "guessed", { selector: { app: "server" }, ...toGreeting(7002) }),
      // Makes 9000 a port on which HTTP is spoken to some address.
      service("far", "web", { selector: { app: "server" }, ports: [{ name: "http", port: GREETING_PORT, targetPort: 8080 }] }),
    ]);
    await mesh.start("-f", mesh.folder);
    client = ports.open("client", 8080);
    outsider = ports.open("outsider", 8080);
  });
  after(async () => {
    ports.close();
    await mesh.stop();
  });

  /** How long the greeting took, milliseconds. */
  async function greeted(from: PodPort, host: string, port: number): Promise<number> {
    const started = performance.now();
    const { text, error } = await from.talk({ host, port, say: "hello", timeoutMs: DETECTION_MS + SLACK_MS + 1000 });
    assert.match(text, /^220 \S+ at \S+ port 9000\nHELLO\n$/, error ?? text);
    return performance.now() - started;
  }

  for (const [name, port] of [
    ["mysql", 3306],
    ["declared", 7001],
  ] as const) {
    test(`come from the server at once on a port that is ${name === "mysql" ? "known by its number" : "declared"}`, async () => {
      const elapsed = await greeted(client, `${name}.far`, port);
      assert.ok(elapsed < SLACK_MS, `${elapsed.toFixed(0)} ms`);
    });
  }

  test("are waited for on a port that says nothing, and no longer than they may be", async () => {
    const elapsed = await greeted(client, "guessed.far", 7002);
    assert.ok(elapsed > DETECTION_MS - 500 && elapsed < DETECTION_MS + SLACK_MS, `${elapsed.toFixed(0)} ms`);
  });

  test("of an address that is no service's are waited for no longer, though HTTP is spoken on that port elsewhere", async () => {
    const elapsed = await greeted(client, podOf(mesh.name, "outsider").ip, GREETING_PORT);
    assert.ok(elapsed < DETECTION_MS + SLACK_MS, `${elapsed.toFixed(0)} ms`);
  });

  test("of a client without a sidecar are waited for no longer by the server's", async () => {
    const elapsed = await greeted(outsider, podOf(mesh.name, "server").ip, GREETING_PORT);
    assert.ok(elapsed < DETECTION_MS + SLACK_MS, `${elapsed.toFixed(0)} ms`);
  });

  test("that come late to an HTTP port are HTTP, routed and encrypted as ever", async () => {
    const request = "GET /late HTTP/1.1\\r\\nHost: web.far\\r\\nConnection: close\\r\\n\\r\\n";
    const script = `exec 3<>/dev/tcp/web.far/${GREETING_PORT}; sleep ${DETECTION_MS / 1000 + 1}; printf '${request}' >&3; cat <&3`;
    const { stdout, stderr } = await mesh.exec("client", "timeout", "20", "bash", "-c", script);
    assert.match(stdout, /^HTTP\/1\.1 200 OK\r?\n/, stderr);
    assert.match(stdout, new RegExp(`URI=${CLIENT_ID}`), "no client certificate reached the server");
  });
});
