// What the documentation refers to is there: linked pages and their headings, and files named in code spans.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../../..");
const PAGES = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT }).sort();

const TOP_FOLDERS = /^(?:src|test|scripts|bench|samples|docs|bin)\//;
/** What pages call a file without saying every folder before it. */
const SHORT_FOR: Readonly<Record<string, string>> = { "docs/life-of-a-request.md": "src/proxy-runtime" };

/** Text outside of fenced blocks. */
function proseOf(page: string): string {
  return readFileSync(join(ROOT, page), "utf8").replace(/^```.*?^```/gms, "");
}

/** GitHub's. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function anchorsOf(page: string): string[] {
  return [...readFileSync(page, "utf8").matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1]!));
}

describe("a page of the documentation", () => {
  for (const page of PAGES) {
    test(`${page} links to what is there`, () => {
      const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
      for (const link of links.filter((each) => !/^[a-z]+:/.test(each))) {
        const [path, anchor] = link.split("#", 2) as [string, string?];
        const target = path === "" ? join(ROOT, page) : join(ROOT, dirname(page), path);
        assert.ok(existsSync(target), link);
        if (anchor !== undefined) assert.ok(anchorsOf(target).includes(anchor), link);
      }
    });

    test(`${page} names files that are there`, () => {
      const spans = [...proseOf(page).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
      for (const span of spans) {
        const isShort = !TOP_FOLDERS.test(span) && /^[a-z0-9-]+(?:\/[a-z0-9-]+)*(?:\.ts|\/)$/.test(span);
        const base = TOP_FOLDERS.test(span) ? "." : isShort ? SHORT_FOR[page] : undefined;
        if (base === undefined || /[\s<>…A-Z]|\.\.\./.test(span)) continue;
        assert.ok(globSync(join(ROOT, base, span.replace(/:\d+$/, ""))).length > 0, span);
      }
    });
  }
});
