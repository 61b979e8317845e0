// Who is to be pushed to next. A proxy stands in the queue at most once, however often the world changed meanwhile: when
// its turn comes it gets the newest configuration. A few are served at a time.

export interface Pushable {
  readonly closed: boolean;
  push(): Promise<void>;
}

export class PushQueue<Connection extends Pushable> {
  readonly #concurrency: number;
  readonly #onError: (connection: Connection, error: unknown) => void;
  readonly #waiting = new Set<Connection>();
  readonly #running = new Set<Connection>();

  constructor(concurrency: number, onError: (connection: Connection, error: unknown) => void) {
    this.#concurrency = concurrency;
    this.#onError = onError;
  }

  enqueue(connection: Connection): void {
    this.#waiting.add(connection);
    this.#next();
  }

  get length(): number {
    return this.#waiting.size;
  }

  #next(): void {
    for (const connection of this.#waiting) {
      if (this.#running.size >= this.#concurrency) return;
      // One push at a time to a proxy; a change during it waits for its end.
      if (this.#running.has(connection)) continue;
      this.#waiting.delete(connection);
      if (connection.closed) continue;
      this.#running.add(connection);
      connection
        .push()
        .catch((error: unknown) => this.#onError(connection, error))
        .finally(() => {
          this.#running.delete(connection);
          this.#next();
        });
    }
  }
}
