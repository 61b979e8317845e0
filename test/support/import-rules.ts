// Who may import whom: the table of ARCHITECTURE.md, and the reasons that a failing test gives.
import type { Import, SourceFile } from "./import-graph.ts";

interface Allowed {
  /** A folder (`src/common/`) or a single file. */
  readonly path: string;
  /** Only its types: nothing of it runs in the importing folder. */
  readonly typesOnly?: boolean;
}

interface Rule {
  readonly folder: string;
  readonly may: readonly Allowed[];
}

const COMMON: Allowed = { path: "src/common/" };
const XDS: Allowed = { path: "src/xds/" };
const NAMES: Allowed = { path: "src/xds/names.ts" };
const MESH_API: Allowed = { path: "src/mesh-api/" };
const MANIFESTS: Allowed = { path: "src/manifests/" };
const KUBE: Allowed = { path: "src/kube/" };

/** The longest folder that a file lies in decides. A folder may always import itself. */
export const TABLE: readonly Rule[] = [
  { folder: "src/common/", may: [] },
  { folder: "src/xds/", may: [COMMON] },
  { folder: "src/kube/", may: [COMMON] },
  { folder: "src/mesh-api/", may: [COMMON] },
  { folder: "src/ca/client/", may: [XDS, COMMON] },
  { folder: "src/ca/authority/", may: [XDS, COMMON, { path: "src/ca/client/" }] },
  { folder: "src/capture/", may: [NAMES, COMMON] },
  { folder: "src/manifests/", may: [MESH_API, NAMES, COMMON] },
  { folder: "src/control-plane/", may: [XDS, { path: "src/ca/" }, KUBE, MESH_API, MANIFESTS, COMMON] },
  { folder: "src/proxy-runtime/", may: [XDS, { path: "src/ca/client/" }, COMMON] },
  { folder: "src/local/", may: [MESH_API, MANIFESTS, { ...KUBE, typesOnly: true }, { path: "src/ca/client/" }, NAMES, COMMON] },
  { folder: "src/cli/", may: [KUBE, XDS, { path: "src/local/run-folder.ts" }, COMMON] },
  { folder: "src/commands/", may: [{ path: "src/" }] },
  { folder: "src/binary/", may: [COMMON] },
  { folder: "src/main.ts", may: [{ path: "src/commands/" }, { path: "src/cli/" }, COMMON] },
];

/** Folders of src/proxy-runtime/, each of which may import those before it. Files beside them (proxy.ts, worker.ts) compose them all. */
export const PROXY_ORDER: readonly string[] = [
  "failure",
  "config",
  "telemetry",
  "transport",
  "http",
  "upstream",
  "identity",
  "filters",
  "router",
  "dns",
  "listener",
  "state",
  "admin",
  "status",
  "workers",
];

/** What is loaded before a command is known; everything else waits behind `load: () => import(…)`. */
const START: readonly string[] = ["src/main.ts", "src/commands/", "src/cli/", "src/common/", "src/xds/names.ts"];
const START_PACKAGES: ReadonlySet<string> = new Set(["commander"]);

/** Why `file` may not have this import; undefined when it may. */
export function whyForbidden(file: string, { target, isOurs, isTypeOnly }: Import): string | undefined {
  if (!isOurs) return undefined;
  if (!target.startsWith("src/")) return `src/ stands alone: nothing outside it is in the bundle`;
  if (target.startsWith("src/commands/") && file !== "src/main.ts" && !file.startsWith("src/commands/"))
    return "only src/main.ts imports commands";
  if (target === "src/main.ts") return "nothing imports the program's entry";
  const rule = TABLE.find(({ folder }) => file.startsWith(folder));
  if (rule === undefined) return `its folder is not in the import table; give it a row in test/support/import-rules.ts and ARCHITECTURE.md`;
  if (target.startsWith(rule.folder)) return rule.folder === "src/proxy-runtime/" ? whyAgainstProxyOrder(file, target) : undefined;
  const allowed = rule.may.find(({ path }) => target.startsWith(path));
  if (allowed === undefined) return `${rule.folder} may import ${describe(rule.may)}`;
  if (allowed.typesOnly === true && !isTypeOnly) return `${rule.folder} may import only types from ${allowed.path} (import type)`;
  return undefined;
}

function describe(may: readonly Allowed[]): string {
  if (may.length === 0) return "nothing of ours";
  return `only ${may.map(({ path, typesOnly }) => (typesOnly === true ? `types of ${path}` : path)).join(", ")}`;
}

function whyAgainstProxyOrder(file: string, target: string): string | undefined {
  const own = proxyFolder(file);
  const other = proxyFolder(target);
  if (own === undefined || own === other) return undefined;
  const order = `the order is ${PROXY_ORDER.join(" → ")} → proxy.ts`;
  if (other === undefined) return `${target} composes the folders, so they can't import it (${order})`;
  for (const each of [own, other])
    if (!PROXY_ORDER.includes(each)) return `src/proxy-runtime/${each}/ has no place in the order yet (${order})`;
  return PROXY_ORDER.indexOf(other) < PROXY_ORDER.indexOf(own)
    ? undefined
    : `${other}/ comes after ${own}/: ${order}; hand what you need in from above`;
}

function proxyFolder(path: string): string | undefined {
  const [, , folder, rest] = path.split("/");
  return rest === undefined ? undefined : folder;
}

/** What main.ts would load before it knows the command, beyond what it may: `path:line why`. */
export function findEagerImports(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const problems: string[] = [];
  const seen = new Set<string>();
  const pending = ["src/main.ts"];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const { target, isOurs, isTypeOnly, isDynamic, line } of byPath.get(path)?.imports ?? []) {
      if (isTypeOnly || isDynamic) continue;
      const isFine = isOurs ? START.some((each) => target.startsWith(each)) : START_PACKAGES.has(target) || target.startsWith("node:");
      if (!isFine)
        problems.push(
          `${path}:${line} imports ${target} when meshctl starts, for every command: load it with import() in the command's run`,
        );
      else if (isOurs) pending.push(target);
    }
  }
  return problems;
}

const SAYS_LITTLE: ReadonlySet<string> = new Set(["util", "helper", "misc", "manager", "handler", "processor", "base", "impl"]);
/** Envoy's own words. */
const TERMS: ReadonlySet<string> = new Set(["cluster-manager", "listener-manager", "connection-manager"]);

/** What is wrong with the name of a file or of one of its folders; undefined when nothing is. */
export function whyBadName(path: string): string | undefined {
  for (const part of path.replace(/(\.d)?\.ts$/, "").split("/")) {
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(part)) return `"${part}" is not kebab-case`;
    const word = part.split("-").find((each) => SAYS_LITTLE.has(each.replace(/s$/, "")));
    if (word !== undefined && ![...TERMS].some((term) => part.includes(term)))
      return `"${word}" says nothing: name it after the main thing inside`;
  }
  return undefined;
}

const IMPURE_MODULES = /^(node:(?!(util|path\/posix)$)|pino$|koffi$|undici$|@grpc\/|@kubernetes\/)/;

/** translate/ is a function of its input: what in `file` could read a file, a clock or the network, or write a log. */
export function findImpurities({ imports, globals }: SourceFile): string[] {
  return [
    ...imports
      .filter((each) => !each.isOurs && !each.isTypeOnly && IMPURE_MODULES.test(each.target))
      .map((each) => `${each.line} imports ${each.target}`),
    ...globals.map((each) => `${each.line} uses ${each.name}`),
  ];
}
