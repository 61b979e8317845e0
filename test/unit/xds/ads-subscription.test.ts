import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { EncodedResource } from "../../../src/xds/ads-resources.ts";
import { AdsSubscription } from "../../../src/xds/ads-subscription.ts";
import { DiscoveryRequestSchema } from "../../../src/xds/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { TypeUrl } from "../../../src/xds/names.ts";

/** A client and its subscription: resources are `name@version`. */
class Exchange {
  readonly subscription: AdsSubscription;
  #responses = 0;
  #available: ReadonlyMap<string, EncodedResource>;

  constructor(typeUrl: string, available: readonly string[]) {
    this.subscription = new AdsSubscription(typeUrl);
    this.#available = toMap(available);
  }

  /** What the server sends in answer. */
  request(names: readonly string[], { nonce = "", error }: { nonce?: string; error?: string } = {}): string[] | undefined {
    const message = create(DiscoveryRequestSchema, {
      resourceNames: [...names],
      responseNonce: nonce,
      ...(error === undefined ? {} : { errorDetail: { message: error } }),
    });
    return this.#send(this.subscription.onRequest(message, this.#available));
  }

  /** The world changes; what the server sends. */
  push(available: readonly string[]): string[] | undefined {
    this.#available = toMap(available);
    return this.#send(this.subscription.onPush(this.#available));
  }

  get nonce(): string {
    return String(this.#responses);
  }

  #send(resources: readonly EncodedResource[] | undefined): string[] | undefined {
    if (resources === undefined) return undefined;
    this.subscription.onSent(resources, "v", String(++this.#responses));
    return resources.map((each) => `${each.name}@${each.version}`);
  }
}

function toMap(available: readonly string[]): ReadonlyMap<string, EncodedResource> {
  return new Map(
    available.map((each) => each.split("@")).map(([name = "", version = ""]) => [name, { name, version, bytes: new Uint8Array() }]),
  );
}

describe("a subscription to clusters", () => {
  test("without names means all of them, sent whole on every change and on removal", () => {
    const exchange = new Exchange(TypeUrl.cluster, ["a@1", "b@1"]);
    assert.deepEqual(exchange.request([]), ["a@1", "b@1"]);
    assert.equal(exchange.request([], { nonce: exchange.nonce }), undefined);
    assert.equal(exchange.push(["a@1", "b@1"]), undefined);
    assert.deepEqual(exchange.push(["a@2", "b@1"]), ["a@2", "b@1"]);
    assert.deepEqual(exchange.push(["a@2"]), ["a@2"]);
    assert.deepEqual(exchange.push([]), []);
  });

  test("that has named names wants nothing once it names none", () => {
    const exchange = new Exchange(TypeUrl.cluster, ["a@1", "b@1"]);
    assert.deepEqual(exchange.request(["a"]), ["a@1"]);
    assert.equal(exchange.request([], { nonce: exchange.nonce }), undefined);
    assert.equal(exchange.push(["a@2", "b@2"])?.length ?? 0, 0);
  });

  test("can name the wildcard beside a name", () => {
    const exchange = new Exchange(TypeUrl.cluster, ["a@1", "b@1"]);
    assert.deepEqual(exchange.request(["*", "a"]), ["a@1", "b@1"]);
  });
});

describe("a subscription to endpoints", () => {
  test("gets only what changed", () => {
    const exchange = new Exchange(TypeUrl.endpoints, ["a@1", "b@1"]);
    assert.deepEqual(exchange.request(["a", "b"]), ["a@1", "b@1"]);
    assert.deepEqual(exchange.push(["a@1", "b@2"]), ["b@2"]);
    assert.equal(exchange.push(["a@1"]), undefined);
  });

  test("gets what it asks for anew, even if unchanged, and what comes back", () => {
    const exchange = new Exchange(TypeUrl.endpoints, ["a@1", "b@1"]);
    assert.deepEqual(exchange.request(["a"]), ["a@1"]);
    assert.deepEqual(exchange.request(["a", "b"], { nonce: exchange.nonce }), ["b@1"]);
    exchange.push(["a@1"]);
    assert.deepEqual(exchange.push(["a@1", "b@1"]), ["b@1"]);
    assert.equal(exchange.request(["a"], { nonce: exchange.nonce }), undefined);
    assert.deepEqual(exchange.request(["a", "b"], { nonce: exchange.nonce }), ["b@1"]);
  });

  test("is told about a name that doesn't exist yet as soon as it does", () => {
    const exchange = new Exchange(TypeUrl.endpoints, []);
    assert.deepEqual(exchange.request(["later"]), []);
    assert.deepEqual(exchange.push(["later@1", "other@1"]), ["later@1"]);
  });

  test("without names wants nothing", () => {
    const exchange = new Exchange(TypeUrl.endpoints, ["a@1"]);
    assert.deepEqual(exchange.request([]), []);
    assert.equal(exchange.push(["a@2"]), undefined);
  });

  test("is answered once after clusters were sent, even if it asks for nothing new", () => {
    const exchange = new Exchange(TypeUrl.endpoints, ["a@1"]);
    exchange.request(["a"]);
    exchange.subscription.answerNext = true;
    assert.deepEqual(exchange.request(["a"], { nonce: exchange.nonce }), ["a@1"]);
    assert.equal(exchange.request(["a"], { nonce: exchange.nonce }), undefined);
  });
});

test("a request about an older response is ignored, names and all", () => {
  const exchange = new Exchange(TypeUrl.endpoints, ["a@1", "b@1"]);
  exchange.request(["a"]);
  const old = exchange.nonce;
  exchange.push(["a@2", "b@1"]);
  assert.equal(exchange.request(["a", "b"], { nonce: old }), undefined);
  assert.deepEqual(exchange.request(["a", "b"], { nonce: exchange.nonce }), ["b@1"]);
});

test("a refusal is remembered and not answered, and an acceptance ends it", () => {
  const exchange = new Exchange(TypeUrl.listener, ["a@1"]);
  exchange.request([]);
  const accepted = exchange.nonce;
  exchange.request([], { nonce: accepted });
  exchange.push(["a@2"]);
  assert.equal(exchange.request([], { nonce: exchange.nonce, error: "no such filter" }), undefined);
  assert.equal(exchange.subscription.status().refused, "no such filter");
  assert.equal(exchange.subscription.status().ackedNonce, accepted);
  assert.equal(exchange.push(["a@2"]), undefined);
  exchange.push(["a@3"]);
  exchange.request([], { nonce: exchange.nonce });
  assert.equal(exchange.subscription.status().refused, undefined);
  assert.equal(exchange.subscription.status().ackedNonce, exchange.nonce);
});

test("an empty nonce starts over and is always answered", () => {
  const exchange = new Exchange(TypeUrl.route, ["80@1"]);
  assert.deepEqual(exchange.request(["80"]), ["80@1"]);
  assert.deepEqual(exchange.request(["80"]), ["80@1"]);
});
