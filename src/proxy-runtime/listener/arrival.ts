// One connection of a listener from accept to close: one object, where a callback for each event would be five.
import type { Socket } from "node:net";
import type { TlsFailure } from "../transport/tls-server.ts";
import type { ChainMember, RuntimeChain } from "./chain-set.ts";
import type { Accepted, ActiveConnection, ChainEvents } from "./filter-chain.ts";

/** What a listener does about its connections. */
export interface ArrivalOwner {
  onOpen(arrival: Arrival, chain: RuntimeChain): void;
  onClosed(arrival: Arrival, chain: RuntimeChain): void;
  /** Its socket has closed, whoever had it. */
  onGone(arrival: Arrival): void;
  onTlsHandshake(): void;
  onTlsFailure(accepted: Accepted, failure: TlsFailure, detail: string): void;
}

export class Arrival implements ChainEvents, ChainMember {
  readonly socket: Socket;
  openIndex = -1;
  active: ActiveConnection | undefined = undefined;
  readonly #owner: ArrivalOwner;
  #chain: RuntimeChain | undefined = undefined;
  #accepted: Accepted | undefined = undefined;

  constructor(socket: Socket, owner: ArrivalOwner) {
    this.socket = socket;
    this.#owner = owner;
    // Not once(), whose wrapper each idle connection would keep; nothing but `this` is kept, either.
    socket.on("close", () => owner.onGone(this));
  }

  /** Hands the connection to its filter chain. */
  enter(chain: RuntimeChain, accepted: Accepted): void {
    this.#chain = chain;
    this.#accepted = accepted;
    chain.chain.accept(accepted, this);
  }

  onOpen(active: ActiveConnection): void {
    this.active = active;
    this.#accepted = undefined; // only failures before this tell of it
    this.#owner.onOpen(this, this.#chain!);
  }

  onClosed(): void {
    this.#owner.onClosed(this, this.#chain!);
  }

  onTlsHandshake(): void {
    this.#owner.onTlsHandshake();
  }

  onTlsFailure(failure: TlsFailure, detail: string): void {
    this.#owner.onTlsFailure(this.#accepted!, failure, detail);
  }
}
