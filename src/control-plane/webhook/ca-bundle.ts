// Keeps the caBundle of one webhook configuration equal to the mesh's roots, as that field's owner: the configuration is
// installed without it, and whoever changes it is corrected.
import { Backoff } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import { fromThrown } from "../../kube/api-error.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import type { KubeObjects } from "../../kube/objects.ts";
import { Reflector } from "../../kube/reflector.ts";
import type { KubeObject, ResourceKind } from "../../kube/resource-kind.ts";
import { CA_BUNDLE_MANAGER } from "../../manifests/install/webhook-configurations.ts";
import type { Webhook } from "../../manifests/install/webhook-configurations.ts";

export interface CaBundleOptions {
  readonly connection: ClusterConnection;
  readonly objects: KubeObjects;
  readonly clock: Clock;
  readonly log: Logger;
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration";
  readonly name: string;
  readonly rootsPem: string;
  readonly onWrite: () => void;
}

type State = "unknown" | "absent" | "wrong" | "right";

const GROUP = "admissionregistration.k8s.io";
/** Two who want different bundles take turns this slowly. */
const BACKOFF = { initialMs: 500, maxMs: 30_000 };
/** So long nobody else may have changed it until it counts as settled. */
const SETTLED_MS = 60_000;

export class CaBundle {
  readonly #options: CaBundleOptions;
  readonly #wanted: string;
  readonly #reflector: Reflector;
  readonly #backoff = new Backoff(BACKOFF);
  #state: State = "unknown";
  #latest: KubeObject | undefined;
  #isWriting = false;
  #isStopped = false;
  #writtenMs = -Infinity;
  #cancelRetry: (() => void) | undefined;

  constructor(options: CaBundleOptions) {
    this.#options = options;
    const { connection, clock, log, kind, name, rootsPem } = options;
    this.#wanted = Buffer.from(rootsPem).toString("base64");
    const resource: ResourceKind = { group: GROUP, versions: ["v1"], kind, plural: `${kind.toLowerCase()}s` };
    this.#reflector = new Reflector({
      connection,
      clock,
      kind: resource,
      fieldSelector: `metadata.name=${name}`,
      onReplace: (objects) => this.#see(objects[0]),
      onChange: (type, object) => this.#see(type === "deleted" ? undefined : object),
      onTrouble: ({ code, message }) => {
        const remedy = code === 403 ? `; allow the controller to list and watch ${resource.plural}` : "";
        log.warn({ kind, name, status: code }, `can't read the webhook configuration: ${message}${remedy}`);
      },
      onRecovered: () => log.info({ kind, name }, "reads the webhook configuration again"),
    });
  }

  start(): void {
    this.#reflector.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#reflector.stop();
    this.#cancelRetry?.();
  }

  /** True also where there is no such configuration: then nobody is asked to trust us. */
  get isInPlace(): boolean {
    return this.#state === "right" || this.#state === "absent";
  }

  #see(object: KubeObject | undefined): void {
    const { log, kind, name } = this.#options;
    const was = this.#state;
    this.#latest = object;
    if (object === undefined) this.#state = "absent";
    else this.#state = webhooksOf(object).every((each) => each.clientConfig.caBundle === this.#wanted) ? "right" : "wrong";
    if (this.#state === was) return;
    if (this.#state === "absent") log.warn({ kind, name }, "there is no such webhook configuration: meshctl install prints it");
    if (this.#state === "wrong" && was === "right")
      log.warn({ kind, name }, "somebody else has changed the caBundle, such as a replica that started with another CA; it is put back");
    if (this.#state === "wrong") this.#plan();
  }

  /** At once; soon after the last write, later. */
  #plan(): void {
    if (this.#isWriting || this.#cancelRetry !== undefined || this.#isStopped) return;
    const { clock } = this.#options;
    if (clock.now() - this.#writtenMs > SETTLED_MS) {
      this.#backoff.reset();
      return void this.#write();
    }
    this.#cancelRetry = clock.after(this.#backoff.next(), () => {
      this.#cancelRetry = undefined;
      if (this.#state === "wrong") void this.#write();
    });
  }

  async #write(): Promise<void> {
    const { objects, log, clock, kind, name, onWrite } = this.#options;
    if (this.#latest === undefined) return;
    const { uid } = this.#latest.metadata;
    const webhooks = webhooksOf(this.#latest).map((each) => ({ name: each.name, clientConfig: { caBundle: this.#wanted } }));
    // With its uid it is changed where it is, and never made: a configuration of nothing but this would be no good.
    const draft = { apiVersion: `${GROUP}/v1`, kind, metadata: { name, ...(uid === undefined ? {} : { uid }) }, webhooks };
    this.#isWriting = true;
    this.#writtenMs = clock.now();
    try {
      await objects.serverSideApply(draft, { fieldManager: CA_BUNDLE_MANAGER, force: true });
      onWrite();
      log.info({ kind, name }, "caBundle put in place");
    } catch (error) {
      const { code, message } = fromThrown(error);
      const remedy = code === 403 ? `; allow the controller to patch ${kind.toLowerCase()}s` : "";
      if (!this.#isStopped) log.warn({ kind, name, status: code }, `can't put the caBundle in place: ${message}${remedy}`);
    } finally {
      this.#isWriting = false;
    }
    // The watch tells what became of it; until then it is taken for undone.
    if (this.#state === "wrong") this.#plan();
  }
}

function webhooksOf(object: KubeObject): readonly Webhook[] {
  return Array.isArray(object["webhooks"]) ? (object["webhooks"] as readonly Webhook[]) : [];
}
