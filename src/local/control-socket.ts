// The supervisor's unix socket: `stop\n` ends the mesh; a connection that is merely held open tells when it has ended.
import net from "node:net";

const REQUEST_LIMIT = 64;

export function openControlSocket(path: string, onStop: () => void): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((client) => {
      let request = "";
      client.on("error", () => client.destroy());
      client.on("data", (chunk) => {
        request += chunk.toString("latin1");
        if (request === "stop\n") onStop();
        else if (request.length > REQUEST_LIMIT) client.destroy();
      });
    });
    server.once("error", reject).listen(path, () => resolve(server));
  });
}
