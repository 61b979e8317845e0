// The near end of relayed connections: writes 64 KB again and again for a while, then its FIN, and prints what the far end
// has counted. Arguments: port, connections, seconds. Fails when a byte is lost or a connection breaks.
import { connect } from "node:net";

const [port, connections, seconds] = process.argv.slice(2).map(Number) as [number, number, number];
const BLOCK = Buffer.alloc(65536, "x");
/** Writes in one turn of the event loop at most, so that every connection gets its turn. */
const WRITES_PER_TURN = 32;

const startedAt = performance.now();
let isOver = false;
let sentBytes = 0;
let countedBytes = 0;
setTimeout(() => (isOver = true), seconds * 1000);

function stream(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    let answer = "";
    const pump = (): void => {
      for (let index = 0; index < WRITES_PER_TURN; index += 1) {
        if (isOver) {
          socket.off("drain", pump);
          socket.end();
          return;
        }
        sentBytes += BLOCK.length;
        if (!socket.write(BLOCK)) return;
      }
      setImmediate(pump);
    };
    socket.on("connect", pump);
    socket.on("drain", pump);
    socket.on("data", (piece: Buffer) => (answer += piece.latin1Slice()));
    socket.on("error", reject);
    socket.on("close", () => {
      countedBytes += Number(answer);
      resolve();
    });
  });
}

await Promise.all(Array.from({ length: connections }, stream));
if (countedBytes !== sentBytes) throw new Error(`${sentBytes} bytes were sent and ${countedBytes} came`);
console.log(JSON.stringify({ bytes: countedBytes, seconds: (performance.now() - startedAt) / 1000 }));
