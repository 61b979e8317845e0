// Who may do what, on a real API server: the controller no more than it needs, and sidecars only what is their own.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createCertificateClient } from "../../src/ca/client/create-certificate-client.ts";
import { createKeyAndRequest } from "../../src/ca/client/csr.ts";
import type { KubeObjects } from "../../src/kube/objects.ts";
import { connectGrpc } from "../../src/xds/grpc-channel.ts";
import { GrpcCode } from "../../src/xds/grpc-status.ts";
import { TypeUrl } from "../../src/xds/names.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { applyInstallation, awaitRoots } from "../support/kubernetes/installation.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import type { Replica } from "../support/kubernetes/installed-controller.ts";
import { nodeOf, playPod, secureStream, sidecarToken } from "../support/kubernetes/meshed-pods.ts";
import type { MeshedPod } from "../support/kubernetes/meshed-pods.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";

const within = { withinMs: 60_000 };
const MESH = "mesh-system";
const CHECKOUT: MeshedPod = { namespace: "shop", name: "checkout-1", serviceAccount: "checkout", address: "10.244.0.2" };
const PAYMENTS: MeshedPod = { namespace: "shop", name: "payments-1", serviceAccount: "payments", address: "10.244.0.3" };
const OTHER: MeshedPod = { ...CHECKOUT, namespace: "other", address: "10.244.0.4" };
const GONE: MeshedPod = { ...CHECKOUT, name: "checkout-0", address: "10.244.0.5" };

/** `verb group/resource[/subresource][:name] [namespace]` */
const MAY_NOT = [
  "list /secrets mesh-system",
  "get /secrets:another mesh-system",
  "update /secrets:meshctl-ca mesh-system",
  "delete /secrets:meshctl-ca mesh-system",
  "get /secrets:meshctl-ca shop",
  "create /secrets shop",
  "get /configmaps:another shop",
  "update /configmaps:another shop",
  "delete /configmaps:meshctl-root-cert shop",
  "update /configmaps:meshctl mesh-system",
  "create /pods shop",
  "patch /pods:checkout-1 shop",
  "delete /pods:checkout-1 shop",
  "create /pods/exec shop",
  "create /serviceaccounts/token shop",
  "patch /namespaces:shop",
  "patch apps/deployments:controller mesh-system",
  "update networking.istio.io/virtualservices:a shop",
  "delete networking.istio.io/virtualservices:a shop",
  "create coordination.k8s.io/leases shop",
  "update coordination.k8s.io/leases:another mesh-system",
  "patch admissionregistration.k8s.io/mutatingwebhookconfigurations:another",
  "create admissionregistration.k8s.io/mutatingwebhookconfigurations",
  "delete admissionregistration.k8s.io/validatingwebhookconfigurations:meshctl-validator",
  "update rbac.authorization.k8s.io/clusterroles:meshctl-controller",
  "bind rbac.authorization.k8s.io/clusterroles:cluster-admin",
  "impersonate /users:admin",
];

const MAY = [
  "watch /pods shop",
  "get /secrets:meshctl-ca mesh-system",
  "update /configmaps:meshctl-root-cert shop",
  "patch networking.istio.io/virtualservices/status:a shop",
  "patch admissionregistration.k8s.io/mutatingwebhookconfigurations:meshctl-sidecar-injector",
];

describe("access, on a real API server", () => {
  let cluster: RealCluster;
  let objects: KubeObjects;
  let controller: InstalledController;
  let replica: Replica;
  let roots: string;
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    objects = cluster.objects();
    await applyInstallation(cluster);
    for (const name of ["shop", "other"]) await playNamespace(objects, name);
    for (const each of [CHECKOUT, PAYMENTS, OTHER, GONE]) await playPod(objects, each);
    controller = new InstalledController(cluster);
    replica = await controller.start();
    await controller.ready(replica);
    roots = await awaitRoots(objects, "shop");
  });
  after(async () => {
    await controller?.stop();
    await cluster?.stop();
  });

  const cases = [...MAY.map((text) => [text, true] as const), ...MAY_NOT.map((text) => [text, false] as const)];
  for (const [text, isAllowed] of cases) {
    test(`the controller may${isAllowed ? "" : " not"} ${text}`, REAL, async () => {
      const [verb = "", what = "", namespace] = text.split(" ");
      const [path = "", name] = what.split(":");
      const [group = "", resource = "", subresource] = path.split("/");
      const user = `system:serviceaccount:${MESH}:controller`;
      const groups = ["system:serviceaccounts", `system:serviceaccounts:${MESH}`, "system:authenticated"];
      const review = { user, groups, resourceAttributes: { verb, group, resource, subresource, name, namespace } };
      const kind = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" };
      const { status } = (await objects.create({ ...kind, metadata: {}, spec: review })) as unknown as { status: { allowed: boolean } };
      assert.equal(status.allowed, isAllowed);
    });
  }

  /** How a stream with this token ends that says it is this pod's. */
  async function refusal(token: string, claim: MeshedPod): Promise<number | undefined> {
    const stream = secureStream(replica.process.address, token, roots);
    stream.send({ node: nodeOf(claim), typeUrl: TypeUrl.cluster });
    const code = await eventually(
      () => stream.status?.code ?? (stream.responses.length > 0 ? undefined : assert.fail("no answer")),
      within,
    );
    stream.close();
    return code;
  }

  test("a sidecar with the token of its pod is given its configuration", REAL, async () => {
    assert.equal(await refusal(await sidecarToken(cluster, CHECKOUT), CHECKOUT), undefined);
  });

  for (const [what, token, claim, code] of [
    ["for another audience", () => cluster.token({ ...CHECKOUT, pod: CHECKOUT.name }), CHECKOUT, GrpcCode.unauthenticated],
    ["that is bound to no pod", () => cluster.token({ ...CHECKOUT, audience: "meshctl-ca" }), CHECKOUT, GrpcCode.unauthenticated],
    ["that nobody has issued", async () => "e30.e30.e30", CHECKOUT, GrpcCode.unauthenticated],
    ["of another service account", () => sidecarToken(cluster, PAYMENTS), CHECKOUT, GrpcCode.permissionDenied],
    ["of another namespace", () => sidecarToken(cluster, OTHER), CHECKOUT, GrpcCode.permissionDenied],
    ["of another pod of its own account", () => sidecarToken(cluster, GONE), CHECKOUT, GrpcCode.permissionDenied],
  ] as const) {
    test(`a sidecar with a token ${what} is refused`, REAL, async () => assert.equal(await refusal(await token(), claim), code));
  }

  test("a sidecar is refused whose pod has been deleted", REAL, async () => {
    const gone = { ...GONE, name: "checkout-2", address: "10.244.0.6" };
    await playPod(objects, gone);
    const token = await sidecarToken(cluster, gone);
    await objects.delete({ apiVersion: "v1", kind: "Pod", ...gone });
    assert.equal(await refusal(token, gone), GrpcCode.unauthenticated);
  });

  test("a sidecar gets a certificate for the identity of its token, whatever it asks for", REAL, async () => {
    const address = { host: replica.process.address, port: 15012 };
    const channel = connectGrpc({ address, tls: { roots, servername: "controller.mesh-system.svc" } });
    const tokenFile = join(cluster.folder, "sidecar-token");
    writeFileSync(tokenFile, await sidecarToken(cluster, PAYMENTS));
    const request = createCertificateClient({ channel, tokenFile });
    const { csrPem } = createKeyAndRequest("spiffe://cluster.local/ns/shop/sa/checkout");
    const [leaf = ""] = await request(csrPem, 3600);
    channel.close();
    assert.equal(new X509Certificate(leaf).subjectAltName, "URI:spiffe://cluster.local/ns/shop/sa/payments");
  });
});
