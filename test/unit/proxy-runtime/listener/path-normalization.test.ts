import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { normalizePath } from "../../../../src/proxy-runtime/listener/path-normalization.ts";

type Options = Parameters<typeof normalizePath>[1];
const NONE: Options = { normalizePath: false, mergeSlashes: false, escapedSlashes: "keep" };
const REFUSED = undefined;

function table(name: string, options: Partial<Options>, cases: readonly (readonly [string, string | undefined])[]): void {
  test(name, () => {
    for (const [path, wanted] of cases) {
      const got = normalizePath(path, { ...NONE, ...options });
      assert.equal(got.outcome === "reject" ? REFUSED : got.path, wanted, path);
      // What is normal stays so: two proxies in a row agree.
      if (got.outcome === "ok" && options.escapedSlashes !== "unescape_and_forward")
        assert.deepEqual(normalizePath(got.path, { ...NONE, ...options }), got, `twice ${path}`);
    }
  });
}

describe("a path", () => {
  table("is left alone without options", {}, [
    ["/a/../b//c/%41", "/a/../b//c/%41"],
    ["*", "*"],
  ]);
  // The pairs that Envoy's own tests have for this, and more.
  table("loses its dot segments and needless escapes (Istio's BASE)", { normalizePath: true }, [
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/./b", "/a/b"],
    ["/a/../b", "/b"],
    ["/a/b/..", "/a/"],
    ["/a/b/.", "/a/b/"],
    ["/a/%2e%2E/b", "/b"],
    ["/a\\..\\b", "/b"],
    ["/a/..\\c", "/c"],
    ["/%61dmin", "/admin"],
    ["/%7euser", "/~user"],
    ["/a%2fb", "/a%2fb"],
    ["/%5c%25", "/%5c%25"],
    ["/%c0%af", "/%c0%af"],
    ["/a%", "/a%"],
    ["/a%zz", "/a%zz"],
    ["/..", "/"],
    ["/a/b/../../../../c", "/c"],
    ["/%2e%2e/b", "/b"],
    ["/a/..?x=/../y", "/?x=/../y"],
    ["/.hidden/...", "/.hidden/..."],
    ["/a//b", "/a//b"],
    ["/a%00b", REFUSED],
    ["*", "*"],
  ]);
  table("has its slashes merged, but not those of the query", { mergeSlashes: true }, [
    ["//a///b?c=//d", "/a/b?c=//d"],
    ["/a/../b//", "/a/../b/"],
  ]);
  table("has both done, dots first (Istio's MERGE_SLASHES)", { normalizePath: true, mergeSlashes: true }, [
    ["/a//../b", "/a/b"],
    ["//%2e%2e//b", "/b"],
    ["/a%2f%2fb", "/a%2f%2fb"],
  ]);
  table("with escaped slashes is refused where so configured", { escapedSlashes: "reject" }, [
    ["/a%2Fb", REFUSED],
    ["/a%5cb", REFUSED],
    ["/a?x=%2f", "/a?x=%2f"],
  ]);
  table("has its escaped slashes decoded where so configured", { escapedSlashes: "unescape_and_forward" }, [
    ["/a%2Fb%5Cc", "/a/b\\c"],
    ["/a%252fb", "/a%252fb"],
  ]);
  table(
    "can't hide dot segments behind escaped slashes (Istio's DECODE_AND_MERGE_SLASHES)",
    { normalizePath: true, mergeSlashes: true, escapedSlashes: "unescape_and_forward" },
    [
      ["/a%2f..%2fb", "/b"],
      ["/a%5c..%5cb", "/b"],
      ["/a%2f..%2f..%2fb", "/b"],
      ["/a%2f%2fb%5c%5Cc", "/a/b/c"],
      ["/a?b=%2f%2f", "/a?b=%2f%2f"],
    ],
  );
});

test("a client is sent to the path without escaped slashes where so configured, and to no other for any other reason", () => {
  const options: Options = { normalizePath: true, mergeSlashes: true, escapedSlashes: "unescape_and_redirect" };
  assert.deepEqual(normalizePath("/a%2f..%5cb//c?q=%2f", options), { path: "/b/c?q=%2f", outcome: "redirect" });
  assert.deepEqual(normalizePath("/a/../b//c", options), { path: "/b/c", outcome: "ok" });
});
