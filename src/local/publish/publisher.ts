// The machine's end of published ports: listens on loopback and hands every connection to the ingress pod through its
// unix socket. Lives outside the sandbox, in a process of its own, and ends with the mesh.
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { UserError } from "../../common/user-error.ts";
import { relay } from "../network/relay.ts";
import { forwardPort, INGRESS_NAME } from "./published-port.ts";
import { connectToPod, findMesh, runPaths, type MeshInfo, type PublishedPort } from "../run-folder.ts";

const RETRY_MS = 50;

/**
 * Opens a listening port on 127.0.0.1.
 * @throws UserError when it is taken or needs privileges.
 */
export function openHostPort(hostPort: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ allowHalfOpen: true });
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE")
        reject(new UserError(`port ${hostPort} is in use on this machine`, "choose another: --publish SERVICE:PORT:HOSTPORT"));
      else if (error.code === "EACCES")
        reject(new UserError(`port ${hostPort} needs root`, "choose one above 1023: --publish SERVICE:PORT:HOSTPORT"));
      else reject(error);
    });
    server.listen(hostPort, "127.0.0.1", () => resolve(server));
  });
}

/** Finds free ports where 0 was asked, and that none is taken. */
export async function chooseHostPorts(published: readonly PublishedPort[]): Promise<PublishedPort[]> {
  const servers: net.Server[] = [];
  try {
    const chosen: PublishedPort[] = [];
    for (const each of published) {
      const server = await openHostPort(each.hostPort);
      servers.push(server);
      chosen.push({ ...each, hostPort: (server.address() as net.AddressInfo).port });
    }
    return chosen;
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function forwardToIngress(mesh: MeshInfo, client: net.Socket, index: number): void {
  client.on("error", () => client.destroy());
  const pod = findMesh(mesh.name)?.pods.find((each) => each.owner.name === INGRESS_NAME && each.ready);
  if (pod === undefined) return void client.destroy();
  connectToPod(mesh, pod, forwardPort(index)).then(
    (inside) => {
      relay(client, inside);
    },
    () => client.destroy(),
  );
}

/** Serves until the mesh ends. */
export async function runPublisher(meshName: string): Promise<void> {
  const mesh = findMesh(meshName);
  if (mesh === undefined) throw new UserError(`no local mesh named ${meshName}`);
  writeFileSync(runPaths(mesh.folder).publisher, readFileSync("/proc/self/stat"), { mode: 0o600 });
  for (const [index, each] of mesh.published.entries()) {
    const server = await openHostPort(each.hostPort);
    server.on("connection", (client: net.Socket) => forwardToIngress(mesh, client, index));
  }
  // The supervisor's socket closes with the mesh, however it ends. It may not be there yet.
  while (findMesh(meshName)?.createdAt === mesh.createdAt && findMesh(meshName)?.phase !== "dead") {
    await holdOpen(runPaths(mesh.folder).control);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Resolves when the connection ends, or at once when there is none to be had. */
function holdOpen(path: string): Promise<void> {
  return new Promise((resolve) => {
    const lifeline = net.connect(path);
    lifeline.on("error", () => resolve()).on("close", () => resolve());
    lifeline.resume();
  });
}

/** Resolves when all ports accept connections. @throws UserError when they don't in time. */
export async function waitForPublisher(published: readonly PublishedPort[], withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (const { hostPort } of published) {
    while (!(await accepts(hostPort))) {
      if (performance.now() > deadline) throw new UserError(`published port ${hostPort} did not open within ${withinMs / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
