// `meshctl proxy --bootstrap FILE`: an Envoy v3 bootstrap in YAML or JSON → BootstrapConfig, or one message that names
// every mistake with file, line and field. What is only needed for that is loaded here and not by a sidecar.
import { readFileSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Problem } from "../../common/result.ts";
import { describeFileError } from "../../common/file-error.ts";
import { UserError } from "../../common/user-error.ts";
import type { FieldPath, YamlDocument } from "../../common/yaml.ts";
import type { BootstrapConfig } from "./bootstrap-config.ts";

/** @throws UserError with every problem of the file. */
export async function loadBootstrap(file: string): Promise<BootstrapConfig> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(
      `can't read bootstrap ${file}: ${describeFileError(error)}`,
      "give the path of an Envoy v3 bootstrap in YAML or JSON",
    );
  }
  return parseBootstrap(text, file);
}

/** As loadBootstrap, from text; `file` is for messages. */
export async function parseBootstrap(text: string, file: string): Promise<BootstrapConfig> {
  const [{ parseYamlDocuments }, { bootstrapFromJson }, { decodeBootstrap }] = await Promise.all([
    import("../../common/yaml.ts"),
    import("./bootstrap-json.ts"),
    import("./decode-bootstrap.ts"),
  ]);
  const parsed = parseYamlDocuments(text, file);
  const syntax = parsed.problems[0];
  if (syntax !== undefined)
    throw new UserError(`${file}:${syntax.line}:${syntax.column}: ${syntax.message}`, "a bootstrap is YAML or JSON");
  const document = parsed.documents[0];
  if (document === undefined || document.value === null) throw new UserError(`bootstrap ${file} is empty`);
  if (parsed.documents.length > 1) throw new UserError(`bootstrap ${file} holds ${parsed.documents.length} documents; one is needed`);
  const message = bootstrapFromJson(document.value as JsonValue);
  const result = message.ok ? decodeBootstrap(message.value, Date.now()) : message;
  if (!result.ok)
    throw new UserError(
      render(file, document, result.problems),
      "meshctl takes the parts of Envoy's v3 bootstrap that it can act on, and refuses the rest",
    );
  return result.value;
}

function render(file: string, document: YamlDocument, problems: readonly Problem[]): string {
  const lines = problems.map((problem) => {
    const { line } = document.locate(toFieldPath(problem.path));
    return `${file}:${line}: ${problem.path === "" ? "" : `${problem.path}: `}${problem.message}`;
  });
  return lines.length === 1 ? lines[0]! : `${lines.length} problems in the bootstrap\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** `a.b[0]["x.y"]` → steps. */
function toFieldPath(path: string): FieldPath {
  return [...path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)].map(([, index, quoted, name]) =>
    index !== undefined ? Number(index) : quoted !== undefined ? (JSON.parse(quoted) as string) : name!,
  );
}
