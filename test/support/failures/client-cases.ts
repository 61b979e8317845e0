// Failures that a client brings about.
import { connect as connectHttp2, constants, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { once } from "node:events";
import { frame, FrameFlag, FrameType, literalField, PREFACE, requestBlock, settings } from "../http2-frames.ts";
import { eventually } from "../eventually.ts";
import { GET, HALF_OK, HALF_POST, SOON, type FailureCase, type Lab } from "./lab.ts";

/** The client's request is refused by its bytes alone. */
const refused = (
  cause: FailureCase["cause"],
  request: string,
  detail: RegExp,
  more: Partial<FailureCase> & { readonly manager?: Record<string, unknown> } = {},
): FailureCase => ({
  cause,
  by: "client",
  detail,
  stats: ["http.test.downstream_rq_4xx"],
  async provoke(lab) {
    await lab.start({ manager: more.manager ?? {} });
    return lab.ask(request);
  },
  ...more,
});

const get = (...lines: readonly string[]): string => `GET / HTTP/1.1\r\nHost: a.test\r\n${lines.join("\r\n")}\r\n\r\n`;

/** Node's own HTTP/2 client; what it received as if it had come over HTTP/1. */
async function overHttp2(lab: Lab, use: (session: ClientHttp2Session) => ClientHttp2Stream): Promise<string> {
  const session = connectHttp2(`http://127.0.0.1:${lab.plane.port()}`);
  try {
    const [headers] = (await once(use(session), "response")) as [Record<string, string>];
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    return [`HTTP/1.1 ${headers[":status"]} `, ...lines, "", ""].join("\r\n");
  } finally {
    session.destroy();
  }
}

/** Raw frames behind the preface, and a request on stream 1 where so asked. */
async function sendFrames(lab: Lab, ...frames: readonly Buffer[]): Promise<void> {
  const client = await lab.client();
  client.write(Buffer.concat([PREFACE, settings(), ...frames]));
  await client.untilEnd();
}

const REQUEST = frame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, 1, requestBlock("GET", "/"));

export const CLIENT_CASES: readonly FailureCase[] = [
  refused("badRequest", get("no colon"), /./, { stats: ["http.test.downstream_cx_protocol_error"] }),
  refused("headersTooLarge", get(`X: ${"x".repeat(70_000)}`), /61440/),
  refused("tooManyHeaders", get(...Array<string>(100).fill("X: 1")), /100/),
  refused("badTransferEncoding", get("Transfer-Encoding: gzip"), /./, { stats: ["http.test.downstream_rq_5xx"] }),
  refused("contentLengthAndChunked", get("Content-Length: 1", "Transfer-Encoding: chunked"), /./),
  refused("missingHost", "GET / HTTP/1.1\r\n\r\n", /no host header/),
  refused("httpVersionNotSupported", "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", /HTTP\/1\.0 is not accepted/),
  refused("underscoreInHeader", get("X_Y: 1"), /underscore/, {
    manager: { common_http_protocol_options: { headers_with_underscores_action: "REJECT_REQUEST" } },
  }),
  refused("pathNormalizationFailed", "GET /a%00 HTTP/1.1\r\nHost: a.test\r\n\r\n", /path cannot be normalized/, {
    manager: { normalize_path: true },
    stats: ["http.test.downstream_rq_failed_path_normalization"],
  }),
  refused("connectRefused", "CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n\r\n", /CONNECT is not allowed/, {
    stats: ["http.test.downstream_rq_ws_on_non_ws_route"],
  }),
  refused("upgradeRefused", get("Connection: Upgrade", "Upgrade: thing"), /upgrade to thing is not allowed/, {
    stats: ["http.test.downstream_rq_ws_on_non_ws_route"],
  }),
  {
    cause: "http2Malformed",
    by: "client",
    reply: "none",
    loggedStatus: 400,
    stats: ["http.test.downstream_rq_4xx"],
    async provoke(lab) {
      await lab.start();
      const upperCase = Buffer.concat([requestBlock("GET", "/"), literalField("Upper", "1")]);
      await sendFrames(lab, frame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, 1, upperCase));
      return undefined;
    },
  },
  {
    cause: "http2HeadersTooLarge",
    by: "client",
    detail: /header list too large/,
    stats: ["http.test.downstream_rq_4xx"],
    async provoke(lab) {
      await lab.start();
      const many = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`x-${index}`, "1"]));
      return overHttp2(lab, (session) => session.request(many));
    },
  },
  {
    cause: "downstreamReset",
    by: "client",
    reply: "none",
    stats: ["http.test.downstream_rq_rx_reset", "cluster.up.upstream_rq_tx_reset"],
    async provoke(lab) {
      await lab.start();
      const session = connectHttp2(`http://127.0.0.1:${lab.plane.port()}`);
      const stream = session.request({ ":path": "/" });
      stream.on("error", () => undefined);
      await eventually(() => lab.expect("cluster.up.upstream_rq_active", 1), { withinMs: 5000 });
      stream.close(constants.NGHTTP2_CANCEL);
      await eventually(() => lab.expect("http.test.downstream_rq_rx_reset", 1), { withinMs: 5000 });
      session.destroy();
      return undefined;
    },
  },
  {
    cause: "http2ConnectionError",
    by: "client",
    reply: "none",
    stats: ["http.test.downstream_cx_protocol_error", "http.test.downstream_rq_tx_reset"],
    async provoke(lab) {
      await lab.start();
      // RFC 9113 §6.1: DATA belongs to a stream.
      await sendFrames(lab, REQUEST, frame(FrameType.data, 0, 0, Buffer.from("x")));
      return undefined;
    },
  },
  {
    cause: "payloadTooLarge",
    by: "client",
    detail: /more than 4 bytes/,
    stats: ["http.test.downstream_rq_too_large"],
    async provoke(lab) {
      const extensions = "type.googleapis.com/envoy.extensions.filters.http";
      const http_filters = [
        { name: "buffer", typed_config: { "@type": `${extensions}.buffer.v3.Buffer`, max_request_bytes: 4 } },
        { name: "envoy.filters.http.router", typed_config: { "@type": `${extensions}.router.v3.Router` } },
      ];
      await lab.start({ manager: { http_filters } });
      return lab.ask("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    },
  },
  {
    cause: "headersTimeout",
    by: "client",
    detail: /head not whole within 100 ms/,
    stats: ["http.test.downstream_rq_header_timeout"],
    async provoke(lab) {
      await lab.start({ manager: { request_headers_timeout: SOON } });
      return lab.ask("GET / HTTP/1.1\r\n");
    },
  },
  {
    cause: "requestTimeout",
    by: "client",
    detail: /request not whole within 100 ms/,
    stats: ["http.test.downstream_rq_timeout"],
    async provoke(lab) {
      await lab.start({ manager: { request_timeout: SOON } });
      return lab.ask(HALF_POST);
    },
  },
  {
    cause: "requestTimeoutMidway",
    by: "client",
    reply: "none",
    loggedStatus: 200,
    stats: ["http.test.downstream_rq_timeout", "http.test.downstream_rq_tx_reset"],
    async provoke(lab) {
      await lab.start({ manager: { request_timeout: "0.3s" } }, (peer) => void peer.socket.once("data", () => peer.write(HALF_OK)));
      await (await lab.client()).write(HALF_POST).untilEnd();
      return undefined;
    },
  },
  {
    cause: "downstreamIdle",
    by: "client",
    detail: /no byte for 100 ms/,
    stats: ["http.test.downstream_rq_idle_timeout"],
    async provoke(lab) {
      await lab.start({ action: { idle_timeout: SOON } });
      return lab.ask(HALF_POST);
    },
  },
  {
    cause: "requestDuration",
    by: "client",
    detail: /longer than the 100 ms/,
    stats: ["http.test.downstream_rq_max_duration_reached"],
    async provoke(lab) {
      await lab.start({ action: { max_stream_duration: { max_stream_duration: SOON } } });
      return lab.ask(HALF_POST);
    },
  },
  {
    cause: "downstreamDisconnect",
    by: "client",
    reply: "none",
    stats: ["http.test.downstream_rq_rx_reset", "cluster.up.upstream_rq_tx_reset"],
    async provoke(lab) {
      await lab.start();
      const { client } = await lab.meet(GET);
      client.reset();
      await eventually(() => lab.expect("http.test.downstream_rq_rx_reset", 1), { withinMs: 5000 });
      return undefined;
    },
  },
];
