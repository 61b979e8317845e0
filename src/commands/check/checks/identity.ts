// The roots that the mesh trusts: valid, for how long, and the same in every namespace.
import { ROOT_CERTIFICATE_CONFIG_MAP } from "../../../manifests/injected-containers.ts";
import { AUTHORITY_SECRET } from "../../../manifests/install/controller-permissions.ts";
import type { Category, Finding } from "../check-list.ts";
import { replaceCaCommand } from "../ca-secret.ts";
import { NotGathered, valueOf } from "../gathered.ts";
import type { ClusterState, ConfigMap } from "../cluster-state.ts";
import { isIssuedBy, isSelfSigned, nameOf, readCertificates, validityFindings } from "./certificates.ts";
import { meshedNamespaces } from "./namespaces.ts";

const ROOT_KEY = "root-cert.pem";
/** Keys that are refused by TLS stacks, or soon will be. */
const LEAST_RSA_BITS = 2048;

export const identity: Category<ClusterState> = {
  name: "identity",
  checks: [
    {
      description: "the mesh has root certificates that can be read",
      hint: "trust-roots",
      severity: "error",
      find: (state) => {
        const map = referenceMap(state);
        const remedy = `kubectl -n ${state.installation.namespace} logs deployment/controller`;
        if (map === undefined)
          return [{ message: `no namespace has a ConfigMap ${ROOT_CERTIFICATE_CONFIG_MAP} yet`, remedy, mayPass: true }];
        const roots = readCertificates(bundleOf(map));
        if (roots === undefined || roots.length === 0)
          return [
            { message: `ConfigMap ${ROOT_CERTIFICATE_CONFIG_MAP} of namespace ${map.metadata.namespace} holds no certificate`, remedy },
          ];
        return roots.flatMap((root): Finding[] => {
          const { asymmetricKeyType, asymmetricKeyDetails } = root.publicKey;
          const bits = asymmetricKeyDetails?.modulusLength ?? LEAST_RSA_BITS;
          if (bits >= LEAST_RSA_BITS) return [];
          return [
            { message: `root certificate ${nameOf(root)} has a key of ${bits} bits (${asymmetricKeyType}), which TLS refuses`, remedy },
          ];
        });
      },
    },
    {
      description: "root certificates are valid for at least 60 days",
      hint: "trust-roots",
      severity: "warning",
      find: (state) => {
        const roots = readCertificates(bundleOf(requireReference(state))) ?? [];
        const remedy = `${replaceCaCommand(state.installation.namespace)}    # with a new root; then restart the control plane, and all meshed workloads`;
        return roots.flatMap((root) => validityFindings(root, "root certificate", state.nowMs, remedy));
      },
    },
    {
      description: "the issuing certificate is valid, and of a root that the mesh trusts",
      hint: "issuing-certificate",
      severity: "error",
      find: issuerFindings,
    },
    {
      description: "every meshed namespace has the same root certificates",
      hint: "root-certificates-of-namespaces",
      severity: "error",
      find: bundleFindings,
    },
  ],
};

/** What the others are compared with: the control plane's own, else what most namespaces have. */
export function referenceMap({ identity: { rootConfigMaps }, installation }: ClusterState): ConfigMap | undefined {
  const maps = valueOf(rootConfigMaps);
  const own = maps.find((each) => each.metadata.namespace === installation.namespace);
  if (own !== undefined) return own;
  const [most] = [...Map.groupBy(maps, fingerprintsOf).values()].sort((a, b) => b.length - a.length);
  return most?.[0];
}

/** @throws NotGathered without one: its absence is told by the first check, and proves nothing to the others. */
function requireReference(state: ClusterState): ConfigMap {
  const map = referenceMap(state);
  if (map !== undefined) return map;
  throw new NotGathered("there are no root certificates yet", `kubectl -n ${state.installation.namespace} logs deployment/controller`);
}

export function bundleOf({ data }: ConfigMap): string {
  return data?.[ROOT_KEY] ?? "";
}

function fingerprintsOf(map: ConfigMap): string {
  const certificates = readCertificates(bundleOf(map));
  return certificates === undefined
    ? "unreadable"
    : certificates
        .map((each) => each.fingerprint256)
        .sort()
        .join();
}

function issuerFindings(state: ClusterState): Finding[] {
  const pem = valueOf(state.identity.issuer);
  const { namespace } = state.installation;
  const remedy = `kubectl -n ${namespace} logs deployment/controller`;
  if (pem === undefined && valueOf(state.identity.rootConfigMaps).length > 0) {
    const message = `Secret ${AUTHORITY_SECRET} is gone: what runs goes on, but the next controller to start makes a new CA that no workload trusts`;
    const restart = `kubectl -n ${namespace} rollout restart deployment/controller    # only without a backup of the Secret; then restart all meshed workloads`;
    // A controller that is starting makes it.
    const isUp = "value" in state.controller && (state.controller.value.deployment?.status?.availableReplicas ?? 0) > 0;
    return [{ message, remedy: restart, mayPass: !isUp }];
  }
  if (pem === undefined) return [{ message: `namespace ${namespace} has no Secret with the CA yet`, remedy, mayPass: true }];
  const renewal = `${replaceCaCommand(namespace)}    # and restart the control plane`;
  const [issuer, ...chain] = readCertificates(pem) ?? [];
  if (issuer === undefined) return [{ message: "the Secret of the CA holds no certificate that can be read", remedy }];
  const map = referenceMap(state);
  const roots = map === undefined ? [] : (readCertificates(bundleOf(map)) ?? []);
  const isTrusted = [issuer, ...chain].some((each) =>
    roots.some((root) => root.fingerprint256 === each.fingerprint256 || isIssuedBy(each, root)),
  );
  const untrusted = `the issuing certificate ${nameOf(issuer)} is of no root in ConfigMap ${ROOT_CERTIFICATE_CONFIG_MAP}: workloads refuse each other's certificates`;
  return [
    ...(isTrusted || roots.length === 0 ? [] : [{ message: untrusted, remedy, mayPass: true }]),
    // A root that signs itself was looked at already, as one.
    ...(isSelfSigned(issuer) ? [] : validityFindings(issuer, "issuing certificate", state.nowMs, renewal)),
  ];
}

function bundleFindings(state: ClusterState): Finding[] {
  const wanted = fingerprintsOf(requireReference(state));
  const byNamespace = new Map(valueOf(state.identity.rootConfigMaps).map((each) => [each.metadata.namespace, each]));
  return meshedNamespaces(state).flatMap(({ metadata: { name } }): Finding[] => {
    const map = byNamespace.get(name);
    if (map !== undefined && fingerprintsOf(map) === wanted) return [];
    const remedy = `kubectl -n ${name} delete configmap ${ROOT_CERTIFICATE_CONFIG_MAP} --ignore-not-found    # the control plane makes it again`;
    const message =
      map === undefined
        ? `namespace ${name} has no ConfigMap ${ROOT_CERTIFICATE_CONFIG_MAP}: meshed pods don't start in it`
        : `ConfigMap ${ROOT_CERTIFICATE_CONFIG_MAP} of namespace ${name} has other roots than the control plane: its new pods can't connect`;
    return [{ message, remedy, mayPass: true }];
  });
}
