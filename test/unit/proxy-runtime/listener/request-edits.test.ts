import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpConnectionManagerConfig } from "../../../../src/proxy-runtime/config/listener-config.ts";
import { editRequest } from "../../../../src/proxy-runtime/listener/request-edits.ts";
import type { ConnectionInfo, PeerIdentity } from "../../../../src/proxy-runtime/telemetry/stream-info.ts";
import { requestHead } from "../../../support/request-head.ts";

const CONFIG = {
  useRemoteAddress: false,
  skipXffAppend: false,
  generateRequestId: true,
  preserveExternalRequestId: false,
  normalizePath: false,
  mergeSlashes: false,
  escapedSlashes: "keep",
  forwardClientCert: "sanitize",
  setClientCertDetails: { subject: false, uri: true, dns: false },
} as unknown as HttpConnectionManagerConfig;

const PEER: PeerIdentity = { uri: "spiffe://td/ns/n/sa/client", subject: "CN=client", dns: ["c.test"], hash: "abc" };

interface Options {
  readonly config?: Partial<HttpConnectionManagerConfig>;
  readonly peer?: Partial<PeerIdentity>;
  readonly tls?: boolean;
  readonly fields?: Parameters<typeof requestHead>[0];
}

/** Headers after the edits, lower-case names; undefined where the request was refused. */
function edited(
  headers: readonly string[],
  { config = {}, peer, tls = peer !== undefined, fields = {} }: Options = {},
): Record<string, string> | undefined {
  const head = requestHead({ ...fields, headers });
  const connection: ConnectionInfo = {
    id: 1,
    remoteAddress: "192.0.2.7:5000",
    localAddress: "10.0.0.1:80",
    tlsVersion: tls ? "TLSv1.3" : "",
    peer: peer === undefined ? undefined : { ...PEER, ...peer },
    localUri: "spiffe://td/ns/n/sa/server",
    serverName: "",
  };
  if (!editRequest(head, { ...CONFIG, ...config }, connection, "192.0.2.7")) return undefined;
  const flat = head.headers.toFlat();
  const result: Record<string, string> = { ":path": head.path };
  for (let index = 0; index < flat.length; index += 2) {
    const name = flat[index]!.toLowerCase();
    assert.equal(result[name], undefined, `${name} stands twice`);
    result[name] = flat[index + 1]!;
  }
  return result;
}

describe("x-forwarded-for", () => {
  test("is left alone by a sidecar's outbound side", () =>
    assert.equal(edited(["X-Forwarded-For", "1.1.1.1"])!["x-forwarded-for"], "1.1.1.1"));
  test("gets the peer's address at an edge, after what was there", () => {
    const config = { useRemoteAddress: true };
    assert.equal(edited([], { config })!["x-forwarded-for"], "192.0.2.7");
    assert.equal(
      edited(["X-Forwarded-For", "1.1.1.1", "x-forwarded-for", "2.2.2.2"], { config })!["x-forwarded-for"],
      "1.1.1.1,2.2.2.2,192.0.2.7",
    );
    assert.equal(
      edited(["X-Forwarded-For", "1.1.1.1"], { config: { useRemoteAddress: true, skipXffAppend: true } })!["x-forwarded-for"],
      "1.1.1.1",
    );
  });
});

describe("x-forwarded-proto", () => {
  test("says how the connection came, not what the target says", () => {
    assert.equal(edited([])!["x-forwarded-proto"], "http");
    assert.equal(edited([], { tls: true })!["x-forwarded-proto"], "https");
    assert.equal(edited([], { fields: { scheme: "https" } })!["x-forwarded-proto"], "http");
  });
  test("of a proxy before us is kept, of a client at an edge is not", () => {
    assert.equal(edited(["X-Forwarded-Proto", "https"])!["x-forwarded-proto"], "https");
    assert.equal(edited(["X-Forwarded-Proto", "https"], { config: { useRemoteAddress: true } })!["x-forwarded-proto"], "http");
  });
});

describe("x-request-id", () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  test("is made where there is none", () => {
    const first = edited([])!["x-request-id"]!;
    assert.match(first, uuid);
    assert.notEqual(first, edited([])!["x-request-id"]);
    assert.equal(edited([], { config: { generateRequestId: false } })!["x-request-id"], undefined);
  });
  test("is kept within the mesh, and made anew at an edge unless told otherwise", () => {
    assert.equal(edited(["X-Request-Id", "mine"])!["x-request-id"], "mine");
    assert.match(edited(["X-Request-Id", "mine"], { config: { useRemoteAddress: true } })!["x-request-id"]!, uuid);
    assert.equal(
      edited(["X-Request-Id", "mine"], { config: { useRemoteAddress: true, preserveExternalRequestId: true } })!["x-request-id"],
      "mine",
    );
  });
});

test("headers by which clients could steer the proxy are removed", () => {
  const left = edited([
    "X-Envoy-Internal",
    "true",
    "x-envoy-external-address",
    "1",
    "x-envoy-original-path",
    "/x",
    "X-Envoy-Decorator-Operation",
    "o",
    "x-ok",
    "1",
  ])!;
  assert.deepEqual(
    Object.keys(left).filter((name) => name.startsWith("x-envoy")),
    [],
  );
  assert.equal(left["x-ok"], "1");
});

describe("x-forwarded-client-cert", () => {
  const sent = ["X-Forwarded-Client-Cert", "By=a;URI=spiffe://forged"];
  const value = (mode: HttpConnectionManagerConfig["forwardClientCert"], options: Options = {}): string | undefined =>
    edited(sent, { ...options, config: { forwardClientCert: mode, ...options.config } })!["x-forwarded-client-cert"];
  const own = "By=spiffe://td/ns/n/sa/server;Hash=abc;URI=spiffe://td/ns/n/sa/client";

  test("from a peer without a certificate is believed in no mode but always_forward_only", () => {
    for (const mode of ["sanitize", "forward_only", "append_forward", "sanitize_set"] as const) assert.equal(value(mode), undefined, mode);
    assert.equal(value("always_forward_only"), sent[1]);
  });

  test("from a mutual TLS peer follows the mode", () => {
    assert.equal(value("sanitize", { peer: {} }), undefined);
    assert.equal(value("forward_only", { peer: {} }), sent[1]);
    assert.equal(value("append_forward", { peer: {} }), `${sent[1]},${own}`);
    assert.equal(value("sanitize_set", { peer: {} }), own);
    assert.equal(value("always_forward_only", { peer: {} }), sent[1]);
  });

  test("names what is asked for", () => {
    const config = { setClientCertDetails: { subject: true, uri: false, dns: true } };
    assert.equal(
      value("sanitize_set", { peer: { dns: ["a", "b"] }, config }),
      'By=spiffe://td/ns/n/sa/server;Hash=abc;Subject="CN=client";DNS=a;DNS=b',
    );
  });

  test("can't be made to break lines or leave its quotes by a subject", () => {
    const config = { setClientCertDetails: { subject: true, uri: false, dns: false } };
    const subject = (text: string): string => value("sanitize_set", { peer: { subject: text }, config })!.split("Subject=")[1]!;
    assert.equal(subject("C=DE\nO=Acme\nCN=me"), '"CN=me,O=Acme,C=DE"');
    assert.equal(subject('CN=a"b\\c'), '"CN=a\\"b\\\\c"');
    // U+010A has a line feed as its low byte.
    assert.doesNotMatch(subject("CN=a\u010ab\r\0"), /[\r\n\0]/);
    assert.equal(subject("CN=ü"), '"CN=\u00c3\u00bc"');
  });
});

test("a path that can't be normalized refuses the request, and query strings stay as they are", () => {
  const config = { normalizePath: true };
  assert.equal(edited([], { config, fields: { path: "/../x" } }), undefined);
  assert.equal(edited([], { config, fields: { path: "/a/../x?y=/../z" } })![":path"], "/x?y=/../z");
});
