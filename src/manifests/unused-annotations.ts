// Annotations of Istio's and our own that injection does nothing with: each is told, none is dropped in silence.
import { closestWord } from "../common/closest-word.ts";
import { INJECTED_ANNOTATION } from "./injection-record.ts";

/** By the prefix of Istio's; `meshctl.io/` has all of these. */
const USED: Readonly<Record<string, readonly string[]>> = {
  "sidecar.istio.io/": [
    ...["inject", "nativeSidecar", "proxyImage", "proxyCPU", "proxyMemory", "proxyCPULimit", "proxyMemoryLimit", "logLevel"],
    ...["rewriteAppHTTPProbers", "interceptionMode", "userVolume", "userVolumeMount"],
  ],
  "traffic.sidecar.istio.io/": [
    ...["includeOutboundIPRanges", "excludeOutboundIPRanges", "includeInboundPorts", "excludeInboundPorts"],
    ...["includeOutboundPorts", "excludeOutboundPorts", "excludeInterfaces", "kubevirtInterfaces"],
  ],
  "readiness.status.sidecar.istio.io/": ["initialDelaySeconds", "periodSeconds", "failureThreshold"],
  "istio.io/": ["reroute-virtual-interfaces"],
  "prometheus.istio.io/": ["merge-metrics", "scrape-targets"],
  "proxy.istio.io/": ["config"],
  "inject.istio.io/": ["templates"],
  // `port` is taken where it says what holds anyway.
  "status.sidecar.istio.io/": [],
};
const OURS = Object.entries(USED).flatMap(([prefix, names]) => (/^(?:proxy|inject)\./.test(prefix) ? [] : names));
/** What an injector writes: ours, or Istio's into a pod that it injected. */
const WRITTEN: ReadonlySet<string> = new Set([INJECTED_ANNOTATION, "sidecar.istio.io/status", "proxy.istio.io/overrides"]);

export function unusedAnnotations(annotations: Readonly<Record<string, string>>): string[] {
  return Object.entries(annotations).flatMap(([key, text]) => {
    if (WRITTEN.has(key) || (key === "status.sidecar.istio.io/port" && text === "15020")) return [];
    const [, prefix = "", name = ""] = /^([^/]*\/)(.*)$/.exec(key) ?? [];
    const known = prefix === "meshctl.io/" ? OURS : USED[prefix];
    if (known === undefined || known.includes(name)) return [];
    const near = closestWord(name, known);
    const hint = near === undefined ? "" : `; did you mean ${prefix}${near}?`;
    return [`annotation ${key} has no effect in this mesh${hint}`];
  });
}
