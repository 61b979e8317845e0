import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { describe, test } from "node:test";
import type { HttpConnectionManagerConfig } from "../../../../src/proxy-runtime/config/listener-config.ts";
import { RequestEdits, appendVia } from "../../../../src/proxy-runtime/listener/request-edits.ts";
import { HeaderList } from "../../../../src/proxy-runtime/http/header-list.ts";
import { StreamInfo, type ConnectionInfo, type PeerIdentity } from "../../../../src/proxy-runtime/telemetry/stream-info.ts";
import { requestHead } from "../../../support/request-head.ts";

const CONFIG = {
  useRemoteAddress: false,
  skipXffAppend: false,
  xffTrustedHops: 0,
  internalRanges: [
    { address: "10.0.0.0", prefixLength: 8 },
    { address: "127.0.0.0", prefixLength: 8 },
    { address: "fc00::", prefixLength: 7 },
  ],
  appendForwardedPort: false,
  schemeOverwrite: undefined,
  via: "",
  stripHostPort: "none",
  stripTrailingHostDot: false,
  headersWithUnderscores: "allow",
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
  readonly peerIp?: string;
  readonly fields?: Parameters<typeof requestHead>[0];
}

/** Headers after the edits, lower-case names; undefined where the request was refused. */
function edited(
  headers: readonly string[],
  { config = {}, peer, tls = peer !== undefined, fields = {}, peerIp = "192.0.2.7" }: Options = {},
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
  const info = new StreamInfo(connection, 0);
  if (new RequestEdits({ ...CONFIG, ...config }).apply(head, info, peerIp) !== "ok") return undefined;
  const flat = head.headers.toFlat();
  const result: Record<string, string> = {
    ":path": head.path,
    ":authority": head.authority,
    ":scheme": head.scheme,
    ":client": info.clientIp,
  };
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

const EDGE = { useRemoteAddress: true };

describe("the client's address", () => {
  const cases: readonly (readonly [
    what: string,
    config: Partial<HttpConnectionManagerConfig>,
    peerIp: string,
    xff: string | undefined,
    expected: { forwarded?: string | undefined; client?: string; internal?: boolean; external?: string },
  ])[] = [
    ["a sidecar without x-forwarded-for: the peer, external", {}, "10.0.0.9", undefined, {}],
    ["a sidecar behind one internal hop", {}, "10.0.0.9", "10.1.1.1", { forwarded: "10.1.1.1", client: "10.1.1.1", internal: true }],
    ["a sidecar, a single external address", {}, "10.0.0.9", "1.1.1.1", { forwarded: "1.1.1.1", client: "1.1.1.1" }],
    [
      "a sidecar, several addresses: the last, never internal",
      {},
      "10.0.0.9",
      "10.1.1.1, 10.2.2.2",
      { forwarded: "10.1.1.1, 10.2.2.2", client: "10.2.2.2" },
    ],
    ["a sidecar, rubbish", {}, "10.0.0.9", "me", { forwarded: "me" }],
    [
      "a sidecar that trusts one hop more",
      { xffTrustedHops: 1 },
      "10.0.0.9",
      "1.1.1.1,10.2.2.2",
      { forwarded: "1.1.1.1,10.2.2.2", client: "1.1.1.1" },
    ],
    ["a sidecar that trusts one hop more, without it", { xffTrustedHops: 1 }, "10.0.0.9", "10.2.2.2", { forwarded: "10.2.2.2" }],
    ["an IPv6 client", {}, "10.0.0.9", "fd00::1", { forwarded: "fd00::1", client: "fd00::1", internal: true }],
    ["an edge: an external peer", EDGE, "192.0.2.7", undefined, { forwarded: "192.0.2.7", external: "192.0.2.7" }],
    ["an edge: an internal peer", EDGE, "10.0.0.9", undefined, { forwarded: "10.0.0.9", internal: true }],
    [
      "an edge: an internal peer that speaks for another",
      EDGE,
      "10.0.0.9",
      "1.1.1.1",
      { forwarded: "1.1.1.1,10.0.0.9", external: "10.0.0.9" },
    ],
    [
      "an edge behind a trusted proxy",
      { ...EDGE, xffTrustedHops: 1 },
      "10.0.0.9",
      "6.6.6.6,1.1.1.1",
      { forwarded: "6.6.6.6,1.1.1.1,10.0.0.9", client: "1.1.1.1", external: "1.1.1.1" },
    ],
    [
      "an edge behind two, one of which is not there",
      { ...EDGE, xffTrustedHops: 2 },
      "10.0.0.9",
      "1.1.1.1",
      { forwarded: "1.1.1.1,10.0.0.9", external: "10.0.0.9" },
    ],
    [
      "an edge that appends nothing",
      { ...EDGE, skipXffAppend: true },
      "192.0.2.7",
      "1.1.1.1",
      { forwarded: "1.1.1.1", external: "192.0.2.7" },
    ],
    [
      "ranges of one's own",
      { ...EDGE, internalRanges: [{ address: "192.0.2.0", prefixLength: 24 }] },
      "192.0.2.7",
      undefined,
      { forwarded: "192.0.2.7", internal: true },
    ],
  ];
  for (const [what, config, peerIp, xff, { forwarded, client = "", internal = false, external }] of cases) {
    test(what, () => {
      const got = edited(xff === undefined ? ["X-Envoy-Internal", "true"] : ["X-Forwarded-For", xff, "X-Envoy-Internal", "true"], {
        config,
        peerIp,
      })!;
      assert.equal(got["x-forwarded-for"], forwarded);
      assert.equal(got[":client"], client);
      assert.equal(got["x-envoy-internal"], internal ? "true" : undefined);
      assert.equal(got["x-envoy-external-address"], external);
    });
  }

  test("of a peer on this machine is the machine's own, as others see it", () => {
    const got = edited([], { config: EDGE, peerIp: "127.0.0.1" })!["x-forwarded-for"]!;
    const others = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter((each) => !each.internal && each.family === "IPv4");
    assert.ok(others.length === 0 ? got === "127.0.0.1" : others.some((each) => each.address === got), got);
  });
});

describe("headers by which clients could steer the proxy", () => {
  const steering = [
    ...["x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries", "x-envoy-retriable-status-codes"],
    ...["x-envoy-retriable-header-names", "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms"],
    ...["x-envoy-upstream-rq-timeout-alt-response", "x-envoy-upstream-stream-duration-ms", "x-envoy-hedge-on-per-try-timeout"],
    ...["x-envoy-expected-rq-timeout-ms", "x-envoy-upstream-alt-stat-name", "x-envoy-force-trace", "x-envoy-ip-tags"],
  ];
  const origin = [
    ...["x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node"],
    ...["x-envoy-original-path", "x-envoy-original-host"],
  ];
  const sent = [...[...steering, ...origin].flatMap((name) => [name, "1"]), "x-ok", "1"];
  const left = (options: Options, more: readonly string[] = []): string[] =>
    Object.keys(edited([...sent, ...more], options)!).filter((name) => steering.includes(name) || origin.includes(name) || name === "x-ok");

  test("are kept of an internal request", () => {
    assert.deepEqual(left({ config: EDGE, peerIp: "10.0.0.9" }), [...steering, ...origin, "x-ok"]);
    assert.deepEqual(left({}, ["x-forwarded-for", "10.0.0.9"]), [...steering, ...origin, "x-ok"]);
  });
  test("are removed of an external one, and at an edge also what tells where it came from", () => {
    assert.deepEqual(left({}), [...origin, "x-ok"]);
    assert.deepEqual(left({ config: EDGE }), ["x-ok"]);
  });
});

describe("x-forwarded-port", () => {
  test("is the listener's where asked for, unless a trusted proxy has said it", () => {
    const appendForwardedPort = true;
    const sent = ["X-Forwarded-Port", "8443"];
    assert.equal(edited([])!["x-forwarded-port"], undefined);
    assert.equal(edited([], { config: { appendForwardedPort } })!["x-forwarded-port"], "80");
    assert.equal(edited(sent, { config: { appendForwardedPort } })!["x-forwarded-port"], "8443");
    assert.equal(edited(sent, { config: { ...EDGE, appendForwardedPort } })!["x-forwarded-port"], "80");
    assert.equal(edited(sent, { config: { ...EDGE, xffTrustedHops: 1, appendForwardedPort } })!["x-forwarded-port"], "8443");
  });
});

describe("the scheme", () => {
  test("is what a proxy before us has seen, else what the connection is", () => {
    assert.equal(edited(["X-Forwarded-Proto", "https"])![":scheme"], "https");
    assert.equal(edited(["X-Forwarded-Proto", "gopher"])![":scheme"], "http");
    assert.equal(edited(["X-Forwarded-Proto", "https"], { config: EDGE })![":scheme"], "http");
    const absolute = { isAbsoluteForm: true, scheme: "http" };
    assert.equal(edited(["X-Forwarded-Proto", "https"], { fields: absolute })![":scheme"], "http");
  });
  test("is overwritten where so configured, x-forwarded-proto with it", () => {
    const got = edited(["X-Forwarded-Proto", "http"], { config: { schemeOverwrite: "https" } })!;
    assert.deepEqual([got[":scheme"], got["x-forwarded-proto"]], ["https", "https"]);
  });
});

describe("the host", () => {
  const cases: readonly (readonly [Partial<HttpConnectionManagerConfig>, string, string])[] = [
    [{}, "a.test.:80", "a.test.:80"],
    [{ stripHostPort: "matching" }, "a.test:80", "a.test"],
    [{ stripHostPort: "matching" }, "a.test:81", "a.test:81"],
    [{ stripHostPort: "matching" }, "a.test", "a.test"],
    [{ stripHostPort: "any" }, "a.test:81", "a.test"],
    [{ stripHostPort: "any" }, "[fd00::1]:81", "[fd00::1]"],
    [{ stripHostPort: "any" }, "[fd00::1]", "[fd00::1]"],
    [{ stripHostPort: "any" }, "a.test:", "a.test"],
    [{ stripTrailingHostDot: true }, "a.test.", "a.test"],
    [{ stripTrailingHostDot: true }, "a.test.:81", "a.test:81"],
    [{ stripTrailingHostDot: true, stripHostPort: "any" }, "a.test.:81", "a.test"],
  ];
  for (const [config, authority, expected] of cases) {
    test(`${authority} with ${JSON.stringify(config)} is ${expected}`, () => {
      const got = edited(["Host", authority], { config, fields: { authority } })!;
      assert.deepEqual([got[":authority"], got["host"]], [expected, expected]);
    });
  }
});

test("via tells every proxy that the message went through", () => {
  assert.equal(edited([], { config: { via: "1.1 mesh" } })!["via"], "1.1 mesh");
  assert.equal(edited(["Via", "1.0 a", "via", "2 b"], { config: { via: "1.1 mesh" } })!["via"], "1.0 a,2 b, 1.1 mesh");
  assert.equal(edited(["Via", "1.0 a"])!["via"], "1.0 a");
  const response = new HeaderList();
  appendVia(response, "1.1 mesh");
  assert.deepEqual(response.toFlat(), ["via", "1.1 mesh"]);
});

test("headers with an underscore pass, are dropped or refuse the request", () => {
  const sent = ["x_y", "1", "x-z", "2"];
  assert.equal(edited(sent)!["x_y"], "1");
  const dropped = edited(sent, { config: { headersWithUnderscores: "drop" } })!;
  assert.deepEqual([dropped["x_y"], dropped["x-z"]], [undefined, "2"]);
  assert.equal(edited(sent, { config: { headersWithUnderscores: "reject" } }), undefined);
  assert.ok(edited(["x-z", "2"], { config: { headersWithUnderscores: "reject" } }));
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
  assert.equal(edited([], { config, fields: { path: "/x%00" } }), undefined);
  assert.equal(edited([], { config, fields: { path: "/a/../x?y=/../z" } })![":path"], "/x?y=/../z");
});
