// Where the CA's own certificate and key come from on one machine: files in a folder, or a new root that is kept there.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeFileError } from "../../common/file-error.ts";
import { UserError } from "../../common/user-error.ts";
import { authorityOf, findLayout, newAuthorityParts } from "./authority-layout.ts";
import type { AuthorityLayout } from "./authority-layout.ts";
import { createRootCertificate } from "./root-certificate.ts";
import { toSigningAuthority } from "./signing-authority.ts";
import type { NamedPem, SigningAuthority } from "./signing-authority.ts";

/** A root that lives only as long as this process. */
export async function createEphemeralAuthority(trustDomain: string, nowMs: number): Promise<SigningAuthority> {
  const { certificatePem, keyPem } = await createRootCertificate(trustDomain, nowMs);
  const certificate = { name: "the new root", pem: certificatePem };
  return toSigningAuthority({ certificate, key: { name: "its key", pem: keyPem }, chain: undefined, roots: certificate }, nowMs);
}

/**
 * Loads the authority from a folder; an empty (or missing) one gets a new root first, the key readable by its owner only.
 * @throws UserError when files are missing, unreadable, expired or don't belong together.
 */
export async function loadOrCreateAuthority(folder: string, trustDomain: string, nowMs: number): Promise<SigningAuthority> {
  const has = (name: string): boolean => existsSync(join(folder, name));
  if (findLayout(has) === undefined) persist(folder, await newAuthorityParts(trustDomain, nowMs));
  const layout = findLayout(has)!;
  return authorityOf(layout, has, (name) => readPart(folder, name, layout), nowMs);
}

function readPart(folder: string, name: string, layout: AuthorityLayout): NamedPem {
  const path = join(folder, name);
  try {
    return { name: path, pem: readFileSync(path, "utf8") };
  } catch (error) {
    throw new UserError(
      `can't read ${path}: ${describeFileError(error)}`,
      `the CA's folder must hold ${layout.certificate}, ${layout.key} and ${layout.roots}, or nothing at all to have a new root made`,
    );
  }
}

function persist(folder: string, files: Readonly<Record<string, string>>): void {
  const written: string[] = [];
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const [name, pem] of Object.entries(files)) {
      const fresh = join(folder, `.${name}.new`);
      written.push(fresh);
      writeFileSync(fresh, pem, { mode: 0o600 });
      if (name !== "ca-key.pem") chmodSync(fresh, 0o644);
    }
    for (const name of Object.keys(files)) {
      renameSync(join(folder, `.${name}.new`), join(folder, name));
      written.push(join(folder, name));
    }
  } catch (error) {
    for (const path of written) {
      if (existsSync(path)) rmSync(path);
    }
    throw new UserError(
      `can't keep the CA's root in ${folder}: ${(error as Error).message}`,
      "choose a folder that this user may write to",
    );
  }
}
