// From a query to its answer, whatever transport brought it: mesh names from the table, the rest from upstream.
import type { Counter, StatsStore } from "../telemetry/stats-store.ts";
import { relayAnswer, writeAnswer, writeFormatError } from "./answer-message.ts";
import type { Forwarder } from "./forwarder.ts";
import { lookUpName } from "./name-lookup.ts";
import type { NameScope } from "./name-lookup.ts";
import { CLASS_IN, readQuery, RecordType, ResponseCode } from "./query-message.ts";
import type { Query } from "./query-message.ts";

export class DnsStats {
  readonly queries: Counter;
  readonly answered: Counter;
  readonly nxdomain: Counter;
  readonly forwarded: Counter;
  readonly failed: Counter;
  readonly malformed: Counter;

  constructor(store: StatsStore) {
    const scope = store.plainScope("dns");
    this.queries = scope.counter("queries");
    this.answered = scope.counter("answered");
    this.nxdomain = scope.counter("nxdomain");
    this.forwarded = scope.counter("forwarded");
    this.failed = scope.counter("failed");
    this.malformed = scope.counter("malformed");
  }
}

export class Responder {
  readonly #names: () => ReadonlyMap<string, readonly string[]>;
  readonly #scope: NameScope;
  /** undefined: nobody else is asked. */
  readonly #forwarder: Forwarder | undefined;
  readonly #stats: DnsStats;
  #turn = 0;

  constructor(names: () => ReadonlyMap<string, readonly string[]>, scope: NameScope, forwarder: Forwarder | undefined, stats: DnsStats) {
    this.#names = names;
    this.#scope = scope;
    this.#forwarder = forwarder;
    this.#stats = stats;
  }

  /**
   * @param limit bytes that an answer to this query may have on its transport.
   * @returns the answer, undefined where none is due, or a promise where somebody else is asked.
   */
  respond(message: Uint8Array, limit: (query: Query) => number): Buffer | undefined | Promise<Buffer> {
    const query = readQuery(message);
    if (query === undefined || "unreadable" in query) {
      this.#stats.malformed.inc();
      return query === undefined ? undefined : writeFormatError(query.id);
    }
    this.#stats.queries.inc();
    const plain = (code: number): Buffer => writeAnswer(query, code, [], limit(query));
    if (query.opcode !== 0) return plain(ResponseCode.notImplemented);
    if (query.edns !== undefined && query.edns.version !== 0) return plain(ResponseCode.badVersion);
    const found = query.class === CLASS_IN ? lookUpName(query.name, this.#names(), this.#scope) : "unknown";
    if (found === "unknown" && this.#forwarder !== undefined) return this.#forward(this.#forwarder, query, message, limit(query));
    if (found === "unknown" || found === "absent") {
      this.#stats.nxdomain.inc();
      return plain(ResponseCode.nameError);
    }
    this.#stats.answered.inc();
    return writeAnswer(query, ResponseCode.noError, this.#rotated(ofFamily(found, query.type)), limit(query));
  }

  async #forward(forwarder: Forwarder, query: Query, message: Uint8Array, limit: number): Promise<Buffer> {
    this.#stats.forwarded.inc();
    const answer = await forwarder.ask(query, message);
    if (answer !== undefined) return relayAnswer(query, answer, limit);
    this.#stats.failed.inc();
    return writeAnswer(query, ResponseCode.serverFailure, [], limit);
  }

  /** The next address first in every answer: clients that only try the first one still spread. */
  #rotated(addresses: readonly string[]): readonly string[] {
    if (addresses.length < 2) return addresses;
    this.#turn = (this.#turn + 1) >>> 0;
    const start = this.#turn % addresses.length;
    return [...addresses.slice(start), ...addresses.slice(0, start)];
  }
}

/** A name that is ours but has no such record exists all the same: no addresses, no error. */
function ofFamily(addresses: readonly string[], type: number): readonly string[] {
  if (type === RecordType.A) return addresses.filter(isV4);
  if (type === RecordType.AAAA) return addresses.filter((address) => !isV4(address));
  return [];
}

function isV4(address: string): boolean {
  return address.includes(".");
}
