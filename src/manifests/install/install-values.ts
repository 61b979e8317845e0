// The values of an installation: what each may be. Every one of them can be left out, in a file or on the command line;
// profiles.ts has what they are then.
import { z } from "zod";
import { DURATION } from "../../common/duration.ts";
import { SYSTEM_NAMESPACES } from "../injection-decision.ts";
import { parseQuantity } from "./quantity.ts";

const text = z.string({ error: "must be a text, in quotes where YAML reads something else" });
const named = (pattern: RegExp, what: string): z.ZodString => text.regex(pattern, `must be ${what}`);
const flag = z.boolean({ error: "must be true or false" });
const amount = (least: number, most: number): z.ZodNumber =>
  z.int({ error: `must be a whole number` }).min(least, `must be ${least} at least`).max(most, `must be ${most} at most`);
const oneOf = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  z.enum(words, { error: `must be one of ${words.join(", ")}` });
/** Also as YAML's number, as everywhere in Kubernetes. */
const amountText = z.union([z.string(), z.number()], { error: "must be a quantity" }).transform(String);
const quantity = amountText.refine((each) => parseQuantity(each) !== undefined, "must be a quantity such as 100m or 256Mi");
/** Empty: none. */
const limit = amountText.refine(
  (each) => each === "" || parseQuantity(each) !== undefined,
  'must be a quantity such as 512Mi, or "" for no limit',
);

// RFC 1123 for names; SPIFFE-ID specification, section 2.1, for the trust domain.
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;

export const PROFILES = ["default", "ha", "minimal"] as const;
export type Profile = (typeof PROFILES)[number];

/** Others run in these, which the installation's Pod Security would stop and uninstall would delete. */
const isOwnNamespace = (name: string): boolean => name !== "default" && !SYSTEM_NAMESPACES.has(name);

/** Of `kubectl explain pod.spec.tolerations`; the API server knows the rest. */
const toleration = z.strictObject(
  {
    key: text.optional(),
    operator: oneOf("Exists", "Equal").optional(),
    value: text.optional(),
    effect: oneOf("NoSchedule", "PreferNoSchedule", "NoExecute").optional(),
    tolerationSeconds: amount(0, 1e9).optional(),
  },
  { error: "must be a toleration" },
);

const controller = z.strictObject(
  {
    replicas: amount(1, 100),
    logLevel: oneOf("trace", "debug", "info", "warn", "error", "fatal"),
    logFormat: oneOf("json", "text"),
    resources: z
      .strictObject(
        {
          requests: z.strictObject({ cpu: quantity, memory: quantity }, { error: "must be a map" }).partial(),
          limits: z.strictObject({ cpu: limit, memory: limit }, { error: "must be a map" }).partial(),
        },
        { error: "must be a map" },
      )
      .partial(),
    antiAffinity: flag,
    minAvailable: amount(0, 100),
    autoscaler: z
      .strictObject(
        { enabled: flag, minReplicas: amount(1, 100), maxReplicas: amount(1, 100), targetCpuPercent: amount(1, 100) },
        { error: "must be a map" },
      )
      .partial(),
    nodeSelector: z.record(z.string(), text, { error: "must be a map of labels" }),
    tolerations: z.array(toleration, { error: "must be a list" }),
    priorityClassName: text,
  },
  { error: "must be a map" },
);

export const valuesLayer = z
  .strictObject(
    {
      profile: oneOf(...PROFILES),
      namespace: named(LABEL, "the name of a namespace").refine(isOwnNamespace, "must be a namespace of the mesh's own"),
      image: named(/^[^\s]+$/, "the name of an image"),
      imagePullPolicy: oneOf("Always", "IfNotPresent", "Never"),
      imagePullSecrets: z.array(named(DNS_NAME, "the name of a Secret"), { error: "must be a list of names" }),
      trustDomain: named(TRUST_DOMAIN, "lower-case letters, digits, dots, dashes and underscores"),
      clusterDomain: named(DNS_NAME, "a DNS name such as cluster.local"),
      clusterId: named(/\S/, "a name"),
      accessLog: text,
      pathNormalization: oneOf("NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"),
      protocolDetectionTimeout: named(DURATION, "a duration such as 5s"),
      controller: controller.partial(),
      webhook: z.strictObject({ failurePolicy: oneOf("Fail", "Ignore") }, { error: "must be a map" }).partial(),
    },
    { error: "must be a map of values" },
  )
  .partial();
export type ValuesLayer = z.output<typeof valuesLayer>;

type Complete<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [Key in keyof T]-?: Complete<NonNullable<T[Key]>> } : T;
/** Every value, given or not. */
export type InstallValues = Complete<ValuesLayer>;

/** The schema of one value by its path; undefined where there is none. */
export function schemaAt(path: readonly string[]): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = valuesLayer;
  for (const step of path) {
    while (schema instanceof z.ZodOptional) schema = schema.unwrap();
    if (schema instanceof z.ZodObject) schema = (schema.shape as Record<string, z.core.$ZodType>)[step];
    else schema = schema instanceof z.ZodRecord ? schema.valueType : undefined;
  }
  while (schema instanceof z.ZodOptional) schema = schema.unwrap();
  return schema;
}

/** The paths of all values, as --set writes them. */
export function valuePaths(schema: z.core.$ZodType = valuesLayer, prefix: string = ""): string[] {
  if (schema instanceof z.ZodOptional) return valuePaths(schema.unwrap(), prefix);
  if (!(schema instanceof z.ZodObject)) return [prefix];
  return Object.entries<z.core.$ZodType>(schema.shape).flatMap(([name, each]) =>
    valuePaths(each, prefix === "" ? name : `${prefix}.${name}`),
  );
}
