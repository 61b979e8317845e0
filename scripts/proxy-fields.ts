// Writes docs/proxy-fields.md: which fields of Envoy's messages the proxy understands, which it accepts without effect and
// why, and which it refuses. They are asked from the decoders themselves: on its way into memory the module that all of them
// declare their fields to is made to write down what it is told.
import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import type { DescMessage } from "@bufbuild/protobuf";

interface Declared {
  readonly schema: DescMessage;
  readonly acts: readonly string[];
  readonly harmless: Readonly<Record<string, string>>;
  /** File of the decoder. */
  readonly decoder: string;
}

const PAGE = resolve(import.meta.dirname, "../docs/proxy-fields.md");
const DECODERS = ["decode-bootstrap.ts", "decode-endpoints.ts", "decode-route.ts"];
const RETURN = "return { schema, unsupported };";

/** By the beginning of a message's full name; the first that fits. */
const SECTIONS: readonly (readonly [title: string, ...prefixes: string[]])[] = [
  ["Bootstrap", "envoy.config.bootstrap."],
  ["HTTP connection manager", "envoy.extensions.filters.network.http_connection_manager.", "envoy.extensions.filters.http."],
  ["Listeners", "envoy.config.listener.", "envoy.extensions.filters.listener.", "envoy.extensions.filters.network.tcp_proxy."],
  ["Routes", "envoy.config.route.", "envoy.extensions.retry."],
  ["Clusters", "envoy.config.cluster.", "envoy.extensions.upstreams."],
  ["Endpoints", "envoy.config.endpoint."],
  ["TLS", "envoy.extensions.transport_sockets."],
  ["Access logs", "envoy.config.accesslog.", "envoy.extensions.access_loggers."],
  ["What several of them share", "envoy."],
];
/** Messages that two decoders read differently. */
const WHERE: Readonly<Record<string, string>> = {
  "decode-listener-protocol.ts": "of a connection manager",
  "decode-http-protocol-options.ts": "of a cluster",
};

const HEAD = `# What the proxy understands of Envoy's configuration

Made by \`node scripts/proxy-fields.ts\` from the decoders themselves; nothing here is written by hand. What is set and not
understood is refused, extensions too; of some fields not every value is supported. Addresses, matchers, data sources and
access log formats have no list here: they are checked value by value. \`meshctl proxy --bootstrap FILE --check\` tells every
problem with file, line and field. [proxy-bootstrap.md](proxy-bootstrap.md) is the guide.
`;

async function readDeclared(): Promise<readonly Declared[]> {
  const declared: Declared[] = [];
  const note = (schema: DescMessage, acts: readonly string[], harmless: Declared["harmless"], stack: string): void => {
    const decoder = /\/([\w-]+\.ts):\d+:\d+/.exec(stack.split("\n").find((line) => line.includes("/config/decode-")) ?? "")?.[1] ?? "";
    declared.push({ schema, acts, harmless, decoder });
  };
  (globalThis as { noteFieldRules?: typeof note }).noteFieldRules = note;
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith("/config/decoding.ts")) return loaded;
      const source = Buffer.from(loaded.source as Uint8Array).toString();
      if (!source.includes(RETURN)) throw new Error(`decoding.ts has no ${JSON.stringify(RETURN)}`);
      return { ...loaded, source: source.replace(RETURN, `noteFieldRules(schema, acts, harmless, new Error().stack ?? ""); ${RETURN}`) };
    },
  });
  for (const each of DECODERS) await import(`../src/proxy-runtime/config/${each}`);
  hooks.deregister();
  return declared;
}

function sectionOf({ schema }: Declared): string {
  return SECTIONS.find(([, ...prefixes]) => prefixes.some((each) => schema.typeName.startsWith(each)))![0];
}

/** `RouteAction.UpgradeConfig` of `envoy.config.route.v3.RouteAction.UpgradeConfig`. */
function shortName({ typeName, file }: DescMessage): string {
  return typeName.slice(file.proto.package.length + 1);
}

function code(names: readonly string[]): string {
  return names.map((each) => `\`${each}\``).join(", ");
}

function describe(declared: Declared, isTwice: boolean): string {
  const { schema, acts, harmless, decoder } = declared;
  const names = schema.fields.map((each) => each.name);
  const refused = names.filter((each) => !acts.includes(each) && harmless[each] === undefined && !each.startsWith("hidden_envoy_"));
  const where = isTwice ? ` ${WHERE[decoder] ?? decoder}` : "";
  const effectless = names.filter((each) => harmless[each] !== undefined).map((each) => `\`${each}\` (${harmless[each]})`);
  return [
    `### ${shortName(schema)}${where}\n`,
    `\`${schema.typeName}\`\n`,
    ...(acts.length === 0 ? [] : [`- understood: ${code(names.filter((each) => acts.includes(each)))}`]),
    ...(effectless.length === 0 ? [] : [`- without effect: ${effectless.join(", ")}`]),
    ...(refused.length === 0 ? [] : [`- refused: ${code(refused)}`]),
    ...(names.length === 0 ? ["It has no fields."] : []),
  ].join("\n");
}

/** The whole page. */
export async function proxyFieldsPage(): Promise<string> {
  const declared = await readDeclared();
  const isTwice = (each: Declared): boolean => declared.some((other) => other !== each && other.schema === each.schema);
  const key = (each: Declared): string => `${shortName(each.schema)} ${each.decoder}`;
  const sections = SECTIONS.flatMap(([title]) => {
    const messages = declared.filter((each) => sectionOf(each) === title).sort((a, b) => (key(a) < key(b) ? -1 : 1));
    return messages.length === 0 ? [] : [`## ${title}\n`, ...messages.map((each) => `${describe(each, isTwice(each))}\n`)];
  });
  return [HEAD, ...sections].join("\n");
}

if (import.meta.main) writeFileSync(PAGE, await proxyFieldsPage());
