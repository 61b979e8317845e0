// Injects into a text, without a command line.
import assert from "node:assert/strict";
import type { InjectionValues } from "../../../src/manifests/injected-containers.ts";
import { injectFile } from "../../../src/manifests/inject/inject-file.ts";
import { namespacesOf, parseFile, type ChangedFile, type ParsedFile } from "../../../src/manifests/inject/manifest-files.ts";
import { DEFAULT_RESOURCES } from "../../../src/manifests/sidecar-annotations.ts";
import { uninjectFile } from "../../../src/manifests/inject/uninject-file.ts";

export const VALUES: InjectionValues = {
  image: "meshctl",
  discoveryAddress: "controller.mesh-system.svc:15012",
  caAddress: "controller.mesh-system.svc:15012",
  trustDomain: "cluster.local",
  clusterDomain: "cluster.local",
  clusterId: "Kubernetes",
  meshId: "cluster.local",
  dnsCapture: true,
  nativeSidecar: true,
  resources: DEFAULT_RESOURCES,
};

export function parse(text: string): ParsedFile {
  const file = parseFile("app.yaml", text);
  assert.ok("texts" in file, JSON.stringify(file));
  return file;
}

export function injectText(text: string, values: Partial<InjectionValues> = {}): ChangedFile {
  const file = parse(text);
  return injectFile(file, { values: { ...VALUES, ...values }, namespace: "default", namespaces: namespacesOf([file]) });
}

export function uninjectText(text: string): ChangedFile {
  return uninjectFile(parse(text));
}
