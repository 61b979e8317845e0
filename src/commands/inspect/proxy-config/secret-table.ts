// proxy-config secret: the certificates that a proxy holds, with istioctl's columns. Keys never appear.
import { X509Certificate } from "node:crypto";
import { formatTable } from "../../../cli/table.ts";
import { field, items, text, type Json } from "./envoy-json.ts";

interface SecretRow {
  readonly name: string;
  readonly type: string;
  readonly status: "ACTIVE" | "WARMING";
  readonly certificate: X509Certificate | undefined;
}

/** @param now ms since the epoch, for VALID CERT. */
export function secretTable(dump: Json, now: number, width?: number): string {
  const rows = [
    ...items(dump, "dynamicActiveSecrets").flatMap((each) => readSecret(each, "ACTIVE")),
    ...items(dump, "dynamicWarmingSecrets").flatMap((each) => readSecret(each, "WARMING")),
    ...items(dump, "staticSecrets").flatMap((each) => readSecret(each, "ACTIVE")),
  ];
  const domains = rows.map((row) => trustDomainOf(row.certificate));
  const hasDomains = rows.length > 0 && domains.every((domain) => domain !== "");
  const header = ["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"];
  const cells = rows.map((row, index) => [...describe(row, now), ...(hasDomains ? [domains[index]!] : [])]);
  return formatTable(hasDomains ? [...header, "TRUST DOMAIN"] : header, cells, { width });
}

function describe({ name, type, status, certificate }: SecretRow, now: number): string[] {
  if (certificate === undefined) return [name, type, status, "false", "", "", ""];
  const isValid = certificate.validFromDate.getTime() <= now && now < certificate.validToDate.getTime();
  return [
    name,
    type,
    status,
    String(isValid),
    certificate.serialNumber.toLowerCase(),
    rfc3339(certificate.validToDate),
    rfc3339(certificate.validFromDate),
  ];
}

export function rfc3339(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}

/** One row per certificate: a bundle of roots and a chain with intermediates have several. */
function readSecret(each: Json, status: SecretRow["status"]): SecretRow[] {
  const secret = field(each, "secret");
  const name = text(each, "name") || text(secret, "name");
  const chain = field(secret, "tlsCertificate");
  const roots = field(secret, "validationContext");
  const type = chain !== undefined ? "Cert Chain" : roots !== undefined ? "CA" : "";
  const pem = readPem(chain === undefined ? field(roots, "trustedCa") : field(chain, "certificateChain"));
  const certificates = parseCertificates(pem);
  if (certificates.length === 0) return [{ name, type, status, certificate: undefined }];
  return certificates.map((certificate) => ({ name, type, status, certificate }));
}

/** envoy.config.core.v3.DataSource. Files of another machine can't be read. */
function readPem(source: Json | undefined): string {
  const inline = text(source, "inlineString");
  return inline !== "" ? inline : Buffer.from(text(source, "inlineBytes"), "base64").toString("latin1");
}

/** Certificates of a PEM text; what doesn't parse is left out. */
export function parseCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

function trustDomainOf(certificate: X509Certificate | undefined): string {
  return /URI:spiffe:\/\/([^/,\s]+)/.exec(certificate?.subjectAltName ?? "")?.[1] ?? "";
}
