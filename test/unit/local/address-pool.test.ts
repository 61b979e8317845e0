import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressPool, DNS_ADDRESS, GATEWAY, POD_RANGE, SERVICE_RANGE } from "../../../src/local/network/address-pool.ts";

test("gives each pod an IPv4 and an IPv6 address of the same number, none of them the gateway's", () => {
  const pool = new AddressPool(POD_RANGE);
  assert.deepEqual(pool.take(), { v4: "10.244.0.2", v6: "fd00:10:244::2" });
  assert.deepEqual(pool.take(), { v4: "10.244.0.3", v6: "fd00:10:244::3" });
  assert.equal(GATEWAY.v4, "10.244.0.1");
});

test("never gives a Service the address of DNS, nor one that ends in 0 or 255", () => {
  const pool = new AddressPool(SERVICE_RANGE);
  const taken = Array.from({ length: 600 }, () => pool.take().v4);
  assert.equal(new Set(taken).size, 600);
  assert.ok(!taken.includes(DNS_ADDRESS));
  assert.deepEqual(
    taken.filter((address) => /\.(0|255)$/.test(address)),
    [],
  );
});

test("gives a returned address again only when all others have been given", () => {
  const pool = new AddressPool(POD_RANGE);
  const first = pool.take();
  pool.release(first);
  assert.notDeepEqual(pool.take(), first);
  let again = pool.take();
  for (let count = 0; count < 65_100 && again.v4 !== first.v4; count++) again = pool.take();
  assert.deepEqual(again, first);
});

test("says so when the range is used up", () => {
  const pool = new AddressPool(POD_RANGE);
  assert.throws(() => {
    for (;;) pool.take();
  }, /no address left in 10\.244/);
});
