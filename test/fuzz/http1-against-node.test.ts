// HTTP/1 messages out of a generator, most of them with something wrong, to both our codecs and to Node's parser: who
// accepts what, as how many messages, with which bodies. A difference that is not in the list fails with its seed; each in
// the list has a case in test/conformance/http1 that says what the RFC says. MESHCTL_FUZZ_SECONDS lets it run longer.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RESPONSE_TABLES } from "../conformance/http1/cases/responses.ts";
import { REQUEST_TABLES } from "../conformance/http1/cases/request-tables.ts";
import { BareHop } from "../support/bare-hop.ts";
import { generateRequest, generateResponse, mutate, type Random } from "../support/http1-generator.ts";
import { NodeHttpParser, nodeReadsResponse } from "../support/node-http-parser.ts";
import { joinedResponse, summaryOf } from "../support/strict-reader.ts";
import { seededRandom } from "../support/upstream-hosts.ts";

const SECONDS = Number(process.env["MESHCTL_FUZZ_SECONDS"] ?? 1);
const FIRST_SEED = Number(process.env["MESHCTL_FUZZ_SEED"] ?? 20261121);
const ACCEPTS = "accepts";

interface Difference {
  /** What we say: `accepts`, or the detail of our refusal. */
  readonly ours: RegExp;
  /** What Node says: `accepts`, `nothing more`, or its error. */
  readonly theirs: RegExp;
  /** What the bytes must hold, where the words above are not telling. */
  readonly bytes?: RegExp;
  /** Name of the case that decides. */
  readonly case: string;
}

const REQUEST_DIFFERENCES: readonly Difference[] = [
  { ours: /^accepts$/, theirs: /^HPE_INVALID_METHOD/, case: "a method that nobody knows" },
  { ours: /^accepts$/, theirs: /^HPE_INVALID_URL Invalid char in url (?:path|query)/, case: "bytes above ASCII" },
  { ours: /^accepts$/, theirs: /^HPE_INVALID_TRANSFER_ENCODING Request has invalid/, case: "blanks around chunked" },
  { ours: /^accepts$/, theirs: /^HPE_STRICT Invalid character in chunk extensions/, case: "a semicolon alone" },
  {
    ours: /^accepts$/,
    theirs: /^HPE_INVALID_(?:CONTENT_LENGTH|TRANSFER_ENCODING)/,
    case: "of fields that frame, route or authorize, which are dropped",
  },
  { ours: /^nothing more$/, theirs: /^HPE_CLOSED_CONNECTION/, case: "a request behind one that closes, which is not read" },
  { ours: /^invalid host$/, theirs: /^accepts$/, case: "one with a space" },
  { ours: /^more than one host header$/, theirs: /^accepts$/, case: "two different ones" },
  { ours: /^no host header in an HTTP\/1\.0 request$/, theirs: /^accepts$/, case: "HTTP/1.0 without a host" },
  { ours: /^no host header$/, theirs: /^accepts$/, case: "CONNECT without a host" },
  { ours: /^invalid request target$/, theirs: /^accepts$/, case: "a fragment" },
  { ours: /^request target \* is for OPTIONS only$/, theirs: /^accepts$/, case: "* with GET" },
  { ours: /^CONNECT with a body$/, theirs: /^accepts$/, case: "with a body" },
  { ours: /^unsupported protocol version$/, theirs: /^accepts$/, case: "two spaces before the version" },
  { ours: /^transfer-encoding other than chunked$/, theirs: /^accepts$/, case: "a coding before chunked" },
  { ours: /^transfer-encoding in HTTP\/1\.0$/, theirs: /^accepts$/, case: "in HTTP/1.0" },
  { ours: /^chunk size too large$/, theirs: /^accepts$/, case: "a size of thirteen digits" },
  { ours: /^invalid method$/, theirs: /^(?:accepts|nothing more)$/, case: "a bare LF before it" },
];

const RESPONSE_DIFFERENCES: readonly Difference[] = [
  { ours: /^invalid status code$/, theirs: /^accepts$/, case: "status 099" },
  { ours: /^invalid status line$/, theirs: /^accepts$/, case: "an empty line before it" },
  { ours: /^invalid version$|^status line does not end in CRLF$/, theirs: /^accepts$/, case: "a control byte in the reason" },
  { ours: /^transfer-encoding other than chunked$/, theirs: /^accepts$/, case: "a coding before chunked" },
  {
    ours: /^invalid content-length$/,
    theirs: /^accepts$/,
    bytes: /^HEAD [^]*content-length: *[0-9]{16}/i,
    case: "HEAD with a length beyond 2^53",
  },
  { ours: /^repeated transfer-encoding$/, theirs: /^accepts$/, case: "chunked twice" },
  { ours: /^transfer-encoding in HTTP\/1\.0$/, theirs: /^accepts$/, case: "chunked in HTTP/1.0" },
  { ours: /^chunk size too large$/, theirs: /^accepts$/, case: "a chunk size of thirteen digits" },
  { ours: /^accepts$/, theirs: /^HPE_STRICT Invalid character in chunk extensions/, case: "chunk extensions that are none" },
  { ours: /^accepts$/, theirs: /^HPE_INVALID_(?:CONTENT_LENGTH|TRANSFER_ENCODING)/, case: "trailers" },
  {
    ours: /^/,
    theirs: /^reads "|^accepts$/,
    bytes: /Transfer-Encoding: chunked[\t ]+\r\n/i,
    case: "blanks behind chunked",
  },
];

/** Runs `compare` with one seed after the other until time is up; it answers undefined, or how the two differ. */
async function fuzz(
  known: readonly Difference[],
  compare: (random: Random) => Promise<readonly [string, string, string] | undefined>,
): Promise<void> {
  const deadline = performance.now() + SECONDS * 1000;
  let seed = FIRST_SEED;
  do {
    const random = seededRandom(seed);
    random();
    const difference = await compare(random);
    if (difference !== undefined) {
      const [ours, theirs, text] = difference;
      const isKnown = known.some((each) => each.ours.test(ours) && each.theirs.test(theirs) && (each.bytes?.test(text) ?? true));
      assert.ok(isKnown, `seed ${seed}: we: ${ours}; Node: ${theirs}; ${JSON.stringify(text)}`);
    }
    seed += 1;
  } while (performance.now() < deadline);
  assert.ok(seed - FIRST_SEED > 100, "too slow to be a test");
}

/** Both lists up to where they differ, and what each side says there. */
function firstDifference(
  ours: readonly string[],
  ourEnd: string,
  theirs: readonly string[],
  theirEnd: string,
): readonly [string, string] | undefined {
  let at = 0;
  while (at < ours.length && ours[at] === theirs[at]) at += 1;
  const [we, they] = [at < ours.length ? ACCEPTS : ourEnd, at < theirs.length ? ACCEPTS : theirEnd];
  const isRefusal = (word: string): boolean => word !== ACCEPTS && word !== MORE;
  if (we === they && we !== ACCEPTS) return undefined;
  if (isRefusal(we) && isRefusal(they)) return undefined;
  return we === ACCEPTS && they === ACCEPTS ? [`reads ${JSON.stringify(ours[at])}`, `reads ${JSON.stringify(theirs[at])}`] : [we, they];
}

const MORE = "nothing more";

/** An absolute target as we write it: scheme in lower case, a path at least `/`. */
function normalized(summary: string): string {
  return summary.replace(/^(\S+) (https?):\/\/([^/? ]+)(\/?)(\S*)/i, (_whole, method, scheme, host, slash, rest) => {
    const path = slash === "" && !(method === "OPTIONS" && rest === "") ? "/" : slash;
    return `${method} ${scheme.toLowerCase()}://${host}${path}${rest}`;
  });
}

/** The detail of our own reply. */
function refusalIn(received: string): string | undefined {
  return /x-mesh-error: [^"]*"([^"]*)"/.exec(received)?.[1];
}

describe("fuzzing against Node's parser", () => {
  test("requests", async () => {
    const parser = new NodeHttpParser();
    await fuzz(REQUEST_DIFFERENCES, async (random) => {
      const oddity = random() < 0.2 ? 0 : random() * 0.12;
      let text = "";
      for (let count = 1 + Math.floor(random() * 3); count > 0; count -= 1) text += generateRequest(random, oddity);
      text = mutate(text, random, random() < 0.3 ? 1 + Math.floor(random() * 2) : 0);
      // Half of an empty line between requests is no request that waits for more.
      if (text.endsWith("\r")) text += "\n";
      // The bytes behind an upgrade are nobody's requests, and may come in any form.
      if (/upgrade/i.test(text)) return undefined;
      const answer = (request: string): string => `HTTP/1.1 ${request.startsWith("CONNECT") ? 407 : 200} X\r\ncontent-length: 0\r\n\r\n`;
      const hop = new BareHop({ allowsUpgrades: true, answer });
      hop.feed(text);
      const requests = hop.requests.map(summaryOf);
      const closes = hop.received.includes("\r\nconnection: close\r\n");
      const isWaiting = !closes && (!hop.server.isIdle || hop.server.hasPartialHead);
      const end = refusalIn(hop.received) ?? (isWaiting ? "incomplete" : MORE);
      const theirs = await parser.read(text);
      const theirEnd = theirs.refused ? theirs.reason : MORE;
      const difference = firstDifference(requests, end, theirs.requests.map(normalized), theirEnd);
      return difference === undefined ? undefined : [...difference, text];
    });
  });

  test("responses", async () => {
    await fuzz(RESPONSE_DIFFERENCES, async (random) => {
      const method = random() < 0.2 ? "HEAD" : "GET";
      const oddity = random() < 0.2 ? 0 : random() * 0.15;
      const text = mutate(generateResponse(random, oddity), random, random() < 0.3 ? 1 + Math.floor(random() * 2) : 0);
      if (/ 101|upgrade/i.test(text)) return undefined;
      const hop = new BareHop({ answer: () => "" });
      hop.feed(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      const upstream = hop.upstreams[0]!;
      upstream.socket.feed(text);
      upstream.client.onEnd();
      const whole = hop.failures.length === 0 ? joinedResponse(hop.received, method) : undefined;
      const ours = whole === undefined ? [] : [(await nodeReadsResponse(method, whole)).read!];
      const theirs = await nodeReadsResponse(method, text);
      const end = hop.failures[0] ?? (whole === undefined ? "incomplete" : MORE);
      const difference = firstDifference(
        ours,
        end,
        theirs.read === undefined ? [] : [theirs.read],
        theirs.read === undefined ? theirs.reason : MORE,
      );
      return difference === undefined ? undefined : [...difference, `${method} ${text}`];
    });
  });

  test("every difference in the lists is decided by a case", () => {
    const named = (tables: readonly { readonly cases: readonly { readonly name: string; readonly node?: unknown }[] }[]): Set<string> =>
      new Set(tables.flatMap(({ cases }) => cases.filter((each) => each.node !== undefined).map((each) => each.name)));
    for (const [differences, names] of [
      [REQUEST_DIFFERENCES, named(REQUEST_TABLES)],
      [RESPONSE_DIFFERENCES, named(RESPONSE_TABLES)],
    ] as const) {
      for (const each of differences) assert.ok(names.has(each.case), `no case ${JSON.stringify(each.case)}`);
    }
  });
});
