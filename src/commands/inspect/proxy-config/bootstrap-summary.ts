// proxy-config bootstrap -o short: which versions run there.
import { field, text, type Json } from "./envoy-json.ts";

/** istioctl's three lines for Envoy; one line for our own proxy, which has one version. */
export function bootstrapSummary(dump: Json): string {
  const node = field(dump, "bootstrap", "node");
  const metadata = field(node, "metadata");
  const build = field(node, "userAgentBuildVersion");
  // Envoy writes its build into the node of its bootstrap; our proxy says what it is only in what the control plane gets.
  if (text(node, "userAgentName") !== "envoy" && build === undefined) {
    return `Meshctl Proxy Version: ${text(metadata, "ISTIO_VERSION") || "unknown"}\n`;
  }
  const revision = text(build, "metadata", "revision.sha");
  const kind = [text(build, "metadata", "revision.status"), text(build, "metadata", "build.type")].filter((each) => each !== "").join("/");
  const version = semantic(build);
  const envoy = [revision, version, kind].filter((each) => each !== "").join("/");
  return (
    `Istio Version:       ${text(metadata, "ISTIO_VERSION") || "unknown"}\n` +
    `Istio Proxy Version: ${text(metadata, "ISTIO_PROXY_SHA") || "unknown"}\n` +
    `Envoy Version:       ${envoy || "unknown"}\n`
  );
}

function semantic(build: Json | undefined): string {
  const version = field(build, "version");
  if (version === undefined) return "";
  return [text(version, "majorNumber") || "0", text(version, "minorNumber") || "0", text(version, "patch") || "0"].join(".");
}
