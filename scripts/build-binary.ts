// `npm run build:binary`: meshctl as a single executable, by Node's own means (--build-sea). What it carries as assets,
// src/binary/loader.ts unpacks when it starts.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { UserError } from "../src/common/user-error.ts";
import { buildBundle, ROOT, runScript } from "./run-script.ts";

const USAGE = `Usage: npm run build:binary                  writes build/meshctl
       npm run build:binary -- --output FILE  writes FILE
       --no-bundle                            carries dist/ as it is, without building it first`;

/** Path in the unpacked folder → file here. koffi's package as far as `import` needs it, with the build for glibc only. */
function filesToCarry(platform: string): Map<string, string> {
  const native = `node_modules/@koromix/koffi-${platform}`;
  const own = globSync(["dist/**", "templates/**"], { cwd: ROOT }).filter((path) => statSync(join(ROOT, path)).isFile());
  const koffi = ["package.json", "LICENSE.txt", "index.js", "src/koffi/index.js", "src/koffi/src/static.js"];
  const paths = [
    ...own.filter((path) => !path.endsWith(".stamp")),
    "bin/openssl.cnf",
    "package.json",
    "LICENSE",
    "NOTICE",
    ...koffi.map((path) => `node_modules/koffi/${path}`),
    ...["package.json", "index.js", `${platform.replace("-", "_")}/koffi.node`].map((path) => `${native}/${path}`),
  ];
  const files = new Map(paths.sort().map((path) => [path, join(ROOT, path)]));
  files.set("LICENSE.node", join(ROOT, `node_modules/node-${platform}/LICENSE`));
  return files;
}

async function main(): Promise<number> {
  const options = { output: { type: "string" }, "no-bundle": { type: "boolean" }, help: { type: "boolean" } } as const;
  const { values } = parseArgs({ options });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const platform = `${process.platform}-${process.arch}`;
  if (!existsSync(join(ROOT, `node_modules/node-${platform}/LICENSE`)) || process.platform !== "linux")
    throw new UserError(`no single executable for ${platform}: only for linux-x64 and linux-arm64`, "use the npm package: npm pack");
  if (values["no-bundle"] !== true) buildBundle();
  const output = values.output ?? join(ROOT, "build/meshctl");
  const stage = join(ROOT, `.build/binary.${process.pid}`);
  mkdirSync(stage, { recursive: true });
  mkdirSync(join(output, ".."), { recursive: true });
  try {
    const assets = new Map(filesToCarry(platform)).set("start.cjs", join(stage, "start.cjs"));
    writeFileSync(join(stage, "start.cjs"), 'import("./dist/main.js");\n');
    const digest = createHash("sha256");
    for (const [path, file] of assets) digest.update(`${path}\0${statSync(file).size}\0`).update(readFileSync(file));
    writeFileSync(join(stage, "digest"), digest.digest("hex").slice(0, 32));
    assets.set("digest", join(stage, "digest"));
    await build({
      entryPoints: [join(ROOT, "src/binary/loader.ts")],
      outfile: join(stage, "loader.cjs"),
      bundle: true,
      format: "cjs",
      platform: "node",
      target: "node26",
      logLevel: "warning",
    });
    const config = {
      main: join(stage, "loader.cjs"),
      output,
      disableExperimentalSEAWarning: true,
      // A sidecar's flags are given to the binary itself, by its loader.
      execArgvExtension: "cli",
      assets: Object.fromEntries(assets),
    };
    writeFileSync(join(stage, "sea.json"), JSON.stringify(config));
    const { status, stderr } = spawnSync(process.execPath, ["--build-sea", join(stage, "sea.json")], { encoding: "utf8" });
    if (status !== 0) throw new UserError(`node --build-sea failed: ${stderr.trim()}`, "mend what it names");
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  console.log(`${output}: ${(statSync(output).size / 2 ** 20).toFixed(1)} MiB`);
  return 0;
}

await runScript("npm run build:binary", USAGE, main);
