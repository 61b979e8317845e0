// Asks the control plane what it told client and servers, and the client's sidecar which certificates it holds.
import type { AdminClient } from "../../cli/admin-client.ts";
import { askPod, askSidecar } from "../../cli/ask-mesh.ts";
import type { CommandContext } from "../../cli/command.ts";
import type { MeshAccess, MeshPod } from "../../cli/mesh-access.ts";
import { writeStructured } from "../../cli/output.ts";
import { styleFor } from "../../cli/style.ts";
import { formatTable } from "../../cli/table.ts";
import { closestWord } from "../../common/closest-word.ts";
import { UserError } from "../../common/user-error.ts";
import { Port } from "../../xds/names.ts";
import { compareKeys, toCamelCase, type Json } from "./proxy-config/envoy-json.ts";
import { heldCertificates, type HeldCertificate } from "./tls/held-certificates.ts";
import { agreementOf, effectiveClientMode, isService, type Agreement, type AuthenticationReport } from "./tls/tls-agreement.ts";

interface ServiceRow {
  readonly host: string;
  readonly port: number;
  readonly subset: string | null;
  readonly status: Agreement;
  readonly server: string;
  readonly client: string;
  /** No DestinationRule says what the client does: it follows from the endpoints. */
  readonly isAutomatic: boolean;
  readonly authnPolicy: string | null;
  readonly destinationRule: string | null;
  readonly serverIdentities: readonly string[];
}

export async function run(context: CommandContext): Promise<number> {
  const [workload, service] = context.args;
  return askSidecar(context, workload!, async (admin, pod, mesh) => {
    const certificates = await readCertificates(admin);
    const services = selectServices(await readReports(mesh, pod), service).map(toRow);
    const identity = certificates.find((each) => each.kind === "workload")?.identity ?? "";
    const value = { workload: `${pod.name}.${pod.namespace}`, identity, services, certificates: certificates.map(roundDays) };
    if (!writeStructured(context, value)) print(context, services, certificates);
    const isBroken = services.some((each) => each.status === "CONFLICT") || certificates.some((each) => !(each.daysLeft > 0));
    return isBroken ? 1 : 0;
  });
}

async function readCertificates(admin: AdminClient): Promise<HeldCertificate[]> {
  return heldCertificates(toCamelCase((await admin.getJson("/certs")) as Json), Date.now());
}

/** Every replica of the control plane knows all pods: the first that answers does. */
async function readReports(mesh: MeshAccess, pod: MeshPod): Promise<AuthenticationReport[]> {
  const path = `/debug/authenticationz?proxyID=${encodeURIComponent(`${pod.name}.${pod.namespace}`)}`;
  let failure: unknown;
  for (const controller of await mesh.controllers()) {
    try {
      return (await askPod(controller, Port.monitoring, (admin) => admin.getJson(path))) as AuthenticationReport[];
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function selectServices(reports: readonly AuthenticationReport[], service: string | undefined): AuthenticationReport[] {
  const chosen = reports.filter((report) => service === undefined || isService(report, service));
  if (chosen.length === 0 && service !== undefined) {
    const hosts = [...new Set(reports.map((report) => report.host))].sort();
    const name = service.split(/[.:]/, 1)[0]!;
    const near = closestWord(
      name,
      hosts.map((host) => host.split(".", 1)[0]!),
    );
    const ports = reports.filter((report) => isService(report, service.replace(/:\d+$/, ""))).map((report) => report.port);
    if (ports.length > 0)
      throw new UserError(
        `service ${service.replace(":", " has no port ")}`,
        `its ports: ${[...new Set(ports)].sort((a, b) => a - b).join(", ")}`,
      );
    const hint = hosts.length === 0 ? "it knows no services" : `known: ${hosts.join(", ")}`;
    throw new UserError(`this workload knows no service ${service}`, near === undefined ? hint : `did you mean ${near}? ${hint}`);
  }
  return chosen.sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
}

function keyOf(report: AuthenticationReport): (string | number)[] {
  return [report.host, report.port, report.subset ?? ""];
}

function toRow(report: AuthenticationReport): ServiceRow {
  const named = (name: string | undefined): string | null => (name === undefined || name === "" || name === "-" ? null : name);
  return {
    host: report.host,
    port: report.port,
    subset: report.subset ?? null,
    status: agreementOf(report),
    server: report.serverMode,
    client: effectiveClientMode(report),
    isAutomatic: report.clientMode === "AUTO",
    authnPolicy: named(report.policy),
    destinationRule: named(report.destinationRule),
    serverIdentities: report.serverIdentities,
  };
}

function roundDays(certificate: HeldCertificate): HeldCertificate {
  return { ...certificate, daysLeft: Number(certificate.daysLeft.toFixed(2)) };
}

function print(context: CommandContext, services: readonly ServiceRow[], certificates: readonly HeldCertificate[]): void {
  const style = styleFor(context.stdout, context.env);
  const colours = { OK: style.green, PLAINTEXT: style.yellow, CONFLICT: style.red };
  const place = (row: ServiceRow): string => `${row.host}${row.subset === null ? "" : `|${row.subset}`}:${row.port}`;
  const client = (row: ServiceRow): string => (row.isAutomatic ? `${row.client} (auto)` : row.client);
  const rows = services.map((row) => [place(row), row.status, row.server, client(row), row.authnPolicy ?? "-", row.destinationRule ?? "-"]);
  const header = ["HOST:PORT", "STATUS", "SERVER", "CLIENT", "AUTHN POLICY", "DESTINATION RULE"];
  const paint = (text: string, row: number, column: number): string => (column === 1 ? colours[services[row]!.status](text) : text);
  context.stdout.write(formatTable(header, rows, { padding: 3, paint }));

  // A subset's pods run as the accounts of its service. Where the client speaks plaintext nobody proves anything.
  const whole = services.filter((row) => row.subset === null && row.client !== "DISABLE");
  const proofs = whole.flatMap((row) => row.serverIdentities.map((identity, index) => [index === 0 ? place(row) : "", identity]));
  if (proofs.length > 0) context.stdout.write(`\n${formatTable(["HOST:PORT", "SERVER MUST BE"], proofs, { padding: 3 })}`);

  const held = certificates.map((each) => [each.kind, each.identity || "-", describeDays(each.daysLeft), each.notAfter]);
  const warn = (text: string, row: number, column: number): string =>
    column === 2 && !(certificates[row]!.daysLeft > 0) ? style.red(text) : text;
  context.stdout.write(`\n${formatTable(["CERTIFICATE", "IDENTITY", "DAYS LEFT", "NOT AFTER"], held, { padding: 3, paint: warn })}`);
}

/** Tenths below ten days: a workload's certificate lives for one. */
function describeDays(days: number): string {
  if (!(days > 0)) return "EXPIRED";
  return days < 10 ? days.toFixed(1) : String(Math.floor(days));
}
