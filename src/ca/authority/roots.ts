// Where the CA's own certificate and key come from: files in Istio's "cacerts" layout, or a new root that is kept there.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeFileError } from "../../common/file-error.ts";
import { UserError } from "../../common/user-error.ts";
import { createRootCertificate } from "./root-certificate.ts";
import { toSigningAuthority } from "./signing-authority.ts";
import type { NamedPem, SigningAuthority } from "./signing-authority.ts";

/** Names of the files. The second form is what cert-manager writes. */
const LAYOUTS = [
  { certificate: "ca-cert.pem", key: "ca-key.pem", roots: "root-cert.pem", chain: "cert-chain.pem" },
  { certificate: "tls.crt", key: "tls.key", roots: "ca.crt", chain: undefined },
] as const;
type Layout = (typeof LAYOUTS)[number];

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
  const layout = LAYOUTS.find((each) => Object.values(each).some((name) => name !== undefined && existsSync(join(folder, name))));
  if (layout === undefined) {
    const { certificatePem, keyPem } = await createRootCertificate(trustDomain, nowMs);
    persist(folder, {
      "ca-key.pem": keyPem,
      "cert-chain.pem": certificatePem,
      "root-cert.pem": certificatePem,
      "ca-cert.pem": certificatePem,
    });
  }
  return loadAuthority(folder, layout ?? LAYOUTS[0], nowMs);
}

function loadAuthority(folder: string, layout: Layout, nowMs: number): SigningAuthority {
  const certificate = readPart(folder, layout.certificate, layout);
  // In the tls.crt form the intermediates follow the signer in its own file.
  const isChainApart = layout.chain !== undefined && existsSync(join(folder, layout.chain));
  const chain = isChainApart ? readPart(folder, layout.chain, layout) : certificate;
  const parts = { certificate, key: readPart(folder, layout.key, layout), chain, roots: readPart(folder, layout.roots, layout) };
  return toSigningAuthority(parts, nowMs);
}

function readPart(folder: string, name: string, layout: Layout): NamedPem {
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
