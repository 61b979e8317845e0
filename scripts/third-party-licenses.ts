// The licences of the packages that the bundle contains: most ask that their text goes along with copies of the code.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Text for dist/THIRD-PARTY-LICENSES.txt. @param inputs paths of the bundled files, from the repository's root. */
export function thirdPartyLicenses(root: string, inputs: readonly string[]): string {
  const folders = new Set<string>();
  for (const path of inputs) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
    if (folder !== undefined) folders.add(folder);
  }
  return [...folders]
    .sort()
    .map((folder) => section(join(root, folder)))
    .join("\n");
}

function section(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string | undefined>;
  const texts = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const head = `${name} ${version} (${license ?? "see below"})`;
  return `${head}\n${"=".repeat(head.length)}\n\n${texts.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n")}\n`;
}
