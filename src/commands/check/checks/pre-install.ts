// Before an installation: may this user make it, and is its place free?
import { INSTALLATION_LABEL } from "../../../manifests/install/installation-label.ts";
import type { Category, Finding } from "../check-list.ts";
import { valueOf } from "../gathered.ts";
import type { ClusterState, PermissionAnswer } from "../cluster-state.ts";
import { describePermissions, GRANT_INSTALLER } from "../permission-text.ts";

export const preInstall: Category<ClusterState> = {
  name: "pre-kubernetes-setup",
  checks: [
    {
      description: "control plane namespace does not already exist",
      hint: "control-plane-namespace",
      severity: "warning",
      find: ({ namespaces, installation }) => {
        const found = valueOf(namespaces).find((each) => each.metadata.name === installation.namespace);
        if (found === undefined) return [];
        if (found.metadata.labels?.[INSTALLATION_LABEL] !== undefined)
          return [
            { message: `meshctl is installed already, in namespace ${installation.namespace}`, remedy: "meshctl check", severity: "error" },
          ];
        const message = `namespace ${installation.namespace} exists and is not ours: installing changes its labels`;
        return [{ message, remedy: `meshctl install --set namespace=ANOTHER | kubectl apply -f -` }];
      },
    },
    {
      description: "can create the objects of the whole cluster",
      hint: "install-permissions",
      severity: "error",
      find: ({ permissions }) => lacking(permissions === undefined ? [] : valueOf(permissions), "cluster"),
    },
    {
      description: "can create the objects of the control plane's namespace",
      hint: "install-permissions",
      severity: "error",
      find: ({ permissions }) => lacking(permissions === undefined ? [] : valueOf(permissions), "namespace"),
    },
    {
      description: "can give the controller the permissions that it needs",
      hint: "install-permissions",
      severity: "error",
      find: ({ permissions }) => lacking(permissions === undefined ? [] : valueOf(permissions), "grant"),
    },
    {
      description: "no CustomResourceDefinition of another mesh has one of our names",
      hint: "foreign-crds",
      severity: "warning",
      find: ({ crds, installation }) => {
        const ours = new Set(installation.crds.map((each) => each.metadata.name));
        return valueOf(crds).flatMap(({ metadata }): Finding[] =>
          !ours.has(metadata.name) || metadata.labels?.[INSTALLATION_LABEL] !== undefined
            ? []
            : [
                {
                  message: `${metadata.name} is there, without our label: meshctl install leaves it as it is, and its schema decides what can be written`,
                  remedy: `kubectl get crd ${metadata.name} --show-labels`,
                },
              ],
        );
      },
    },
  ],
};

function lacking(answers: readonly PermissionAnswer[], purpose: PermissionAnswer["purpose"]): Finding[] {
  const permissions = answers.filter((each) => each.purpose === purpose && !each.isAllowed).map((each) => each.permission);
  return describePermissions(permissions).map((text) => ({ message: `you may not ${text}`, remedy: GRANT_INSTALLER }));
}
