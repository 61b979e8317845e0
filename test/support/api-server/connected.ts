// The API server double with a connection to it, as most tests of what talks to one need them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadKubeconfig } from "../../../src/kube/cluster-config.ts";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { ApiServer } from "./api-server.ts";

export interface ConnectedApiServer {
  readonly server: ApiServer;
  readonly connection: ClusterConnection;
  /** One more, as another process has it. */
  connect(): ClusterConnection;
  close(): Promise<void>;
}

export async function startConnectedApiServer(): Promise<ConnectedApiServer> {
  const server = new ApiServer();
  await server.start();
  const connections: ClusterConnection[] = [];
  const connect = (): ClusterConnection => {
    const folder = mkdtempSync(join(tmpdir(), "meshctl-api-"));
    try {
      writeFileSync(join(folder, "config"), server.kubeconfig());
      const connection = loadKubeconfig({ kubeconfig: join(folder, "config"), context: undefined }, {});
      connections.push(connection);
      return connection;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  return {
    server,
    connection: connect(),
    connect,
    async close() {
      for (const each of connections) each.close();
      await server.stop();
    },
  };
}
