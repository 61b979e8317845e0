// Is the cluster new enough? Native sidecars (init containers that keep running) came on by default with 1.29; they are
// the kubelets' work as much as the API server's.
import { OLDEST_KUBERNETES, readKubernetesVersion } from "../../../kube/kubernetes-version.ts";
import type { Category } from "../check-list.ts";
import { valueOf } from "../gathered.ts";
import type { ClusterState } from "../cluster-state.ts";

const OLDEST = `${OLDEST_KUBERNETES.major}.${OLDEST_KUBERNETES.minor}`;
/** kubernetes.io/releases/version-skew-policy: kubelets may be this much older than the API server, and never newer. */
const KUBELET_SKEW = 3;

function minorVersion(text: string | undefined): number | undefined {
  const match = /^v?1\.(\d+)/.exec(text ?? "");
  return match === null ? undefined : Number(match[1]);
}

export const kubernetesVersion: Category<ClusterState> = {
  name: "kubernetes-version",
  checks: [
    {
      description: "is running the minimum Kubernetes version",
      hint: "kubernetes-version",
      severity: "error",
      find: ({ server }) => {
        const { gitVersion } = valueOf(server);
        if (!readKubernetesVersion(gitVersion).isTooOld) return [];
        const remedy = "kubeadm upgrade plan    # or your provider's upgrade of the control plane";
        const message = `the API server is ${gitVersion}; meshctl needs Kubernetes ${OLDEST} or newer, for native sidecars`;
        return [{ message, remedy }];
      },
    },
    {
      description: "nodes run kubelets that know native sidecars",
      hint: "kubernetes-version",
      severity: "error",
      find: ({ nodes }) =>
        valueOf(nodes).flatMap(({ metadata, status }) => {
          const kubelet = status?.nodeInfo?.kubeletVersion;
          if (kubelet === undefined || !readKubernetesVersion(kubelet).isTooOld) return [];
          const message = `node ${metadata.name} runs kubelet ${kubelet}, older than ${OLDEST}: meshed pods don't start on it`;
          return [{ message, remedy: `kubectl cordon ${metadata.name}    # until its kubelet is upgraded` }];
        }),
    },
    {
      description: "kubelets and the API server are of versions that go together",
      hint: "kubernetes-version",
      severity: "warning",
      find: ({ server, nodes }) => {
        const { gitVersion } = valueOf(server);
        const newest = minorVersion(gitVersion);
        if (newest === undefined) return [];
        return valueOf(nodes).flatMap(({ metadata, status }) => {
          const kubelet = status?.nodeInfo?.kubeletVersion;
          const minor = minorVersion(kubelet);
          if (minor === undefined || (minor <= newest && newest - minor <= KUBELET_SKEW)) return [];
          const what = minor > newest ? "is newer than" : `is more than ${KUBELET_SKEW} minor versions older than`;
          const remedy =
            minor > newest ? "kubeadm upgrade plan" : `kubectl drain ${metadata.name} --ignore-daemonsets    # and upgrade its kubelet`;
          return [{ message: `kubelet ${kubelet} of node ${metadata.name} ${what} the API server, ${gitVersion}`, remedy }];
        });
      },
    },
  ],
};
