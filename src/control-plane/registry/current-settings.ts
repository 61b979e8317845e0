// The settings of the mesh as they are now: what the controller was started with, and over it what the ConfigMap says.
import type { MeshConfigMapObject } from "../ingest/mesh-object.ts";
import type { MeshSettings } from "./mesh-snapshot.ts";

/** @param configMaps of whatever namespace; only that of the mesh's own counts. */
export function currentSettings(given: MeshSettings, configMaps: readonly MeshConfigMapObject[]): MeshSettings {
  const config = configMaps.find((each) => each.meta.namespace === given.rootNamespace)?.config;
  if (config === undefined) return given;
  const { accessLogFile, pathNormalization, protocolDetectionTimeout } = config;
  const normalization = pathNormalization?.normalization ?? given.pathNormalization;
  return {
    ...given,
    accessLogPath: accessLogFile === undefined ? given.accessLogPath : accessLogFile === "" ? undefined : accessLogFile,
    // Istio's default.
    pathNormalization: normalization === "DEFAULT" ? "BASE" : normalization,
    protocolDetectionTimeoutMs: protocolDetectionTimeout ?? given.protocolDetectionTimeoutMs,
  };
}
