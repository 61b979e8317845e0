// Objects for `kubectl delete -f -`: by name alone, so that what is printed is the same whatever is in them.
import { toYaml } from "../../manifests/install/installation.ts";
import { INSTALLATION_LABEL } from "../../manifests/install/installation-label.ts";
import type { KubeObject } from "../../manifests/kube-objects.ts";

export function deletionList(objects: readonly KubeObject[]): string {
  return toYaml(
    objects.map(({ apiVersion, kind, metadata: { name = "", namespace, labels } }) => {
      const label = labels?.[INSTALLATION_LABEL] ?? "";
      return {
        apiVersion,
        kind,
        metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: { [INSTALLATION_LABEL]: label } },
      };
    }),
  );
}
