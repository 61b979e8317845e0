// The far end of relayed connections: reads and counts, and answers a client's FIN with the number of bytes that came.
// Arguments: port.
import { createServer } from "node:net";
import { RELAY_READ_BYTES, SharedReadBuffer } from "../../src/proxy-runtime/transport/shared-read-buffer.ts";

// Reading must cost little, or this end and not the proxy is the limit.
const reads = new SharedReadBuffer(RELAY_READ_BYTES);

createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
  let count = 0;
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end(String(count)));
  reads.attach(socket, (_buffer, length) => {
    count += length;
    return true;
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
