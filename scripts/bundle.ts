// Bundles src/ into dist/ (code-split ES modules). Built in a folder beside it and swapped in by rename, so a
// process that starts meanwhile sees the old bundle or the new one, never half of one.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { thirdPartyLicenses } from "./third-party-licenses.ts";

const root = resolve(import.meta.dirname, "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const fresh = join(root, `dist.${process.pid}`);
const old = join(root, `dist.${process.pid}.old`);
const dist = join(root, "dist");

const result = await build({
  absWorkingDir: root,
  entryPoints: { main: "src/main.ts", "proxy-worker": "src/proxy-runtime/worker.ts", re2: "re2js" },
  outdir: fresh,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node26",
  external: ["koffi"],
  define: {
    "process.env.MESHCTL_VERSION": JSON.stringify(version),
    "process.env.MESHCTL_RE2": JSON.stringify("./re2.js"),
    "process.env.MESHCTL_WORKER": JSON.stringify("./proxy-worker.js"),
  },
  // Flat: config/regex.ts finds re2.js, and proxy.ts proxy-worker.js, beside whatever chunk it is in.
  chunkNames: "[name]-[hash]",
  legalComments: "linked",
  // Source text stays in memory as long as the process: names are kept for stack traces, blanks are not.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: false,
  metafile: true,
  logLevel: "warning",
  // CommonJS packages in the bundle (grpc-js, commander's dependencies) call require() for Node's own modules.
  banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
});

mkdirSync(fresh, { recursive: true });
writeFileSync(join(fresh, "THIRD-PARTY-LICENSES.txt"), thirdPartyLicenses(root, Object.keys(result.metafile.inputs)));
writeFileSync(join(fresh, "package.json"), '{ "type": "module" }\n');
const digest = createHash("sha256")
  .update(JSON.stringify(Object.keys(result.metafile.outputs).sort()))
  .digest("hex");
writeFileSync(join(fresh, ".stamp"), `${version} ${digest.slice(0, 12)}\n`);
if (existsSync(dist)) renameSync(dist, old);
renameSync(fresh, dist);
rmSync(old, { recursive: true, force: true });
