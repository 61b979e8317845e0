// A small API server over TLS on loopback, for what is about our controller and our CLI: lists in pages, watches with
// bookmarks, create, update, patch and delete with resource versions; and every way to be a bad one, at a test's word.
// Schemas, permissions, field ownership and webhooks are a real server's work and aren't here.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { selfSigned } from "../openssl.ts";
import { BUILT_IN, groupList, MESH_CRDS, parseApiPath, resourceList } from "./api-resources.ts";
import type { ApiPath, ApiResource } from "./api-resources.ts";
import { readBody, reply } from "./api-messages.ts";
import { ApiFailure, EXPIRED, forbidden } from "./api-status.ts";
import { forwardPort, refuseUpgrade } from "./kubelet.ts";
import type { ForwardTarget } from "./kubelet.ts";
import { ObjectStore } from "./object-store.ts";
import type { Preconditions, StoredObject } from "./object-store.ts";
import { applyPatch } from "./patches.ts";
import { toSelector } from "./selectors.ts";
import { Watcher } from "./watcher.ts";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** `Impersonate-User`. */
  readonly as: string | undefined;
}

interface Page {
  readonly rest: readonly StoredObject[];
  readonly version: number;
}

export class ApiServer {
  readonly store = new ObjectStore();
  /** Every request, in order of arrival. */
  readonly requests: SeenRequest[] = [];
  /** Tokens that are let in; undefined: everybody. */
  tokens: ReadonlySet<string> | undefined;
  onConnection: () => void = () => undefined;
  /** By kind, such as TokenReview: the status of what is answered and never kept. */
  readonly reviews = new Map<string, (spec: Record<string, unknown>) => Record<string, unknown>>();
  /** What it calls itself. */
  kubernetesVersion = "v1.33.0";
  /** Called before a request is looked at. */
  onRequest: (request: SeenRequest) => void = () => undefined;
  /** Where a pod's port is, for port-forwarding; undefined: nothing listens there. */
  forward: (namespace: string, pod: string, port: number) => ForwardTarget | undefined = () => undefined;
  /** What isn't allowed. */
  forbids: (request: SeenRequest) => boolean = () => false;
  readonly #tls = selfSigned("DNS:localhost,IP:127.0.0.1");
  readonly #server = createServer({ cert: this.#tls.certificate, key: this.#tls.key }, (request, response) => {
    void this.#serve(request, response);
  });
  readonly #sockets = new Set<Socket>();
  readonly #watchers = new Set<Watcher>();
  readonly #pages = new Map<string, Page>();
  #crds: readonly ApiResource[] = MESH_CRDS;
  #port = 0;
  #failures: ApiFailure[] = [];
  #held: (() => void)[] | undefined;

  constructor() {
    this.store.onEvent = (event) => {
      for (const each of this.#watchers) each.tell(event);
    };
    this.#server.on("upgrade", (request, socket) => void this.#upgrade(request, socket));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      this.onConnection();
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** Listens; once stopped, on the same port again. */
  async start(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.release();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cutConnections();
    await closed;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  get certificate(): string {
    return this.#tls.certificate;
  }

  /** Text of a kubeconfig with one context, `double`. */
  kubeconfig({ token = "t0ken" }: { readonly token?: string } = {}): string {
    const ca = Buffer.from(this.certificate).toString("base64");
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "double",
      clusters: [{ name: "double", cluster: { server: this.url, "certificate-authority-data": ca } }],
      users: [{ name: "tester", user: { token } }],
      contexts: [{ name: "double", context: { cluster: "double", user: "tester" } }],
    });
  }

  /** Creates an object as `kubectl create` would, by its own apiVersion, kind and namespace. */
  create(object: Readonly<Record<string, unknown>>): StoredObject {
    const { resource, namespace } = this.#placeOf(object);
    return this.store.create(resource, namespace, object);
  }

  /** As it is now; undefined when it isn't there. */
  find(object: Readonly<Record<string, unknown>>): StoredObject | undefined {
    const { resource, namespace, name } = this.#placeOf(object);
    return this.store.list(resource, namespace).find((each) => each.metadata.name === name);
  }

  /** Replaces an object whole, status included, whatever its resource version. */
  replace(object: Readonly<Record<string, unknown>>): StoredObject {
    const { resource, namespace, name } = this.#placeOf(object);
    const { resourceVersion: _resourceVersion, ...metadata } = object["metadata"] as Readonly<Record<string, unknown>>;
    const draft = { ...object, metadata };
    this.store.update(resource, namespace, name, draft, "object");
    return "status" in object ? this.store.update(resource, namespace, name, draft, "status") : this.store.get(resource, namespace, name);
  }

  delete(object: Readonly<Record<string, unknown>>): void {
    const { resource, namespace, name } = this.#placeOf(object);
    this.store.delete(resource, namespace, name);
  }

  /** Which CRDs are installed from now on. Watches of those that went end. */
  setCrds(crds: readonly ApiResource[]): void {
    this.#crds = crds;
    for (const each of this.#watchers) if (!this.#resources().includes(each.resource)) each.end();
  }

  // Ways to be a bad server.

  /** Breaks every connection off, in the middle of whatever it carries. */
  cutConnections(): void {
    for (const each of this.#sockets) each.destroy();
  }

  /** Ends every watch in order, as servers do after some minutes. */
  endWatches(): void {
    for (const each of this.#watchers) each.end();
  }

  /** Tells every watch that asked for bookmarks how far it is. */
  sendBookmarks(): void {
    for (const each of this.#watchers) each.bookmark(this.store.version);
  }

  /** Writes a line as it stands into every watch of a kind. */
  sendToWatches(plural: string, line: string): void {
    for (const each of this.#watchers) if (each.resource.plural === plural) each.write(line);
  }

  /** The next requests are answered with these, one each. */
  failNext(...failures: readonly ApiFailure[]): void {
    this.#failures.push(...failures);
  }

  /** Answers nothing that comes from now on, until release(). */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const each of held) each();
  }

  /** Later pages of a list that has begun are gone. */
  forgetPages(): void {
    this.#pages.clear();
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** How many watches of a kind (all kinds without one) are open. */
  watches(plural?: string): number {
    return [...this.#watchers].filter((each) => plural === undefined || each.resource.plural === plural).length;
  }

  #resources(): readonly ApiResource[] {
    return [...BUILT_IN, ...this.#crds];
  }

  #placeOf(object: Readonly<Record<string, unknown>>): { resource: ApiResource; namespace: string | undefined; name: string } {
    const { apiVersion, kind } = object as { apiVersion: string; kind: string };
    const metadata = object["metadata"] as { name: string; namespace?: string };
    const resource = this.#resources().find(
      (each) =>
        each.kind === kind && each.versions.some((version) => [each.group, version].filter((part) => part !== "").join("/") === apiVersion),
    );
    if (resource === undefined) throw new Error(`the double serves no ${apiVersion} ${kind}`);
    return { resource, namespace: resource.namespaced ? (metadata.namespace ?? "default") : undefined, name: metadata.name };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    response.on("error", () => undefined);
    try {
      await this.#admit(request, url);
      if (response.closed) return;
      if (url.pathname === "/version") return reply(response, 200, { major: "1", minor: "33", gitVersion: this.kubernetesVersion });
      if (url.pathname === "/apis") return reply(response, 200, groupList(this.#resources()));
      const kinds = resourceList(url.pathname, this.#resources());
      if (kinds !== undefined) return reply(response, 200, kinds);
      const path = parseApiPath(url.pathname, this.#resources());
      if (path === undefined) return void response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
      if (request.method === "GET" && path.name === undefined) {
        if (url.searchParams.get("watch") === "true") this.#watch(path, url.searchParams, response);
        else this.#list(path, url.searchParams, response);
      } else {
        const body = await readBody(request);
        const contentType = request.headers["content-type"] ?? "";
        const object = this.store.tentatively(url.searchParams.has("dryRun"), () =>
          this.#change(request.method ?? "", path, contentType, body),
        );
        reply(response, request.method === "POST" ? 201 : 200, object);
      }
    } catch (error) {
      // Whoever asked is gone, in the middle of it or while held: nobody is to be answered.
      if (response.closed) return;
      if (!(error instanceof ApiFailure)) throw error;
      if (error.retryAfterS !== undefined) response.setHeader("retry-after", error.retryAfterS);
      reply(response, error.code, error.toStatus());
    }
  }

  /** Everything that comes before an answer. @throws ApiFailure */
  async #admit({ method = "", headers }: IncomingMessage, url: URL): Promise<void> {
    const { authorization } = headers;
    const as = headers["impersonate-user"] as string | undefined;
    const seen = { method, path: url.pathname, query: url.searchParams, authorization, as };
    this.requests.push(seen);
    this.onRequest(seen);
    if (this.#held !== undefined) await new Promise<void>((resolve) => this.#held?.push(resolve));
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
    if (this.tokens !== undefined && !this.tokens.has(authorization?.replace(/^Bearer /, "") ?? ""))
      throw new ApiFailure(401, "Unauthorized", "Unauthorized");
    if (this.forbids(seen)) throw forbidden(parseApiPath(url.pathname, this.#resources()), method, as ?? "tester");
  }

  /** Port-forwarding is all that is upgraded here. */
  async #upgrade(request: IncomingMessage, socket: Duplex): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    socket.on("error", () => undefined);
    try {
      await this.#admit(request, url);
      const { resource, namespace = "", name = "", subresource } = parseApiPath(url.pathname, this.#resources()) ?? assert.fail();
      if (subresource !== "portforward") throw new ApiFailure(400, "BadRequest", "nothing to upgrade");
      this.store.get(resource, namespace, name);
      const port = Number(url.searchParams.get("ports"));
      forwardPort(request, socket, port, this.forward(namespace, name, port));
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      refuseUpgrade(socket, error);
    }
  }

  #change(method: string, { resource, namespace, name, subresource }: ApiPath, contentType: string, body: unknown): StoredObject {
    const part = subresource === "status" ? "status" : "object";
    const draft = body as Record<string, unknown>;
    if (subresource !== undefined && part !== "status")
      throw new ApiFailure(404, "NotFound", "the server could not find the requested resource");
    switch (method) {
      case "POST":
        if (this.reviews.has(resource.kind)) return this.#review(resource.kind, draft);
        return this.store.create(resource, namespace, draft);
      case "GET":
        return this.store.get(resource, namespace, name ?? "");
      case "PUT":
        return this.store.update(resource, namespace, name ?? "", draft, part);
      case "PATCH": {
        const isThere = this.store.list(resource, namespace).some((each) => each.metadata.name === name);
        if (!isThere && contentType.startsWith("application/apply-patch")) return this.store.createByApply(resource, namespace, draft);
        const old: Record<string, unknown> = { ...this.store.get(resource, namespace, name ?? "") };
        return this.store.update(resource, namespace, name ?? "", applyPatch(contentType, old, draft), part);
      }
      case "DELETE":
        return this.store.delete(resource, namespace, name ?? "", draft["preconditions"] as Preconditions | undefined);
      default:
        throw new ApiFailure(405, "MethodNotAllowed", `${method} is not supported`);
    }
  }

  #review(kind: string, draft: Record<string, unknown>): StoredObject {
    const status = this.reviews.get(kind)?.((draft["spec"] ?? {}) as Record<string, unknown>);
    return { ...draft, status } as unknown as StoredObject;
  }

  #list({ resource, version, namespace }: ApiPath, query: URLSearchParams, response: ServerResponse): void {
    const token = query.get("continue");
    const begun =
      token === null
        ? { rest: this.store.list(resource, namespace).filter(toSelector(query)), version: this.store.version }
        : this.#pages.get(token);
    if (begun === undefined) throw new ApiFailure(410, "Expired", "The provided continue parameter is too old");
    const limit = Number(query.get("limit") ?? 0);
    const items = limit > 0 ? begun.rest.slice(0, limit) : begun.rest;
    const rest = begun.rest.slice(items.length);
    // The same list, later: a list that has begun shows one moment.
    const next = rest.length === 0 ? undefined : `${begun.version}.${rest.length}.${this.#pages.size}`;
    if (next !== undefined) this.#pages.set(next, { rest, version: begun.version });
    const apiVersion = [resource.group, version].filter((each) => each !== "").join("/");
    reply(response, 200, {
      kind: `${resource.kind}List`,
      apiVersion,
      metadata: {
        resourceVersion: String(begun.version),
        ...(next === undefined ? {} : { continue: next, remainingItemCount: rest.length }),
      },
      // Lists of built-in kinds tell neither; those of CRDs do.
      items: this.#crds.includes(resource)
        ? items.map((each) => ({ ...each, apiVersion }))
        : items.map(({ apiVersion: _apiVersion, kind: _kind, ...each }) => each),
    });
  }

  #watch({ resource, version, namespace }: ApiPath, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get("resourceVersion") ?? 0);
    const watcher = new Watcher(response, resource, version, namespace, query.get("allowWatchBookmarks") === "true", toSelector(query));
    const missed = this.store.since(from, resource);
    // As the watch cache does: the stream begins, and says in it that it can't.
    if (missed === undefined) return watcher.fail(EXPIRED);
    this.#watchers.add(watcher);
    response.on("close", () => this.#watchers.delete(watcher));
    for (const each of missed) watcher.tell(each);
  }
}
