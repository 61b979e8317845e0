// The CustomResourceDefinitions of the kinds that the mesh reads: there, served, and whose?
import { INSTALLATION_LABEL } from "../../../manifests/install/installation-label.ts";
import type { Category, Finding } from "../check-list.ts";
import { valueOf } from "../gathered.ts";
import type { ClusterState, CrdObject } from "../cluster-state.ts";

const APPLY = "meshctl install --crds | kubectl apply -f -";

export const customResources: Category<ClusterState> = {
  name: "custom-resource-definitions",
  checks: [
    {
      description: "CustomResourceDefinitions are installed",
      hint: "custom-resource-definitions",
      severity: "error",
      find: (state) => {
        const there = new Set(valueOf(state.crds).map((each) => each.metadata.name));
        const missing = state.installation.crds.map((each) => each.metadata.name).filter((each) => !there.has(each));
        return missing.map((name) => ({ message: `${name} is not installed`, remedy: APPLY }));
      },
    },
    {
      description: "they are served, in the versions that the mesh reads",
      hint: "custom-resource-definitions",
      severity: "error",
      find: (state) => pairs(state).flatMap(([own, found]) => versionFindings(own, found)),
    },
    {
      description: "they are of this installation",
      hint: "foreign-crds",
      severity: "warning",
      find: (state) =>
        pairs(state).flatMap(([, { metadata }]): Finding[] => {
          if (metadata.labels?.[INSTALLATION_LABEL] !== undefined) return [];
          const message = `${metadata.name} came with another mesh: its schema decides what can be written, and goes when that mesh is uninstalled`;
          const adopt = `kubectl label crd ${metadata.name} ${INSTALLATION_LABEL}=${state.installation.namespace} && ${APPLY}`;
          return [{ message, remedy: `${adopt}    # once that mesh is gone` }];
        }),
    },
  ],
};

/** Ours beside what the cluster has. */
function pairs({ crds, installation }: ClusterState): [CrdObject, CrdObject][] {
  const there = new Map(valueOf(crds).map((each) => [each.metadata.name, each]));
  return installation.crds.flatMap((own) => {
    const found = there.get(own.metadata.name);
    return found === undefined ? [] : [[own, found] as [CrdObject, CrdObject]];
  });
}

function versionFindings(own: CrdObject, found: CrdObject): Finding[] {
  const { name } = found.metadata;
  const refused = found.status?.conditions?.find(
    ({ type, status }) => (type === "Established" || type === "NamesAccepted") && status === "False",
  );
  if (refused !== undefined)
    return [
      { message: `${name} is not served: ${refused.message ?? refused.reason ?? refused.type}`, remedy: `kubectl describe crd ${name}` },
    ];
  const served = found.spec.versions.filter((each) => each.served).map((each) => each.name);
  const lacking = own.spec.versions.map((each) => each.name).filter((each) => !served.includes(each));
  if (lacking.length === 0) return [];
  const isNoneRead = own.spec.versions.every((each) => !served.includes(each.name));
  return [
    {
      message: isNoneRead
        ? `${name} is served as ${served.join(", ") || "nothing"}, of which the mesh reads none`
        : `${name} is not served as ${lacking.join(", ")}: objects of ${lacking.length === 1 ? "that version" : "those versions"} can't be applied`,
      remedy: APPLY,
      severity: isNoneRead ? "error" : "warning",
    },
  ];
}
