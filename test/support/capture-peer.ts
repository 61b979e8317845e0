// A server for tests of traffic capture: `capture-peer.ts UID PLACE...`, a place being tcp:PORT, udp:PORT, or
// local-udp:PORT (on the loopback addresses only). It answers each connection and datagram with the port at which it
// arrived and, for TCP, where it had been going (`-`: there).
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { loadNativeCalls } from "../../src/capture/verify/native-calls.ts";

const [uid = "0", ...places] = process.argv.slice(2);
const native = await loadNativeCalls();
process.setgroups?.([]);
process.setgid?.(Number(uid));
process.setuid?.(Number(uid));

async function listenTcp(port: number, host: string): Promise<void> {
  const server = createServer((socket) => {
    const original = native.originalDestination(socket);
    socket.on("error", () => undefined);
    socket.end(`${port} ${original === undefined || original.port === port ? "-" : `${original.address} ${original.port}`}\n`);
  });
  await new Promise<void>((resolve) => server.listen({ port, host, ipv6Only: true }, resolve));
}

async function listenUdp(port: number, type: "udp4" | "udp6", host: string): Promise<void> {
  const socket = createSocket({ type, ipv6Only: type === "udp6" });
  socket.on("message", (_, from) => socket.send(`${port}\n`, from.port, from.address));
  await new Promise<void>((resolve) => socket.bind(port, host, resolve));
}

for (const place of places) {
  const [protocol, port] = place.split(":");
  if (protocol === "tcp") await Promise.all([listenTcp(Number(port), "0.0.0.0"), listenTcp(Number(port), "::")]);
  else if (protocol === "udp") await Promise.all([listenUdp(Number(port), "udp4", "0.0.0.0"), listenUdp(Number(port), "udp6", "::")]);
  else await Promise.all([listenUdp(Number(port), "udp4", "127.0.0.1"), listenUdp(Number(port), "udp6", "::1")]);
}
console.log("listening");
