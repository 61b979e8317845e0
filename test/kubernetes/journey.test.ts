// An operator's whole way with a mesh, on one real API server: from `check --pre` over injected pods whose sidecars and apps
// run as their specs say, a look into them, a change, the death of a controller, to the last `kubectl delete`.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ClusterConnection } from "../../src/kube/cluster-connection.ts";
import type { KubeObjects } from "../../src/kube/objects.ts";
import type { KubeObject } from "../../src/kube/resource-kind.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import type { InjectedPod } from "../support/kubernetes/injected-pod.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import type { Replica } from "../support/kubernetes/installed-controller.ts";
import { initialInventory, inventory, playNamespace, playNamespaceEnd } from "../support/kubernetes/played-controllers.ts";
import { NODE_NAME, PlayedKubelet } from "../support/kubernetes/played-kubelet.ts";
import { PlayedProxy } from "../support/kubernetes/played-proxy.ts";
import { PlayedWorkloads } from "../support/kubernetes/played-workloads.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";
import type { MeshctlResult } from "../support/run-meshctl.ts";

const within = { withinMs: 60_000 };
const MESH = "mesh-system";
const APP = `require("http").createServer((request, response) =>
  response.end(request.url + " of " + process.env.HOSTNAME + " for " + request.headers["x-forwarded-client-cert"])).listen(8080)`;

const workload = (name: string): object[] => [
  { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "shop" }, spec: { selector: { app: name }, ports: [PORT] } },
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "shop" },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { serviceAccountName: name, containers: [{ name, ...CONTAINER }] } },
    },
  },
];
const PORT = { name: "http", port: 80, targetPort: 8080 };
const PROBE = { httpGet: { path: "/ready", port: 8080 } };
const CONTAINER = { image: "node", command: ["node", "-e", APP], ports: [{ containerPort: 8080 }], readinessProbe: PROBE };
const virtualService = (http: object): object => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name: "api", namespace: "shop" },
  spec: { hosts: ["api"], http: [{ ...http, route: [{ destination: { host: "api" } }] }] },
});

describe("an operator's journey on a real API server", () => {
  const kubelet = SKIPPED === undefined ? new PlayedKubelet() : undefined;
  const proxy = new PlayedProxy();
  const pods: InjectedPod[] = [];
  let cluster: RealCluster;
  let admin: ClusterConnection;
  let objects: KubeObjects;
  let controller: InstalledController;
  let replica: Replica;
  let workloads: PlayedWorkloads;
  let admitted: readonly KubeObject[];
  let initial: readonly string[];
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    admin = cluster.connect();
    objects = cluster.objects();
    await kubelet!.start(objects, cluster.addresses[0]!);
    initial = await initialInventory(admin);
  });
  after(async () => {
    for (const each of pods) await each.stop();
    proxy.stop();
    await kubelet?.stop();
    await controller?.stop();
    await cluster?.stop();
  });

  const meshctl = (...args: readonly string[]): Promise<MeshctlResult> =>
    runMeshctl(args, { env: { KUBECONFIG: cluster.kubeconfig }, timeoutMs: 60_000 });
  async function runs(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await meshctl(...args);
    assert.equal(code, 0, `${stdout}${stderr}`);
    return stdout;
  }
  async function kubectl(args: readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await cluster.kubectl(args, input);
    assert.equal(code, 0, stderr);
    return stdout;
  }
  const apply = (...items: readonly object[]): Promise<string> =>
    kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  async function startReplica(): Promise<void> {
    replica = await controller.start({ nodeName: NODE_NAME });
    await controller.ready(replica);
    for (const port of [15014, 15017]) await kubelet!.leadInto(`${MESH}/${replica.name}`, port, replica.process.pid);
    await controller.serve(replica);
    await controller.playAvailable(1);
    proxy.endpoints = [replica.process.address];
  }
  let isBroken = false;
  /** What comes after a step that has failed would only wait in vain. */
  const step = (title: string, walk: () => Promise<void>): unknown =>
    test(title, REAL, async (context) => {
      if (isBroken) return context.skip("a step before it failed");
      isBroken = true;
      await walk();
      isBroken = false;
    });
  const [WEB, API] = [0, 1];
  /** What the app in `web` gets from the Service `api`. */
  const request = async (path: string): Promise<string> =>
    (await pods[WEB]!.exec("web", "curl", "-s", "-m", "5", `http://api${path}`)).stdout;

  const route = (): Promise<string> => runs("proxy-config", "route", "deploy/web.shop", "--name", "80");
  /** Replicas that hold a sidecar which has all that it was sent, one for each sidecar. */
  const connected = async (): Promise<string[]> =>
    [...(await runs("proxy-status")).matchAll(/^\S+\.shop +Kubernetes +(?:SYNCED +){4}IGNORED +(\S+)/gm)].map((match) => match[1]!);

  step("check --pre finds the cluster fit, and install is applied", async () => {
    await runs("check", "--pre", "--wait", "0s");
    await kubectl(["apply", "-f", "-"], await runs("install"));
  });

  step("a controller starts as the Deployment says, and check finds nothing wrong", async () => {
    controller = new InstalledController(cluster);
    const service = (await objects.get({ apiVersion: "v1", kind: "Service", namespace: MESH, name: "controller" }))!;
    const { clusterIP } = service["spec"] as { clusterIP: string };
    await proxy.start(clusterIP, [15012]);
    workloads = new PlayedWorkloads(cluster, controller, [`${clusterIP}\tcontroller.${MESH}.svc`]);
    await startReplica();
    await runs("check");
  });

  step("the webhook puts a sidecar into the pods of a namespace with the label", async () => {
    await playNamespace(objects, "shop", { "meshctl.io/inject": "enabled" });
    await apply(...workload("web"), ...workload("api"), virtualService({ match: [{ uri: { prefix: "/v1" } }] }));
    await eventually(async () => assert.match(await kubectl(["-n", "shop", "get", "configmap"]), /meshctl-root-cert/), within);
    admitted = [await eventually(() => workloads.admit("shop", "web"), within), await workloads.admit("shop", "api")];
    for (const { spec } of admitted as unknown as { spec: { initContainers: { name: string }[] } }[])
      assert.deepEqual(
        spec.initContainers.map((each) => each.name),
        ["meshctl-init", "meshctl-proxy"],
      );
  });

  step("sidecar and app run from the injected spec, and become ready", async () => {
    for (const each of admitted) {
      const pod = await workloads.run(each);
      pods.push(pod);
      const key = `shop/${pod.name}`;
      for (const port of [15000, 15021]) await kubelet!.leadInto(key, port, pod.pid("meshctl-proxy"));
      assert.ok(await pod.isReady("meshctl-proxy"));
    }
  });

  step("one app reaches the other by the Service's name, under mutual TLS", async () => {
    await eventually(
      async () => assert.match(await request("/v1/cart"), /^\/v1\/cart of api-\S+ for .*URI=spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web/),
      within,
    );
  });

  step("proxy-status and version count both sidecars at the controller", async () => {
    await eventually(async () => assert.deepEqual(await connected(), [replica.name, replica.name]), within);
    assert.match(await runs("proxy-status", "deploy/web.shop"), /^Clusters Match\nListeners Match\nRoutes Match/);
    const version = await runs("version");
    assert.match(version, /^control plane version: \S+ \(1 replica\)$/m);
    assert.match(version, /^data plane version: \S+ \(2 proxies\)$/m);
  });

  step("proxy-config shows what a sidecar runs with, and its certificate", async () => {
    assert.match(await runs("proxy-config", "cluster", pods[WEB]!.name, "-n", "shop"), /^api\.shop\.svc\.cluster\.local +80 .*EDS *$/m);
    const { address } = pods[API]!;
    const endpoints = await runs("proxy-config", "endpoint", "deploy/web.shop", "--port", "8080");
    assert.match(endpoints, new RegExp(`^${address}:8080 +HEALTHY +OK +outbound\\|80\\|\\|api\\.shop\\.svc\\.cluster\\.local$`, "m"));
    assert.match(await route(), /\/v1\* +api\.shop/);
    assert.match(await runs("proxy-config", "secret", "deploy/web.shop"), /^default +Cert Chain +ACTIVE +true/m);
  });

  step("stats and tls-check tell of the requests, and of who talks to whom", async () => {
    assert.match(await runs("stats", "deploy/web", "-n", "shop", "--since-start"), /^outbound\/api\.shop +1\/1 .*rps/m);
    assert.match(await runs("stats", "deploy/api.shop", "--since-start"), /^inbound +1\/1 +100\.00%/m);
    const check = await runs("tls-check", "deploy/web.shop", "api");
    assert.match(check, /^api\.shop\.svc\.cluster\.local:80 +OK +PERMISSIVE +ISTIO_MUTUAL/m);
    assert.match(check, /^api\.shop\.svc\.cluster\.local:80 +spiffe:\/\/cluster\.local\/ns\/shop\/sa\/api$/m);
    assert.match(check, /^workload +spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web +1\.0 /m);
  });

  step("check --proxy finds nothing wrong with them", async () => {
    const report = await runs("check", "--proxy");
    assert.match(report, /^√ sidecars are connected to the control plane$/m);
    assert.doesNotMatch(report, /^[‼×]/m);
  });

  step("an edited VirtualService reaches the sidecar, and one with a mistake is refused by its field", async () => {
    await apply(virtualService({ match: [{ uri: { prefix: "/v2" } }] }));
    await eventually(async () => assert.match(await route(), /\/v2\* +api\.shop/), within);
    assert.match(await request("/v2/cart"), /^\/v2\/cart of api-/);
    const mistake = JSON.stringify(virtualService({ match: [{ uri: { prefixx: "/v3" } }] }));
    const { code, stderr } = await cluster.kubectl(["apply", "-f", "-"], mistake);
    assert.equal(code, 1);
    assert.match(stderr, /admission webhook .* denied the request: .*spec\.http\[0\]\.match\[0\]\.uri/s);
    assert.match(await route(), /\/v2\* +api\.shop/);
  });

  step("the mesh's own settings reach the sidecar when somebody edits them", async () => {
    const mesh = { data: { mesh: "accessLogFile: /dev/stdout\n" } };
    await kubectl(["-n", MESH, "patch", "configmap", "meshctl", "--type=merge", "-p", JSON.stringify(mesh)]);
    await eventually(async () => {
      await request("/v2/logged");
      assert.match(pods[WEB]!.output("meshctl-proxy"), /"GET \/v2\/logged HTTP\/1\.1" 200/);
    }, within);
  });

  step("upgrade shows that edit, puts it back through kubectl, and then nothing would change", async () => {
    assert.match(await runs("upgrade", "--diff"), /^-.*accessLogFile: \/dev\/stdout$/m);
    assert.match(await kubectl(["apply", "-f", "-"], await runs("upgrade")), /^configmap\/meshctl configured$/m);
    assert.equal(await runs("upgrade", "--diff"), "");
  });

  step("the controller dies, and requests go on", async () => {
    await replica.process.stop("SIGKILL");
    await kubectl(["-n", MESH, "delete", "pod", replica.name, "--force", "--grace-period=0"]);
    await controller.serve();
    await controller.playAvailable(0);
    proxy.endpoints = [];
    await eventually(() => assert.match(pods[WEB]!.output("meshctl-proxy"), /"level":"warn".*control plane/), within);
    for (const pod of pods) assert.ok(await pod.isReady("meshctl-proxy"));
    assert.match(await request("/v2/alone"), /^\/v2\/alone of api-\S+ for .*sa\/web/);
    assert.match(await route(), /\/v2\* +api\.shop/);
    const status = await meshctl("proxy-status");
    assert.equal(status.code, 1);
    assert.match(status.stderr, /^meshctl: no control plane runs in namespace mesh-system\n.*meshctl check tells why/);
    const check = await meshctl("check", "--wait", "0s");
    assert.equal(check.code, 1);
    assert.match(check.stdout, /^× control plane pods are ready\n +there are none$/m);
  });

  step("another replica takes over, and the sidecars with it", async () => {
    await startReplica();
    await eventually(async () => assert.deepEqual(await connected(), [replica.name, replica.name]), within);
    await apply(virtualService({ match: [{ uri: { prefix: "/v4" } }] }));
    await eventually(async () => assert.match(await request("/v4/cart"), /^\/v4\/cart of api-/), within);
    assert.match(await request("/v4/cart"), /sa\/web/);
  });

  step("uninstall refuses while there are meshed pods, and names them", async () => {
    const { code, stdout, stderr } = await meshctl("uninstall");
    assert.deepEqual([code, stdout], [1, ""]);
    for (const pod of pods) assert.ok(stderr.includes(`shop/${pod.name}`), stderr);
  });

  step("a pod that goes drains: its app ends first, and its sidecar in order", async () => {
    for (const [index, name] of ["web", "api"].entries()) {
      const pod = pods[index]!;
      assert.deepEqual(await pod.terminate(), { [name]: "SIGTERM", "meshctl-proxy": 0 }, pod.output("meshctl-proxy"));
      await kubectl(["-n", "shop", "delete", "pod", pod.name, "--force", "--grace-period=0"]);
    }
    await eventually(async () => assert.deepEqual(await connected(), []), within);
  });

  step("uninstall leaves nothing of ours but the CRDs, and with --crds nothing at all", async () => {
    const services = (await objects.list({ apiVersion: "v1", kind: "Service" }, { namespace: "shop" })) ?? [];
    const addresses = services.map((each) => `IPAddress ${(each["spec"] as { clusterIP: string }).clusterIP}`);
    const isOthers = (each: string): boolean => initial.includes(each) || addresses.includes(each) || isUsers(each);
    const added = async (): Promise<string[]> => (await inventory(admin)).filter((each) => !isOthers(each));
    await kubectl(["delete", "--wait=false", "-f", "-"], await runs("uninstall"));
    await replica.process.stop();
    await playNamespaceEnd(admin, MESH);
    assert.deepEqual(await added(), [
      "CustomResourceDefinition destinationrules.networking.istio.io",
      "CustomResourceDefinition peerauthentications.security.istio.io",
      "CustomResourceDefinition virtualservices.networking.istio.io",
      "VirtualService shop/api",
    ]);
    await kubectl(["delete", "--wait=false", "-f", "-"], await runs("uninstall", "--crds"));
    await eventually(async () => assert.deepEqual(await added(), []), within);
  });
});

/** What the shop has made itself, and its mesh has not. */
function isUsers(object: string): boolean {
  return /^(Namespace shop|(Deployment|ReplicaSet|Service|ServiceAccount|EndpointSlice) shop\/.*)$/.test(object);
}
