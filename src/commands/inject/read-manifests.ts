// Where manifests come from: files, folders, https URLs, standard input.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { CommandContext } from "../../cli/command.ts";
import { readInput } from "../../cli/input-file.ts";
import { describeFileError } from "../../common/file-error.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { parseFile, type ParsedFile } from "../../manifests/inject/manifest-files.ts";

const URL_TIMEOUT_MS = 30_000;
const MANIFEST = /\.(?:ya?ml|json)$/i;

/** @throws UserError for the first input that can't be read or is no YAML. */
export async function readManifests(context: CommandContext): Promise<ParsedFile[]> {
  const inputs = [...((context.options["filename"] as readonly string[] | undefined) ?? []), ...context.args];
  if (inputs.length === 0)
    throw new UserError(
      "nothing to read",
      "give a file, a folder, an https URL, or - for standard input: meshctl inject app.yaml",
      USAGE_EXIT_CODE,
    );
  if (inputs.filter((each) => each === "-").length > 1)
    throw new UserError("- is given twice", "standard input can be read once", USAGE_EXIT_CODE);
  const files: ParsedFile[] = [];
  for (const input of inputs) {
    for (const { name, text } of await readAll(input)) {
      const parsed = parseFile(name, text);
      if (!("texts" in parsed))
        throw new UserError(
          `${parsed.file}:${parsed.line}:${parsed.column}: ${parsed.message}`,
          "nothing was printed; mend it and run again",
        );
      files.push(parsed);
    }
  }
  return files;
}

interface NamedText {
  readonly name: string;
  readonly text: string;
}

async function readAll(input: string): Promise<NamedText[]> {
  if (input === "-") return [{ name: "standard input", text: await readInput("-") }];
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(input)) return [{ name: input, text: await readUrl(input) }];
  const paths = (await isFolder(input)) ? await manifestsIn(input) : [input];
  return Promise.all(paths.map(async (path) => ({ name: path, text: await readInput(path) })));
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw new UserError(`can't read ${path}: ${describeFileError(error)}`, "give a file, a folder, an https URL, or - for standard input");
  }
}

async function manifestsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((each) => !each.isDirectory() && MANIFEST.test(each.name)).map((each) => join(each.parentPath, each.name));
  if (paths.length === 0) throw new UserError(`${folder} has no *.yaml, *.yml or *.json in it`, "give the folder that has the manifests");
  return paths.toSorted();
}

async function readUrl(url: string): Promise<string> {
  if (!url.toLowerCase().startsWith("https://"))
    throw new UserError(
      `${url}: only https URLs are read`,
      "what comes over plain http could be anyone's; download it and look at it first",
    );
  const fail = (why: string): never => {
    throw new UserError(`can't read ${url}: ${why}`, "download it by other means, and give the file");
  };
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(URL_TIMEOUT_MS), redirect: "error" });
    return response.ok ? await response.text() : fail(`the server answers ${response.status}`);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { cause = error } = error as Error;
    return fail(cause instanceof Error ? cause.message : String(cause));
  }
}
