// Everything that the checks look at, read from a cluster once. Objects are as the API server sends them; here stand the
// fields that some check reads.
import type { ConfigMap, Container, KubeObject, ObjectMeta, PodSpec } from "../../manifests/kube-objects.ts";
import type { Gathered } from "./gathered.ts";
import type { LabelSelector } from "./label-selector.ts";

export interface ClusterState {
  /** This machine's clock when the state was read. */
  readonly nowMs: number;
  /** Of this command line. */
  readonly version: string;
  readonly server: Gathered<ServerFacts>;
  readonly nodes: Gathered<readonly NodeObject[]>;
  /** Of kube-node-lease: each node's heartbeat. */
  readonly leases: Gathered<readonly LeaseObject[]>;
  readonly namespaces: Gathered<readonly KubeObject[]>;
  readonly crds: Gathered<readonly CrdObject[]>;
  /** Mutating and validating ones of everybody. */
  readonly webhooks: Gathered<readonly WebhookConfiguration[]>;
  /** What an installation consists of, as `meshctl install` prints it for the values that the cluster keeps. */
  readonly installation: Installation;
  readonly controller: Gathered<ControllerFacts>;
  readonly identity: IdentityFacts;
  /** `--pre` only. */
  readonly permissions?: Gathered<readonly PermissionAnswer[]>;
  /** `--proxy` only. */
  readonly dataPlane?: DataPlaneFacts;
}

export interface ServerFacts {
  /** `v1.33.2-gke.1`. */
  readonly gitVersion: string;
  /** Its Date header, which is cut off to whole seconds; undefined where it sends none. */
  readonly dateMs: number | undefined;
  /** This machine's clock before and after. */
  readonly askedMs: number;
  readonly answeredMs: number;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface NodeObject extends KubeObject {
  readonly status?: {
    readonly nodeInfo?: { readonly kubeletVersion?: string; readonly operatingSystem?: string };
    readonly conditions?: readonly Condition[];
  };
}

export interface LeaseObject extends KubeObject {
  readonly spec?: { readonly renewTime?: string };
}

export interface CrdObject extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean; readonly storage: boolean }[];
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

export interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly Webhook[];
}

export interface Webhook {
  readonly name: string;
  readonly failurePolicy?: string;
  readonly clientConfig: {
    /** Base64 of PEM. */
    readonly caBundle?: string;
    readonly service?: { readonly namespace: string; readonly name: string; readonly port?: number; readonly path?: string };
  };
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

export interface Installation {
  /** Of the control plane: where one is found, else where it would be put. */
  readonly namespace: string;
  /** What is wrong with the values that the cluster keeps; empty also where it keeps none. */
  readonly problems: Gathered<readonly string[]>;
  readonly crds: readonly CrdObject[];
  readonly objects: readonly InstalledObject[];
}

export interface InstalledObject {
  readonly kind: string;
  readonly name: string;
  /** Undefined for those of the whole cluster. */
  readonly namespace: string | undefined;
  readonly isThere: Gathered<boolean>;
}

export interface DeploymentObject extends KubeObject {
  readonly spec?: { readonly replicas?: number; readonly template?: { readonly spec?: PodSpec } };
  readonly status?: {
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

export interface PodObject extends KubeObject {
  readonly spec: PodSpec;
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface ControllerFacts {
  readonly deployment: DeploymentObject | undefined;
  readonly pods: Gathered<readonly PodObject[]>;
  /** Addresses of ready endpoints by Service name. */
  readonly readyEndpoints: Gathered<Readonly<Record<string, number>>>;
  /** What each replica answered itself, through the API server's port-forward. */
  readonly replicas: Gathered<readonly ReplicaFacts[]>;
}

export interface ReplicaFacts {
  readonly pod: string;
  readonly version: Gathered<string>;
  readonly webhook: Gathered<Handshake>;
  /** /debug/syncz. */
  readonly proxies: Gathered<readonly SyncEntry[]>;
}

export interface SyncEntry {
  /** `<pod>.<namespace>`. */
  readonly proxy: string;
  readonly istio_version?: string;
  readonly [field: string]: unknown;
}

export interface Handshake {
  /** PEM, the leaf first. */
  readonly chain: readonly string[];
}

export interface IdentityFacts {
  /** Certificate of the CA's Secret; most people may not read it. */
  readonly issuer: Gathered<string | undefined>;
  /** The root certificates that each namespace has. */
  readonly rootConfigMaps: Gathered<readonly ConfigMap[]>;
}

export interface Permission {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace: string | undefined;
}

export interface PermissionAnswer {
  readonly permission: Permission;
  /** What needs it. */
  readonly purpose: "cluster" | "namespace" | "grant";
  readonly isAllowed: boolean;
}

export interface DataPlaneFacts {
  /** `-n`; undefined: all. */
  readonly namespace: string | undefined;
  readonly pods: Gathered<readonly PodObject[]>;
  /** The last lines of capture containers that failed, by `namespace/pod`. */
  readonly captureLogs: Readonly<Record<string, Gathered<string>>>;
}

export type { ConfigMap, Container, KubeObject, ObjectMeta };
