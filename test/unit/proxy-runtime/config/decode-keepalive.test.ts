// TCP keepalive as clusters and listeners ask for it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { formatProblems, type Result } from "../../../../src/common/result.ts";
import { decodeCluster } from "../../../../src/proxy-runtime/config/decode-cluster.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import type { KeepaliveConfig } from "../../../../src/proxy-runtime/config/keepalive-config.ts";
import { cluster, edsCluster, listener, rdsListener } from "../../../support/xds-resources.ts";

function valueOf<T>(result: Result<{ readonly value: T }>): T {
  if (!result.ok) throw new Error(formatProblems(result.problems));
  return result.value.value;
}

const ofCluster = (tcp_keepalive: JsonObject): KeepaliveConfig | undefined =>
  valueOf(decodeCluster(cluster(edsCluster("c", { upstream_connection_options: { tcp_keepalive } })))).tcpKeepalive;
const ofListener = (socket_options: JsonValue): KeepaliveConfig | undefined =>
  valueOf(decodeListener(listener({ ...rdsListener("l", "r"), socket_options }))).tcpKeepalive;
const option = (level: number, name: number, value: number): JsonObject => ({
  level: String(level),
  name: String(name),
  int_value: String(value),
});

describe("a cluster's tcp_keepalive", () => {
  test("leaves to the system what it doesn't say, and a 0 turns it off", () => {
    assert.deepEqual(ofCluster({}), { probes: undefined, timeSeconds: undefined, intervalSeconds: undefined });
    assert.deepEqual(ofCluster({ keepalive_probes: 3, keepalive_time: 60, keepalive_interval: 10 }), {
      probes: 3,
      timeSeconds: 60,
      intervalSeconds: 10,
    });
    assert.equal(ofCluster({ keepalive_time: 0, keepalive_probes: 3 }), undefined);
    assert.equal(valueOf(decodeCluster(cluster(edsCluster("c")))).tcpKeepalive, undefined);
  });

  test("is refused beyond the kernel's limits, and with options that nobody acts on", () => {
    assert.throws(() => ofCluster({ keepalive_time: 40000 }), /tcp_keepalive\.keepalive_time: must be at most 32767/);
    assert.throws(() => ofCluster({ keepalive_probes: 128 }), /keepalive_probes: must be at most 127/);
    const other = { set_local_interface_name_on_upstream_connections: true };
    assert.throws(() => valueOf(decodeCluster(cluster(edsCluster("c", { upstream_connection_options: other })))), /not supported/);
  });
});

describe("a listener's socket_options", () => {
  test("are keepalive's, when SO_KEEPALIVE is on", () => {
    assert.deepEqual(ofListener([option(1, 9, 1), option(6, 4, 60), option(6, 5, 10), option(6, 6, 3)]), {
      probes: 3,
      timeSeconds: 60,
      intervalSeconds: 10,
    });
    assert.equal(ofListener([option(6, 4, 60)]), undefined);
    assert.equal(ofListener([option(1, 9, 0), option(6, 1, 1)]), undefined);
  });

  test("are refused where the proxy would not act on them", () => {
    assert.throws(() => ofListener([option(1, 9, 1), option(1, 15, 1)]), /socket_options\[1\]: not supported: only SO_KEEPALIVE/);
    assert.throws(() => ofListener([option(6, 1, 0)]), /TCP_NODELAY is always on/);
    assert.throws(() => ofListener([{ level: "1", name: "9", buf_value: "AQ==" }]), /buf_value: not supported/);
    assert.throws(() => ofListener([option(1, 9, 1), option(6, 5, 0)]), /socket_options\[1\]\.int_value: must be at least 1/);
  });
});
