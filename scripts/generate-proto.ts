// Generates src/xds/gen/ (TypeScript of Envoy's v3 API and of our own few messages) from the .proto files that
// @grpc/grpc-js-xds carries. Runs in `prepare`; the result is not committed. Skipped when nothing it reads changed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ROOTS } from "./proto-roots.ts";

const root = resolve(import.meta.dirname, "..");
const deps = join(root, "node_modules/@grpc/grpc-js-xds/deps");
const includes = ["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((name) => join(deps, name));
const ours = join(root, "src/xds/proto");
const work = join(root, ".build/proto");
const target = join(root, "src/xds/gen");

// Options only: dropping them makes the generated descriptors load four times faster.
const DROPPED = /^(validate\/|udpa\/annotations\/|xds\/annotations\/|envoy\/annotations\/|google\/api\/annotations|google\/api\/http)/;

function locate(path: string): string | undefined {
  return [ours, ...includes].map((dir) => join(dir, path)).find((file) => existsSync(file));
}

/** Copies the roots and everything they import into the work folder, patched where a strict compiler needs it. */
function collect(paths: readonly string[]): void {
  const pending = [...paths];
  const seen = new Set<string>();
  while (pending.length > 0) {
    const path = pending.pop()!;
    if (seen.has(path) || path.startsWith("google/protobuf/")) continue;
    seen.add(path);
    const file = locate(path);
    if (file === undefined) throw new Error(`generate-proto: ${path} is not in ${deps} nor in ${ours}`);
    let text = readFileSync(file, "utf8");
    for (const match of text.matchAll(/^import (?:public )?"([^"]+)"/gm)) pending.push(match[1]!);
    // The vendored copy is older than the files that use it and lacks this field of StringRules.
    if (path === "validate/validate.proto" && !text.includes("ignore_empty = 26")) {
      text = text.replace(/message StringRules \{/, "message StringRules {\n  optional bool ignore_empty = 26;");
    }
    mkdirSync(dirname(join(work, path)), { recursive: true });
    writeFileSync(join(work, path), text);
  }
}

/** Removes annotation-only files, the imports of them and every custom option from a descriptor set. */
function slim(bytes: Uint8Array): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, bytes);
  const strip = (node: unknown): void => {
    if (node === null || typeof node !== "object") return;
    if (Array.isArray(node)) return node.forEach(strip);
    if (ArrayBuffer.isView(node)) return;
    const message = node as Record<string, unknown>;
    const options = message["options"] as { $unknown?: unknown } | undefined;
    if (options !== undefined) delete options.$unknown;
    Object.values(message).forEach(strip);
  };
  const file = set.file.filter((each) => !DROPPED.test(each.name));
  for (const each of file) {
    each.dependency = each.dependency.filter((path) => !DROPPED.test(path));
    each.publicDependency = [];
    each.weakDependency = [];
    strip(each);
  }
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
}

function fingerprint(): string {
  const hash = createHash("sha256");
  hash.update(readFileSync(import.meta.filename)).update(JSON.stringify(ROOTS));
  for (const name of ["@grpc/grpc-js-xds", "@bufbuild/protoc-gen-es", "protoc"]) {
    hash.update(readFileSync(join(root, "node_modules", name, "package.json")));
  }
  for (const path of ROOTS) if (existsSync(join(ours, path))) hash.update(readFileSync(join(ours, path)));
  return hash.digest("hex");
}

function main(): void {
  const stamp = join(target, ".stamp");
  const wanted = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  collect(ROOTS);
  const protoc = join(root, "node_modules/protoc/protoc.cjs");
  const all = join(work, "all.binpb");
  execFileSync(process.execPath, [protoc, `-I${work}`, "--include_imports", `--descriptor_set_out=${all}`, ...ROOTS], { stdio: "inherit" });
  const slimmed = slim(readFileSync(all));
  const slimFile = join(work, "slim.binpb");
  writeFileSync(slimFile, slimmed);
  const names = fromBinary(FileDescriptorSetSchema, slimmed)
    .file.map((each) => each.name)
    .filter((name) => !name.startsWith("google/protobuf/"));
  const out = join(work, "gen");
  mkdirSync(out, { recursive: true });
  const plugin = join(root, "node_modules/.bin/protoc-gen-es");
  execFileSync(
    process.execPath,
    [
      protoc,
      `--descriptor_set_in=${slimFile}`,
      `--plugin=protoc-gen-es=${plugin}`,
      `--es_out=${out}`,
      "--es_opt=target=ts,import_extension=ts,erasable_syntax=true",
      ...names,
    ],
    { stdio: "inherit" },
  );
  writeFileSync(join(out, ".stamp"), wanted);
  rmSync(target, { recursive: true, force: true });
  renameSync(out, target);
  rmSync(work, { recursive: true, force: true });
}

main();
