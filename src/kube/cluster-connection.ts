// One cluster, as one user: where the API server is and how requests to it are signed. The client's KubeConfig, with what
// it lacks for a process that runs for months: connections that are kept (the client's own makes a pool per request),
// tokens that are read again for every request, and an end.
import { KubeConfig } from "@kubernetes/client-node";
import type { RequestContext } from "@kubernetes/client-node";
import { readFileSync } from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { Agent, ProxyAgent } from "undici";
import type { Dispatcher } from "undici";
import { describeFileError } from "../common/file-error.ts";
import { ApiError } from "./api-error.ts";

/** The name under which a user's credentials are a token in a file. */
const TOKEN_FILE = "token-file";
/** Shorter than load balancers' idle limits (AWS: 60 s), as client-go's. */
const KEEP_ALIVE_DELAY_MS = 30_000;

export class ClusterConnection extends KubeConfig {
  #pool: { readonly key: string; readonly dispatcher: Dispatcher } | undefined;
  readonly #closing = new AbortController();

  constructor() {
    super();
    this.addAuthenticator({
      isAuthProvider: (user) => (user.authProvider as { name?: string } | undefined)?.name === TOKEN_FILE,
      applyAuthentication: async (user, options) => {
        const { path } = (user.authProvider as { config: { path: string } }).config;
        const request = options as RequestOptions;
        request.headers = { ...(request.headers as OutgoingHttpHeaders | undefined), Authorization: `Bearer ${readToken(path)}` };
      },
    });
  }

  /** Base URL of the API server; `https://host:port`, sometimes with a path. */
  get server(): string {
    return this.getCurrentCluster()?.server ?? "";
  }

  /** Of the context: where things are that are named without one. */
  get namespace(): string {
    return this.getContextObject(this.getCurrentContext())?.namespace ?? "default";
  }

  /** Aborted by close(). */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    if (this.closed.aborted) throw new ApiError(0, "", "the connection is closed");
    const options: RequestOptions = {};
    await this.applyToHTTPSOptions(options);
    for (const [name, value] of Object.entries(options.headers ?? {})) context.setHeaderParam(name, String(value));
    if (options.auth) context.setHeaderParam("Authorization", `Basic ${Buffer.from(options.auth).toString("base64")}`);
    context.setDispatcher(this.#dispatcher(options));
  }

  /** Breaks off every request. */
  close(): void {
    this.#closing.abort();
    void this.#pool?.dispatcher.destroy();
    this.#pool = undefined;
  }

  /** The same as long as certificates and keys are: they are files, and rotate. */
  #dispatcher(options: RequestOptions): Dispatcher {
    const { ca, cert, key, rejectUnauthorized, servername } = options;
    const pool =
      [ca, cert, key].map((each) => (each as Buffer | undefined)?.toString() ?? "").join() + `${rejectUnauthorized} ${servername}`;
    if (this.#pool?.key === pool) return this.#pool.dispatcher;
    // Watches that run over the old one go on until they end.
    void this.#pool?.dispatcher.close();
    const tls = { ca, cert, key, rejectUnauthorized, servername };
    const set = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
    // The signal, because undici's destroy() leaves those alone that are being opened, for as long as 10 s.
    const socket = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS, signal: this.closed };
    const proxy = this.getCurrentCluster()?.proxyUrl;
    // HTTP/1.1: each watch has a connection of its own, and none waits for another's reader.
    const dispatcher =
      proxy === undefined
        ? new Agent({ allowH2: false, connect: { ...set, ...socket } })
        : new ProxyAgent({ allowH2: false, uri: proxy, requestTls: set, connect: socket });
    this.#pool = { key: pool, dispatcher };
    return dispatcher;
  }
}

/** Credentials of a user whose token is in a file that is replaced from time to time. */
export function tokenFileCredentials(path: string): { readonly name: string; readonly config: { readonly path: string } } {
  return { name: TOKEN_FILE, config: { path } };
}

function readToken(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new ApiError(0, "", `can't read the token from ${path}: ${describeFileError(error)}`);
  }
}
