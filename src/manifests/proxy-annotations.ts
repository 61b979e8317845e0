// How the sidecar itself shall run: what Istio's proxy.istio.io/config says of it, turned into flags of `meshctl proxy`.
import { parseDurationMs } from "../common/duration.ts";
import { failure, success, type Problem, type Result } from "../common/result.ts";
import { parseYamlDocuments } from "../common/yaml.ts";
import { MAX_CONCURRENCY } from "../xds/names.ts";

const ANNOTATION = "proxy.istio.io/config";
/** The most that --drain-time takes. */
const MAX_DRAIN_MS = 86_400_000;
const DNS_CAPTURE = "ISTIO_META_DNS_CAPTURE";

export interface ProxySettings {
  readonly flags: readonly string[];
  /** The application of a plain sidecar starts when that is ready. */
  readonly holdsApplication: boolean;
  readonly dnsCapture: boolean | undefined;
  readonly warnings: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

/** Istio's ProxyConfig as YAML or JSON. What Envoy or pilot-agent would be told beyond what we have is told to the person. */
export function proxySettings(annotations: Readonly<Record<string, string>>): Result<ProxySettings> {
  const text = annotations[ANNOTATION];
  if (text === undefined) return success({ flags: [], holdsApplication: false, dnsCapture: undefined, warnings: [] });
  const at = `metadata.annotations["${ANNOTATION}"]`;
  const { documents, problems: wrong } = parseYamlDocuments(text, ANNOTATION);
  if (wrong[0] !== undefined) return failure([{ path: at, message: `line ${wrong[0].line}: ${wrong[0].message}` }]);
  const config = documents[0]?.value ?? {};
  if (!isJson(config)) return failure([{ path: at, message: "is no mapping" }]);

  const problems: Problem[] = [];
  const refuse = (field: string, value: unknown, what: string): undefined => {
    problems.push({ path: at, message: `${field}: ${JSON.stringify(value)} ${what}` });
    return undefined;
  };
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
  const { concurrency, terminationDrainDuration: drain, holdApplicationUntilProxyStarts: holds = false, proxyMetadata, ...rest } = given;
  const flags: string[] = [];
  if (concurrency !== undefined) {
    if (typeof concurrency !== "number" || !Number.isInteger(concurrency) || concurrency < 0 || concurrency > MAX_CONCURRENCY)
      refuse("concurrency", concurrency, `is not a number from 0 to ${MAX_CONCURRENCY}`);
    else flags.push("--concurrency", String(concurrency));
  }
  if (drain !== undefined) {
    const drainMs = typeof drain === "string" ? parseDurationMs(drain) : undefined;
    if (drainMs === undefined || drainMs > MAX_DRAIN_MS)
      refuse("terminationDrainDuration", drain, "is not a duration up to 24h, such as 30s");
    else flags.push("--drain-time", `${drainMs / 1000}s`);
  }
  if (typeof holds !== "boolean") refuse("holdApplicationUntilProxyStarts", holds, "is neither true nor false");
  const metadata = proxyMetadata ?? {};
  if (!isJson(metadata)) refuse("proxyMetadata", metadata, "is no mapping");
  const { [DNS_CAPTURE]: dns, ...otherMetadata } = isJson(metadata) ? metadata : {};
  if (dns !== undefined && !["true", "false", true, false].includes(dns as string))
    refuse(`proxyMetadata.${DNS_CAPTURE}`, dns, 'is neither "true" nor "false"');
  if (problems.length > 0) return failure(problems);
  const unused = [...Object.keys(rest), ...Object.keys(otherMetadata).map((key) => `proxyMetadata.${key}`)];
  return success({
    flags,
    holdsApplication: holds === true,
    dnsCapture: dns === undefined ? undefined : dns === "true" || dns === true,
    warnings: unused.map((field) => `${ANNOTATION}: ${field} has no effect in this mesh`),
  });
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
