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
      assert.equal(got, wanted, path);
      // What is normal stays so: two proxies in a row agree.
      if (got !== undefined && options.escapedSlashes !== "unescape_and_forward")
        assert.equal(normalizePath(got, { ...NONE, ...options }), got, `twice ${path}`);
    }
  });
}

describe("a path", () => {
  table("is left alone without options", {}, [
    ["/a/../b//c/%41", "/a/../b//c/%41"],
    ["*", "*"],
  ]);
  table("loses its dot segments and needless escapes", { normalizePath: true }, [
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/./b", "/a/b"],
    ["/a/../b", "/b"],
    ["/a/b/..", "/a/"],
    ["/a/b/.", "/a/b/"],
    ["/a/%2e%2E/b", "/b"],
    ["/a\\..\\b", "/b"],
    ["/%61dmin", "/admin"],
    ["/%7euser", "/~user"],
    ["/a%2fb", "/a%2Fb"],
    ["/a%", "/a%"],
    ["/a%zz", "/a%zz"],
    ["/..", REFUSED],
    ["/a/../../b", REFUSED],
    ["/%2e%2e/b", REFUSED],
    ["/a/..?x=/../y", "/?x=/../y"],
    ["/.hidden/...", "/.hidden/..."],
    ["*", "*"],
  ]);
  table("has its slashes merged, but not those of the query", { mergeSlashes: true }, [
    ["//a///b?c=//d", "/a/b?c=//d"],
    ["/a/../b//", "/a/../b/"],
  ]);
  table("with escaped slashes is refused where so configured", { escapedSlashes: "reject" }, [
    ["/a%2Fb", REFUSED],
    ["/a%5cb", REFUSED],
    ["/a?x=%2f", "/a?x=%2f"],
  ]);
  table("has its escaped slashes decoded where so configured", { escapedSlashes: "unescape_and_forward" }, [
    ["/a%2Fb%5Cc", "/a/b/c"],
    ["/a%252fb", "/a%252fb"],
  ]);
  table("can't hide dot segments behind escaped slashes", { normalizePath: true, escapedSlashes: "unescape_and_forward" }, [
    ["/a%2f..%2fb", "/b"],
    ["/a%5c..%5cb", "/b"],
    ["/a%2f..%2f..%2fb", REFUSED],
  ]);
});
