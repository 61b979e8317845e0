// Which traffic of a pod is captured: Istio's traffic annotations, under our own names too, turned into the options of `meshctl init`.
import { isIP } from "node:net";
import { failure, success, type Problem, type Result } from "../common/result.ts";
import { findAnnotation } from "./annotation-values.ts";

const PREFIX = "traffic.sidecar.istio.io/";

interface CaptureOption {
  readonly annotation: string;
  readonly flag: string;
  /** Used when the annotation is absent; undefined leaves the flag out. */
  readonly fallback?: string;
  readonly check: (text: string) => string | undefined;
  readonly starAllowed: boolean;
}

function checkPort(text: string): string | undefined {
  const port = Number(text);
  return /^\d+$/.test(text) && port <= 65535 ? undefined : `"${text}" is not a port`;
}

function checkCidr(text: string): string | undefined {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  const width = family === 6 ? 128 : 32;
  const isCidr = family !== 0 && rest.length === 0 && bits !== undefined && /^\d+$/.test(bits) && Number(bits) <= width;
  return isCidr ? undefined : `"${text}" is not a CIDR`;
}

function checkInterface(text: string): string | undefined {
  return /^[^\s/]{1,15}$/.test(text) ? undefined : `"${text}" is not an interface name`;
}

const OPTIONS: readonly CaptureOption[] = [
  { annotation: "includeOutboundIPRanges", flag: "-i", fallback: "*", check: checkCidr, starAllowed: true },
  { annotation: "excludeOutboundIPRanges", flag: "-x", fallback: "", check: checkCidr, starAllowed: false },
  { annotation: "includeInboundPorts", flag: "-b", fallback: "*", check: checkPort, starAllowed: true },
  { annotation: "excludeInboundPorts", flag: "-d", fallback: "", check: checkPort, starAllowed: false },
  { annotation: "includeOutboundPorts", flag: "-q", check: checkPort, starAllowed: false },
  { annotation: "excludeOutboundPorts", flag: "-o", check: checkPort, starAllowed: false },
  { annotation: "excludeInterfaces", flag: "-c", check: checkInterface, starAllowed: false },
  { annotation: "kubevirtInterfaces", flag: "-k", check: checkInterface, starAllowed: false },
];

/** Ports of the sidecar that must stay reachable without it. */
const ALWAYS_EXCLUDED_INBOUND = "15090,15021,15020";

/** Flags and values in a fixed order, or every annotation that is wrong. */
export function captureFlags(annotations: Readonly<Record<string, string>>): Result<readonly string[]> {
  const flags: string[] = [];
  const problems: Problem[] = [];
  for (const option of OPTIONS) {
    const newer = option.flag === "-k" ? findAnnotation(annotations, "istio.io/", "reroute-virtual-interfaces") : undefined;
    const given = newer ?? findAnnotation(annotations, PREFIX, option.annotation);
    let value = given?.text.replaceAll(" ", "") ?? option.fallback;
    if (value === undefined) continue;
    for (const item of value.split(",")) {
      const wrong = item === "" || (item === "*" && option.starAllowed) ? undefined : option.check(item);
      if (wrong !== undefined) problems.push({ path: `metadata.annotations["${given?.key ?? option.annotation}"]`, message: wrong });
    }
    if (option.flag === "-d") value = value === "" ? ALWAYS_EXCLUDED_INBOUND : `${ALWAYS_EXCLUDED_INBOUND},${value}`;
    flags.push(option.flag, value);
  }
  return problems.length > 0 ? failure(problems) : success(flags);
}
