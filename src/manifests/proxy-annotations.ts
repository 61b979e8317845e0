// How the sidecar itself shall run: what Istio's proxy.istio.io/config says of it, turned into flags of `meshctl proxy`.
import { failure, success, type Result } from "../common/result.ts";
import { parseYamlDocuments } from "../common/yaml.ts";
import { MAX_CONCURRENCY } from "../xds/names.ts";

const ANNOTATION = "proxy.istio.io/config";

/** Istio's ProxyConfig as YAML or JSON. Its `concurrency` is taken; the rest is Envoy's or pilot-agent's business. */
export function proxyFlags(annotations: Readonly<Record<string, string>>): Result<readonly string[]> {
  const text = annotations[ANNOTATION];
  if (text === undefined) return success([]);
  const refuse = (message: string): Result<never> => failure([{ path: `metadata.annotations["${ANNOTATION}"]`, message }]);
  const { documents, problems } = parseYamlDocuments(text, ANNOTATION);
  if (problems[0] !== undefined) return refuse(`line ${problems[0].line}: ${problems[0].message}`);
  const config = documents[0]?.value ?? {};
  if (typeof config !== "object" || Array.isArray(config)) return refuse("is no mapping");
  const { concurrency } = config as { readonly concurrency?: unknown };
  if (concurrency === undefined || concurrency === null) return success([]);
  if (typeof concurrency !== "number" || !Number.isInteger(concurrency) || concurrency < 0 || concurrency > MAX_CONCURRENCY)
    return refuse(`concurrency: ${JSON.stringify(concurrency)} is not a number from 0 to ${MAX_CONCURRENCY}`);
  return success(["--concurrency", String(concurrency)]);
}
