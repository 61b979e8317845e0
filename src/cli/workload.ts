// The workload argument of every inspecting command, `[<kind>/]<name>[.<namespace>]`, and which pod it means.
import { closestWord } from "../common/closest-word.ts";
import { UserError } from "../common/user-error.ts";

/** What there is to choose from, wherever it runs. */
export interface Inventory<P extends PodFacts> {
  readonly pods: readonly P[];
  readonly services: readonly ServiceFacts[];
}

export interface PodFacts {
  readonly name: string;
  readonly namespace: string;
  readonly ready: boolean;
  /** Deployment, StatefulSet, …, or Pod for a bare one. */
  readonly owner: { readonly kind: string; readonly name: string };
}

export interface ServiceFacts {
  readonly name: string;
  readonly namespace: string;
  /** Names of the pods (of the same namespace) behind it. */
  readonly pods: readonly string[];
}

export interface WorkloadArgument {
  /** As Kubernetes spells it (`Pod`, `Deployment`, `Service`, …); undefined: whatever bears the name. */
  readonly kind: string | undefined;
  readonly name: string;
  readonly namespace: string | undefined;
}

const KINDS: Readonly<Record<string, readonly string[]>> = {
  Pod: ["pod", "pods", "po"],
  Deployment: ["deployment", "deployments", "deploy"],
  StatefulSet: ["statefulset", "statefulsets", "sts"],
  DaemonSet: ["daemonset", "daemonsets", "ds"],
  ReplicaSet: ["replicaset", "replicasets", "rs"],
  Job: ["job", "jobs"],
  CronJob: ["cronjob", "cronjobs", "cj"],
  Service: ["service", "services", "svc"],
};

/**
 * Reads the argument; `-n` gives the namespace where the argument names none.
 * @throws UserError for an unknown kind, an empty name, or two namespaces that differ.
 */
export function parseWorkloadArgument(text: string, namespaceFlag: string | undefined): WorkloadArgument {
  const slash = text.indexOf("/");
  const kindText = slash < 0 ? undefined : text.slice(0, slash);
  const rest = text.slice(slash + 1);
  const dot = rest.lastIndexOf(".");
  const name = dot < 0 ? rest : rest.slice(0, dot);
  const ownNamespace = dot < 0 ? undefined : rest.slice(dot + 1);
  if (name === "" || ownNamespace === "" || name.includes("/")) {
    throw new UserError(`${JSON.stringify(text)} names no workload`, "write [<kind>/]<name>[.<namespace>], such as deploy/checkout.shop");
  }
  if (ownNamespace !== undefined && namespaceFlag !== undefined && ownNamespace !== namespaceFlag) {
    throw new UserError(`${text} is in namespace ${ownNamespace}, and --namespace says ${namespaceFlag}`, "leave one of them out");
  }
  return { kind: kindText === undefined ? undefined : toKind(kindText), name, namespace: ownNamespace ?? namespaceFlag };
}

/** As Kubernetes spells it; undefined for an unknown one. */
export function kindOf(text: string): string | undefined {
  return Object.keys(KINDS).find((kind) => KINDS[kind]?.includes(text.toLowerCase()));
}

function toKind(text: string): string {
  const kind = kindOf(text);
  if (kind !== undefined) return kind;
  const near = closestWord(text, Object.values(KINDS).flat());
  const kinds = Object.values(KINDS)
    .map((spellings) => spellings[0])
    .join(", ");
  throw new UserError(
    `unknown kind of workload ${JSON.stringify(text)}`,
    near === undefined ? `known: ${kinds}` : `did you mean ${near}? Known: ${kinds}`,
  );
}

/**
 * The pod that an argument means: a pod of that name, else the first ready pod (by name) of an owner, else of a Service.
 * Without a namespace all are searched; a name found in several is refused with the candidates.
 * @throws UserError that lists what there is.
 */
export function resolveWorkload<P extends PodFacts>(argument: WorkloadArgument, inventory: Inventory<P>): P {
  for (const candidates of candidateGroups(argument, inventory)) {
    if (candidates.length === 0) continue;
    if (candidates.length > 1) throw ambiguous(argument, candidates);
    return firstReady(argument, candidates[0]!);
  }
  throw notFound(argument, inventory);
}

interface Candidate<P> {
  readonly label: string;
  readonly pods: readonly P[];
}

/** In order of precedence: pods, owners, Services. A later group counts only where all earlier ones are empty. */
function candidateGroups<P extends PodFacts>(argument: WorkloadArgument, inventory: Inventory<P>): readonly (readonly Candidate<P>[])[] {
  const inScope = (each: { readonly namespace: string }): boolean =>
    argument.namespace === undefined || each.namespace === argument.namespace;
  const isAsked = (kind: string): boolean => argument.kind === undefined || argument.kind === kind;
  const pods = inventory.pods.filter(inScope);

  const byName = pods
    .filter((pod) => isAsked("Pod") && pod.name === argument.name)
    .map((pod) => ({ label: `pod/${pod.name}.${pod.namespace}`, pods: [pod] }));

  const owned = new Map<string, P[]>();
  for (const pod of pods) {
    if (pod.owner.kind === "Pod" || !isAsked(pod.owner.kind) || pod.owner.name !== argument.name) continue;
    const label = `${pod.owner.kind.toLowerCase()}/${pod.owner.name}.${pod.namespace}`;
    owned.set(label, [...(owned.get(label) ?? []), pod]);
  }
  const byOwner = [...owned].map(([label, members]) => ({ label, pods: members }));

  const byService = inventory.services
    .filter((service) => isAsked("Service") && service.name === argument.name && inScope(service))
    .map((service) => ({
      label: `service/${service.name}.${service.namespace}`,
      pods: pods.filter((pod) => pod.namespace === service.namespace && service.pods.includes(pod.name)),
    }));
  return [byName, byOwner, byService];
}

function firstReady<P extends PodFacts>(argument: WorkloadArgument, candidate: Candidate<P>): P {
  const sorted = [...candidate.pods].sort((a, b) => (a.name < b.name ? -1 : 1));
  // A pod that isn't ready is still the one to look into when there is no other.
  const pod = sorted.find((each) => each.ready) ?? sorted[0];
  if (pod === undefined)
    throw new UserError(`${candidate.label} has no pods`, `nothing answers for ${argument.name}: check its selector and replicas`);
  return pod;
}

function ambiguous<P>(argument: WorkloadArgument, candidates: readonly Candidate<P>[]): UserError {
  const labels = candidates
    .map((each) => each.label)
    .sort()
    .join(", ");
  const first = [...candidates.map((each) => each.label)].sort()[0]!;
  return new UserError(`${argument.name} is ambiguous: ${labels}`, `add a namespace or a kind, such as ${first}`);
}

function notFound<P extends PodFacts>(argument: WorkloadArgument, inventory: Inventory<P>): UserError {
  const what = argument.kind === undefined ? "pod, owner or Service" : argument.kind;
  const where = argument.namespace === undefined ? "" : ` in namespace ${argument.namespace}`;
  const elsewhere = argument.namespace === undefined ? [] : candidateGroups({ ...argument, namespace: undefined }, inventory).flat();
  if (elsewhere.length > 0) {
    return new UserError(`no ${what} named ${argument.name}${where}`, `there is ${elsewhere.map((each) => each.label).join(", ")}`);
  }
  const known = knownNames(inventory);
  const near = closestWord(
    argument.name,
    known.map((each) => each.split(".")[0]!),
  );
  const shown = known.slice(0, SHOWN_NAMES).join(", ");
  const rest = known.length - SHOWN_NAMES;
  const hint = known.length === 0 ? "no pods run" : `running: ${shown}${rest > 0 ? ` and ${rest} more` : ""}`;
  return new UserError(`no ${what} named ${argument.name}${where}`, near === undefined ? hint : `did you mean ${near}? ${hint}`);
}

/** A namespace of a cluster may have hundreds. */
const SHOWN_NAMES = 20;

/** Names that a person would type, owners rather than pods: `checkout.shop`. */
function knownNames<P extends PodFacts>(inventory: Inventory<P>): string[] {
  return [...new Set(inventory.pods.map((pod) => `${pod.owner.kind === "Pod" ? pod.name : pod.owner.name}.${pod.namespace}`))].sort();
}
