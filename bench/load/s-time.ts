// openssl s_time: new mTLS connections, each with one request over HTTP/1.1 and no session resumed. It does less for a
// handshake than a server (it does not verify the server's chain), so one core of it can keep a core of proxy busy.
import type { Certificates } from "../certificates.ts";
import { BODY, REQUEST } from "../rules.ts";
import { assertNoFailures, assertSome, findIn, runPinned } from "./load.ts";
import type { Load, LoadResult } from "./load.ts";

// s_time writes `GET <this> HTTP/1.0` and an empty line. Real clients of a mesh speak HTTP/1.1; the words that s_time adds
// end up in a header. It reads to the end of the connection, which the server therefore is to close.
const HTTP11_REQUEST = `${REQUEST.path} HTTP/1.1\r\nHost: ${REQUEST.host}\r\nConnection: close\r\nX-Added:`;

/** @param certificates the client shows its own; each of the `connections` is a process of s_time. */
export function newTlsConnections({ client }: Certificates): Load {
  return {
    name: "",
    unit: { one: "CONN", perSecond: "CONN/S" },
    async run(port, connections, seconds, signal) {
      const identity = ["-cert", client.certificateFile, "-key", client.keyFile];
      // Nothing of the machine's own roots is used, and reading them takes each process longer than many handshakes.
      const noRoots = ["-no-CAfile", "-no-CApath", "-no-CAstore"];
      const command = ["openssl", "s_time", ...noRoots, "-connect", `127.0.0.1:${port}`, "-new", "-tls1_3", "-time", String(seconds)];
      const startedAt = performance.now();
      // In place of the program's clock, which counts whole seconds: from the first process's start to the last one's end.
      const outputs = await Promise.all(
        Array.from({ length: connections }, () => runPinned([...command, ...identity, "-www", HTTP11_REQUEST], signal)),
      );
      const amount = outputs.map(parseTime).reduce((total, each) => total + each, 0);
      return { amount, perSecond: (amount * 1000) / (performance.now() - startedAt), latency: undefined } satisfies LoadResult;
    },
  };
}

/** How many connections there were. @throws UserError when not each of them has had its answer. */
export function parseTime(output: string): number {
  const [, count, bytes] = findIn("s_time", output, /^(\d+) connections in [\d.]+ real seconds, (\d+) bytes read per connection/m);
  assertSome(Number(count));
  assertNoFailures(Number(bytes) > BODY.length ? undefined : `${bytes} bytes an answer, which is less than its body`);
  return Number(count);
}
