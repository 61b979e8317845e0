// What the injector replaced by a path of port 15020, and what of the application is to be scraped: read from the
// environment, where the injector wrote it.
import { failure, formatProblems, success, type Problem, type Result } from "../../common/result.ts";
import { UserError } from "../../common/user-error.ts";
import { Env } from "../../xds/names.ts";

export type AppHandler =
  | { readonly kind: "http"; readonly http: AppHttpGet }
  | { readonly kind: "tcp"; readonly port: number; readonly host?: string }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string };

export interface AppHttpGet {
  readonly path: string;
  readonly port: number;
  /** Undefined: the pod's own address. */
  readonly host?: string;
  readonly isTls: boolean;
  readonly headers: readonly (readonly [string, string])[];
}

export interface AppProber {
  readonly handler: AppHandler;
  /** Undefined, as for lifecycle handlers: as long as the asking side waits. */
  readonly timeoutMs: number | undefined;
}

export interface ScrapeTarget {
  readonly port: number;
  readonly path: string;
  readonly isTls: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** By path. @throws UserError where the variable holds anything else than the injector writes. */
export function readAppProbers(env: Readonly<Record<string, string | undefined>>): ReadonlyMap<string, AppProber> {
  const json = readJson(env, Env.appProbers);
  if (json === undefined) return new Map();
  if (!isJson(json)) throw wrong(Env.appProbers, "is no object");
  const probers = new Map<string, AppProber>();
  for (const [path, value] of Object.entries(json)) {
    const prober = decodeProber(value);
    if (!prober.ok) throw wrong(Env.appProbers, `${path}: ${formatProblems(prober.problems)}`);
    probers.set(path, prober.value);
  }
  return probers;
}

/** @throws UserError as above. */
export function readScrapeTargets(env: Readonly<Record<string, string | undefined>>): readonly ScrapeTarget[] {
  const json = readJson(env, Env.scrapeTargets) ?? [];
  if (!Array.isArray(json)) throw wrong(Env.scrapeTargets, "is no list");
  return json.map((each: unknown) => {
    const { port, path, scheme } = isJson(each) ? each : {};
    if (!isPort(port) || typeof path !== "string" || !isPath(path)) throw wrong(Env.scrapeTargets, "each target has a port and a path");
    return { port, path, isTls: scheme === "https" };
  });
}

function decodeProber(value: unknown): Result<AppProber> {
  if (!isJson(value)) return refuse("", "is no probe");
  const { httpGet, tcpSocket, grpc, timeoutSeconds } = value;
  if (timeoutSeconds !== undefined && !(typeof timeoutSeconds === "number" && timeoutSeconds > 0))
    return refuse("timeoutSeconds", "is no number of seconds");
  const timeoutMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
  const [field, given] = [
    ["httpGet", httpGet],
    ["tcpSocket", tcpSocket],
    ["grpc", grpc],
  ].find(([, each]) => each !== undefined) ?? ["", undefined];
  if (!isJson(given)) return refuse("", "has no httpGet, tcpSocket or grpc");
  const { port, host, service = "" } = given;
  if (!isPort(port)) return refuse(`${field as string}.port`, "is no port");
  if (host !== undefined && typeof host !== "string") return refuse(`${field as string}.host`, "is no text");
  const where = host === undefined || host === "" ? {} : { host };
  if (field === "tcpSocket") return success({ handler: { kind: "tcp", port, ...where }, timeoutMs });
  if (field === "grpc")
    return typeof service === "string"
      ? success({ handler: { kind: "grpc", port, service }, timeoutMs })
      : refuse("grpc.service", "is no text");
  const http = decodeHttpGet(given, port, where);
  return http.ok ? success({ handler: { kind: "http", http: http.value }, timeoutMs }) : http;
}

function decodeHttpGet(get: Json, port: number, where: { readonly host?: string }): Result<AppHttpGet> {
  const problems: Problem[] = [];
  const { path: given = "/", scheme = "HTTP", httpHeaders = [] } = get;
  // As kubelet: an empty path is the root, one without a slash gets it, and what no URL may hold is written with %.
  const path = typeof given !== "string" ? "" : (given.startsWith("/") ? given : `/${given}`).replaceAll(/[^\x21-\x7e]+/gu, encode);
  if (!isPath(path)) problems.push({ path: "httpGet.path", message: `${JSON.stringify(given)} is no path` });
  if (scheme !== "HTTP" && scheme !== "HTTPS") problems.push({ path: "httpGet.scheme", message: "is neither HTTP nor HTTPS" });
  const headers: [string, string][] = [];
  for (const header of Array.isArray(httpHeaders) ? (httpHeaders as unknown[]) : [undefined]) {
    const { name, value = "" } = isJson(header) ? header : {};
    // RFC 9110 §5.1 and §5.5.
    if (typeof name !== "string" || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || typeof value !== "string" || /[\r\n\0]/.test(value))
      problems.push({ path: "httpGet.httpHeaders", message: "one of them is no header" });
    else headers.push([name, value]);
  }
  return problems.length > 0 ? failure(problems) : success({ path, port, ...where, isTls: scheme === "HTTPS", headers });
}

function refuse(path: string, message: string): Result<never> {
  return failure([{ path, message }]);
}

function isPath(path: string): boolean {
  return /^\/[\x21-\x7e]*$/.test(path);
}

function encode(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readJson(env: Readonly<Record<string, string | undefined>>, name: string): unknown {
  const text = env[name] ?? "";
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw wrong(name, "is no JSON");
  }
}

function wrong(name: string, what: string): UserError {
  return new UserError(`the environment's ${name} ${what}`, "the injector writes it: inject the workload again");
}
