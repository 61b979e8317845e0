// Whether the CA that a cluster keeps is whole: key, certificate and root belong together and are valid, and every workload
// trusts the root. The next controller would refuse to start with one that isn't, or sign what nobody trusts.
import { X509Certificate } from "node:crypto";
import { UserError } from "../../../common/user-error.ts";
import { splitCertificates } from "../../../ca/client/trust-bundle.ts";
import { readAuthority } from "../../../control-plane/cluster/authority-secret.ts";
import { retried } from "../../../kube/retried.ts";
import { ROOT_CERTIFICATE_CONFIG_MAP } from "../../../manifests/injected-containers.ts";
import { AUTHORITY_SECRET } from "../../../manifests/install/controller-permissions.ts";
import { INSTALLATION_LABEL } from "../../../manifests/install/installation-label.ts";
import type { ConfigMap } from "../../../manifests/kube-objects.ts";
import { toUserError } from "./open-cluster.ts";
import type { Cluster } from "./open-cluster.ts";

/** Where the controller puts the roots, and pods look for them. */
const BUNDLE_KEY = "root-cert.pem";
/** Of namespaces in a message. */
const NAMED = 10;

/**
 * Without Secret and trust bundles there is nothing to break: no controller has run yet.
 * @throws UserError that says what is broken.
 */
export async function requireTrustChain({ connection, objects, clock }: Cluster, namespace: string): Promise<void> {
  const secret = await retried(clock, () => objects.get({ apiVersion: "v1", kind: "Secret", namespace, name: AUTHORITY_SECRET })).catch(
    (error: unknown) => {
      throw toUserError(error, connection, `check the trust chain in Secret ${namespace}/${AUTHORITY_SECRET}`);
    },
  );
  let root: string | undefined;
  try {
    root = secret === undefined ? undefined : readAuthority(secret, namespace, clock.now()).rootPem;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw broken(error.message, error.hint);
  }
  const bundles = (await retried(clock, () =>
    objects.list(
      { apiVersion: "v1", kind: "ConfigMap" },
      { labelSelector: INSTALLATION_LABEL, fieldSelector: `metadata.name=${ROOT_CERTIFICATE_CONFIG_MAP}` },
    ),
  ).catch((error: unknown) => {
    throw toUserError(error, connection, "list the trust bundles of all namespaces");
  })) as readonly ConfigMap[] | undefined;
  const lacking = (bundles ?? []).filter(({ data }) => root === undefined || !trusts(data?.[BUNDLE_KEY] ?? "", root));
  if (lacking.length === 0) return;
  if (root === undefined)
    throw broken(
      `Secret ${namespace}/${AUTHORITY_SECRET} is gone, and the next controller would make a new CA that no workload trusts`,
      `put it back from a backup; without one, kubectl -n ${namespace} rollout restart deployment/controller makes a new CA: ` +
        "restart every meshed workload then, and upgrade",
    );
  const more = lacking.length > NAMED ? ` and ${lacking.length - NAMED} more` : "";
  const named = lacking.slice(0, NAMED).map(({ metadata }) => metadata.namespace);
  throw broken(
    `the root of Secret ${namespace}/${AUTHORITY_SECRET} is not in ConfigMap ${ROOT_CERTIFICATE_CONFIG_MAP} of ${named.join(", ")}${more}`,
    "a running controller puts it there: see why it doesn't with meshctl check, and upgrade then",
  );
}

function broken(why: string, hint: string | undefined): UserError {
  return new UserError(`the trust chain is broken, and nothing was changed: ${why}`, hint);
}

function trusts(bundle: string, root: string): boolean {
  const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;
  try {
    return splitCertificates(bundle).some((each) => fingerprint(each) === fingerprint(root));
  } catch {
    return false;
  }
}
