import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OpenConnections, type OpenMember } from "../../../../src/proxy-runtime/listener/open-connections.ts";

const member = (): OpenMember => ({ openIndex: -1 });

describe("open connections", () => {
  test("keep those that were not taken out, in whatever order the others go", () => {
    const open = new OpenConnections();
    const [a, b, c, d] = [member(), member(), member(), member()] as const;
    for (const each of [a, b, c, d]) open.add(each);
    open.delete(b);
    open.delete(d);
    assert.equal(open.size, 2);
    assert.deepEqual(new Set(open.all()), new Set([a, c]));
    open.delete(a);
    open.delete(c);
    assert.equal(open.size, 0);
  });

  test("take a member once, and again after it was out", () => {
    const open = new OpenConnections();
    const a = member();
    open.add(a);
    open.add(a);
    assert.equal(open.size, 1);
    open.delete(a);
    open.delete(a);
    assert.equal(open.size, 0);
    open.add(a);
    assert.deepEqual(open.all(), [a]);
  });

  test("leave alone whoever is in another set", () => {
    const [open, other] = [new OpenConnections(), new OpenConnections()];
    const [a, b] = [member(), member()];
    open.add(a);
    other.add(b);
    open.delete(b);
    assert.deepEqual([open.all(), other.all()], [[a], [b]]);
  });
});
