// What a cluster keeps of its installation, in the ConfigMap meshctl-values: the values that were given, and the version
// of the meshctl that printed it.
import { dumpYaml } from "../../common/yaml.ts";
import { VERSION } from "../../common/version.ts";
import { MESH_NAMESPACE } from "../../xds/names.ts";
import type { ConfigMap } from "../kube-objects.ts";
import type { ValuesLayer } from "./install-values.ts";
import { readValuesFile } from "./read-values.ts";

export const VALUES_CONFIG_MAP = "meshctl-values";
const VALUES_KEY = "values.yaml";
const VERSION_KEY = "version";

export interface KeptValues {
  readonly layer: ValuesLayer;
  /** Undefined where nobody wrote it down. */
  readonly version: string | undefined;
  /** Why the values can't be used. */
  readonly problems: readonly string[];
}

export function keptData(given: ValuesLayer): Record<string, string> {
  return { [VALUES_KEY]: dumpYaml(given), [VERSION_KEY]: VERSION };
}

/** @param configMap as the cluster has it. */
export function readKeptValues({ metadata, data = {} }: ConfigMap): KeptValues {
  const place = `ConfigMap ${metadata.namespace ?? ""}/${metadata.name ?? ""}`;
  const { layer, problems } = readValuesFile(data[VALUES_KEY] ?? "", `${place}, ${VALUES_KEY}`);
  const named = layer.namespace ?? MESH_NAMESPACE;
  // Printed again, they would be a second installation.
  const isCopy = problems.length === 0 && named !== metadata.namespace;
  const moved = isCopy ? [`${place}, ${VALUES_KEY}: namespace: is ${named}, not the one that the ConfigMap is in`] : [];
  return { layer, version: data[VERSION_KEY], problems: [...problems, ...moved] };
}
