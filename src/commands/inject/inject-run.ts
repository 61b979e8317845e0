// Reads manifests, injects, prints.
import type { CommandContext } from "../../cli/command.ts";
import { parseHostPort } from "../../common/address.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { VERSION } from "../../common/version.ts";
import { injectFile } from "../../manifests/inject/inject-file.ts";
import { namespacesOf, type ObjectReport, type ParsedFile } from "../../manifests/inject/manifest-files.ts";
import type { InjectionValues } from "../../manifests/injected-containers.ts";
import { DEFAULT_RESOURCES } from "../../manifests/sidecar-annotations.ts";
import { readManifests } from "./read-manifests.ts";
import { writeManifests } from "./write-manifests.ts";

export async function run(context: CommandContext): Promise<void> {
  const values = toValues(context.options);
  const files = await readManifests(context);
  const settings = { values, namespace: context.options["namespace"] as string, namespaces: namespacesOf(files) };
  const unread = await unreadKinds(files);
  const changed = files.map((file, index) => {
    const { text, reports, others } = injectFile(file, settings);
    const more = unread[index] ?? [];
    return { text, reports: [...reports, ...more], others: others - more.length };
  });
  writeManifests(context, changed, "injected");
}

/** The schemas of the mesh API are loaded for files that have some of it. */
async function unreadKinds(files: readonly ParsedFile[]): Promise<readonly (readonly ObjectReport[])[]> {
  if (!files.some((file) => file.texts.some(({ text }) => /\.istio\.io\/v/.test(text)))) return [];
  const { reportUnreadKinds } = await import("../../manifests/inject/unread-kinds.ts");
  return files.map(reportUnreadKinds);
}

// RFC 1123 for names; SPIFFE-ID specification, section 2.1, for the trust domain.
const CHECKS: readonly { readonly flag: string; readonly option: string; readonly pattern: RegExp; readonly what: string }[] = [
  { flag: "--namespace", option: "namespace", pattern: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, what: "the name of a namespace" },
  { flag: "--image", option: "image", pattern: /^\S+$/, what: "the name of an image" },
  { flag: "--trust-domain", option: "trustDomain", pattern: /^[a-z0-9._-]{1,255}$/, what: "a trust domain" },
  {
    flag: "--cluster-domain",
    option: "clusterDomain",
    pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    what: "a DNS name such as cluster.local",
  },
  { flag: "--cluster-id", option: "clusterId", pattern: /\S/, what: "a name" },
];

function toValues(options: CommandContext["options"]): InjectionValues {
  for (const { flag, option, pattern, what } of CHECKS) {
    const value = options[option];
    if (value !== undefined && !pattern.test(value as string))
      throw new UserError(`${flag} wants ${what}, not ${JSON.stringify(value)}`, undefined, USAGE_EXIT_CODE);
  }
  const address = options["discoveryAddress"] as string;
  if (parseHostPort(address) === undefined)
    throw new UserError(`--discovery-address wants host:port, not ${JSON.stringify(address)}`, undefined, USAGE_EXIT_CODE);
  const trustDomain = options["trustDomain"] as string;
  return {
    image: (options["image"] as string | undefined) ?? `meshctl:${VERSION}`,
    discoveryAddress: address,
    caAddress: address,
    trustDomain,
    clusterDomain: options["clusterDomain"] as string,
    clusterId: options["clusterId"] as string,
    meshId: trustDomain,
    dnsCapture: options["dnsCapture"] !== false,
    nativeSidecar: options["plainSidecar"] !== true,
    resources: DEFAULT_RESOURCES,
  };
}
