// Reads everything that the checks look at, once and at once. What depends on an earlier answer waits for that alone.
import type { Clock } from "../../../common/clock.ts";
import { VERSION } from "../../../common/version.ts";
import { ApiError, fromThrown } from "../../../kube/api-error.ts";
import type { ClusterConnection } from "../../../kube/cluster-connection.ts";
import { requestJson } from "../../../kube/request-json.ts";
import { ROOT_CERTIFICATE_CONFIG_MAP } from "../../../manifests/injected-containers.ts";
import { AUTHORITY_SECRET } from "../../../manifests/install/controller-permissions.ts";
import type { KubeObject } from "../../../manifests/kube-objects.ts";
import type { ClusterState, ConfigMap, CrdObject, LeaseObject, NodeObject, ServerFacts, WebhookConfiguration } from "../cluster-state.ts";
import { NotGathered, type Gathered } from "../gathered.ts";
import { gatherController } from "./control-plane.ts";
import { ClusterQuestions } from "./cluster-questions.ts";
import { gatherDataPlane } from "./data-plane.ts";
import { CONTROLLER, expectInstallation, findControlPlane, lookForObjects } from "./installation.ts";
import { askPermissions } from "./permissions.ts";

export interface GatherOptions {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly stage: "pre" | "default" | "proxy";
  /** Of the data plane; undefined: all. */
  readonly namespace: string | undefined;
}

const TIMEOUT_MS = 10_000;

export interface Reach {
  readonly facts: Gathered<ServerFacts>;
  /** Why it gave no answer. */
  readonly failure?: ApiError;
}

/** The server itself, before everything else. */
export async function askServer(connection: ClusterConnection, clock: Clock): Promise<Reach> {
  let dateMs: number | undefined;
  const askedMs = clock.now();
  const onDate = (sentMs: number): void => void (dateMs = sentMs);
  try {
    const answer = await requestJson(connection, { method: "GET", path: "/version" }, { clock, timeoutMs: TIMEOUT_MS, onDate });
    const { gitVersion } = answer as { gitVersion?: unknown };
    return { facts: { value: { gitVersion: String(gitVersion), dateMs, askedMs, answeredMs: clock.now() } } };
  } catch (error) {
    const { code, reason, message } = fromThrown(error);
    const { server } = connection;
    const text = code === 401 ? `the API server at ${server} doesn't accept these credentials` : `the API server at ${server}: ${message}`;
    const missing = new NotGathered(
      "you lack the permission to get /version",
      "kubectl create clusterrolebinding meshctl-check-version --clusterrole=system:discovery --user=YOU    # by a cluster admin",
    );
    return { facts: { missing }, failure: new ApiError(code, reason, text) };
  }
}

export async function gatherCluster(
  { connection, clock, stage, namespace }: GatherOptions,
  server: Gathered<ServerFacts>,
): Promise<ClusterState> {
  const questions = new ClusterQuestions(connection, clock);
  const expected = findControlPlane(questions).then((found) => expectInstallation(questions, found));
  const isPre = stage === "pre";
  const configuration = (kind: string): Promise<Gathered<readonly WebhookConfiguration[]>> =>
    questions.list<WebhookConfiguration>({ apiVersion: "admissionregistration.k8s.io/v1", kind });
  const [nodes, leases, namespaces, crds, mutating, validating, installation, controller, issuer, rootConfigMaps, permissions, dataPlane] =
    await Promise.all([
      questions.list<NodeObject>({ apiVersion: "v1", kind: "Node" }),
      questions.list<LeaseObject>({ apiVersion: "coordination.k8s.io/v1", kind: "Lease" }, { namespace: "kube-node-lease" }),
      questions.list<KubeObject>({ apiVersion: "v1", kind: "Namespace" }),
      questions.list<CrdObject>({ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" }),
      configuration("MutatingWebhookConfiguration"),
      configuration("ValidatingWebhookConfiguration"),
      expected.then((found) => (isPre ? { ...found, objects: [] } : lookForObjects(questions, found))),
      expected.then(({ namespace: own }) =>
        gatherController(questions, own, { webhookHost: `${CONTROLLER}.${own}.svc`, wantsProxies: stage === "proxy" }),
      ),
      expected.then(({ namespace: own }) => readIssuer(questions, own)),
      questions.list<ConfigMap>({ apiVersion: "v1", kind: "ConfigMap" }, { fieldSelector: `metadata.name=${ROOT_CERTIFICATE_CONFIG_MAP}` }),
      isPre ? expected.then(({ objects, crds: own }) => askPermissions(questions, [...own, ...objects])) : Promise.resolve(undefined),
      stage === "proxy" ? gatherDataPlane(questions, namespace) : Promise.resolve(undefined),
    ]);
  return {
    nowMs: clock.now(),
    version: VERSION,
    server,
    ...{ nodes, leases, namespaces, crds, installation, controller },
    webhooks: "missing" in mutating ? mutating : "missing" in validating ? validating : { value: [...mutating.value, ...validating.value] },
    identity: { issuer, rootConfigMaps },
    ...(permissions === undefined ? {} : { permissions }),
    ...(dataPlane === undefined ? {} : { dataPlane }),
  };
}

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** The certificates of the CA's Secret. Its key is of no interest here, and is not kept. */
async function readIssuer(questions: ClusterQuestions, namespace: string): Promise<Gathered<string | undefined>> {
  const secret = await questions.get<Secret>({ apiVersion: "v1", kind: "Secret", namespace, name: AUTHORITY_SECRET });
  if ("missing" in secret) return secret;
  if (secret.value === undefined) return { value: undefined };
  const { data = {} } = secret.value;
  // Istio's layout, then cert-manager's; the signer comes first in both.
  const parts = ["ca-cert.pem", "cert-chain.pem", "tls.crt"].map((name) => Buffer.from(data[name] ?? "", "base64").toString("utf8"));
  return { value: parts.join("\n") };
}
