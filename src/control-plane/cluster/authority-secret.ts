// The CA's key in a cluster: a Secret in the mesh's namespace that whoever needs it first creates. Replicas that start
// at once agree on one, as only one of them can create it; a Secret that a person put there is used as it is.
import { authorityOf, findLayout, newAuthorityParts } from "../../ca/authority/authority-layout.ts";
import type { SigningAuthority } from "../../ca/authority/signing-authority.ts";
import { Backoff } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import { UserError } from "../../common/user-error.ts";
import { fromThrown } from "../../kube/api-error.ts";
import type { KubeObjects } from "../../kube/objects.ts";
import { pause } from "../../kube/pause.ts";
import type { KubeObject } from "../../kube/resource-kind.ts";
import { AUTHORITY_SECRET } from "../../manifests/install/controller-permissions.ts";
import { INSTALLATION_LABEL } from "../../manifests/install/installation-label.ts";
import { SourceStopped } from "../sources/source.ts";

const BACKOFF = { initialMs: 1_000, maxMs: 10_000 };
const SECRET = { apiVersion: "v1", kind: "Secret" };

export interface AuthoritySecretOptions {
  readonly objects: KubeObjects;
  /** The mesh's. */
  readonly namespace: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the waiting for an API server that is away. */
  readonly stopping: AbortSignal;
}

/**
 * Waits for the API server as long as it takes.
 * @throws UserError when the Secret can't be used, SourceStopped when it is told to stop.
 */
export async function loadOrCreateAuthoritySecret(options: AuthoritySecretOptions): Promise<SigningAuthority> {
  const { namespace, clock, log, stopping } = options;
  const backoff = new Backoff(BACKOFF);
  let trouble: string | undefined;
  for (;;) {
    try {
      const found = await readOrCreate(options);
      if (found !== undefined) return readAuthority(found, namespace, clock.now());
    } catch (thrown) {
      if (stopping.aborted) throw new SourceStopped();
      if (thrown instanceof UserError) throw thrown;
      const { code, message } = fromThrown(thrown);
      const advice = code === 403 ? `; allow the controller to get and create Secrets in ${namespace}` : "";
      if (message !== trouble) log.error(`can't get the CA's key from Secret ${namespace}/${AUTHORITY_SECRET}: ${message}${advice}`);
      trouble = message;
      await pause(clock, backoff.next(), stopping);
    }
  }
}

/** @returns undefined when another replica was faster: theirs is to be read. */
async function readOrCreate({ objects, namespace, trustDomain, clock, log }: AuthoritySecretOptions): Promise<KubeObject | undefined> {
  const found = await objects.get({ ...SECRET, namespace, name: AUTHORITY_SECRET });
  if (found !== undefined) return found;
  const parts = await newAuthorityParts(trustDomain, clock.now());
  const data = Object.fromEntries(Object.entries(parts).map(([name, pem]) => [name, Buffer.from(pem).toString("base64")]));
  const labels = { [INSTALLATION_LABEL]: namespace };
  try {
    const made = await objects.create({ ...SECRET, type: "Opaque", metadata: { name: AUTHORITY_SECRET, namespace, labels }, data });
    log.info(`made a new root, and keeps its key in Secret ${namespace}/${AUTHORITY_SECRET}`);
    return made;
  } catch (error) {
    if (fromThrown(error).code === 409) return undefined;
    throw error;
  }
}

/** @throws UserError when it holds no CA that can be used now. */
export function readAuthority(secret: KubeObject, namespace: string, nowMs: number): SigningAuthority {
  const data = (secret["data"] ?? {}) as Readonly<Record<string, string>>;
  const where = `Secret ${namespace}/${AUTHORITY_SECRET}`;
  const has = (name: string): boolean => data[name] !== undefined;
  const layout = findLayout(has);
  const hint = "fill it with a CA's certificate, key and root, or delete it to have a new root made";
  if (layout === undefined) throw new UserError(`${where} holds neither ca-cert.pem nor tls.crt`, hint);
  const read = (name: string): { name: string; pem: string } => {
    const value = data[name];
    if (value === undefined) throw new UserError(`${where} lacks ${name}`, hint);
    return { name: `${name} of ${where}`, pem: Buffer.from(value, "base64").toString() };
  };
  return authorityOf(layout, has, read, nowMs);
}
