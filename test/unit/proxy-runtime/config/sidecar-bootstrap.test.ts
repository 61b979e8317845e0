// The sidecar's own bootstrap, from the environment that the injector writes.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { BootstrapSchema } from "../../../../src/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { buildSidecarBootstrap, parseDownwardLabels } from "../../../../src/proxy-runtime/config/sidecar-bootstrap.ts";
import { withFiles } from "../../../support/openssl.ts";

const ENV = {
  POD_NAME: "backend-1",
  POD_NAMESPACE: "shop",
  INSTANCE_IP: "10.1.0.5",
  INSTANCE_IPS: "10.1.0.5,fd00::5",
  SERVICE_ACCOUNT: "backend",
  MESHCTL_META_WORKLOAD_NAME: "backend",
  MESHCTL_META_LABELS: '{"app":"backend"}',
  MESHCTL_DISCOVERY_ADDRESS: "meshctl.mesh-system.svc:15012",
};
const settings = { env: ENV, domain: undefined, dnsCapture: true, labelsFile: "/nowhere" };

describe("the sidecar's bootstrap", () => {
  test("says who the sidecar is in Istio's words", () => {
    const { node } = buildSidecarBootstrap(settings);
    assert.equal(node.id, "sidecar~10.1.0.5~backend-1.shop~shop.svc.cluster.local");
    assert.equal(node.cluster, "backend.shop");
    assert.deepEqual(
      { ...node.metadata, ISTIO_VERSION: "" },
      {
        NAMESPACE: "shop",
        SERVICE_ACCOUNT: "backend",
        LABELS: { app: "backend" },
        INSTANCE_IPS: "10.1.0.5,fd00::5",
        ISTIO_VERSION: "",
        INTERCEPTION_MODE: "REDIRECT",
        DNS_CAPTURE: "true",
        WORKLOAD_NAME: "backend",
      },
    );
    assert.equal(
      buildSidecarBootstrap({ ...settings, domain: "shop.svc.example.org" }).node.id,
      "sidecar~10.1.0.5~backend-1.shop~shop.svc.example.org",
    );
  });

  test("is shown in /config_dump as a Bootstrap", () => {
    const config = buildSidecarBootstrap(settings);
    assert.deepEqual(fromBinary(BootstrapSchema, config.bytes).node!.metadata, config.node.metadata);
  });

  test("reaches the control plane over TLS with root and token, and 15010 in plaintext", () => {
    const { ads } = buildSidecarBootstrap(settings);
    assert.deepEqual(
      [ads!.address, ads!.tls!.sni, ads!.rootsFile, ads!.tokenFile],
      [
        { host: "meshctl.mesh-system.svc", port: 15012 },
        "meshctl.mesh-system.svc",
        "/var/run/secrets/meshctl/root-cert.pem",
        "/var/run/secrets/tokens/meshctl-token",
      ],
    );
    assert.equal(buildSidecarBootstrap({ ...settings, env: { ...ENV, MESHCTL_DISCOVERY_ADDRESS: "[::1]:15010" } }).ads!.tls, undefined);
  });

  test("prefers the labels that Kubernetes keeps current", () => {
    withFiles({ labels: 'app="backend"\nversion="v\\"2\\""\n' }, (folder) => {
      assert.deepEqual(buildSidecarBootstrap({ ...settings, labelsFile: join(folder, "labels") }).node.metadata["LABELS"], {
        app: "backend",
        version: 'v"2"',
      });
    });
    assert.deepEqual(parseDownwardLabels('\na="b=c"\n'), { a: "b=c" });
  });

  test("names what the environment lacks", () => {
    assert.throws(() => buildSidecarBootstrap({ ...settings, env: {} }), {
      message: "the environment lacks POD_NAME, POD_NAMESPACE, INSTANCE_IP, MESHCTL_DISCOVERY_ADDRESS",
    });
    assert.throws(() => buildSidecarBootstrap({ ...settings, env: { ...ENV, MESHCTL_DISCOVERY_ADDRESS: "x" } }), {
      message: "MESHCTL_DISCOVERY_ADDRESS=x is no HOST:PORT",
    });
    assert.throws(() => buildSidecarBootstrap({ ...settings, env: { ...ENV, INSTANCE_IP: "x" } }), {
      message: "INSTANCE_IP=x is no IP address",
    });
    assert.throws(
      () => buildSidecarBootstrap({ ...settings, env: { ...ENV, MESHCTL_META_LABELS: "[1]" } }),
      /MESHCTL_META_LABELS is no JSON object of texts/,
    );
  });
});
