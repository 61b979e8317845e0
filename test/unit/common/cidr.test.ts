import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addressBytes, cidrContains, parseCidr } from "../../../src/common/cidr.ts";

describe("an address range", () => {
  const cases: readonly [range: string, inside: readonly string[], outside: readonly string[]][] = [
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "9.255.255.255", "::a00:0"]],
    ["10.1.2.3/32", ["10.1.2.3", "::ffff:10.1.2.3"], ["10.1.2.4"]],
    ["10.1.2.3", ["10.1.2.3"], ["10.1.2.2"]],
    ["192.168.1.128/25", ["192.168.1.128", "192.168.1.255"], ["192.168.1.127"]],
    // Host bits don't matter.
    ["172.16.9.9/12", ["172.31.255.255"], ["172.32.0.0"]],
    ["0.0.0.0/0", ["255.255.255.255", "0.0.0.0"], ["::", "::1"]],
    ["::/0", ["::1", "fe80::1%eth0"], ["1.2.3.4", "::ffff:1.2.3.4"]],
    ["fd00::/8", ["fd12:3456::1"], ["fe00::1", "10.0.0.1"]],
    ["2001:db8::/33", ["2001:db8:7fff:ffff::"], ["2001:db8:8000::"]],
    ["::1/128", ["::1", "0:0:0:0:0:0:0:1", "::0.0.0.1"], ["::2"]],
  ];
  for (const [range, inside, outside] of cases) {
    test(`${range} holds what it should`, () => {
      const cidr = parseCidr(range)!;
      for (const ip of inside) assert.ok(cidrContains(cidr, ip), `${ip} in ${range}`);
      for (const ip of outside) assert.ok(!cidrContains(cidr, ip), `${ip} not in ${range}`);
    });
  }

  test("is refused when it is none", () => {
    for (const text of [
      "",
      "10.0.0.0/33",
      "10.0.0/8",
      "10.0.0.0/-1",
      "10.0.0.0/",
      "10.0.0.0/8/8",
      "10.0.0.0/ 8",
      "::/129",
      "a.test/8",
      "1.2.3.4/1e1",
      "01.2.3.4/8",
    ])
      assert.equal(parseCidr(text), undefined, text);
  });

  test("holds no text that is no address", () => {
    for (const text of ["", "10.0.0", "a.test", "10.0.0.1:80"]) assert.ok(!cidrContains(parseCidr("10.0.0.0/8")!, text), text);
  });

  test("reads every spelling of an IPv6 address", () => {
    const bytes = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    for (const text of ["2001:db8::102:304", "2001:DB8:0:0:0:0:102:304", "2001:db8::1.2.3.4"])
      assert.deepEqual([...addressBytes(text)!], bytes, text);
    assert.deepEqual([...addressBytes("::")!], Array<number>(16).fill(0));
    assert.deepEqual([...addressBytes("1::")!].slice(0, 3), [0, 1, 0]);
  });
});
