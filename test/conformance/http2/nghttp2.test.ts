// nghttp2 on both ends (node:http2), proxies between: random exchanges over few connections, with windows that change,
// padding, PINGs and goodbyes meanwhile.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, constants, type ClientHttp2Session, type Http2Server, type Http2Session, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { startHop, startSidecars, type GrpcPath } from "../../support/grpc-planes.ts";
import { carryOut, randomExchange, startExchangeServer } from "../../support/http2/exchanges.ts";
import { seededRandom } from "../../support/upstream-hosts.ts";

const EXCHANGES = 250;
const AT_ONCE = 25;

type Options = Parameters<typeof startExchangeServer>[0];

interface Ends {
  readonly path: GrpcPath;
  readonly server: Http2Server;
  readonly serverSessions: Set<ServerHttp2Session>;
  open(): ClientHttp2Session;
}

async function setUp(context: TestContext, kind: "one proxy" | "two sidecars", serverOptions: Options, clientOptions: Options): Promise<Ends> {
  const server = startExchangeServer(serverOptions);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const serverSessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => {
    serverSessions.add(session);
    session.on("close", () => serverSessions.delete(session));
  });
  const { port } = server.address() as AddressInfo;
  const path = kind === "one proxy" ? await startHop([port]) : await startSidecars(port, ["meshctl/1", "istio-h2", "istio", "h2"]);
  const sessions: Http2Session[] = [];
  context.after(async () => {
    for (const each of [...sessions, ...serverSessions]) each.destroy();
    server.close();
    await path.stop();
  });
  return {
    path,
    server,
    serverSessions,
    open() {
      const session = connect(`http://127.0.0.1:${path.port}`, { maxSessionMemory: 1000, ...clientOptions });
      session.on("error", () => undefined);
      sessions.push(session);
      return session;
    },
  };
}

/**
 * Carries exchanges out, some at once.
 * @param beside called before each.
 * @param maxRequestBytes longer requests are made shorter.
 */
async function run(
  open: () => ClientHttp2Session,
  random: () => number,
  beside: (session: ClientHttp2Session) => void,
  maxRequestBytes = Infinity,
): Promise<string[]> {
  let session = open();
  const problems: string[] = [];
  let left = EXCHANGES;
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      if (session.closed || session.destroyed) session = open();
      const mine = session;
      const drawn = randomExchange(random);
      const exchange = { ...drawn, requestBytes: Math.min(drawn.requestBytes, maxRequestBytes) };
      beside(mine);
      const problem = await carryOut(mine, exchange).catch((error: Error) => error.message);
      if (problem !== "") problems.push(problem);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return problems;
}

for (const kind of ["one proxy", "two sidecars"] as const) {
  describe(`nghttp2 to nghttp2 through ${kind}`, () => {
    test("exchanges anything", async (context) => {
      const ends = await setUp(context, kind, {}, {});
      assert.deepEqual(await run(() => ends.open(), seededRandom(1), () => undefined), []);
      for (const plane of new Set([ends.path.client, ends.path.server])) assert.equal(plane.stat("http.test.downstream_rq_active"), 0);
    });

    test("exchanges anything with padding and small windows", async (context) => {
      const padded = { paddingStrategy: constants.PADDING_STRATEGY_MAX, settings: { initialWindowSize: 5000, maxHeaderListSize: 65_535 } };
      const ends = await setUp(context, kind, padded, padded);
      assert.deepEqual(await run(() => ends.open(), seededRandom(2), () => undefined), []);
    });

    test("exchanges anything while windows change and PINGs pass", async (context) => {
      const ends = await setUp(context, kind, {}, {});
      const random = seededRandom(3);
      const change = (session: Http2Session): void => {
        if (session.destroyed || session.closed) return;
        if (random() < 0.5) session.settings({ initialWindowSize: Math.floor(random() * 200_000), headerTableSize: Math.floor(random() * 8192) });
        else session.ping(() => undefined);
      };
      const problems = await run(() => ends.open(), random, (session) => {
        if (random() < 0.2) change(session);
        if (random() < 0.2) for (const each of ends.serverSessions) change(each);
      });
      assert.deepEqual(problems, []);
    });

    test("loses nothing when either end says goodbye", async (context) => {
      const ends = await setUp(context, kind, {}, {});
      const random = seededRandom(4);
      let goodbyes = 0;
      const sayGoodbye = (session: ClientHttp2Session): void => {
        // Streams that are under way end; the next exchange opens another connection. Node fails those of one that isn't open yet.
        if (random() < 0.03 && !session.connecting) setImmediate(() => session.close());
        if (random() > 0.03) return;
        goodbyes += 1;
        for (const each of ends.serverSessions) each.close();
      };
      // Of a longer one too little is kept to send it again, should the server not have looked at it.
      assert.deepEqual(await run(() => ends.open(), random, sayGoodbye, 60_000), []);
      assert.ok(goodbyes > 0);
    });
  });
}
