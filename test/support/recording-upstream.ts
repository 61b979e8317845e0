// An upstream that writes down every whole request, byte for byte, and answers it.
import { startRawServer, type RawServer } from "./raw-peer.ts";
import { readRequest } from "./strict-reader.ts";

export interface RecordingUpstream {
  readonly port: number;
  /** Whole requests since the last `clear`, in the order of their ends, chunks joined. */
  readonly requests: readonly string[];
  /** What has come of requests that are not whole, of all connections that are open. */
  readonly unfinished: string;
  clear(): void;
  stop(): Promise<void>;
}

/** @param answer what it says to a whole request. */
export async function startRecordingUpstream(answer: (request: string) => string): Promise<RecordingUpstream> {
  let requests: string[] = [];
  const server: RawServer = await startRawServer((peer) => {
    peer.socket.on("data", () => {
      for (let next = readRequest(peer.text); next !== undefined; next = readRequest(peer.text)) {
        peer.text = peer.text.slice(next.text.length);
        requests.push(next.joined);
        peer.write(answer(next.joined));
      }
    });
    // A proxy that closes its half has nothing more to say, and expects nothing.
    peer.socket.on("end", () => peer.end());
  });
  return {
    port: server.port,
    get requests() {
      return requests;
    },
    get unfinished() {
      return server.peers
        .filter((peer) => !peer.closed)
        .map((peer) => peer.text)
        .join("");
    },
    clear() {
      requests = [];
    },
    stop: () => server.stop(),
  };
}
