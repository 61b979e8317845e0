// /server_info: version, state, how long up, and the node as the control plane knows it.
import { fromBinary } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { VERSION } from "../../common/version.ts";
import { BootstrapSchema } from "../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { NodeSchema } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { AdminContext } from "./admin-server.ts";
import { json } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { messageJson } from "./resource-json.ts";

/** envoy.admin.v3.ServerInfo, defaults printed. */
export function serverInfo({ view, bootstrap, startedAt, commandLine }: AdminContext): Answer {
  const { node } = fromBinary(BootstrapSchema, bootstrap());
  const uptime = `${Math.floor((Date.now() - startedAt) / 1000)}s`;
  return json({
    // Five parts, as Envoy's: revision, version, state of the tree, kind of build, TLS library.
    version: `meshctl/${VERSION}/Clean/RELEASE/OpenSSL-${process.versions.openssl}`,
    state: view.state(),
    hot_restart_version: "disabled",
    command_line_options: commandLine,
    node: node === undefined ? {} : (messageJson(NodeSchema, node) as JsonObject),
    uptime_current_epoch: uptime,
    uptime_all_epochs: uptime,
  });
}
