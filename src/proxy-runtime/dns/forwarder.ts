// Asks the pod's own nameservers for names that the mesh doesn't know: a fresh socket and a random id for every
// question, so that an answer can't be guessed; TCP where an answer was truncated; the next server where one fails.
import { performance } from "node:perf_hooks";
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { HostPort } from "../../common/address.ts";
import { HEADER_BYTES, ResponseCode } from "./query-message.ts";
import type { Query } from "./query-message.ts";
import { MessageReader, frame } from "./tcp-framing.ts";

// An application's resolver gives up after 5 s; within that every server is asked twice, as long as it is quick to fail.
const TRY_MS = 2000;
const ROUNDS = 2;
const TOTAL_MS = 4800;
const MAX_WAITING = 1000;

export class Forwarder {
  readonly #servers: readonly HostPort[];
  readonly #ownPorts = new Set<number>();
  #waiting = 0;

  constructor(servers: readonly HostPort[]) {
    this.#servers = servers;
  }

  /** Whether one of our own questions came back to us: somebody redirects or lists us as our own upstream. */
  isOwnPort(port: number): boolean {
    return this.#ownPorts.has(port);
  }

  /** The answer with an id of its own, or undefined when no server gave one. Never rejects. */
  async ask(query: Query, message: Uint8Array): Promise<Buffer | undefined> {
    if (this.#waiting >= MAX_WAITING) return undefined;
    this.#waiting++;
    try {
      return await this.#askAll(query, message);
    } finally {
      this.#waiting--;
    }
  }

  async #askAll(query: Query, message: Uint8Array): Promise<Buffer | undefined> {
    const deadline = performance.now() + TOTAL_MS;
    let failure: Buffer | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of this.#servers) {
        const timeoutMs = Math.min(TRY_MS, deadline - performance.now());
        if (timeoutMs <= 0) return failure;
        const answer = await this.#askServer(server, query, message, timeoutMs);
        if (answer === undefined) continue;
        const code = answer[3]! & 15;
        if (code !== ResponseCode.serverFailure && code !== ResponseCode.refused) return answer;
        failure = answer;
      }
    }
    return failure;
  }

  async #askServer(server: HostPort, query: Query, message: Uint8Array, timeoutMs: number): Promise<Buffer | undefined> {
    const id = randomInt(0x10000);
    const question = Buffer.from(message);
    question.writeUInt16BE(id, 0);
    const answer = await this.#overUdp(server, id, query, question, timeoutMs);
    const isTruncated = answer !== undefined && (answer[2]! & 0x02) !== 0;
    if (!isTruncated) return answer;
    return (await overTcp(server, id, query, question, timeoutMs)) ?? answer;
  }

  #overUdp(server: HostPort, id: number, query: Query, question: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const socket = createSocket(isIPv6(server.host) ? "udp6" : "udp4");
      let port = 0;
      const finish = (answer: Buffer | undefined): void => {
        clearTimeout(timer);
        this.#ownPorts.delete(port);
        socket.close();
        resolve(answer);
      };
      const timer = setTimeout(finish, timeoutMs, undefined);
      // ICMP errors of a connected socket come as errors; a socket that is closed twice throws.
      socket.once("error", () => finish(undefined)).on("error", () => {});
      socket.on("message", (answer) => {
        if (isAnswerTo(answer, id, query)) finish(answer);
      });
      // Connected: the kernel drops what comes from any other address.
      socket.connect(server.port, server.host, (error?: Error) => {
        if (error !== undefined) return;
        port = socket.address().port;
        this.#ownPorts.add(port);
        socket.send(question);
      });
    });
  }
}

function overTcp(server: HostPort, id: number, query: Query, question: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect(server.port, server.host);
    const finish = (answer: Buffer | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(finish, timeoutMs, undefined);
    const reader = new MessageReader((answer) => finish(isAnswerTo(answer, id, query) ? answer : undefined));
    socket.on("error", () => finish(undefined));
    socket.on("close", () => finish(undefined));
    socket.on("data", (chunk: Buffer) => reader.push(chunk));
    socket.write(frame(question));
  });
}

/** Same id, and the same question but for its case (RFC 5452 §9.1). */
function isAnswerTo(answer: Buffer, id: number, query: Query): boolean {
  if (answer.length < HEADER_BYTES || answer.readUInt16BE(0) !== id || (answer[2]! & 0x80) === 0) return false;
  // Some servers leave the question out when they refuse.
  if (answer.readUInt16BE(4) === 0) return (answer[3]! & 15) !== ResponseCode.noError;
  const end = HEADER_BYTES + query.question.length;
  if (answer.readUInt16BE(4) !== 1 || answer.length < end) return false;
  const question = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1").toLowerCase();
  return question(answer.subarray(HEADER_BYTES, end)) === question(query.question);
}
