// A client that is in the middle of everything when it is cut off: `vanishing-client.ts ADDRESS HTTP-PORT TCP-PORT COUNT`
// opens connections that are idle after a request, in the midst of a head, of a body either way, or of a TCP stream.
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

const [host, httpPort, tcpPort, count] = process.argv.slice(2) as [string, string, string, string];

const BEGINNINGS: readonly { readonly port: string; readonly text: string; readonly answers: boolean; readonly reads?: boolean }[] = [
  { port: httpPort, text: "GET /small HTTP/1.1\r\nHost: a\r\n\r\n", answers: true },
  { port: httpPort, text: "GET /small HTTP/1.1\r\nHost:", answers: false },
  { port: httpPort, text: "GET /bytes/1000000000 HTTP/1.1\r\nHost: a\r\n\r\n", answers: true, reads: false },
  { port: httpPort, text: "GET /never HTTP/1.1\r\nHost: a\r\n\r\n", answers: false },
  { port: httpPort, text: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegun", answers: false },
  { port: tcpPort, text: "hello", answers: true },
];

async function begin(index: number): Promise<Socket> {
  const { port, text, answers, reads = true } = BEGINNINGS[index % BEGINNINGS.length]!;
  const socket = connect({ host, port: Number(port) });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(text);
  if (answers) await once(socket, "readable");
  if (reads) socket.resume();
  return socket;
}

await Promise.all(Array.from({ length: Number(count) }, (_, index) => begin(index)));
console.log(JSON.stringify("ready"));
process.stdin.once("end", () => process.exit(0)).resume();
