// Which cluster, and as whom: a kubeconfig as kubectl finds it, or the pod's own service account.
import { KubeConfig } from "@kubernetes/client-node";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describeFileError } from "../common/file-error.ts";
import { UserError } from "../common/user-error.ts";
import { parseYamlDocuments } from "../common/yaml.ts";
import { ClusterConnection, tokenFileCredentials } from "./cluster-connection.ts";
import { kubeconfigPaths } from "./kubeconfig-files.ts";
import { SERVICE_ACCOUNT_FOLDER } from "./service-account.ts";

export interface ClusterChoice {
  /** A file; undefined: $KUBECONFIG, else ~/.kube/config. */
  readonly kubeconfig: string | undefined;
  /** undefined: the file's current context. */
  readonly context: string | undefined;
  /** User to act as, where the one of the context may impersonate. */
  readonly as?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UserError: no such file, not a kubeconfig, no such context, or one that is incomplete. */
export function loadKubeconfig({ kubeconfig, context, as }: ClusterChoice, env: Environment): ClusterConnection {
  const wanted = kubeconfig !== undefined ? [kubeconfig] : kubeconfigPaths(env);
  const paths = wanted.filter((path) => kubeconfig !== undefined || existsSync(path));
  if (paths.length === 0) {
    throw new UserError(`no kubeconfig: ${wanted.join(", ")} is not there`, "name one with --kubeconfig FILE or in $KUBECONFIG");
  }
  const connection = new ClusterConnection();
  for (const path of paths) addFile(connection, path);
  const names = connection.getContexts().map((each) => each.name);
  const where = paths.join(", ");
  const chosen = context ?? connection.getCurrentContext();
  const hint = names.length === 0 ? `there are no contexts in ${where}` : `choose one with --context: ${names.join(", ")}`;
  if (!chosen) throw new UserError(`${where} has no current context`, hint);
  if (!names.includes(chosen)) throw new UserError(`no context ${JSON.stringify(chosen)} in ${where}`, hint);
  connection.setCurrentContext(chosen);
  const { cluster, user } = connection.getContextObject(chosen) ?? {};
  for (const [what, name, found] of [
    ["cluster", cluster, connection.getCurrentCluster()],
    ["user", user, connection.getCurrentUser()],
  ] as const) {
    if (found) continue;
    throw new UserError(`context ${JSON.stringify(chosen)} names ${what} ${JSON.stringify(name ?? "")}, which ${where} lacks`, hint);
  }
  if (as !== undefined) connection.users = connection.users.map((each) => (each.name === user ? { ...each, impersonateUser: as } : each));
  const proxy = connection.getCurrentCluster()?.proxyUrl;
  if (proxy !== undefined && !/^https?:/.test(proxy))
    throw new UserError(`${where}: proxy-url ${proxy} can't be used`, "give a proxy that is reached by http or https");
  return connection;
}

/** The pod's own cluster, as its service account. @throws UserError when the pod's environment lacks something. */
export function loadInCluster(env: Environment, folder = SERVICE_ACCOUNT_FOLDER): ClusterConnection {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"];
  if (!host || !port) {
    throw new UserError(
      `${folder} is there, but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set`,
      "run it in a pod, or name a kubeconfig with --kubeconfig",
    );
  }
  const connection = new ClusterConnection();
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  connection.loadFromClusterAndUser(
    { name: "in-cluster", server, caFile: join(folder, "ca.crt"), skipTLSVerify: false },
    { name: "service-account", authProvider: tokenFileCredentials(join(folder, "token")) },
  );
  const namespaceFile = join(folder, "namespace");
  const namespace = existsSync(namespaceFile) ? readFileSync(namespaceFile, "utf8").trim() : "default";
  connection.contexts = connection.contexts.map((each) => ({ ...each, namespace }));
  return connection;
}

/** Of every context. @throws UserError for files that can't be read. */
export function contextNames(kubeconfig: string | undefined, env: Environment): string[] {
  const connection = new ClusterConnection();
  for (const path of kubeconfig === undefined ? kubeconfigPaths(env).filter((each) => existsSync(each)) : [kubeconfig])
    addFile(connection, path);
  return connection.getContexts().map((each) => each.name);
}

/** Of names that several files have, the first file's counts, as kubectl merges. */
function addFile(connection: KubeConfig, path: string): void {
  const part = readFile(path);
  const has = (list: readonly { readonly name: string }[], name: string): boolean => list.some((each) => each.name === name);
  for (const each of part.getClusters()) if (!has(connection.getClusters(), each.name)) connection.addCluster(each);
  for (const each of part.getUsers()) if (!has(connection.getUsers(), each.name)) connection.addUser(each);
  for (const each of part.getContexts()) if (!has(connection.getContexts(), each.name)) connection.addContext(each);
  if (!connection.getCurrentContext() && part.getCurrentContext()) connection.setCurrentContext(part.getCurrentContext());
}

function readFile(path: string): KubeConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`can't read the kubeconfig ${path}: ${describeFileError(error)}`, "name another one with --kubeconfig");
  }
  const hint = "name a file that kubectl takes with --kubeconfig";
  const { documents, problems } = parseYamlDocuments(text, path);
  const [problem] = problems;
  if (problem !== undefined) throw new UserError(`${path}:${problem.line}:${problem.column}: ${problem.message}`, hint);
  const value = documents[0]?.value as { kind?: unknown; users?: unknown } | null | undefined;
  if (typeof value !== "object" || value === null || value.kind !== "Config") throw new UserError(`${path} is not a kubeconfig`, hint);
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
  } catch (error) {
    throw new UserError(`${path} is not a kubeconfig: ${(error as Error).message}`, hint);
  }
  const folder = dirname(resolve(path));
  config.makePathsAbsolute(folder);
  // The client knows kubectl's `tokenFile` by another name only; it has the last word over a token beside it.
  config.users = config.getUsers().map((user) => {
    const file = tokenFileOf(value.users, user.name);
    return file === undefined ? user : { ...user, token: undefined, authProvider: tokenFileCredentials(resolve(folder, file)) };
  });
  return config;
}

function tokenFileOf(users: unknown, name: string): string | undefined {
  if (!Array.isArray(users)) return undefined;
  const entry = users.find((each: { name?: unknown }) => each.name === name) as { user?: { tokenFile?: unknown } } | undefined;
  return typeof entry?.user?.tokenFile === "string" ? entry.user.tokenFile : undefined;
}
