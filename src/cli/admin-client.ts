// HTTP to a port on a pod's loopback, such as a sidecar's admin (15000) or the control plane's monitoring (15014).
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Client, errors } from "undici";
import { UserError } from "../common/user-error.ts";

/** Opens one connection to the port; rejects with a UserError that says why it can't. */
export type Connect = () => Promise<Duplex>;

export interface AdminTarget {
  /** What is asked, for messages: `sidecar of checkout-1.shop`. */
  readonly description: string;
  /** Why it may not answer and what to look at. */
  readonly hint: string;
  readonly connect: Connect;
}

const TIMEOUT_MS = 5000;

export class AdminClient {
  readonly #target: AdminTarget;
  readonly #timeoutMs: number;
  readonly #client: Client;
  #connectFailure: unknown;

  constructor(target: AdminTarget, timeoutMs = TIMEOUT_MS) {
    this.#target = target;
    this.#timeoutMs = timeoutMs;
    this.#client = new Client("http://127.0.0.1", {
      connect: (_options, callback) => {
        target.connect().then(
          // undici uses of a socket what every Duplex has.
          (socket) => callback(null, socket as Socket),
          (error: unknown) => {
            this.#connectFailure = error;
            callback(error instanceof Error ? error : new Error(String(error)), null);
          },
        );
      },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      pipelining: 1,
    });
  }

  /** Body of a 200 answer. @throws UserError for every other outcome. */
  get(path: string): Promise<string> {
    return this.#request("GET", path);
  }

  post(path: string): Promise<string> {
    return this.#request("POST", path);
  }

  /** As `get`, parsed. */
  async getJson(path: string): Promise<unknown> {
    const body = await this.get(path);
    try {
      return JSON.parse(body);
    } catch {
      throw new UserError(`${this.#target.description} answered ${path} with something that is not JSON`, this.#target.hint);
    }
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }

  async #request(method: "GET" | "POST", path: string, isAgain = false): Promise<string> {
    let response;
    let body: string;
    try {
      // The signal bounds the whole, connecting included: undici's own timeouts start after that.
      response = await this.#client.request({ method, path, signal: AbortSignal.timeout(this.#timeoutMs * 2) });
      body = await response.body.text();
    } catch (error) {
      // An idle connection may be closed just when it is used again (RFC 9112 §9.3.1).
      if (method === "GET" && !isAgain && error instanceof errors.SocketError) return this.#request(method, path, true);
      if (this.#connectFailure instanceof UserError) throw this.#connectFailure;
      throw new UserError(`${this.#target.description} does not answer ${path}: ${reasonOf(error)}`, this.#target.hint);
    }
    if (response.statusCode !== 200) {
      const firstLine = body.split("\n", 1)[0]!.slice(0, 200);
      // What it refuses (4xx) is the question's fault, not its own: looking at it would not help.
      const hint = response.statusCode < 500 ? undefined : this.#target.hint;
      throw new UserError(`${this.#target.description} answered ${path} with ${response.statusCode}: ${firstLine}`, hint);
    }
    return body;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError" || error.name === "HeadersTimeoutError" || error.name === "BodyTimeoutError")
    return "no answer in time";
  // The container runtime's words for it, at the end of a long sentence.
  if (/connection refused/i.test(error.message)) return "nothing listens there";
  return error.message;
}
