// A steady stream of requests through the shop while weights are edited, the control plane dies, YAML breaks and pods are
// killed: no request fails, and what is asked for happens.
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import type { ContainerInfo, PodInfo } from "../../src/local/run-folder.ts";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, LocalMesh, meshctl, ROOT } from "../support/local-mesh.ts";
import { replaceFile } from "../support/mesh/app-manifests.ts";
import { podOf, PodPort, podsOf, runningMesh } from "../support/mesh/pod-client.ts";
import { RequestStream } from "../support/mesh/request-stream.ts";

const NEEDS = CAN_RUN_LOCAL_MESH ? {} : { skip: "needs Linux and root" };
const PER_SECOND = 80;
const SHIFT_MS = 1000;
const ADMIN_PORT = 15000;

interface ClusterStatuses {
  readonly cluster_statuses: readonly {
    readonly name: string;
    readonly host_statuses?: readonly { readonly health_status: { readonly eds_health_status?: string } }[];
  }[];
}

function containerOf(pod: PodInfo, kind: "app" | "sidecar"): ContainerInfo {
  return pod.containers.find((each) => each.kind === kind)!;
}

describe("a steady stream of requests through the shop", NEEDS, () => {
  const mesh = new LocalMesh("traffic");
  const shop = join(mesh.folder, "shop");
  const meshYaml = join(shop, "mesh.yaml");
  let url = "";
  let stream: RequestStream;
  const idleMemory: string[] = [];

  before(async () => {
    cpSync(join(ROOT, "samples/shop"), shop, { recursive: true });
    const path = join(shop, "shop.yaml");
    const documents = readFileSync(path, "utf8").split("\n---\n");
    const edited = documents.map((each) =>
      /kind: Deployment\nmetadata:\n {2}name: payments-v1/.test(each) ? each.replace("replicas: 1", "replicas: 2") : each,
    );
    assert.notDeepEqual(edited, documents);
    writeFileSync(path, edited.join("\n---\n"));
    // A request that is under way in an app when it is killed ends in a 503 of the server's side: not retried unasked.
    const retries = "retries: { attempts: 2, retryOn: 'connect-failure,refused-stream,unavailable,cancelled,503' }";
    const routes = readFileSync(meshYaml, "utf8");
    writeFileSync(meshYaml, routes.replace("    - route:\n", `    - ${retries}\n      route:\n`));
    assert.notEqual(readFileSync(meshYaml, "utf8"), routes);
    await mesh.start("-f", shop, "--publish", "frontend:80:0");
    url = `http://127.0.0.1:${runningMesh(mesh.name).published[0]!.hostPort}/`;
    for (const pod of runningMesh(mesh.name).pods) {
      const { stdout } = await mesh.inSandbox("grep", "RssAnon", `/proc/${containerOf(pod, "sidecar").pid}/status`);
      const kilobytes = Number(/(\d+) kB/.exec(stdout)?.[1]);
      assert.ok(kilobytes > 0, stdout);
      idleMemory.push(`RssAnon of ${pod.owner.name}'s sidecar: ${(kilobytes / 1024).toFixed(1)} MB`);
    }
    await eventually(send, { withinMs: 5000 });
  });
  after(() => mesh.stop());
  beforeEach(() => void (stream = new RequestStream({ send, perSecond: PER_SECOND })));
  afterEach(() => stream.stop());

  /** Resolves to the pod of payments that answered, `payments-v1-…` or `payments-v2-…`. */
  async function send(): Promise<string> {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${response.headers.get("x-mesh-error") ?? ""} ${text}`);
    const { hops } = JSON.parse(text) as { hops: readonly { pod: string }[] };
    return hops.at(-1)!.pod;
  }

  /** Ends the stream: nothing of it may have failed. */
  async function assertNoFailure(): Promise<void> {
    await stream.stop();
    assert.deepEqual(
      stream.failures.map(({ what }) => what),
      [],
    );
  }

  const withWeights = (v1: number, v2: number): string =>
    readFileSync(meshYaml, "utf8")
      .replace(/(subset: v1\s+weight: )\S+/, `$1${v1}`)
      .replace(/(subset: v2\s+weight: )\S+/, `$1${v2}`);

  /** Waits for so many answers in a row, all sent since then and from this version. */
  const untilAllFrom = (version: string, since: number, withinMs: number): Promise<void> =>
    eventually(
      () => {
        const last = stream.since(since).slice(-25);
        assert.ok(last.length === 25 && last.every(({ what }) => what.startsWith(`payments-${version}-`)), `${last.length} answers`);
      },
      { withinMs },
    );

  test("begins with idle sidecars of this much anonymous memory", (context) => {
    for (const line of idleMemory) context.diagnostic(line);
    assert.equal(idleMemory.length, runningMesh(mesh.name).pods.length);
  });

  test("is split nine to one", async () => {
    await eventually(() => assert.ok(stream.outcomes.length >= 400), { withinMs: 15_000 });
    await assertNoFailure();
    const v2 = stream.outcomes.slice(0, 400).filter(({ what }) => what.startsWith("payments-v2-")).length;
    // 400 draws of 10 %: the mean is 40, a standard deviation 6; outside of 5 of them once in two million runs.
    assert.ok(v2 >= 10 && v2 <= 70, `${v2} of 400`);
  });

  test("shifts within a second of each edit, made in place or by rename", async () => {
    const edits = [
      [0, 100, writeFileSync],
      [100, 0, replaceFile],
      [0, 100, replaceFile],
      [100, 0, writeFileSync],
    ] as const;
    for (const [v1, v2, write] of edits) {
      const [from, to] = v1 === 0 ? ["v1", "v2"] : ["v2", "v1"];
      const editedAt = performance.now();
      write(meshYaml, withWeights(v1, v2));
      await untilAllFrom(to, editedAt, 5000);
      const late = stream.since(editedAt + SHIFT_MS).filter(({ what }) => what.startsWith(`payments-${from}-`));
      assert.deepEqual(late, [], "some went the old way a second after the edit");
    }
    await assertNoFailure();
  });

  test("goes on while the control plane is killed, which picks up what was edited meanwhile", async () => {
    for (const [v1, v2] of [
      [0, 100],
      [100, 0],
    ] as const) {
      const { restarts, containers } = runningMesh(mesh.name).controller!;
      assert.equal((await mesh.inSandbox("kill", "-9", `${containers[0]!.pid}`)).code, 0);
      const editedAt = performance.now();
      replaceFile(meshYaml, withWeights(v1, v2));
      await eventually(
        () => {
          const now = runningMesh(mesh.name).controller;
          assert.ok(now?.ready === true && now.restarts > restarts, JSON.stringify(now));
        },
        { withinMs: 15_000 },
      );
      await untilAllFrom(v1 === 0 ? "v2" : "v1", editedAt, 15_000);
    }
    await assertNoFailure();
  });

  test("goes on while the YAML is broken: it is reported with file and line, the rest is followed, and so is the mended file", async () => {
    const good = withWeights(100, 0);
    const bad = withWeights(0, 100).replace("weight: 100", "weight: lots");
    const line = bad.split("\n").findIndex((each) => each.includes("weight: lots")) + 1;
    for (const [text, problem] of [
      [bad, new RegExp(`mesh\\.yaml:${line}:`)],
      [`${good}\n]`, /mesh\.yaml:\d+:/],
    ] as const) {
      replaceFile(meshYaml, text);
      await eventually(() => assert.match(runningMesh(mesh.name).problems.join("\n"), problem), { withinMs: 5000 });
      assert.match((await meshctl("local", "status", "--name", mesh.name)).stdout, problem);
    }
    // Another file counts meanwhile: it takes payments away from the broken one.
    const since = performance.now();
    const canary = join(shop, "canary.yaml");
    writeFileSync(canary, CANARY);
    const client = new PodPort(mesh.name, podOf(mesh.name, "frontend"), ADMIN_PORT);
    try {
      await eventually(async () => assert.match(await client.request("/config_dump"), /x-canary/), { withinMs: 5000 });
      await untilAllFrom("v1", since, 5000);
      const mendedAt = performance.now();
      writeFileSync(
        meshYaml,
        withWeights(0, 100)
          .replace("\n]", "")
          .replace(/weight: lots/, "weight: 100"),
      );
      await eventually(() => assert.deepEqual(runningMesh(mesh.name).problems, []), { withinMs: 5000 });
      await untilAllFrom("v2", mendedAt, 5000);
    } finally {
      client.close();
    }
    writeFileSync(meshYaml, good);
    await untilAllFrom("v1", performance.now(), 5000);
    await assertNoFailure();
  });

  /** Healthy hosts that checkout's sidecar has for payments v1. */
  async function hostCount(checkout: PodPort): Promise<number> {
    const { cluster_statuses: clusters } = await checkout.json<ClusterStatuses>("/clusters?format=json");
    const hosts = clusters.find(({ name }) => name === "outbound|80|v1|payments.shop.svc.cluster.local")?.host_statuses ?? [];
    return hosts.filter(({ health_status: health }) => health.eds_health_status === "HEALTHY").length;
  }

  /** Kills these containers of the pod together, as soon as they all run. */
  async function killTogether(pod: PodInfo, kinds: readonly ("app" | "sidecar")[]): Promise<void> {
    const runningPids = () =>
      eventually(
        () => {
          const now = podsOf(mesh.name, pod.owner.name).find((each) => each.name === pod.name)!;
          return kinds.map((kind) => {
            const { pid } = containerOf(now, kind);
            assert.ok(pid !== undefined);
            return `${pid}`;
          });
        },
        { withinMs: 10_000 },
      );
    const pids = await runningPids();
    assert.equal((await mesh.inSandbox("kill", "-9", ...pids)).code, 0);
    await eventually(async () => assert.ok((await runningPids()).every((pid) => !pids.includes(pid))), { withinMs: 15_000 });
  }

  for (const [what, kinds] of [
    ["an app of two", ["app"]],
    ["a sidecar of two", ["sidecar"]],
    ["a whole pod of two", ["app", "sidecar"]],
  ] as const) {
    test(`goes on when ${what} is killed: the pod leaves the endpoints, comes back, and its restarts are counted`, async () => {
      const [victim, other] = podsOf(mesh.name, "payments-v1");
      assert.ok(victim !== undefined && other !== undefined);
      const checkout = new PodPort(mesh.name, podOf(mesh.name, "checkout"), ADMIN_PORT);
      try {
        assert.equal(await hostCount(checkout), 2);
        const answeredBy = (pod: PodInfo, since: number): number => stream.since(since).filter((each) => each.what === pod.name).length;
        await eventually(() => assert.ok(answeredBy(victim, 0) > 5 && answeredBy(other, 0) > 5), { withinMs: 5000 });
        const shrunk = eventually(async () => assert.equal(await hostCount(checkout), 1), { withinMs: 15_000 });
        // The first restart is immediate, only the second one waits: long enough to be seen.
        await killTogether(victim, kinds);
        await killTogether(victim, kinds);
        await shrunk;
        const recovered = await eventually(
          async () => {
            const now = podsOf(mesh.name, "payments-v1").find((pod) => pod.name === victim.name);
            assert.ok(now?.ready === true, JSON.stringify(now));
            assert.equal(await hostCount(checkout), 2);
            return now;
          },
          { withinMs: 20_000 },
        );
        for (const kind of ["app", "sidecar"] as const) {
          const kills = (kinds as readonly string[]).includes(kind) ? 2 : 0;
          assert.equal(containerOf(recovered, kind).restarts, containerOf(victim, kind).restarts + kills, kind);
        }
        const status = await meshctl("local", "status", "--name", mesh.name);
        assert.match(status.stdout, new RegExp(`${victim.name} +2/2 +Running +${recovered.restarts} `));
        const since = performance.now();
        await eventually(() => assert.ok(answeredBy(victim, since) > 5), { withinMs: 5000 });
        await assertNoFailure();
      } finally {
        checkout.close();
      }
    });
  }
});

const CANARY = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: checkout, namespace: shop }
spec:
  hosts: [checkout]
  http:
    - match: [{ headers: { x-canary: { exact: "yes" } } }]
      route: [{ destination: { host: frontend } }]
    - route: [{ destination: { host: checkout } }]
`;
