// Connections to a proxy that have carried one request and then stay open without a word.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { UserError } from "../src/common/user-error.ts";
import type { Certificates } from "./certificates.ts";
import { REQUEST } from "./rules.ts";

const AT_ONCE = 20;
const ANSWER_WITHIN_MS = 10_000;

export class IdleConnections {
  readonly #port: number;
  readonly #tls: ConnectionOptions | undefined;
  #sockets: Socket[] = [];

  /** @param certificates for mTLS with the client's identity; plaintext without. */
  constructor(port: number, certificates: Certificates | undefined) {
    this.#port = port;
    this.#tls = certificates && {
      servername: certificates.server.dnsName,
      ca: readFileSync(certificates.rootsFile),
      cert: readFileSync(certificates.client.certificateFile),
      key: readFileSync(certificates.client.keyFile),
      ALPNProtocols: ["http/1.1"],
    };
  }

  async open(count: number, signal: AbortSignal): Promise<void> {
    let left = count;
    const work = async (): Promise<void> => {
      while (left-- > 0 && !signal.aborted) this.#sockets.push(await this.#openOne());
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  close(): void {
    for (const each of this.#sockets) each.destroy();
    this.#sockets = [];
  }

  #openOne(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const where = { host: "127.0.0.1", port: this.#port };
      const socket = this.#tls === undefined ? connect(where) : connectTls({ ...where, ...this.#tls });
      const fail = (why: string): void => {
        socket.destroy();
        reject(new UserError(`an idle connection could not be made: ${why}`, "a sidecar that refuses connections is not measured"));
      };
      socket.once("error", (error) => fail(error.message));
      socket.once("close", () => fail("it was closed"));
      socket.setTimeout(ANSWER_WITHIN_MS, () => fail("no answer"));
      socket.write(`GET ${REQUEST.path} HTTP/1.1\r\nHost: ${REQUEST.host}\r\n\r\n`);
      socket.once("data", (bytes: Buffer) => {
        if (!bytes.latin1Slice(0, 12).startsWith("HTTP/1.1 200")) return fail(bytes.latin1Slice(0, 40));
        socket.setTimeout(0);
        socket.removeAllListeners("close");
        socket.resume();
        resolve(socket);
      });
    });
  }
}
