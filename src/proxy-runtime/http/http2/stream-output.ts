// What a stream has still to send when windows or the socket are full: copies of data, then trailers or the end.
import type { HeaderList } from "../header-list.ts";
import { ByteQueue } from "./byte-queue.ts";

export class StreamOutput {
  readonly data = new ByteQueue();
  /** The stream ends after the last byte. */
  endsWithData = false;
  trailers: HeaderList | undefined = undefined;

  get isEmpty(): boolean {
    return this.data.length === 0 && !this.endsWithData && this.trailers === undefined;
  }

  clear(): void {
    this.data.clear();
    this.endsWithData = false;
    this.trailers = undefined;
  }
}
