// Namespaces that ask for sidecars in a way that no webhook sees: API servers select namespaces by labels only, and Linkerd's
// users write an annotation.
import type { Logger } from "../../common/log.ts";
import { decideInjection } from "../../manifests/injection-decision.ts";
import type { ObjectMeta, PodTemplate } from "../../manifests/kube-objects.ts";
import type { SourceChange } from "../sources/source.ts";

const ANY_POD: PodTemplate = { spec: { containers: [] } };

export class UnseenAnnotations {
  readonly #log: Logger;
  readonly #told = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** What a cluster's source has heard of. Each namespace is named once, and again when it has lost and got the annotation. */
  apply(changes: readonly SourceChange[]): void {
    for (const { part, objects } of changes) {
      const [raw] = objects;
      if (raw !== undefined && (raw.kind !== "Namespace" || raw.apiVersion !== "v1")) continue;
      const reason = raw === undefined ? undefined : unseenReason(raw.name, raw.value["metadata"] as ObjectMeta);
      if (raw === undefined || reason === undefined) {
        this.#told.delete(part);
        continue;
      }
      if (this.#told.has(part)) continue;
      this.#told.add(part);
      this.#log.warn(
        { namespace: raw.name },
        `its pods get no sidecar when they are created: ${reason}, and only labels count there; label it so`,
      );
    }
  }
}

function unseenReason(name: string, { labels = {}, annotations = {} }: ObjectMeta): string | undefined {
  const decided = decideInjection(ANY_POD, name, { labels, annotations }, "disabled");
  const seen = decideInjection(ANY_POD, name, { labels }, "disabled");
  return decided.inject && !seen.inject ? decided.reason : undefined;
}
