// What the injector makes of probes, hooks and scrapes, run by a local mesh: kubelet's part asks the sidecar, the
// sidecar asks the application, and the mesh sees the outcome.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, LocalMesh } from "../support/local-mesh.ts";
import { parsePrometheus } from "../support/prometheus-text.ts";

const NEEDS = CAN_RUN_LOCAL_MESH ? {} : { skip: "needs Linux and root" };

/** Ready after its postStart, as long as nobody says otherwise; tells what it was asked. */
const WEB = `
const http = require("http"), fs = require("fs");
let isStarted = false, isSick = false;
http.createServer((request, response) => {
  const { url, headers } = request;
  if (url === "/started") isStarted = true;
  if (url === "/sick") isSick = true;
  if (url === "/well") isSick = false;
  if (url === "/stopping") {
    fs.writeFileSync("/notes/stopping", headers["user-agent"]);
    return setTimeout(() => response.end(), 3000);
  }
  if (url === "/metrics") return response.end("# TYPE app_orders counter\\napp_orders{} 7\\n");
  if (url !== "/healthz") return response.end("hello");
  response.writeHead(isStarted && !isSick && headers["x-probe"] === "yes" ? 200 : 500).end(isSick ? "not well" : "");
}).listen(8080);
`;

/** Asks at once when it starts, and again a while after it was told to end. */
const CLIENT = `
const fs = require("fs");
const ask = (note) => fetch("http://web/").then(({ status }) => status, (error) => String(error.cause)).then((each) => fs.writeFileSync("/notes/" + note, String(each)));
ask("first");
require("net").createServer().listen(9000);
process.on("SIGTERM", () => setTimeout(() => ask("last").then(() => process.exit()), 1500));
`;

function yaml(notes: string): string {
  const pod = (name: string, program: string, annotations: string, fields: string): string => `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata:
      labels: { app: ${name} }
      annotations: ${annotations}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - name: ${name}
          command: ["node", "-e", ${JSON.stringify(program)}]
          volumeMounts: [{ name: notes, mountPath: /notes }]
${fields}
      volumes: [{ name: notes, hostPath: { path: ${notes} } }]
`;
  const fields = `          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe:
            httpGet: { path: /healthz, port: http, httpHeaders: [{ name: X-Probe, value: "yes" }] }
            periodSeconds: 1
            failureThreshold: 1
          livenessProbe: { tcpSocket: { port: http }, periodSeconds: 1 }
          lifecycle:
            postStart: { exec: { command: [sh, -c, "until curl -sf localhost:8080/started; do sleep 0.1; done"] } }
            preStop: { httpGet: { path: /stopping, port: http } }
`;
  const config = JSON.stringify({ holdApplicationUntilProxyStarts: true, terminationDrainDuration: "0s" });
  return `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
${pod("web", WEB, '{ prometheus.io/port: "8080", proxy.istio.io/config: "concurrency: 2" }', fields)}
${pod("client", CLIENT, `{ sidecar.istio.io/nativeSidecar: "false", proxy.istio.io/config: ${JSON.stringify(config)} }`, "")}`;
}

describe("an injected pod of the local mesh", NEEDS, () => {
  const mesh = new LocalMesh("probes");
  const notes = join(mesh.folder, "notes");
  const file = join(mesh.folder, "app.yaml");
  const podOf = async (owner: string) => (await mesh.status()).pods.find((pod) => pod.owner.name === owner)!;
  const note = (name: string): string => readFileSync(join(notes, name), "utf8");
  before(async () => {
    mkdirSync(notes);
    chmodSync(mesh.folder, 0o755);
    chmodSync(notes, 0o777);
    writeFileSync(file, yaml(notes));
    await mesh.start("-f", file);
  });
  after(() => mesh.stop());

  test("has its probes carried out by the sidecar, and says so", async () => {
    const { ip } = await podOf("web");
    const ask = (path: string) => mesh.inSandbox("curl", "-s", "-w", "%{http_code}", `http://${ip}:15020${path}`);
    assert.equal((await ask("/app-health/web/readyz")).stdout, "200");
    assert.equal((await ask("/app-health/web/livez")).stdout, "200");
    assert.equal((await ask("/app-health/web/startupz")).stdout, "unknown probe /app-health/web/startupz\n400");
    assert.equal((await ask("/quitquitquit")).stdout, "only from inside the pod\n403");
  });

  test("is no endpoint while its application isn't ready, though its sidecar is", async () => {
    const askApp = (path: string) => mesh.exec("web", "curl", "-s", `http://localhost:8080${path}`);
    await askApp("/sick");
    await eventually(
      async () => {
        const { ready, containers } = await podOf("web");
        const [app, sidecar] = ["web", "meshctl-proxy"].map((name) => containers.find((each) => each.name === name));
        assert.deepEqual([ready, app?.ready, sidecar?.ready], [false, false, true]);
        assert.match(app?.message ?? "", /app-health\/web\/readyz: status 500/);
      },
      { withinMs: 10_000 },
    );
    await askApp("/well");
    await eventually(async () => assert.equal((await podOf("web")).ready, true), { withinMs: 10_000 });
  });

  test("shows the sidecar's and the application's metrics in one scrape", async () => {
    const { ip } = await podOf("web");
    const { stdout } = await mesh.inSandbox("curl", "-s", `http://${ip}:15020/stats/prometheus`);
    const metrics = parsePrometheus(stdout);
    assert.equal(metrics.get("app_orders")?.samples[0]?.value, 7);
    assert.equal(metrics.get("envoy_server_concurrency")?.samples[0]?.value, 2);
  });

  test("has a plain sidecar that the application waits for, and that waits for the application", async () => {
    // The sidecar's answer, whether web was ready by then or not.
    await eventually(() => assert.match(note("first"), /^(200|503)$/), { withinMs: 10_000 });
    writeFileSync(file, readFileSync(file, "utf8").replace("kind: Deployment\nmetadata: { name: client }\nspec:", "$&\n  replicas: 0"));
    await eventually(() => assert.equal(note("last"), "200"), { withinMs: 10_000 });
    await eventually(async () => assert.equal(await podOf("client"), undefined), { withinMs: 10_000 });
  });

  test("drains when it begins to end, and runs its preStop by way of the sidecar", async () => {
    const { ip } = await podOf("web");
    const drained = async (): Promise<void> => {
      const { stdout } = await mesh.inSandbox("curl", "-s", "--max-time", "1", "-o", "/dev/null", "-D", "-", `http://${ip}:8080/`);
      assert.match(stdout, /connection: close/i);
    };
    const listening = eventually(drained, { withinMs: 10_000 });
    writeFileSync(file, readFileSync(file, "utf8").replace("kind: Deployment\nmetadata: { name: web }\nspec:", "$&\n  replicas: 0"));
    await listening;
    await eventually(() => assert.ok(existsSync(join(notes, "stopping"))), { withinMs: 10_000 });
    assert.match(note("stopping"), /^kube-/);
  });
});
